// The SQL port from outside, with real sockets, libpq and a real store. What SQL means is session_test.cc's business.
#include "sql/wire/server.h"

#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>

#include "base/coding.h"
#include "base/serving_thread.h"
#include "sql/testing/test_server.h"
#include "sql/wire/message.h"

namespace anabranch {
namespace {

using namespace std::string_literals;

TEST_F(ServerTest, TargetsAndWhoMayComeIn) {
  EXPECT_EQ(Connect()->Run("CREATE TABLE t (k INT PRIMARY KEY)"), "OK CREATE TABLE");  // the default target is main
  EXPECT_EQ(Connect("options=-ccluster=main")->Run("SELECT count(*) FROM t"), "0");
  EXPECT_EQ(Connect("dbname=cluster:main/defaultdb")->Run("SELECT count(*) FROM t"), "0");
  EXPECT_EQ(Connect("options=-ccluster=system")->Run("SHOW VIRTUAL CLUSTERS"), "1");
  EXPECT_EQ(Connect()->Run("SHOW VIRTUAL CLUSTERS"), "42501");
  EXPECT_NE(ConnectError("options=-ccluster=nowhere").find("virtual cluster \"nowhere\" does not exist"),
            std::string::npos);
  EXPECT_NE(ConnectError("user=joe").find("role \"joe\" does not exist"), std::string::npos);
  EXPECT_NE(ConnectError("options='-c unheard=1'").find("unrecognized configuration parameter"), std::string::npos);
  EXPECT_EQ(Connect("options=-ccluster=system")->Run("ALTER VIRTUAL CLUSTER main STOP SERVICE"),
            "OK ALTER VIRTUAL CLUSTER");
  EXPECT_NE(ConnectError("").find("START SERVICE SHARED"), std::string::npos);
}

TEST_F(ServerTest, ClientIsToldTheServersSettings) {
  const auto client = Connect();
  EXPECT_STREQ(PQparameterStatus(client->get(), "client_encoding"), "UTF8");
  EXPECT_STREQ(PQparameterStatus(client->get(), "in_hot_standby"), "off");
  EXPECT_GE(PQserverVersion(client->get()), 150000);
  EXPECT_EQ(client->Run("SET application_name = 'test'"), "OK SET");
  EXPECT_STREQ(PQparameterStatus(client->get(), "application_name"), "test");
}

TEST_F(ServerTest, ClientChoosesTheTimeZone) {
  const auto client = Connect("options='-c TimeZone=europe/zurich'");
  const auto zone = [&] { return std::string(PQparameterStatus(client->get(), "TimeZone")); };
  const std::string moment = "SELECT '2024-07-01 12:00+00'::timestamptz";
  EXPECT_EQ(zone(), "Europe/Zurich");
  EXPECT_EQ(client->Run(moment), "2024-07-01 14:00:00+02");
  const char* text = "2024-07-01 14:00";
  PGresult* result = PQexecParams(client->get(), "SELECT $1::timestamptz", 1, nullptr, &text, nullptr, nullptr, 1);
  const std::string binary(PQgetvalue(result, 0, 0), PQgetlength(result, 0, 0));
  PQclear(result);
  std::string expected;
  for (int shift = 56; shift >= 0; shift -= 8) {
    expected.push_back(static_cast<char>(773'150'400'000'000 >> shift));  // microseconds from 2000 to noon UTC
  }
  EXPECT_EQ(binary, expected);
  EXPECT_EQ(client->Run("SET TimeZone = 'Asia/Tokyo'"), "OK SET");
  EXPECT_EQ(zone(), "Asia/Tokyo");
  EXPECT_EQ(client->Run(moment), "2024-07-01 21:00:00+09");
  EXPECT_EQ(client->Run("SELECT set_config('TimeZone', '-3', false)"), "<-03>+03");
  EXPECT_EQ(zone(), "<-03>+03");
  EXPECT_EQ(client->Run("BEGIN; SET LOCAL TimeZone = 'UTC'"), "OK SET");
  EXPECT_EQ(zone(), "UTC");
  EXPECT_EQ(client->Run("ROLLBACK"), "OK ROLLBACK");
  EXPECT_EQ(zone(), "<-03>+03");
  EXPECT_EQ(client->Run("RESET TimeZone"), "OK RESET");
  EXPECT_EQ(zone(), "Europe/Zurich");
  EXPECT_NE(
      ConnectError("options='-c TimeZone=nonsense'").find("FATAL:  invalid value for parameter \"TimeZone\": \"nonsense\""),
      std::string::npos);
}

TEST_F(ServerTest, StatActivityShowsTheSessionsOfOneVirtualCluster) {
  const auto client = Connect();
  const auto other = Connect();
  const auto elsewhere = Connect("options=-ccluster=system");
  EXPECT_EQ(client->Run("SELECT count(*) FROM pg_stat_activity"), "2");
  EXPECT_EQ(client->Run("SELECT pg_backend_pid()"), std::to_string(PQbackendPID(client->get())));
  EXPECT_EQ(client->Run("SELECT pid FROM pg_stat_activity WHERE usename = 'root' AND state IS NULL"),
            std::to_string(PQbackendPID(other->get())));
}

TEST_F(ServerTest, ClientIsToldWhetherItsUserIsAnAdministrator) {
  const auto root = Connect();
  EXPECT_STREQ(PQparameterStatus(root->get(), "is_superuser"), "on");
  EXPECT_EQ(root->Run("CREATE USER joe"), "OK CREATE ROLE");
  EXPECT_STREQ(PQparameterStatus(Connect("user=joe")->get(), "is_superuser"), "off");
  EXPECT_EQ(root->Run("GRANT admin TO joe"), "OK GRANT ROLE");
  EXPECT_STREQ(PQparameterStatus(Connect("user=joe")->get(), "is_superuser"), "on");
}

TEST_F(ServerTest, ASessionThatOnlyReadsWaitsForItsTurns) {
  const sched_param none = {};
  if (sched_setscheduler(0, SCHED_OTHER, &none) != 0) GTEST_SKIP() << "the system forbids it";
  const auto waiting = [] {
    int threads = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      if (sched_getscheduler(std::stoi(task.path().filename().string())) == SCHED_BATCH) ++threads;
    }
    return threads;
  };
  const auto reader = Connect();
  const auto writer = Connect();
  const auto system = Connect("options=-ccluster=system");
  EXPECT_EQ(writer->Run("CREATE TABLE t (k INT PRIMARY KEY)"), "OK CREATE TABLE");
  for (uint32_t i = 0; i <= ServingThread::kRequests; ++i) {
    EXPECT_EQ(reader->Run("SELECT count(*) FROM t WHERE k < 0"), "0");
    EXPECT_EQ(system->Run("SELECT 1"), "1");
    EXPECT_EQ(writer->Run(fmt::format("INSERT INTO t VALUES ({})", i)), "OK INSERT 0 1");
  }
  EXPECT_EQ(waiting(), 1);
  EXPECT_EQ(reader->Run("DELETE FROM t"), fmt::format("OK DELETE {}", ServingThread::kRequests + 1));
  EXPECT_EQ(reader->Run("SELECT 1"), "1");  // the policy changes after an answer
  EXPECT_EQ(waiting(), 0);
}

TEST_F(ServerTest, SeveralStatementsAreOneTransaction) {
  const auto client = Connect();
  EXPECT_EQ(client->Run("CREATE TABLE t (k INT PRIMARY KEY)"), "OK CREATE TABLE");
  EXPECT_EQ(client->Run("INSERT INTO t VALUES (1); INSERT INTO t VALUES (1)"), "23505");
  EXPECT_EQ(client->Run("SELECT count(*) FROM t"), "0");
  EXPECT_EQ(client->Run("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"), "OK INSERT 0 1");
  EXPECT_EQ(client->Run("SELECT count(*) FROM t"), "2");
  EXPECT_EQ(client->Run(""), "empty");
}

TEST_F(ServerTest, PipelineIsOneTransactionUpToItsSync) {
  const auto client = Connect();
  EXPECT_EQ(client->Run("CREATE TABLE t (k INT PRIMARY KEY)"), "OK CREATE TABLE");
  ASSERT_EQ(PQenterPipelineMode(client->get()), 1);
  for (const char* key : {"1", "2", "1"}) {
    ASSERT_EQ(PQsendQueryParams(client->get(), "INSERT INTO t VALUES ($1)", 1, nullptr, &key, nullptr, nullptr, 0), 1);
  }
  ASSERT_EQ(PQpipelineSync(client->get()), 1);
  EXPECT_EQ(client->Finish(), "OK INSERT 0 1");
  EXPECT_EQ(client->Finish(), "OK INSERT 0 1");
  EXPECT_EQ(client->Finish(), "23505");
  PGresult* sync = PQgetResult(client->get());
  EXPECT_EQ(PQresultStatus(sync), PGRES_PIPELINE_SYNC);
  PQclear(sync);
  ASSERT_EQ(PQexitPipelineMode(client->get()), 1);
  EXPECT_EQ(client->Run("SELECT count(*) FROM t"), "0");
}

TEST_F(ServerTest, ParametersAndResultsInBothFormats) {
  const auto client = Connect();
  EXPECT_EQ(client->Run("CREATE TABLE t (k INT8 PRIMARY KEY, v TEXT, n NUMERIC)"), "OK CREATE TABLE");
  const char big[8] = {0, 0, 0, 1, 0, 0, 0, 0};
  const char* values[] = {big, "text"};
  const int lengths[] = {8, 4};
  const int formats[] = {1, 0};
  const Oid types[] = {20, 25};
  EXPECT_EQ(
      Client::Outcome(PQexecParams(client->get(), "INSERT INTO t VALUES ($1, $2)", 2, types, values, lengths, formats, 0)),
      "OK INSERT 0 1");
  PGresult* result = PQexecParams(client->get(), "SELECT k, v FROM t WHERE k = $1", 1, types, values, lengths, formats, 1);
  ASSERT_EQ(PQntuples(result), 1) << client->error();
  EXPECT_EQ(std::string(PQgetvalue(result, 0, 0), PQgetlength(result, 0, 0)), std::string(big, 8));
  EXPECT_STREQ(PQgetvalue(result, 0, 1), "text");
  PQclear(result);
  result = PQexecParams(client->get(), "SELECT 1.5::numeric", 0, nullptr, nullptr, nullptr, nullptr, 1);
  EXPECT_EQ(std::string(PQgetvalue(result, 0, 0), PQgetlength(result, 0, 0)),
            std::string("\0\2\0\0\0\0\0\1\0\1\x13\x88", 12));  // two digits of 10,000, weight 0, scale 1
  PQclear(result);
  EXPECT_EQ(Client::Outcome(
                PQexecParams(client->get(), "SELECT k FROM t WHERE v = $1", 0, nullptr, nullptr, nullptr, nullptr, 0)),
            "08P01");  // a parameter is missing
  EXPECT_EQ(client->Run("SELECT 1"), "1");
}

TEST_F(ServerTest, PortalGivesItsRowsInPieces) {
  const auto client = Connect();
  EXPECT_EQ(client->Run("CREATE TABLE t (k INT PRIMARY KEY)"), "OK CREATE TABLE");
  EXPECT_EQ(client->Run("INSERT INTO t VALUES (1), (2), (3), (4), (5)"), "OK INSERT 0 5");
  const std::string parse = Packet('P', "\0SELECT k FROM t\0\0\0"s);
  const std::string bind = Packet('B', "p\0\0\0\0\0\0\0\0"s);
  const std::string two_rows = Packet('E', "p\0\0\0\0\2"s);
  const std::string sync = Packet('S', "");
  EXPECT_EQ(Exchange(*client, parse + bind + two_rows + two_rows + two_rows + sync, 'Z'), "12DDsDDsDCZ");
  EXPECT_EQ(Exchange(*client, parse + bind + two_rows + Packet('C', "Pp\0"s) + two_rows + sync, 'Z'), "12DDs3EZ");
  EXPECT_EQ(Exchange(*client, two_rows + sync, 'Z'), "EZ");  // portals end with their transaction
}

TEST_F(ServerTest, AClientLeavesInTheMiddleOfAPortal) {
  auto client = Connect();
  EXPECT_EQ(client->Run("CREATE TABLE t (k INT PRIMARY KEY)"), "OK CREATE TABLE");
  EXPECT_EQ(client->Run("INSERT INTO t VALUES (1), (2), (3)"), "OK INSERT 0 3");
  const std::string fetch = Packet('P', "\0SELECT k FROM t\0\0\0"s) + Packet('B', "p\0\0\0\0\0\0\0\0"s) +
                            Packet('E', "p\0\0\0\0\2"s) + Packet('H', "");
  EXPECT_EQ(Exchange(*client, fetch, 's'), "12DDs");
  client.reset();
  EXPECT_EQ(Connect()->Run("DROP TABLE t"), "OK DROP TABLE");
}

TEST_F(ServerTest, AfterAnErrorEverythingUpToSyncIsSkipped) {
  const auto client = Connect();
  const std::string bad = Packet('P', "\0SELECT k FROM nowhere\0\0\0"s);
  const std::string good = Packet('P', "\0SELECT 1\0\0\0"s);
  EXPECT_EQ(Exchange(*client, bad + good + Packet('Q', "SELECT 1\0"s) + Packet('S', ""), 'Z'), "EZ");
  EXPECT_EQ(Exchange(*client, good + Packet('S', ""), 'Z'), "1Z");
  EXPECT_EQ(Exchange(*client, Packet('P', "\0SELECT 1; SELECT 2\0\0\0"s) + Packet('S', ""), 'Z'), "EZ");
  EXPECT_EQ(Exchange(*client, Packet('D', "Snone\0"s) + Packet('S', ""), 'Z'), "EZ");
}

TEST_F(ServerTest, DiscardAllForgetsPreparedStatements) {
  const auto client = Connect();
  const std::string use = Packet('D', "Sp\0"s) + Packet('S', "");
  for (const bool extended : {false, true}) {
    EXPECT_EQ(Exchange(*client, Packet('P', "p\0SELECT 1\0\0\0"s) + use, 'Z'), "1tTZ");
    const std::string discard = extended ? Packet('P', "\0DISCARD ALL\0\0\0"s) + Packet('B', "\0\0\0\0\0\0\0\0"s) +
                                               Packet('E', "\0\0\0\0\0"s) + Packet('S', "")
                                         : Packet('Q', "DISCARD ALL\0"s);
    EXPECT_EQ(Exchange(*client, discard, 'Z'), extended ? "12CZ" : "CZ");
    EXPECT_EQ(Exchange(*client, use, 'Z'), "EZ");
  }
}

TEST_F(ServerTest, CopyIsLoadedOrRefusedAsAWhole) {
  const auto client = Connect();
  EXPECT_EQ(client->Run("CREATE TABLE t (k INT PRIMARY KEY, v TEXT)"), "OK CREATE TABLE");
  EXPECT_EQ(client->Run("COPY t FROM STDIN"), "copy in");
  EXPECT_EQ(PQputCopyData(client->get(), "1\ta\n2\tb\n", 8), 1);
  EXPECT_EQ(PQputCopyEnd(client->get(), nullptr), 1);
  EXPECT_EQ(client->Finish(), "OK COPY 2");
  EXPECT_EQ(client->Run("COPY t FROM STDIN"), "copy in");
  EXPECT_EQ(PQputCopyData(client->get(), "3\tc\nx\td\n", 8), 1);
  EXPECT_EQ(PQputCopyEnd(client->get(), nullptr), 1);
  EXPECT_EQ(client->Finish(), "22P02");
  EXPECT_EQ(client->Run("COPY t FROM STDIN"), "copy in");
  EXPECT_EQ(PQputCopyData(client->get(), "3\tc\n", 4), 1);
  EXPECT_EQ(PQputCopyEnd(client->get(), "changed my mind"), 1);
  EXPECT_EQ(client->Finish(), "57014");
  EXPECT_EQ(client->Run("SELECT count(*) FROM t"), "2");
}

TEST_F(ServerTest, CancelEndsALockWaitAndACopy) {
  const auto holder = Connect();
  const auto waiter = Connect();
  EXPECT_EQ(holder->Run("CREATE TABLE t (k INT PRIMARY KEY, v INT)"), "OK CREATE TABLE");
  EXPECT_EQ(holder->Run("INSERT INTO t VALUES (1, 1)"), "OK INSERT 0 1");
  EXPECT_EQ(holder->Run("BEGIN"), "OK BEGIN");
  EXPECT_EQ(holder->Run("UPDATE t SET v = 2"), "OK UPDATE 1");
  waiter->Send("UPDATE t SET v = 3");
  // A request that comes before the statement runs does nothing, as in PostgreSQL: ask until it was there.
  pollfd answered = {PQsocket(waiter->get()), POLLIN, 0};
  do {
    waiter->Cancel();
  } while (poll(&answered, 1, 20) == 0);
  EXPECT_EQ(waiter->Finish(), "57014");
  EXPECT_EQ(waiter->Run("COPY t FROM STDIN"), "copy in");
  waiter->Cancel();
  ASSERT_EQ(poll(&answered, 1, kWaitMs), 1);
  EXPECT_EQ(PQputCopyEnd(waiter->get(), nullptr), 1);
  EXPECT_EQ(waiter->Finish(), "57014");
  EXPECT_EQ(waiter->Run("SELECT v FROM t"), "1");
  EXPECT_EQ(holder->Run("COMMIT"), "OK COMMIT");
}

TEST_F(ServerTest, StopServiceEndsSessionsWhateverTheyDo) {
  const auto system = Connect("options=-ccluster=system");
  const auto holder = Connect();
  const auto waiter = Connect();
  EXPECT_EQ(holder->Run("CREATE TABLE t (k INT PRIMARY KEY)"), "OK CREATE TABLE");
  EXPECT_EQ(holder->Run("BEGIN"), "OK BEGIN");
  EXPECT_EQ(holder->Run("INSERT INTO t VALUES (1)"), "OK INSERT 0 1");
  waiter->Send("INSERT INTO t VALUES (1)");
  EXPECT_EQ(system->Run("ALTER VIRTUAL CLUSTER main STOP SERVICE"), "OK ALTER VIRTUAL CLUSTER");
  EXPECT_EQ(waiter->Finish(), "57P01");
  holder->Send("COMMIT");
  EXPECT_EQ(holder->Finish(), "57P01");
  EXPECT_EQ(system->Run("ALTER VIRTUAL CLUSTER main START SERVICE SHARED"), "OK ALTER VIRTUAL CLUSTER");
  EXPECT_EQ(Connect()->Run("SELECT count(*) FROM t"), "0");
}

TEST_F(ServerTest, DrainEndsIdleSessions) {
  const auto client = Connect();
  EXPECT_EQ(client->Run("SELECT 1"), "1");
  server_->Drain();
  client->Send("SELECT 1");
  EXPECT_EQ(client->Finish(), "57P01");
  EXPECT_NE(ConnectError("").find("refused"), std::string::npos);
}

TEST_F(ServerTest, TooLargeAStatementIsRefusedByName) {
  const auto client = Connect();
  EXPECT_EQ(client->Run("SELECT '" + std::string(kMessageBytesMax, 'x') + "'"), "54000");
  EXPECT_EQ(client->Run("SELECT 1"), "1");
}

TEST_F(ServerTest, NoiseEndsTheConnection) {
  EXPECT_EQ(Exchange(*Connect(), "GET / HTTP/1.1\r\n\r\n", 'Z'), "E<end>");
  EXPECT_EQ(Exchange(*Connect(), Packet('B', "no bind message") + Packet('S', ""), 'Z'),
            "EZ");  // framed rightly, so it goes on
  EXPECT_EQ(Exchange(*Connect(), "Q\x7f\xff\xff\xff", 'Z'), "E<end>");
  EXPECT_EQ(Connect()->Run("SELECT 1"), "1");
}

TEST_F(ServerTest, StreamRequestsAreForTheSystemVirtualCluster) {
  EXPECT_EQ(Connect()->Run("REPLICATION_STREAM OPEN ''"), "42501");
  const auto system = Connect("options=-ccluster=system");
  EXPECT_EQ(system->Run("REPLICATION_STREAM DANCE ''"), "42601");
  EXPECT_EQ(system->Run("REPLICATION_STREAM OPEN 'xyz'"), "42601");
  wire::CopyRequest unknown;
  unknown.set_stream_id(17);
  const std::string copy = fmt::format("REPLICATION_STREAM COPY '{}'", ToHex(unknown.SerializeAsString()));
  system->Send(copy);
  PGresult* both = PQgetResult(system->get());
  EXPECT_EQ(PQresultStatus(both), PGRES_COPY_BOTH);
  PQclear(both);
  char* data = nullptr;
  EXPECT_EQ(PQgetCopyData(system->get(), &data, 0), -1);
  EXPECT_EQ(system->Finish().size(), 5u);                // an SQLSTATE
  EXPECT_EQ(system->Run("SHOW VIRTUAL CLUSTERS"), "1");  // and the session lives on
}

void RaiseFileLimit() {
  rlimit files = {};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, 8'192);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
}

TEST(SessionRegistryTest, PlacesAreLimitedAndSomeAreKeptForRoot) {
  RaiseFileLimit();
  SessionRegistry registry(SystemClock());
  std::vector<std::shared_ptr<SessionControl>> sessions;
  const auto admit = [&](const std::string& user, TenantId tenant = kSystemTenantId) {
    sessions.push_back(registry.Add().value());
    registry.SetTenant(*sessions.back(), tenant);
    return registry.Admit(*sessions.back(), user);
  };
  for (int i = 0; i < kConnectionsMax - kConnectionsKeptForRoot; ++i) ASSERT_TRUE(admit("joe").ok()) << i;
  EXPECT_EQ(SqlStateOf(admit("joe")), "53300");
  EXPECT_EQ(SqlStateOf(admit("root", TenantId(2))), "53300");  // whoever may create users there may be called so
  for (int i = 0; i < kConnectionsKeptForRoot; ++i) ASSERT_TRUE(admit("root").ok()) << i;
  EXPECT_EQ(SqlStateOf(admit("root")), "53300");
  registry.Remove(*sessions.front());
  EXPECT_TRUE(admit("root").ok());
}

TEST(SessionRegistryTest, OnlyTheRightSecretCancels) {
  SessionRegistry registry(SystemClock());
  const auto session = registry.Add().value();
  const std::stop_token running = session->BeginStatement();
  registry.Cancel(session->process_id(), session->secret() ^ 1);
  registry.Cancel(session->process_id() + 1, session->secret());
  EXPECT_FALSE(running.stop_requested());
  registry.Cancel(session->process_id(), session->secret());
  EXPECT_TRUE(running.stop_requested());
  EXPECT_FALSE(session->BeginStatement().stop_requested());  // only that one statement
}

TEST(SessionRegistryTest, OfThoseThatAreNotAdmittedYetTheOldestMakesRoom) {
  RaiseFileLimit();
  SessionRegistry registry(SystemClock());
  const std::shared_ptr<SessionControl> admitted = registry.Add().value();
  ASSERT_TRUE(registry.Admit(*admitted, "root").ok());
  std::vector<std::shared_ptr<SessionControl>> starting;
  for (int i = 0; i < kConnectionsStartingMax + 2; ++i) starting.push_back(registry.Add().value());
  EXPECT_EQ(SqlStateOf(starting[0]->end_reason()), sqlstate::kTooManyConnections);
  EXPECT_EQ(SqlStateOf(starting[1]->end_reason()), sqlstate::kTooManyConnections);
  EXPECT_TRUE(starting[2]->end_reason().ok());
  EXPECT_TRUE(starting.back()->end_reason().ok());
  EXPECT_TRUE(admitted->end_reason().ok());
}

TEST(SessionRegistryTest, ThoseThatAreNotAdmittedYetLeaveDescriptorsToOthers) {
  rlimit before = {};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit few = {.rlim_cur = 1'024, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  SessionRegistry registry(SystemClock());
  std::vector<std::shared_ptr<SessionControl>> starting;
  for (int i = 0; i < 1'024 / 16 + 1; ++i) starting.push_back(registry.Add().value());
  EXPECT_EQ(SqlStateOf(starting[0]->end_reason()), sqlstate::kTooManyConnections);
  EXPECT_TRUE(starting[1]->end_reason().ok());
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

}  // namespace
}  // namespace anabranch
