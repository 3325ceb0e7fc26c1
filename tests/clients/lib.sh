# shellcheck shell=bash
# What the client tests share: real clusters as processes, clients that must be there, waits with a deadline. Sourced; the
# first argument of the script is the program, and its clusters and files live in $work until it ends.
set -euo pipefail

program=$1
work=$(mktemp -d "${TMPDIR:-/tmp}/anabranch-clients-XXXXXX")
export PGCONNECT_TIMEOUT=10 PGOPTIONS='' PSQLRC=/dev/null LC_ALL=C.UTF-8 TZ=UTC
export PATH=$PATH:/usr/lib/postgresql/15/bin # pgbench
readonly wait_seconds=${wait_seconds:-60}
declare -A pid_of address_of

say() { printf '%s\n' "$*"; }

fail() {
  say "FAILED: $*" >&2
  exit 1
}

# require COMMAND PACKAGE: a client that is missing fails the test; it is not passed over.
require() {
  command -v "$1" >/dev/null || fail "$1 is not installed: ./dev test installs it (Debian package $2)"
}

# start_cluster NAME [FLAG...]: the first start takes a free port, a later one the same again.
start_cluster() {
  local name=$1 out=$work/$1.out line
  shift
  : >"$out"
  "$program" start-single-node --insecure "--store=$work/$name" "--listen-addr=${address_of[$name]:-127.0.0.1:0}" \
    --http-addr=127.0.0.1:0 "$@" >"$out" 2>>"$work/$name.log" &
  pid_of[$name]=$!
  wait_until "$name prints its address" grep -q '^http: ' "$out"
  line=$(grep '^sql: ' "$out")
  address_of[$name]=${line##*@}
}

kill_cluster() {
  kill -KILL "${pid_of[$1]}"
  wait "${pid_of[$1]}" 2>/dev/null || true
  unset "pid_of[$1]"
}

# uri NAME [VIRTUAL_CLUSTER]
uri() { printf 'postgresql://root@%s/defaultdb?options=-ccluster%%3D%s' "${address_of[$1]}" "${2:-main}"; }

# sql URI STATEMENT...: the rows of each, unaligned.
sql() {
  local uri=$1 statement commands=()
  shift
  for statement in "$@"; do commands+=(-c "$statement"); done
  psql -XAtq -v ON_ERROR_STOP=1 "$uri" "${commands[@]}"
}

# wait_until WHAT COMMAND...: looks again until the command succeeds.
wait_until() {
  local what=$1 deadline=$((SECONDS + wait_seconds))
  shift
  until "$@" 2>/dev/null; do
    ((SECONDS < deadline)) || fail "waited $wait_seconds s in vain until $what"
    sleep 0.05
  done
}

expect() {
  local what=$1 wanted=$2 got=$3
  [[ $got == "$wanted" ]] || fail "$what: expected '$wanted', got '$got'"
}

# --- A standby, and what an operator does with it ---

# replicate STANDBY SOURCE: the first copy.
replicate() { sql "$(uri "$1" system)" "CREATE VIRTUAL CLUSTER main FROM REPLICATION OF main ON '$(uri "$2" system)'"; }

replicated() {
  sql "$(uri "$1" system)" "SELECT replicated_time > '$2' FROM [SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS]"
}
has_replicated_past() { [[ $(replicated "$1" "$2") == t ]]; }

# wait_replicated STANDBY SOURCE: until the standby has all that the source has now.
wait_replicated() {
  local now
  now=$(sql "$(uri "$2")" 'SELECT now()')
  wait_until "$1 has replicated $now" has_replicated_past "$1" "$now"
}

# fail_over NAME: to the latest; prints the failover time.
fail_over() {
  sql "$(uri "$1" system)" 'ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO LATEST' \
    'ALTER VIRTUAL CLUSTER main START SERVICE SHARED'
}

# fail_back STANDBY SOURCE: the standby undoes what only it has, and follows.
fail_back() {
  sql "$(uri "$1" system)" 'ALTER VIRTUAL CLUSTER main STOP SERVICE' \
    "ALTER VIRTUAL CLUSTER main START REPLICATION OF main ON '$(uri "$2" system)'"
}

end() {
  local status=$? pid
  trap - EXIT
  for pid in $(jobs -p); do
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  ((status != 0)) || rm -rf "$work"
  rmdir "$work" 2>/dev/null || [[ ! -e $work ]] || say "stores and logs are kept: $work" >&2
  exit "$status"
}
trap end EXIT
require psql postgresql-client
