// The limits of a session and of a query, each by its constant: accepted at its bound, refused by name beyond it, and the
// session lives on. Those of keys, rows, transactions and savepoints are storage/mvcc/transaction_test.cc's too.
#include <sys/resource.h>

#include <fstream>

#include "gmock/gmock.h"
#include "sql/parse/parse.h"
#include "sql/session/prepared_statement.h"
#include "sql/testing/test_server.h"
#include "sql/wire/extended.h"

namespace anabranch {
namespace {

using testing::HasSubstr;
using namespace std::string_literals;

constexpr size_t kMiB = 1 << 20;

class LimitsTest : public ServerTest {
 protected:
  static void RaiseFileLimit() {
    rlimit files = {};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = std::min<rlim_t>(files.rlim_max, 16'384);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
  }
  // Of this process: server and client.
  static size_t ResidentBytes() {
    size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages >> pages;
    return pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  }
};

TEST_F(LimitsTest, ConnectionsAndThoseKeptForRoot) {
  RaiseFileLimit();
  ASSERT_EQ(Connect("options=-ccluster=system")->Run("CREATE USER joe"), "OK CREATE ROLE");
  std::vector<std::unique_ptr<Client>> clients;
  const auto connect = [&](const std::string& user) {
    clients.push_back(std::make_unique<Client>(Conninfo("options=-ccluster=system user=" + user)));
    return clients.back()->error();
  };
  for (int i = 0; i < kConnectionsMax - kConnectionsKeptForRoot; ++i) ASSERT_EQ(connect("joe"), "") << i;
  EXPECT_THAT(connect("joe"), HasSubstr("the remaining 3 connection slots are reserved for root"));
  for (int i = 0; i < kConnectionsKeptForRoot; ++i) ASSERT_EQ(connect("root"), "") << i;
  EXPECT_THAT(connect("root"), HasSubstr("sorry, too many clients already (at most 500)"));
  for (const auto& client : clients) {
    if (client->connected()) {
      ASSERT_EQ(client->Run("SELECT 1"), "1");
    }
  }
}

TEST_F(LimitsTest, Statement) {
  const auto client = Connect();
  const std::string begin = "SELECT 1 /* ", end = " */";
  const auto statement = [&](size_t bytes) { return begin + std::string(bytes - begin.size() - end.size(), '-') + end; };
  EXPECT_EQ(client->Run(statement(kStatementBytesMax)), "1");
  EXPECT_EQ(client->Run(statement(kStatementBytesMax + 1)), "54000");
  EXPECT_THAT(client->error(), HasSubstr("statement of 16777217 bytes exceeds the limit of 16777216 bytes"));
  const auto prepared = [&](size_t bytes) {
    return Client::Outcome(PQexecParams(client->get(), statement(bytes).c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0));
  };
  EXPECT_EQ(prepared(kStatementBytesMax), "1");
  EXPECT_EQ(prepared(kStatementBytesMax + 1), "54000");
  EXPECT_EQ(client->Run("SELECT 1"), "1");
}

TEST_F(LimitsTest, KeyRowAndTransaction) {
  const auto client = Connect();
  ASSERT_EQ(client->Run("CREATE TABLE t (k TEXT PRIMARY KEY, v TEXT)"), "OK CREATE TABLE");
  const auto insert = [&](size_t key_bytes, size_t value_bytes) {
    return client->Run(fmt::format("INSERT INTO t VALUES (repeat('k', {}), repeat('v', {}))", key_bytes, value_bytes));
  };
  constexpr size_t kRoom = 64;  // for what the encoding adds
  EXPECT_EQ(insert(kKeyBytesMax - kRoom, 1), "OK INSERT 0 1");
  EXPECT_EQ(insert(kKeyBytesMax, 1), "54000");
  EXPECT_THAT(client->error(), HasSubstr("exceeds the limit of 16384 bytes"));
  EXPECT_EQ(insert(1, kValueBytesMax - kRoom), "OK INSERT 0 1");
  EXPECT_EQ(insert(2, kValueBytesMax), "54000");
  EXPECT_THAT(client->error(), HasSubstr("exceeds the limit of 8388608 bytes"));
  const auto insert_many = [&](size_t mib) {
    return client->Run(
        fmt::format("INSERT INTO t SELECT 'many ' || g, repeat('v', {}) FROM generate_series(1, {}) g", kMiB - kRoom, mib));
  };
  EXPECT_EQ(client->Run("BEGIN"), "OK BEGIN");
  EXPECT_EQ(insert_many(kTransactionBytesMax / kMiB), fmt::format("OK INSERT 0 {}", kTransactionBytesMax / kMiB));
  EXPECT_EQ(client->Run("ROLLBACK"), "OK ROLLBACK");
  EXPECT_EQ(insert_many(kTransactionBytesMax / kMiB + 1), "54000");
  EXPECT_THAT(client->error(), HasSubstr("exceeds the limit of 67108864 bytes"));
  EXPECT_EQ(client->Run("CREATE INDEX ON t (v)"), "54000");  // an index's key
  EXPECT_EQ(client->Run("SELECT count(*) FROM t"), "2");
}

TEST_F(LimitsTest, PreparedStatementsAndPortals) {
  const auto client = Connect();
  const auto parse = [](const std::string& name) { return Packet('P', name + "\0SELECT 1\0\0\0"s); };
  const auto bind = [](const std::string& name) { return Packet('B', name + "\0p0\0\0\0\0\0\0\0"s); };
  const std::string sync = Packet('S', "");
  constexpr size_t kAtOnce = 1'000;
  static_assert(kPreparedStatementsMax % kAtOnce == 0);
  for (size_t i = 0; i < kPreparedStatementsMax;) {
    std::string parses;
    for (const size_t end = i + kAtOnce; i < end; ++i) parses += parse(fmt::format("p{}", i));
    ASSERT_EQ(Exchange(*client, parses + sync, 'Z'), std::string(kAtOnce, '1') + "Z") << i;
  }
  EXPECT_EQ(Exchange(*client, parse("more") + sync, 'Z'), "EZ");
  EXPECT_EQ(Exchange(*client, Packet('C', "Sp1\0"s) + parse("more") + sync, 'Z'), "31Z");
  std::string binds;
  for (size_t i = 0; i < kPortalsMax; ++i) binds += bind(fmt::format("c{}", i));
  EXPECT_EQ(Exchange(*client, binds + sync, 'Z'), std::string(kPortalsMax, '2') + "Z");
  EXPECT_EQ(Exchange(*client, binds + bind("more") + sync, 'Z'), std::string(kPortalsMax, '2') + "EZ");
}

TEST_F(LimitsTest, BytesOfPreparedStatementsAndPortals) {
  const auto client = Connect();
  const std::string sync = Packet('S', "");
  const auto parse = [](const std::string& name, size_t bytes) {
    return Packet('P', name + "\0SELECT '"s + std::string(bytes, 'x') + "'\0\0\0"s);
  };
  constexpr size_t kLarge = 15 * kMiB;
  size_t kept = 0;
  while (kept < 10 && Exchange(*client, parse(fmt::format("p{}", kept), kLarge) + sync, 'Z') == "1Z") ++kept;
  EXPECT_GE(kept, 1u);
  EXPECT_LE(kept, kPreparedStatementsBytesMax / kLarge);
  EXPECT_EQ(Exchange(*client, parse("small", 1) + sync, 'Z'), "1Z");
  EXPECT_EQ(client->Run("PREPARE more AS SELECT '" + std::string(kLarge, 'x') + "'"), "53200");
  EXPECT_THAT(client->error(), HasSubstr("would hold more than 128 MiB"));
  EXPECT_EQ(Exchange(*client, Packet('C', "Sp0\0"s) + parse("p0", kLarge) + sync, 'Z'), "31Z");
  EXPECT_EQ(client->Run("DEALLOCATE ALL"), "OK DEALLOCATE ALL");

  const auto bind = [](int portal) {
    std::string body = fmt::format("c{}", portal) + "\0echo\0\0\0\0\1"s;
    for (int shift = 24; shift >= 0; shift -= 8) body.push_back(static_cast<char>(kLarge >> shift));
    return Packet('B', body + std::string(kLarge, 'x') + "\0\0"s);
  };
  EXPECT_EQ(Exchange(*client, Packet('P', "echo\0SELECT $1::text\0\0\0"s) + sync, 'Z'), "1Z");
  std::string binds;
  constexpr size_t kFit = kPortalBytesMax / kLarge;
  for (size_t i = 0; i <= kFit; ++i) binds += bind(static_cast<int>(i));
  EXPECT_EQ(Exchange(*client, binds + sync, 'Z'), std::string(kFit, '2') + "EZ");
  EXPECT_EQ(Exchange(*client, bind(0) + sync, 'Z'), "2Z");  // the others ended with their transaction
}

// Every way to make a query hold more than it may. `v` is a megabyte, of which there are 100.
TEST_F(LimitsTest, MemoryOfAQuery) {
  const auto client = Connect();
  const std::string rows = "(SELECT g, repeat('x', 1000000) || g AS v FROM generate_series(1, 100) g)";
  ASSERT_EQ(client->Run("CREATE TABLE t AS SELECT * FROM " + rows + " r"), "OK SELECT 100");
  ASSERT_EQ(client->Run("CREATE TABLE keyed (k INT PRIMARY KEY, v TEXT)"), "OK CREATE TABLE");
  ASSERT_EQ(client->Run("INSERT INTO keyed SELECT g FROM generate_series(1, 100) g"), "OK INSERT 0 100");
  const std::string eight = "repeat('x', 8000000)";
  const std::string statements[] = {
      "SELECT g FROM {} r ORDER BY v",
      "SELECT DISTINCT v FROM {} r",
      "SELECT v FROM {} r GROUP BY v",
      "SELECT count(DISTINCT v) FROM {} r",
      "SELECT g, max(v) FROM {} r GROUP BY g",
      "SELECT g, min(v) FROM {} r GROUP BY g",
      "SELECT string_agg(v, '') FROM {} r",
      "SELECT string_agg('x', v) FROM {} r",
      "SELECT v FROM {0} r UNION SELECT v FROM {0} s",
      "SELECT v FROM {0} r INTERSECT SELECT v FROM {0} s",
      "SELECT v FROM {0} r EXCEPT SELECT v FROM {0} s",
      "SELECT count(*) FROM {0} r JOIN {0} s ON r.v = s.v",
      "SELECT count(*) FROM {0} r CROSS JOIN {0} s WHERE length(r.v || s.v) > 0",
      "SELECT count(*) FROM {0} r FULL JOIN {0} s ON r.v = s.v",
      "WITH w AS (SELECT * FROM {} r) SELECT count(*) FROM w a, w b WHERE a.g = b.g",
      "SELECT 'x' IN (SELECT v FROM {} r)",
      "SELECT 'x' >= ALL (SELECT v FROM {} r)",
      "UPDATE keyed SET v = r.v FROM {} r WHERE k = r.g",
      "DELETE FROM keyed USING {} r WHERE k = r.g AND r.v <> ''",
      "INSERT INTO t SELECT * FROM t",
  };
  for (const std::string& statement : statements) {
    EXPECT_EQ(client->Run(fmt::format(fmt::runtime(statement), rows)), "53200") << statement;
  }
  // One value, one array, one row.
  std::string doubled = "(SELECT " + eight + " AS a) q";
  for (int i = 0; i < 6; ++i) doubled = "(SELECT a || a AS a FROM " + doubled + ") q";
  EXPECT_EQ(client->Run("SELECT length(a) FROM " + doubled), "53200");
  std::string many = eight;
  for (int i = 0; i < 8; ++i) many += ", " + eight;
  EXPECT_EQ(client->Run("SELECT ARRAY[" + many + "]"), "53200");
  EXPECT_EQ(client->Run("SELECT concat(" + many + ")"), "53200");
  EXPECT_EQ(client->Run("SELECT " + many), "53200");
  // What a statement held is given back.
  EXPECT_EQ(client->Run("SELECT count(*) FROM (SELECT v FROM " + rows + " r ORDER BY v LIMIT 10) q"), "10");
}

TEST_F(LimitsTest, ResultsAreStreamed) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the address sanitizer keeps what was freed";
#endif
  const auto client = Connect();
  constexpr size_t kRows = 40'000;
  constexpr size_t kGrowthBytesMax = 48 * kMiB;
  for (const char* from : {"generate_series(1, 40000)", "generate_series(1, 200) a, generate_series(1, 200) b"}) {
    const std::string query = fmt::format("SELECT repeat('x', 10000) FROM {}", from);
    const size_t before = ResidentBytes();
    size_t most = 0, rows = 0;
    client->Send(query);
    ASSERT_EQ(PQsetSingleRowMode(client->get()), 1);
    while (PGresult* result = PQgetResult(client->get())) {
      if (PQresultStatus(result) == PGRES_SINGLE_TUPLE && ++rows % 1'000 == 0) most = std::max(most, ResidentBytes());
      PQclear(result);
    }
    EXPECT_EQ(rows, kRows) << from;
    EXPECT_LT(most, before + kGrowthBytesMax) << from;  // of 400 MB
  }
}

}  // namespace
}  // namespace anabranch
