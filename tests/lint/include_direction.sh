# shellcheck shell=bash
# shellcheck disable=SC2016
# Includes point one way, node -> sql -> tenant -> stream -> storage -> base, and foreign libraries stay behind the folder or file that wraps them.

check() {
  local folder=$1
  (
    cd "$folder" || exit
    files "$folder" '^(base|storage|stream|tenant|sql|node|tests|bench)/.*\.(h|cc)$' | xargs -r awk '
      BEGIN {
        rank["base"] = 0; rank["storage"] = 1; rank["stream"] = 2; rank["tenant"] = 3; rank["sql"] = 4; rank["node"] = 5
        rank["tests"] = 6; rank["bench"] = 6
      }
      FNR == 1 { own = FILENAME; sub("/.*", "", own) }
      !/^[ \t]*#[ \t]*include/ { next }
      {
        header = $0
        sub(/^[^"<]*["<]/, "", header); sub(/[">].*$/, "", header)
        other = header; sub("/.*", "", other)
        if (header ~ "/" && other in rank && rank[other] > rank[own]) print FILENAME ":" FNR ": includes " header ", a back edge"
        if (other == "rocksdb" && own != "storage" && own != "bench") print FILENAME ":" FNR ": RocksDB types stop at storage/"
        if (other == "pg_query" || header ~ /^pg_query/)
          if (own != "sql") print FILENAME ":" FNR ": libpg_query is for sql/"
        if (header == "libpq-fe.h" && FILENAME != "stream/source_client.cc" && FILENAME != "node/demo/sql_client.cc" && own != "tests" && own != "bench" && FILENAME !~ /(_test\.cc|\/test_[a-z_]+\.h)$/)
          print FILENAME ":" FNR ": libpq is for the two clients, and tests"
        if (header ~ /^boost\/(asio|beast)/) {
          if (FILENAME == "node/health.cc") next
          if (own != "sql") print FILENAME ":" FNR ": sockets are for the transport files"
          else if (!(FILENAME in socket_files)) { socket_files[FILENAME] = 1; if (++sockets > 2) print FILENAME ":" FNR ": a third file of sql/ with sockets" }
        }
      }'
  )
}

self_test() {
  must_report storage/a.cc '#include "stream/live_feed.h"'
  must_report base/a.h '#  include "storage/store.h"'
  must_report sql/a.cc '#include "node/commands.h"'
  must_report stream/a.cc '#include <rocksdb/db.h>'
  must_report sql/a.cc '#include "rocksdb/db.h"'
  must_report tenant/a.cc '#include <libpq-fe.h>'
  must_report stream/a.cc '#include <boost/asio.hpp>'
  must_report tenant/a.cc '#include "pg_query/pg_query.pb.h"'
  must_pass storage/a.cc $'#include <rocksdb/db.h>\n#include "base/status.h"'
  must_pass sql/test_a.h '#include <libpq-fe.h>'
  must_report sql/testing.h '#include <libpq-fe.h>'
  must_pass node/a.cc '#include "sql/session.h"'
}
