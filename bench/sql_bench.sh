#!/usr/bin/env bash
# pgbench against ours and against PostgreSQL 15, in turns on one machine, both with every commit synced before it is acknowledged: speed and
# CPU of each server per configuration, the speed of loading, and the memory of an idle server. --help lists the flags.
#
#   sql_bench.sh PROGRAM [FLAG...]
set -euo pipefail

clients=(1 8 32) scripts=(select-only simple-update tpcb-like) modes=(simple extended prepared)
scale=32 seconds=5 rounds=5 memory_scale=100 json=''
warm_up=(-T 1) idle_seconds=2
rest_seconds=100 # ours gives memory back within a minute of rest, its allocator within some seconds more
wait_seconds=600 # lib.sh: a loaded server writes for minutes before it is idle

usage() {
  cat <<'HELP'
usage: ./dev bench sql [FLAG...]

  --clients=N,...      connections at once (default 1,8,32)
  --scripts=NAME,...   of pgbench's: select-only, simple-update, tpcb-like (default all)
  --modes=NAME,...     of the protocol: simple, extended, prepared (default all)
  --scale=N            in 100,000 accounts (default 32); TPC-B has a target where it is at least the clients
  --seconds=N          per measurement (default 5)
  --rounds=N           measurements of each side, of which the median counts (default 5)
  --memory-scale=N     loaded to look at memory, in 100,000 accounts (default 100; 0: do not)
  --json=FILE          the rows as JSON besides the table
  --quick              20 transactions each on small tables, to see that it runs; flags after it count
HELP
}

refuse() {
  printf 'sql_bench: %s\n' "$*" >&2
  exit 2
}

# Sets the variables above; a list's values are checked one by one.
parse_flags() {
  local flag value number='[1-9][0-9]{0,5}'
  for flag in "$@"; do
    value=${flag#*=}
    case $flag in
      --help) usage && exit ;;
      --quick) clients=(2) scale=1 rounds=1 memory_scale=1 seconds=0 warm_up=(-t 1) idle_seconds=0.1 rest_seconds=0 ;;
      --clients=*) IFS=, read -ra clients <<<"$value" && check "$flag" "$number" "${clients[@]}" ;;
      --scripts=*) IFS=, read -ra scripts <<<"$value" && check "$flag" 'select-only|simple-update|tpcb-like' "${scripts[@]}" ;;
      --modes=*) IFS=, read -ra modes <<<"$value" && check "$flag" 'simple|extended|prepared' "${modes[@]}" ;;
      --scale=*) scale=$value && check "$flag" "$number" "$value" ;;
      --seconds=*) seconds=$value && check "$flag" "$number" "$value" ;;
      --rounds=*) rounds=$value && check "$flag" "$number" "$value" ;;
      --memory-scale=*) memory_scale=$value && check "$flag" "0|$number" "$value" ;;
      --json=*) json=$value && : >"$json" ;;
      *) refuse "there is no flag '$flag'; --help lists them" ;;
    esac
  done
}

