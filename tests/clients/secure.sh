#!/usr/bin/env bash
# Two clusters with certificates: `anabranch cert`, psql and node-postgres with certificates and passwords, HTTPS, SIGHUP, and the main job
# between them under TLS with client certificates, with the PEM texts in the connection string too.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
here=$(dirname "${BASH_SOURCE[0]}")

require openssl openssl
require curl curl
require node nodejs
export NODE_PATH=/usr/share/nodejs:${XDG_CACHE_HOME:-$HOME/.cache}/anabranch/node-pg/usr/share/nodejs
node -e 'require("pg")' 2>/dev/null || fail "node finds no pg: ./dev test installs it (Debian package node-pg)"
certs=$work/certs

# refused TEXT COMMAND...: the command fails and says so.
refused() {
  local text=$1 said
  shift
  if said=$("$@" 2>&1); then fail "was not refused with '$text': $*"; fi
  [[ $said == *"$text"* ]] || fail "'$text' is not in: $said"
}

start_secure() {
  local name=$1 out=$work/$1.out line
  shift
  : >"$out"
  "$program" start-single-node "--certs-dir=$certs" "--store=$work/$name" "--listen-addr=${address_of[$name]:-127.0.0.1:0}" \
    --http-addr=127.0.0.1:0 "$@" >"$out" 2>>"$work/$name.log" &
  pid_of[$name]=$!
  wait_until "$name prints its address" grep -q '^http: https://' "$out"
  line=$(grep '^sql: ' "$out")
  line=${line##*@}
  address_of[$name]=${line%%\?*}
}

encoded() { node -p 'encodeURIComponent(process.argv[1])' -- "$1"; }
verified() { printf 'sslmode=verify-full&sslrootcert=%s' "$certs/ca.crt"; }
# uri NAME VIRTUAL_CLUSTER: root, by its certificate.
uri() {
  printf 'postgresql://root@%s/defaultdb?options=-ccluster%%3D%s&%s&sslcert=%s&sslkey=%s' "${address_of[$1]}" "${2:-main}" "$(verified)" \
    "$certs/client.root.crt" "$certs/client.root.key"
}
# by_password NAME USER PASSWORD [VIRTUAL_CLUSTER]
by_password() {
  printf 'postgresql://%s:%s@%s/defaultdb?options=-ccluster%%3D%s&%s&sslcert=/nonexistent' "$2" "$3" "${address_of[$1]}" "${4:-main}" "$(verified)"
}

# --- Starting ---

refused "anabranch cert create-ca --certs-dir=$certs && anabranch cert create-node" \
  "$program" start-single-node "--certs-dir=$certs" "--store=$work/none" --listen-addr=127.0.0.1:0 --http-addr=127.0.0.1:0
refused '--accept-insecure-network' "$program" start-single-node --insecure "--store=$work/none" --listen-addr=0.0.0.0:0 --http-addr=127.0.0.1:0
"$program" cert create-ca "--certs-dir=$certs"
"$program" cert create-node localhost 127.0.0.1 "--certs-dir=$certs"
"$program" cert create-client root "--certs-dir=$certs"
refused 'already exists. Give --overwrite' "$program" cert create-client root "--certs-dir=$certs"
expect 'what cert list says' $'ca.crt\tAnabranch CA\nclient.root.crt\troot\nnode.crt\tnode' "$("$program" cert list "--certs-dir=$certs" | cut -f1,2)"
openssl verify -CAfile "$certs/ca.crt" -purpose sslserver -verify_hostname localhost "$certs/node.crt" >"$work/verify"
chmod 0644 "$certs/node.key"
refused 'it must be for its owner alone, 0600 or 0400' \
  "$program" start-single-node "--certs-dir=$certs" "--store=$work/none" --listen-addr=127.0.0.1:0 --http-addr=127.0.0.1:0
chmod 0600 "$certs/node.key"
start_secure a --virtualized
start_secure b --virtualized-empty
say 'ok: certificates are made, and two clusters are up'

# --- psql ---

expect 'the printed connection string' t "$(sql "$("$program" sql-url "--store=$work/a")" "SELECT current_user = 'root'")"
expect 'a certificate' 1 "$(sql "$(uri a)" 'SELECT 1')"
sql "$(uri a)" "CREATE USER joe PASSWORD 'secret'" 'CREATE TABLE t (k INT PRIMARY KEY, v TEXT)' 'GRANT SELECT, INSERT ON t TO joe'
expect 'a password' joe "$(sql "$(by_password a joe secret)" 'SELECT current_user')"
refused 'password authentication failed for user "joe"' sql "$(by_password a joe wrong)" 'SELECT 1'
refused 'password authentication failed for user "nobody"' sql "$(by_password a nobody wrong)" 'SELECT 1'
refused 'without TLS' sql "postgresql://root@${address_of[a]}/?sslmode=disable" 'SELECT 1'
refused 'does not match host name' sql "$(uri a | sed 's/127.0.0.1/127.0.0.2/')&hostaddr=127.0.0.1" 'SELECT 1'
"$program" cert create-ca "--certs-dir=$work/others"
refused 'certificate verify failed' sql "$(uri a)&sslrootcert=$work/others/ca.crt" 'SELECT 1'
for version in tls1 tls1_1; do
  refused 'alert protocol version' openssl s_client -connect "${address_of[a]}" -starttls postgres -$version -cipher DEFAULT@SECLEVEL=0 </dev/null
done
say 'ok: psql comes in with a certificate or a password, and not otherwise'

# --- node-postgres ---

node -e '
  const fs = require("fs"), pg = require("pg"), assert = require("assert").strict;
  const [address, certs] = process.argv.slice(1), [host, port] = address.split(":");
  const read = (name) => fs.readFileSync(`${certs}/${name}`, "utf8");
  const config = {host, port, database: "defaultdb", options: "-ccluster=main"}, ca = read("ca.crt");
  const ask = async (extra) => {
    const client = new pg.Client({...config, ...extra});
    await client.connect();
    const {rows} = await client.query("SELECT current_user AS who");
    await client.end();
    return rows[0].who;
  };
  (async () => {
    assert.equal(await ask({user: "joe", password: "secret", ssl: {ca}}), "joe");
    assert.equal(await ask({user: "root", ssl: {ca, cert: read("client.root.crt"), key: read("client.root.key")}}), "root");
    await assert.rejects(ask({user: "joe", password: "wrong", ssl: {ca}}), {code: "28P01"});
    await assert.rejects(ask({user: "nobody", password: "wrong", ssl: {ca}}), {code: "28P01"});
    await assert.rejects(ask({user: "joe", password: "secret", ssl: false}), {code: "28000"});
    await assert.rejects(ask({user: "joe", password: "secret", ssl: {}}), {code: /SIGNATURE|ISSUER|SELF_SIGNED/});
  })().catch((error) => { console.error(error); process.exit(1); });
' "${address_of[a]}" "$certs"
say 'ok: node-postgres too'

# --- HTTPS and SIGHUP ---

health=$(sed -n 's/^http: //p' "$work/a.out")/health
expect 'health over HTTPS' '"status":"ok"' "$(curl -s --cacert "$certs/ca.crt" "$health" | grep -o '"status":"ok"')"
serial() { openssl s_client -connect "${address_of[a]}" -starttls postgres </dev/null 2>/dev/null | openssl x509 -noout -serial; }
before=$(serial)
coproc session { psql -XAtq "$(uri a)"; }
two_sessions() { [[ $(sql "$(uri a)" 'SELECT count(*) FROM pg_stat_activity') == 2 ]]; }
wait_until 'a session is there' two_sessions
"$program" cert create-node localhost 127.0.0.1 --overwrite "--certs-dir=$certs"
kill -HUP "${pid_of[a]}"
wait_until 'the certificates are read again' grep -q 'tls.reloaded' "$work/a.log"
[[ $(serial) != "$before" ]] || fail 'the old certificate is still shown'
printf 'SELECT 42;\n\\q\n' >&"${session[1]}"
read -r answer <&"${session[0]}"
expect 'the session from before' 42 "$answer"
say 'ok: health over HTTPS; certificates are read again without dropping anyone'

# --- Between the clusters ---

sql "$(uri a system)" "CREATE USER replicator PASSWORD 'stream'" 'GRANT SYSTEM REPLICATIONSOURCE TO replicator'
"$program" cert create-client replicator "--certs-dir=$certs"
by_certificate="postgresql://replicator@${address_of[a]}/?options=-ccluster%3Dsystem&$(verified)&sslcert=$certs/client.replicator.crt&sslkey=$certs/client.replicator.key"
sql "$(uri a)" "INSERT INTO t VALUES (1, 'one')"
refused 'password' sql "$(uri b system)" "CREATE VIRTUAL CLUSTER main FROM REPLICATION OF main ON '$(by_password a replicator wrong system)'"
refused '08001' psql -XAtq -v VERBOSITY=verbose "$(uri b system)" \
  -c "CREATE VIRTUAL CLUSTER main FROM REPLICATION OF main ON '${by_certificate//certs\/ca.crt/others/ca.crt}'"
sql "$(uri b system)" "CREATE VIRTUAL CLUSTER main FROM REPLICATION OF main ON '$by_certificate'"
wait_replicated b a
grep -q 'sql.logged_in user="replicator".*method=cert tls=TLSv1.3' "$work/a.log" || fail 'the log does not say how the standby came'
fail_over b
expect 'the table after the failover' one "$(sql "$(by_password b joe secret)" 'SELECT v FROM t')"
say 'ok: the main job with client certificates; after the failover the same password works'

# Back again, with everything in the connection string, and by password.
inline="postgresql://root@${address_of[b]}/?options=-ccluster%3Dsystem&sslmode=verify-full&sslinline=true"
inline+="&sslrootcert=$(encoded "$(<"$certs/ca.crt")")&sslcert=$(encoded "$(<"$certs/client.root.crt")")&sslkey=$(encoded "$(<"$certs/client.root.key")")"
sql "$(uri b)" "INSERT INTO t VALUES (2, 'two')"
sql "$(uri a system)" 'ALTER VIRTUAL CLUSTER main STOP SERVICE' "ALTER VIRTUAL CLUSTER main START REPLICATION OF main ON '$inline'"
wait_replicated a b
key=$(sed -n 2p "$certs/client.root.key")
shown=$(sql "$(uri a system)" 'SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS' 'SHOW JOBS')
[[ $shown == *sslkey=redacted* && $shown != *"${key:0:20}"* ]] || fail 'SHOW shows the private key'
grep -q "${key:0:20}" "$work/a.log" "$work/b.log" && fail 'the log shows the private key'
fail_over a
expect 'the table after the way back' 'one two' "$(sql "$(by_password a joe secret)" "SELECT string_agg(v, ' ' ORDER BY k) FROM t")"
sql "$(uri b)" "CREATE USER other PASSWORD 'x'" >/dev/null
sql "$(uri b system)" 'ALTER VIRTUAL CLUSTER main STOP SERVICE' \
  "ALTER VIRTUAL CLUSTER main START REPLICATION OF main ON '$(by_password a replicator stream system)'"
wait_replicated b a
say 'ok: PEM texts in the connection string, and a password for the replication user'
