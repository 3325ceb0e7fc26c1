#!/usr/bin/env bash
# One connection string with both hosts and target_session_attrs=read-write follows a failover and a failback.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Writes through the one string, and says which side took it.
write() {
  sql "$both" "INSERT INTO visit (side) VALUES ('$1') RETURNING side" >/dev/null
  expect 'the port that answered' "${address_of[$1]#*:}" "$(psql -XAtq "$both" -c '\echo :PORT')"
}

start_cluster a --virtualized
start_cluster b --virtualized-empty
hosts=${address_of[a]%:*},${address_of[b]%:*}
ports=${address_of[a]#*:},${address_of[b]#*:}
readonly both="host=$hosts port=$ports user=root dbname=defaultdb options=-ccluster=main target_session_attrs=read-write"

sql "$both" 'CREATE TABLE visit (id serial PRIMARY KEY, side text)'
write a
replicate b a
wait_replicated b a
# The standby refuses with 57P03, whatever the order of the hosts.
expect_refused 57P03 "$(uri b)" -c 'SELECT 1'
say 'replicating: the primary is found'

sql "$(uri a system)" 'ALTER VIRTUAL CLUSTER main STOP SERVICE'
fail_over b >/dev/null
write b
say 'failed over: the same string finds the new primary'

sql "$(uri a system)" "ALTER VIRTUAL CLUSTER main START REPLICATION OF main ON '$(uri b system)'"
wait_replicated a b
write b
wait_replicated a b
sql "$(uri b system)" 'ALTER VIRTUAL CLUSTER main STOP SERVICE'
fail_over a >/dev/null
write a
say 'failed back: the same string finds the first primary'

sql "$(uri b system)" "ALTER VIRTUAL CLUSTER main START REPLICATION OF main ON '$(uri a system)'"
wait_replicated b a
kill_cluster a
fail_over b >/dev/null
write b
say 'the primary was killed: the same string finds the other'

expect 'the visits' 'a,b,b,a,b' "$(sql "$both" 'SELECT side FROM visit ORDER BY id' | paste -sd,)"
