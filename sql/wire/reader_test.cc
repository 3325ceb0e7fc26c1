// A reader from outside: what libpq is told, what is refused and how, and what concurrent sessions see of one moment. Two
// servers in this process, one replicating from the other.
#include <algorithm>
#include <thread>

#include "base/clock.h"
#include "base/timestamp.h"
#include "sql/testing/test_server.h"
#include "sql/wire/server.h"
#include "tenant/virtual_clusters.h"

namespace anabranch {
namespace {

constexpr int kAccounts = 20;
constexpr int kAccountBalance = 100;

// True as soon as `condition` holds. For what has no event to wait on: what another server shows.
template <typename Condition>
bool Soon(const Condition& condition) {
  const uint64_t until_ns = SystemClock()->MonotonicNs() + uint64_t{kWaitMs} * 1'000'000;
  while (!condition()) {
    if (SystemClock()->MonotonicNs() > until_ns) return false;
    std::this_thread::yield();
  }
  return true;
}

// ServerTest's server is the source.
class ReaderServerTest : public ServerTest {
 protected:
  ReaderServerTest() {
    const auto source = Connect();
    EXPECT_EQ(source->Run("CREATE TABLE t (k INT PRIMARY KEY, v INT); CREATE SEQUENCE s"), "OK CREATE SEQUENCE");
    EXPECT_EQ(
        source->Run(fmt::format("INSERT INTO t SELECT k, {} FROM generate_series(1, {}) AS k", kAccountBalance, kAccounts)),
        fmt::format("OK INSERT 0 {}", kAccounts));
    standby_dir_ = dir_.string() + "-standby";
    StoreOptions options;
    options.dir = standby_dir_;
    options.random = &standby_random_;
    standby_store_ = Store::Open(std::move(options)).value();
    standby_feed_ = LiveFeed::Create(standby_store_.get());
    standby_ =
        VirtualClusters::Open({standby_store_.get(), standby_feed_.get(), Virtualization::kVirtualizedEmpty}).value();
    standby_system_ = SystemStatements::Create(standby_.get());
    standby_server_ = SqlServer::Listen("127.0.0.1", 0, SystemClock()).value();
    standby_->SetSessionStopper(
        [this](TenantId tenant, const absl::Status& why) { standby_server_->TerminateSessions(tenant, why); });
    standby_server_->Serve(standby_.get(), standby_system_.get());
    const ReplicationOptions with_reader{.retention_ns = {}, .expiration_window_ns = {}, .read_virtual_cluster = true};
    EXPECT_TRUE(standby_->CreateFromReplication("main", {}, "main", SourceUri(), with_reader, {}).ok());
    EXPECT_TRUE(Soon([&] { return standby_->Connect("main-readonly").ok(); }));
  }
  ~ReaderServerTest() override {
    standby_server_->Drain();
    standby_system_.reset();
    standby_.reset();
    standby_server_.reset();
    standby_feed_.reset();
    standby_store_.reset();
    std::filesystem::remove_all(standby_dir_);
  }

  std::string SourceUri() const {
    return fmt::format("postgresql://root@127.0.0.1:{}/?options=-ccluster%3Dsystem", server_->port());
  }
  std::string ReaderConninfo(const std::string& more = "") const {
    return fmt::format("host=127.0.0.1 port={} user=root options=-ccluster=main-readonly {}", standby_server_->port(),
                       more);
  }
  std::unique_ptr<Client> Read() const {
    auto client = std::make_unique<Client>(ReaderConninfo());
    EXPECT_TRUE(client->connected()) << client->error();
    return client;
  }
  static Timestamp Moment(Client& client) {
    return ParseHlc(client.Run("SELECT cluster_logical_timestamp()")).value_or(kTimestampZero);
  }
  // Waits until the reader shows what the source has acknowledged so far.
  void CatchUp(Client& reader) {
    const Timestamp now = store_->visible();
    EXPECT_TRUE(Soon([&] { return Moment(reader) >= now; }));
  }

