#!/usr/bin/env bash
# psql as people use it: each psql/*.sql must print its *.out; then \timing and Ctrl-C.
#
#   psql.sh PROGRAM [--rewrite]     --rewrite: what was printed becomes what is expected
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/lib.sh"

start_cluster a --virtualized
failed=0
for script in "$here"/psql/*.sql; do
  name=$(basename "$script" .sql)
  (cd "$work" && psql -X -a "$(uri a)" <"$script" >"$name.out" 2>&1) || true
  if [[ ${2:-} == --rewrite ]]; then
    cp "$work/$name.out" "$here/psql/$name.out"
  elif diff -u "$here/psql/$name.out" "$work/$name.out"; then
    say "psql/$name.sql prints what it should"
  else
    say "psql/$name.sql: see the difference above"
    failed=1
  fi
done

[[ $(psql -X "$(uri a)" -c '\timing' -c 'SELECT 1') =~ Time:\ [0-9.]+\ ms ]] || fail '\timing shows no time'

# PGTZ goes into the startup packet.
in_zone=$(PGTZ=europe/zurich psql -XAt "$(uri a)" -c 'SHOW TimeZone' -c "SELECT '2024-07-01 12:00'::timestamptz")
[[ $in_zone == $'Europe/Zurich\n2024-07-01 12:00:00+02' ]] || fail "PGTZ: $in_zone"
no_zone=$(PGTZ=nonsense psql -XAt "$(uri a)" -c 'SELECT 1' 2>&1) && fail 'PGTZ=nonsense is let in'
[[ $no_zone == *'FATAL:  invalid value for parameter "TimeZone": "nonsense"'* ]] || fail "PGTZ=nonsense: $no_zone"
say 'PGTZ chooses the time zone'

# Ctrl-C: psql sends a cancel request while a query runs. Pressed between two queries it only ends psql; then once more.
cancel() {
  local running
  psql -XAt "$(uri a)" -c "SELECT 'begun'" -c 'SELECT count(*) FROM generate_series(1, 1000000000000)' >"$work/cancelled" 2>&1 &
  running=$!
  wait_until 'psql has begun' grep -q begun "$work/cancelled"
  while kill -INT "$running"; do sleep 0.05; done
  grep -q 'ERROR:  canceling statement due to user request' "$work/cancelled"
}
wait_until 'Ctrl-C cancels a query' cancel
say 'Ctrl-C cancels a query'
exit "$failed"
