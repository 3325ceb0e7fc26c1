#!/usr/bin/env bash
# node-postgres (the npm package pg) against two clusters: node.js does the work.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
here=$(dirname "${BASH_SOURCE[0]}")

require node nodejs
# Debian's package, or the copy of it that ./dev keeps where it cannot be installed.
export NODE_PATH=/usr/share/nodejs:${XDG_CACHE_HOME:-$HOME/.cache}/anabranch/node-pg/usr/share/nodejs
node -e 'require("pg")' 2>/dev/null || fail "node finds no pg: ./dev test installs it (Debian package node-pg)"

start_cluster a --virtualized
sql "$(uri a system)" 'CREATE VIRTUAL CLUSTER idle'
node "$here/node.js" "${address_of[a]}"
