# shellcheck shell=bash
# shellcheck disable=SC2016
# Includes point one way: between folders, node -> sql -> tenant -> stream -> storage -> base; between the rooms of a folder, from a later to an earlier
# one in the order of its CMakeLists.txt. The folder itself is the last room of storage/ and tenant/. A test may use the whole of its folder. Foreign libraries stay behind the folder or file that wraps them.

check() {
  local folder=$1
  (
    cd "$folder" || exit
    files "$folder" '^(base|storage|stream|tenant|sql|node|tests|bench)/.*\.(h|cc)$' | xargs -r awk '
      function floors(folder, names, list, count, i) {
        count = split(names, list, " ")
        for (i = 1; i <= count; i++) room[list[i] == "." ? folder : folder "/" list[i]] = i
        housed[folder] = 1
      }
      BEGIN {
        rank["base"] = 0; rank["storage"] = 1; rank["stream"] = 2; rank["tenant"] = 3; rank["sql"] = 4; rank["node"] = 5
        rank["tests"] = 6; rank["bench"] = 6
        floors("storage", "api rocks mvcc commit . testing")
        floors("tenant", "catalog replication source . testing")
        floors("sql", "value stored security control parse expression catalog query write schema session wire testing")
      }
      FNR == 1 {
        own = FILENAME; sub("/.*", "", own)
        own_room = FILENAME; sub("/[^/]*$", "", own_room)
        if (own in housed && !(own_room in room)) print FILENAME ": stands in no room of " own "/"
        if (FILENAME ~ /_test\.cc$/) own_room = own "/testing"
      }
      !/^[ \t]*#[ \t]*include/ { next }
      {
        header = $0
        sub(/^[^"<]*["<]/, "", header); sub(/[">].*$/, "", header)
        other = header; sub("/.*", "", other)
        if (header ~ "/" && other in rank && rank[other] > rank[own]) print FILENAME ":" FNR ": includes " header ", a back edge"
        other_room = header; sub("/[^/]*$", "", other_room)
        if (own in housed && other == own && other_room in room && room[other_room] > room[own_room])
          print FILENAME ":" FNR ": includes " header ", a back edge between rooms"
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
  must_report base/a.h '#  include "storage/api/store.h"'
  must_report sql/a.cc '#include "node/commands.h"'
  must_report stream/a.cc '#include <rocksdb/db.h>'
  must_report sql/a.cc '#include "rocksdb/db.h"'
  must_report tenant/a.cc '#include <libpq-fe.h>'
  must_report stream/a.cc '#include <boost/asio.hpp>'
  must_report tenant/a.cc '#include "pg_query/pg_query.pb.h"'
  must_pass storage/a.cc $'#include <rocksdb/db.h>\n#include "base/status.h"'
  must_pass sql/testing/test_a.h '#include <libpq-fe.h>'
  must_report sql/wire/testing.h '#include <libpq-fe.h>'
  must_report sql/a.cc ''
  must_report storage/other/a.cc ''
  must_report storage/rocks/a.cc '#include "storage/mvcc/reader.h"'
  must_report storage/api/a.h '#include "storage/store_impl.h"'
  must_report tenant/catalog/a.cc '#include "tenant/virtual_clusters.h"'
  must_pass tenant/a.cc '#include "tenant/source/source.h"'
  must_pass tenant/catalog/a_test.cc '#include "tenant/testing/test_cluster.h"'
  must_report sql/value/a.cc '#include "sql/stored/descriptor.h"'
  must_report sql/query/a.h '#include "sql/write/dml.h"'
  must_report sql/session/a.cc '#include "sql/testing/test_session.h"'
  must_pass sql/query/a_test.cc '#include "sql/testing/test_session.h"'
  must_pass sql/wire/a.cc $'#include "sql/session/session.h"\n#include "sql/value/datum.h"\n#include "sql/wire/message.h"'
  must_pass node/a.cc '#include "sql/session/session.h"'
}
