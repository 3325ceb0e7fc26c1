#!/usr/bin/env bash
# pgbench as Debian ships it: initialisation and the three built-in scripts in the three protocol modes, eight clients, no
# error and no failed transaction; TPC-B's invariant on the primary, and after failing over in mid-run on the standby.
#
#   pgbench.sh PROGRAM [SCALE] [TRANSACTIONS]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
readonly scale=${2:-1} transactions=${3:-25} clients=8

# bench FLAG...: must exit 0, and its report must count what was asked for and no failure.
bench() {
  local report
  report=$(pgbench -n -c "$clients" -j 2 "$@" 2>&1) || fail "pgbench $*: $report"
  grep -q 'number of failed transactions: 0 (0.000%)' <<<"$report" || fail "pgbench $*: $report"
  say "pgbench ${*:1:$#-1}: $(grep -E '^(tps|latency average)' <<<"$report" | tr '\n' ' ')"
}

# Accounts, tellers, branches and history must have moved by the same sum.
expect_invariant() {
  local sums
  sums=$(sql "$1" 'SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM pgbench_tellers),
                          (SELECT sum(bbalance) FROM pgbench_branches), (SELECT coalesce(sum(delta), 0) FROM pgbench_history)')
  [[ $(tr '|' '\n' <<<"$sums" | sort -u | wc -l) == 1 ]] || fail "TPC-B's sums differ on $2: $sums"
  say "invariant holds on $2: $sums, $(sql "$1" 'SELECT count(*) FROM pgbench_history') transactions"
}

has_history_rows() { (($(sql "$1" 'SELECT count(*) FROM pgbench_history') >= $2)); }

# TPC-B without end on NAME, until it has written some; $bench_pid.
begin_endless_run() {
  local rows
  rows=$(sql "$(uri "$1")" 'SELECT count(*) FROM pgbench_history')
  pgbench -n -c "$clients" -j 2 -T 600 -M prepared "$(uri "$1")" >"$work/endless.log" 2>&1 &
  bench_pid=$!
  wait_until "pgbench has begun on $1" has_history_rows "$(uri "$1")" $((rows + 200))
}

# Completed under load on `b`, which then serves; the primary goes on undisturbed.
fail_over_under_load() {
  begin_endless_run a
  wait_replicated b a
  fail_over b >/dev/null
  kill "$bench_pid"
  wait "$bench_pid" || true
  expect_invariant "$(uri b)" "the standby, failed over under load"
  expect_invariant "$(uri a)" "the primary, whose standby was failed over under load"
}

# The other way round, with the source killed in mid-run.
fail_over_after_kill() {
  fail_back a b
  wait_replicated a b
  begin_endless_run b
  wait_replicated a b
  kill_cluster b
  wait "$bench_pid" && fail "pgbench did not notice that its server was killed"
  fail_over a >/dev/null
  expect_invariant "$(uri a)" "the standby, failed over after its source was killed"
  bench -t "$transactions" -M prepared "$(uri a)"
  expect_invariant "$(uri a)" "the new primary"
}

require pgbench postgresql-15
start_cluster a --virtualized
start_cluster b --virtualized-empty
primary=$(uri a)

pgbench -i -q -s "$scale" "$primary" >"$work/init.log" 2>&1 || fail "pgbench -i: $(cat "$work/init.log")"
expect 'accounts' "$((scale * 100000))" "$(sql "$primary" 'SELECT count(*) FROM pgbench_accounts')"
say "pgbench -i -s $scale: $(tail -1 "$work/init.log")"
for mode in simple extended prepared; do
  for script in tpcb-like simple-update select-only; do
    bench -t "$transactions" -M "$mode" -b "$script" "$primary"
  done
done
# simple-update leaves tellers and branches alone, so the sums are compared from a fresh start.
sql "$primary" 'UPDATE pgbench_accounts SET abalance = 0 WHERE abalance <> 0' 'UPDATE pgbench_tellers SET tbalance = 0' \
  'UPDATE pgbench_branches SET bbalance = 0' 'TRUNCATE pgbench_history'
bench -t "$transactions" -M prepared "$primary"
expect_invariant "$primary" "the primary"

replicate b a
wait_replicated b a
fail_over_under_load
fail_over_after_kill
