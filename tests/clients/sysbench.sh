#!/usr/bin/env bash
# sysbench's OLTP scripts through its pgsql driver, with prepared statements and without: prepare, run, cleanup, no error.
#
#   sysbench.sh PROGRAM [ROWS] [EVENTS]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
readonly rows=${2:-1000} events=${3:-100} threads=4 tables=2

bench() {
  sysbench "$1" --db-driver=pgsql --pgsql-host="${address_of[a]%:*}" --pgsql-port="${address_of[a]#*:}" --pgsql-user=root \
    --pgsql-db=sbtest --tables="$tables" --table-size="$rows" --threads="$threads" --events="$events" --time=60 "${@:2}" 2>&1
}

must() {
  local report
  report=$(bench "$@") || fail "sysbench $*: $report"
  ! grep -q 'FATAL' <<<"$report" || fail "sysbench $*: $report"
  printf '%s\n' "$report" >"$work/report"
}

# run SCRIPT FLAG...: every event done. (Clients that lock the same rows crosswise meet deadlocks; sysbench repeats those.)
run() {
  must "$@" run
  grep -qE "total number of events: +$events\$" "$work/report" || fail "sysbench $*: $(cat "$work/report")"
  say "sysbench $*: $(grep -E 'transactions:|ignored errors:' "$work/report" | tr -s ' \n' ' ')"
}

require sysbench sysbench
start_cluster a --virtualized
must oltp_read_write prepare
expect 'rows of sbtest1' "$rows" "$(sql "$(uri a)" 'SELECT count(*) FROM sbtest1')"
for mode in auto disable; do
  for script in oltp_read_write oltp_point_select oltp_write_only oltp_read_only oltp_update_index oltp_update_non_index \
    oltp_delete oltp_insert; do
    run "$script" --db-ps-mode="$mode"
  done
done
must oltp_read_write cleanup
expect 'tables after cleanup' 0 "$(sql "$(uri a)" "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'sbtest%'")"