  Random standby_random_{20261124};
  std::string standby_dir_;
  std::unique_ptr<Store> standby_store_;
  std::unique_ptr<LiveFeed> standby_feed_;
  std::unique_ptr<VirtualClusters> standby_;
  std::unique_ptr<SystemStatements> standby_system_;
  std::unique_ptr<SqlServer> standby_server_;
};

TEST_F(ReaderServerTest, ClientsAreToldThatItIsAHotStandby) {
  const auto reader = Read();
  EXPECT_STREQ(PQparameterStatus(reader->get(), "in_hot_standby"), "on");
  EXPECT_STREQ(PQparameterStatus(reader->get(), "default_transaction_read_only"), "on");
  EXPECT_EQ(reader->Run("SHOW transaction_read_only"), "on");
  EXPECT_EQ(reader->Run("SELECT pg_is_in_recovery()"), "t");
  EXPECT_EQ(Connect()->Run("SELECT pg_is_in_recovery()"), "f");
  EXPECT_EQ(reader->Run("SET in_hot_standby = off"), "55P02");
  EXPECT_EQ(reader->Run("SET default_transaction_read_only = off"), "OK SET");  // which changes nothing
  EXPECT_EQ(reader->Run("SHOW transaction_read_only"), "on");
  EXPECT_EQ(reader->Run("DELETE FROM t"), "25006");
  EXPECT_EQ(reader->Run("RESET default_transaction_read_only; SHOW default_transaction_read_only"), "on");
  EXPECT_EQ(reader->Run("BEGIN READ WRITE"), "0A000");
  EXPECT_EQ(reader->Run("BEGIN; SET TRANSACTION READ WRITE"), "0A000");
  EXPECT_EQ(reader->Run("ROLLBACK"), "OK ROLLBACK");

  EXPECT_TRUE(Client(ReaderConninfo("target_session_attrs=read-only")).connected());
  EXPECT_TRUE(Client(ReaderConninfo("target_session_attrs=standby")).connected());
  const Client writer(ReaderConninfo("target_session_attrs=read-write"));
  EXPECT_FALSE(writer.connected());
  EXPECT_NE(writer.error().find("session is read-only"), std::string::npos) << writer.error();
}

TEST_F(ReaderServerTest, WhatWouldWriteIsRefusedByName) {
  const auto reader = Read();
  const auto refusal = [&](const std::string& sql) {
    PGresult* result = PQexec(reader->get(), sql.c_str());
    const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char* message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    std::string text = state == nullptr ? "done" : fmt::format("{}: {}", state, message);
    PQclear(result);
    return text;
  };
  const std::pair<const char*, const char*> cases[] = {
      {"INSERT INTO t VALUES (0, 0)", "INSERT"},
      {"UPDATE t SET v = 0", "UPDATE"},
      {"DELETE FROM t", "DELETE"},
      {"COPY t FROM STDIN", "COPY FROM"},
      {"SELECT * FROM t FOR UPDATE", "SELECT FOR UPDATE"},
      {"SELECT * FROM t FOR SHARE", "SELECT FOR SHARE"},
      {"SELECT nextval('s')", "nextval()"},
      {"SELECT setval('s', 5)", "setval()"},
      {"CREATE TABLE u (k INT)", "CREATE TABLE"},
      {"CREATE TABLE u AS SELECT 1", "CREATE TABLE AS"},
      {"DROP TABLE t", "DROP TABLE"},
      {"DROP SEQUENCE s", "DROP SEQUENCE"},
      {"ALTER TABLE t ADD COLUMN w INT", "ALTER TABLE"},
      {"ALTER TABLE t RENAME TO u", "ALTER TABLE"},
      {"CREATE INDEX ON t (v)", "CREATE INDEX"},
      {"CREATE SEQUENCE u", "CREATE SEQUENCE"},
      {"TRUNCATE t", "TRUNCATE TABLE"},
      {"CREATE USER u", "CREATE ROLE"},
      {"GRANT SELECT ON t TO root", "GRANT"},
      {"VACUUM", "VACUUM"},
  };
  for (const auto& [sql, name] : cases) {
    EXPECT_EQ(refusal(sql), fmt::format("25006: cannot execute {} in a read-only transaction", name)) << sql;
  }
  EXPECT_EQ(reader->Run("SELECT count(*) FROM t"), std::to_string(kAccounts));
  EXPECT_EQ(refusal("EXPLAIN SELECT * FROM t"), "done");
}

TEST_F(ReaderServerTest, EachSelectSeesOneMomentAndNoneAnEarlierOne) {
  std::jthread transfers([&](std::stop_token stop) {
    const auto source = Connect();
    for (int i = 0; !stop.stop_requested(); ++i) {
      const std::string moved =
          source->Run(fmt::format("BEGIN; UPDATE t SET v = v - 1 WHERE k = {}; UPDATE t SET v = v + 1 WHERE k = {}; COMMIT",
                                  i % kAccounts + 1, (i * 7 + 3) % kAccounts + 1));
      ASSERT_EQ(moved, "OK COMMIT");
    }
  });
  const auto repeatable = Read();
  EXPECT_EQ(repeatable->Run("BEGIN ISOLATION LEVEL REPEATABLE READ"), "OK BEGIN");
  const std::string all = "SELECT string_agg(v::text, ',' ORDER BY k) FROM t";
  const std::string kept = repeatable->Run(all);
  const auto reader = Read();
  const std::string sum = std::to_string(kAccounts * kAccountBalance);
  Timestamp last = Moment(*reader);
  int moves = 0;
  for (int i = 0; moves < 10 && i < 100'000; ++i) {
    ASSERT_EQ(reader->Run("SELECT sum(v) FROM t"), sum);
    ASSERT_EQ(reader->Run("SELECT a.total + b.total FROM (SELECT sum(v) AS total FROM t WHERE k <= 10) AS a, "
                          "(SELECT sum(v) AS total FROM t WHERE k > 10) AS b"),
              sum);
    const Timestamp now = Moment(*reader);
    ASSERT_GE(now, last);
    if (now > last) ++moves;
    last = now;
  }
  EXPECT_EQ(moves, 10);
  EXPECT_EQ(repeatable->Run(all), kept);
  EXPECT_EQ(repeatable->Run("COMMIT"), "OK COMMIT");
}

TEST_F(ReaderServerTest, SchemaChangesAndUsersOfThePrimaryShowUp) {
  const auto reader = Read();
  ASSERT_EQ(PQresultStatus(PQprepare(reader->get(), "one", "SELECT v FROM t WHERE k = 1", 0, nullptr)), PGRES_COMMAND_OK);
  EXPECT_EQ(reader->Run("SELECT w FROM t"), "42703");
  const auto source = Connect();
  EXPECT_EQ(source->Run("ALTER TABLE t ADD COLUMN w INT DEFAULT 7; CREATE TABLE more (k INT PRIMARY KEY)"),
            "OK CREATE TABLE");
  EXPECT_EQ(source->Run("CREATE USER joe; GRANT SELECT ON t TO joe"), "OK GRANT");
  CatchUp(*reader);
  EXPECT_EQ(reader->Run("SELECT w FROM t WHERE k = 1"), "7");
  EXPECT_EQ(Client::Outcome(PQexecPrepared(reader->get(), "one", 0, nullptr, nullptr, nullptr, 0)),
            std::to_string(kAccountBalance));
  EXPECT_EQ(reader->Run("SELECT count(*) FROM more"), "0");
  Client joe(fmt::format("host=127.0.0.1 port={} user=joe options=-ccluster=main-readonly", standby_server_->port()));
  ASSERT_TRUE(joe.connected()) << joe.error();
  EXPECT_EQ(joe.Run("SELECT count(*) FROM t"), std::to_string(kAccounts));
  EXPECT_EQ(joe.Run("SELECT * FROM more"), "42501");
}

TEST_F(ReaderServerTest, AsOfSystemTimeReachesBackAndNotAhead) {
  const auto reader = Read();
  CatchUp(*reader);
  const Timestamp before = Moment(*reader);
  EXPECT_EQ(Connect()->Run("UPDATE t SET v = 1 WHERE k = 1"), "OK UPDATE 1");
  CatchUp(*reader);
  const std::string balance = "SELECT v FROM t AS OF SYSTEM TIME '{}' WHERE k = 1";
  EXPECT_EQ(reader->Run("SELECT v FROM t WHERE k = 1"), "1");
  EXPECT_EQ(reader->Run(fmt::format(fmt::runtime(balance), FormatHlc(before))), std::to_string(kAccountBalance));
  EXPECT_EQ(reader->Run(fmt::format(fmt::runtime(balance), "+1h")), "22023");
  EXPECT_EQ(reader->Run(fmt::format("BEGIN AS OF SYSTEM TIME '{}'", FormatHlc(before))), "OK BEGIN");
  EXPECT_EQ(reader->Run("SELECT v FROM t WHERE k = 1"), std::to_string(kAccountBalance));
  EXPECT_EQ(reader->Run("COMMIT"), "OK COMMIT");
}

TEST_F(ReaderServerTest, SessionsGoOnWhereLatestLeavesThemAndEndWithAnEarlierMoment) {
  const auto reader = Read();
  EXPECT_EQ(Connect()->Run("UPDATE t SET v = 1 WHERE k = 1"), "OK UPDATE 1");
  CatchUp(*reader);
  ASSERT_TRUE(standby_->CompleteReplication("main", ToLatest{}, {}).ok());
  ASSERT_TRUE(standby_->StartService("main").ok());
  Client promoted(fmt::format("host=127.0.0.1 port={} user=root options=-ccluster=main", standby_server_->port()));
  EXPECT_EQ(promoted.Run("UPDATE t SET v = 2 WHERE k = 1; ALTER TABLE t ADD COLUMN w INT"), "OK ALTER TABLE");
  EXPECT_EQ(reader->Run("SELECT v FROM t WHERE k = 1"), "1");
  EXPECT_EQ(reader->Run("SELECT w FROM t"), "42703");
  EXPECT_EQ(Read()->Run("SELECT v FROM t WHERE k = 1"), "1");
  ASSERT_TRUE(standby_->StopService("main").ok());
  ASSERT_TRUE(standby_->StartReplication("main", "main", SourceUri(), {}, {}).ok());
  EXPECT_EQ(reader->Run("SELECT 1").substr(0, 5), "lost:");
  EXPECT_NE(reader->error().find("its history was taken back"), std::string::npos) << reader->error();
}

// The reader asks for nothing that the primary does not ask for. Printed, for machines differ.
TEST_F(ReaderServerTest, APointSelectCostsAboutWhatItCostsOnThePrimary) {
  const auto reader = Read();
  const auto source = Connect();
  CatchUp(*reader);
  const auto nanoseconds = [](Client& client) {
    constexpr int kSelects = 2'000;
    const uint64_t begin_ns = SystemClock()->MonotonicNs();
    for (int i = 0; i < kSelects; ++i) {
      EXPECT_EQ(client.Run(fmt::format("SELECT v FROM t WHERE k = {}", i % kAccounts + 1)),
                std::to_string(kAccountBalance));
    }
    return static_cast<int64_t>((SystemClock()->MonotonicNs() - begin_ns) / kSelects);
  };
  int64_t best_reader = INT64_MAX;
  int64_t best_source = INT64_MAX;
  for (int round = 0; round < 5; ++round) {
    best_source = std::min(best_source, nanoseconds(*source));
    best_reader = std::min(best_reader, nanoseconds(*reader));
  }
  fmt::print("point SELECT: {} ns on the primary, {} ns on the reader ({:+.1f} %)\n", best_source, best_reader,
             100.0 * static_cast<double>(best_reader - best_source) / static_cast<double>(best_source));
}

}  // namespace
}  // namespace anabranch
