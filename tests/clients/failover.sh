#!/usr/bin/env bash
# One connection string with both hosts and target_session_attrs=read-write follows a failover and a failback.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# write NUMBER NAME: through the one string, which must lead to that side.
write() {
  sql "$both" "INSERT INTO visit VALUES ($1, '$2')"
  expect 'the port that answered' "${address_of[$2]#*:}" "$(psql -XAtq "$both" -c '\echo :PORT')"
}

start_cluster a --virtualized
start_cluster b --virtualized-empty
# The standby stands first, so it is always asked.
hosts=${address_of[b]%:*},${address_of[a]%:*}
ports=${address_of[b]#*:},${address_of[a]#*:}
readonly both="host=$hosts port=$ports user=root dbname=defaultdb options=-ccluster=main target_session_attrs=read-write"

sql "$(uri a)" 'CREATE TABLE visit (number int PRIMARY KEY, side text)' "INSERT INTO visit VALUES (1, 'a')"
replicate b a
wait_replicated b a
# The standby refuses, in a way that sends libpq to the next host.
sql "$(uri b)" 'SELECT 1' 2>"$work/refused" && fail 'the standby serves'
grep -q 'is not serving' "$work/refused" || fail "the standby refuses otherwise: $(cat "$work/refused")"
write 2 a
say 'replicating: the primary is found'

sql "$(uri a system)" 'ALTER VIRTUAL CLUSTER main STOP SERVICE'
fail_over b >/dev/null
write 3 b
say 'failed over: the same string finds the new primary'

sql "$(uri a system)" "ALTER VIRTUAL CLUSTER main START REPLICATION OF main ON '$(uri b system)'"
wait_replicated a b
write 4 b
wait_replicated a b
sql "$(uri b system)" 'ALTER VIRTUAL CLUSTER main STOP SERVICE'
fail_over a >/dev/null
write 5 a
say 'failed back: the same string finds the first primary'

sql "$(uri b system)" "ALTER VIRTUAL CLUSTER main START REPLICATION OF main ON '$(uri a system)'"
wait_replicated b a
kill_cluster a
fail_over b >/dev/null
write 6 b
say 'the primary was killed: the same string finds the other'

expect 'the visits' a,a,b,b,a,b "$(sql "$both" 'SELECT side FROM visit ORDER BY number' | paste -sd,)"