check() {
  local flag=$1 pattern=$2 value
  shift 2
  (($# > 0)) || refuse "$flag: a value is missing"
  for value in "$@"; do [[ $value =~ ^($pattern)$ ]] || refuse "$flag: '$value' is none of $pattern"; done
}

parse_flags "${@:2}"
source "$(dirname "${BASH_SOURCE[0]}")/../tests/clients/lib.sh"
((seconds > 0)) && run_length=(-T "$seconds") || run_length=(-t 20)
cores=$(nproc)
readonly sides=(ours postgresql) cores
declare -A url values cpus # by side; the last two: what the rounds of the row at hand gave
json_rows=()

# --- The two servers, each with new files under $work ---

as_postgres=()
((EUID != 0)) || as_postgres=(setpriv --reuid=postgres --regid=postgres --init-groups)

free_port() {
  local port
  while port=$((20000 + RANDOM % 10000)) && (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
  echo "$port"
}

start_ours() {
  start_cluster ours --virtualized
  url[ours]=$(uri ours)
}

# With its default settings, except where it listens.
start_postgresql() {
  local port
  port=$(free_port)
  install -d -m 700 ${as_postgres:+-o postgres -g postgres} "$work/postgresql"
  "${as_postgres[@]}" initdb -D "$work/postgresql" -U postgres -A trust --no-sync >"$work/initdb.out" 2>&1 ||
    fail "initdb: $(cat "$work/initdb.out")"
  "${as_postgres[@]}" postgres -D "$work/postgresql" -p "$port" -h 127.0.0.1 -k '' >>"$work/postgresql.log" 2>&1 &
  pid_of[postgresql]=$!
  url[postgresql]=postgresql://postgres@127.0.0.1:$port/postgres
  wait_until "PostgreSQL answers" pg_isready -q -d "${url[postgresql]}"
}

# PostgreSQL stops its processes and frees its shared memory on SIGQUIT, without a checkpoint.
stop() {
  local pid=${pid_of[$1]:-} signal=KILL
  [[ -n $pid ]] || return 0
  [[ $1 == ours ]] || signal=QUIT
  kill -"$signal" "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  unset "pid_of[$1]"
  rm -rf "${work:?}/$1"
}

# Nothing is left behind, whatever ended the run.
finish() {
  local status=$? side
  trap - EXIT
  ((status == 0 || status > 128)) || tail -n 20 "$work"/*.log >&2 || true
  for side in "${sides[@]}"; do stop "$side"; done
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT

# --- What a server costs ---

# The process and its children: PostgreSQL's backends and helpers.
family() { echo "$1 $(cat "/proc/$1/task/"*/children 2>/dev/null)"; }

# cpu_ticks PID: of its family and of the children that have ended; read again if one came or went meanwhile.
cpu_ticks() {
  local pids='' pid stat fields ticks
  while [[ $pids != "$(family "$1")" ]]; do
    pids=$(family "$1") ticks=0
    for pid in $pids; do
      stat=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
      read -ra fields <<<"${stat##*) }" # from the third on: utime is the 14th
      ticks=$((ticks + fields[11] + fields[12]))
      [[ $pid != "$1" ]] || ticks=$((ticks + fields[13] + fields[14]))
    done
  done
  echo "$ticks"
}

# PSS counts a page that processes share once over all of them.
resident_bytes() {
  local pid
  for pid in $(family "$1"); do cat "/proc/$pid/smaps_rollup"; done | awk '$1 == "Pss:" { kb += $2 } END { printf "%d", kb * 1024 }'
}

# Below 2 % of a core.
is_idle() {
  local before
  before=$(cpu_ticks "$1")
  sleep "$idle_seconds"
  awk -v ticks=$(($(cpu_ticks "$1") - before)) -v hz="$(getconf CLK_TCK)" -v s="$idle_seconds" 'BEGIN { exit !(ticks / hz <= s * 0.02) }'
}

# --- Measuring ---

# measured SIDE COMMAND...: prints the microseconds of CPU that the server used while the command ran, and then its output.
measured() {
  local pid=${pid_of[$1]} before report
  before=$(cpu_ticks "$pid")
  report=$("${@:2}" 2>&1) || fail "${*:2}: $report"
  echo $((($(cpu_ticks "$pid") - before) * 1000000 / $(getconf CLK_TCK)))
  printf '%s\n' "$report"
}

# add SIDE VALUE CPU_US UNITS: one round's value of the row at hand.
add() {
  values[$1]+="$2 "
  cpus[$1]+="$(awk -v us="$3" -v units="$4" 'BEGIN { printf "%.2f", us / units }') "
}

load() {
  local side=$1 load_scale=$2 report rows=$(($2 * 100000)) took
  report=$(measured "$side" pgbench -i -q -s "$load_scale" "${url[$side]}")
  took=$(sed -n 's/^done in \([0-9.]*\) s .*/\1/p' <<<"$report")
  [[ -n $took ]] || fail "pgbench -i on $side: $report"
  add "$side" "$(awk -v rows="$rows" -v s="$took" 'BEGIN { printf "%.1f", rows / s }')" "${report%%$'\n'*}" "$rows"
}

# run SIDE FLAG...: pgbench as it is, so with its vacuum of the small tables first.
run() {
  local side=$1 report speed transactions
  report=$(measured "$side" pgbench "${@:2}" "${url[$side]}")
  speed=$(sed -n 's/^tps = \([0-9.]*\) .*/\1/p' <<<"$report")
  transactions=$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' <<<"$report")
  grep -q '^number of failed transactions: 0 (0.000%)$' <<<"$report" && ((transactions > 0)) && [[ -n $speed ]] ||
    fail "pgbench ${*:2} on $side: $report"
  add "$side" "$speed" "${report%%$'\n'*}" "$transactions"
}

# Loaded, written out and at rest.
settle() {
  sql "${url[$1]}" CHECKPOINT
  wait_until "$1 is idle" is_idle "${pid_of[$1]}"
}

# --- The table ---

median() { tr -s ' ' '\n' <<<"${1% }" | sort -g | awk '{ value[NR] = $1 } END { print value[int(NR / 2) + 1] }'; }

quotients() { paste -d ' ' <(tr ' ' '\n' <<<"${1% }") <(tr ' ' '\n' <<<"${2% }") | awk '{ printf "%.4f ", $1 / $2 }'; }

short() { numfmt --to=si --round=nearest --format=%.1f "$1"; }

readonly columns='%-28s %9s %11s  %-15s %6s  %10s %11s  %-14s %s\n'

# row NAME UNIT TARGET: from the rounds' values, which it forgets. TARGET is an operator and a ratio of ours to PostgreSQL, or empty.
row() {
  local name=$1 unit=$2 target=$3 ours postgresql ratio verdict=''
  ours=$(median "${values[ours]}")
  postgresql=$(median "${values[postgresql]}")
  ratio=$(median "$(quotients "${values[ours]}" "${values[postgresql]}")")
  local cpu=("$(median "${cpus[ours]:--}")" "$(median "${cpus[postgresql]:--}")")
  [[ -z $target ]] || verdict=$(awk "BEGIN { print ($ratio $target) ? \"met\" : \"MISSED\" }")
  # shellcheck disable=SC2059
  printf "$columns" "$name" "$(short "$ours")" "$(short "$postgresql")" "$unit" "$(printf %.2f "$ratio")" "${cpu[@]}" \
    "${target:+ratio $target}" "$verdict"
  json_rows+=("$(printf '{"name": "%s", "unit": "%s", "ours": %s, "postgresql": %s, "ratio": %s, "ours_cpu_us": %s, "postgresql_cpu_us": %s, "target": "%s", "verdict": "%s"}' \
    "$name" "$unit" "$ours" "$postgresql" "$ratio" "${cpu[0]/#-/null}" "${cpu[1]/#-/null}" "$target" "$verdict")")
  values=() cpus=()
}

# target_of SCRIPT MODE CLIENTS
target_of() {
  case $1/$2 in
    select-only/prepared | simple-update/prepared) echo '>= 1.3' ;;
    select-only/simple) echo '>= 1.0' ;;
    tpcb-like/prepared) ((scale < $3)) || echo '>= 1.2' ;;
  esac
}

file_system() { df --output=fstype "$work" | tail -1; }

title() {
  local load_average settings
  read -r load_average _ </proc/loadavg
  settings=$(sql "${url[postgresql]}" "SELECT string_agg(name || '=' || current_setting(name), ' ') FROM pg_settings WHERE name IN
    ('fsync', 'synchronous_commit', 'wal_sync_method', 'shared_buffers', 'max_wal_size', 'autovacuum', 'default_transaction_isolation')")
  say "ours: $("$program" version); default settings; every commit is in the synced log before it is acknowledged"
  say "PostgreSQL $(sql "${url[postgresql]}" 'SHOW server_version'); default settings; $settings"
  say "$cores cores, load average $load_average; files on $(file_system); clients over loopback TCP on the same machine"
  say "Scale $scale. Each row: both warmed up, then ours and PostgreSQL in turns, $rounds times ${run_length[*]}; medians. CPU: the server's us each."
  awk -v load="$load_average" -v cores="$cores" 'BEGIN { exit !(load > cores / 4) }' &&
    say "WARNING: the machine is busy; these figures are not for keeping."
  [[ $(file_system) != tmpfs ]] || say "WARNING: the files are in memory, where a sync costs nothing: set TMPDIR."
  # shellcheck disable=SC2059
  printf "$columns" '' ours PostgreSQL of ratio 'CPU: ours' PostgreSQL target ''
}

# --- The rows ---

start_both() {
  local side
  for side in "${sides[@]}"; do
    stop "$side"
    "start_$side"
  done
}

# Into new servers each time; the last stay for the rows that follow.
load_row() {
  local round side
  for ((round = 0; round < rounds; round++)); do
    ((round == 0)) || start_both
    for side in "${sides[@]}"; do load "$side" "$scale"; done
  done
  row "load" rows/s '>= 1.0'
}

script_row() {
  local script=$1 mode=$2 connections=$3 round side
  local flags=(-b "$script" -M "$mode" -c "$connections" -j $((connections < cores ? connections : cores)))
  for side in "${sides[@]}"; do run "$side" "${warm_up[@]}" "${flags[@]}"; done
  values=() cpus=()
  for ((round = 0; round < rounds; round++)); do
    for side in "${sides[@]}"; do run "$side" "${run_length[@]}" "${flags[@]}"; done
  done
  row "$script $mode x $connections" transactions/s "$(target_of "$script" "$mode" "$connections")"
}

memory_row() {
  local side
  start_both
  for side in "${sides[@]}"; do
    load "$side" "$memory_scale"
    settle "$side"
  done
  sleep "$rest_seconds"
  values=() cpus=()
  for side in "${sides[@]}"; do values[$side]=$(resident_bytes "${pid_of[$side]}"); done
  row "idle with $(short $((memory_scale * 100000))) rows" 'bytes resident' '<= 1.0'
}

require pgbench postgresql-15
require initdb postgresql-15
chmod 711 "$work" # for user postgres
start_both
title
load_row
for side in "${sides[@]}"; do settle "$side"; done
for script in "${scripts[@]}"; do
  for mode in "${modes[@]}"; do
    for connections in "${clients[@]}"; do script_row "$script" "$mode" "$connections"; done
  done
done
((memory_scale == 0)) || memory_row
expect "rows of the table" $((${#scripts[@]} * ${#modes[@]} * ${#clients[@]} + 1 + (memory_scale > 0))) "${#json_rows[@]}"
[[ -z $json ]] || (IFS=, && echo "[${json_rows[*]}]" >"$json")
