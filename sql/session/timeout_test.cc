// statement_timeout, lock_timeout and the timeouts of idle sessions, from outside. What waits here waits for ever without
// them, so that a test that passes is one in which the timeout struck.
#include <poll.h>

#include "gmock/gmock.h"
#include "sql/session/statement_timer.h"
#include "sql/testing/test_server.h"

namespace anabranch {
namespace {

using testing::HasSubstr;

class TimeoutTest : public ServerTest {
 protected:
  TimeoutTest() {
    EXPECT_EQ(client_->Run("CREATE TABLE t (k INT PRIMARY KEY, v INT)"), "OK CREATE TABLE");
    EXPECT_EQ(client_->Run("INSERT INTO t VALUES (1, 1)"), "OK INSERT 0 1");
  }

  // A session that holds the row.
  std::unique_ptr<Client> Holder() {
    auto holder = Connect();
    EXPECT_EQ(holder->Run("BEGIN"), "OK BEGIN");
    EXPECT_EQ(holder->Run("UPDATE t SET v = 2"), "OK UPDATE 1");
    return holder;
  }
  static void AwaitAnswer(const Client& client) {
    pollfd answered = {PQsocket(client.get()), POLLIN, 0};
    EXPECT_EQ(poll(&answered, 1, kWaitMs), 1);
  }
  // The FATAL error that ended an idle session.
  static std::string End(Client& client) {
    AwaitAnswer(client);
    client.Send("SELECT 1");
    return client.Finish();
  }

  std::unique_ptr<Client> client_ = Connect();
};

TEST_F(TimeoutTest, StatementTimeoutEndsWhateverRuns) {
  EXPECT_EQ(client_->Run("SET statement_timeout = '30ms'"), "OK SET");
  EXPECT_EQ(client_->Run("SELECT count(*) FROM generate_series(1, 100000000000)"), "57014");
  EXPECT_THAT(client_->error(), HasSubstr("canceling statement due to statement timeout"));
  EXPECT_EQ(client_->Run("SELECT pg_sleep(1000)"), "57014");
  EXPECT_EQ(client_->Run("SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 1000000) b"), "57014");
  EXPECT_EQ(
      Client::Outcome(PQexecParams(client_->get(), "SELECT pg_sleep(1000)", 0, nullptr, nullptr, nullptr, nullptr, 0)),
      "57014");
  EXPECT_EQ(client_->Run("SET statement_timeout = 0"), "OK SET");
  EXPECT_EQ(client_->Run("SELECT pg_sleep(0.05)"), "");
}

TEST_F(TimeoutTest, StatementTimeoutEndsAWaitForARow) {
  const auto holder = Holder();
  EXPECT_EQ(client_->Run("SET statement_timeout = 30"), "OK SET");
  EXPECT_EQ(client_->Run("UPDATE t SET v = 3"), "57014");
  EXPECT_THAT(client_->error(), HasSubstr("statement timeout"));
}

TEST_F(TimeoutTest, LockTimeoutEndsAWaitForARowAndNothingElse) {
  const auto holder = Holder();
  EXPECT_EQ(client_->Run("SET lock_timeout = 30"), "OK SET");
  EXPECT_EQ(client_->Run("UPDATE t SET v = 3"), "55P03");
  EXPECT_THAT(client_->error(), HasSubstr("canceling statement due to lock timeout"));
  EXPECT_EQ(client_->Run("SELECT pg_sleep(0.1)"), "");
  EXPECT_EQ(holder->Run("ROLLBACK"), "OK ROLLBACK");
  EXPECT_EQ(client_->Run("UPDATE t SET v = 3"), "OK UPDATE 1");
}

TEST_F(TimeoutTest, StatementTimeoutEndsACopyThatTheClientDoesNotGoOnWith) {
  EXPECT_EQ(client_->Run("SET statement_timeout = 30"), "OK SET");
  EXPECT_EQ(client_->Run("COPY t FROM STDIN"), "copy in");
  AwaitAnswer(*client_);
  EXPECT_EQ(PQputCopyEnd(client_->get(), nullptr), 1);
  EXPECT_EQ(client_->Finish(), "57014");
  EXPECT_THAT(client_->error(), HasSubstr("statement timeout"));
  EXPECT_EQ(client_->Run("SELECT count(*) FROM t"), "1");
}

// Its transaction is over once the statement is: the row is free.
TEST_F(TimeoutTest, StatementTimeoutEndsAResultThatTheClientDoesNotRead) {
  const auto holder = Holder();
  EXPECT_EQ(holder->Run("SET statement_timeout = 100"), "OK SET");
  holder->Send("SELECT repeat('x', 1000) FROM generate_series(1, 1000000)");
  EXPECT_EQ(client_->Run("UPDATE t SET v = 3"), "OK UPDATE 1");
  EXPECT_EQ(holder->Finish(), "57014");
  EXPECT_EQ(holder->Run("ROLLBACK"), "OK ROLLBACK");
  EXPECT_EQ(holder->Run("SELECT v FROM t"), "3");
}

TEST_F(TimeoutTest, CancelEndsAResultThatTheClientDoesNotRead) {
  const auto holder = Holder();
  holder->Send("SELECT repeat('x', 1000) FROM generate_series(1, 1000000)");
  AwaitAnswer(*holder);  // so it runs
  holder->Cancel();
  EXPECT_EQ(client_->Run("UPDATE t SET v = 3"), "OK UPDATE 1");
  EXPECT_EQ(holder->Finish(), "57014");
  EXPECT_THAT(holder->error(), HasSubstr("user request"));
}

TEST_F(TimeoutTest, EachStatementOfAStringIsTimedByItself) {
  EXPECT_EQ(client_->Run("SET statement_timeout = '2s'"), "OK SET");
  EXPECT_EQ(client_->Run("SELECT pg_sleep(0.8); SELECT pg_sleep(0.8); SELECT pg_sleep(0.8)"), "");
  EXPECT_EQ(client_->Run("SET statement_timeout = '30ms'; SELECT pg_sleep(1000)"), "57014");
}

TEST_F(TimeoutTest, SetLocalLastsAsLongAsItsBlock) {
  EXPECT_EQ(client_->Run("BEGIN"), "OK BEGIN");
  EXPECT_EQ(client_->Run("SAVEPOINT s"), "OK SAVEPOINT");
  EXPECT_EQ(client_->Run("SET LOCAL statement_timeout = 30"), "OK SET");
  EXPECT_EQ(client_->Run("SELECT pg_sleep(1000)"), "57014");
  EXPECT_EQ(client_->Run("ROLLBACK TO s"), "OK ROLLBACK");
  EXPECT_EQ(client_->Run("SELECT pg_sleep(0.05)"), "");
  EXPECT_EQ(client_->Run("COMMIT"), "OK COMMIT");
}

TEST_F(TimeoutTest, ClientsAskForThemAsTheyConnect) {
  const auto timed = Connect("options='-c statement_timeout=30 -c lock_timeout=1min'");
  EXPECT_EQ(timed->Run("SELECT pg_sleep(1000)"), "57014");
  EXPECT_EQ(timed->Run("SHOW lock_timeout"), "1min");
  EXPECT_THAT(ConnectError("options='-c statement_timeout=soon'"),
              HasSubstr("invalid value for parameter \"statement_timeout\": \"soon\""));
}

TEST_F(TimeoutTest, IdleInTransactionEndsTheSessionAndFreesItsRows) {
  const auto holder = Holder();
  EXPECT_EQ(holder->Run("SET idle_in_transaction_session_timeout = 30"), "OK SET");
  EXPECT_EQ(client_->Run("UPDATE t SET v = 3"), "OK UPDATE 1");
  EXPECT_EQ(End(*holder), "25P03");
  EXPECT_EQ(client_->Run("SET idle_in_transaction_session_timeout = 30"), "OK SET");
  EXPECT_EQ(client_->Run("BEGIN"), "OK BEGIN");
  EXPECT_EQ(client_->Run("SELECT 1 / 0"), "22012");
  EXPECT_EQ(End(*client_), "25P03");  // a failed block is one, too
}

TEST_F(TimeoutTest, IdleSessionIsEndedOutsideABlockOnly) {
  const auto idle = Connect("options='-c idle_session_timeout=30'");
  EXPECT_EQ(End(*idle), "57P05");
  EXPECT_EQ(client_->Run("SET idle_in_transaction_session_timeout = 30"), "OK SET");
  EXPECT_EQ(client_->Run("SELECT pg_sleep(0.1)"), "");
  const auto in_block = Connect();
  EXPECT_EQ(in_block->Run("BEGIN"), "OK BEGIN");
  EXPECT_EQ(in_block->Run("SET idle_session_timeout = 30; SET idle_in_transaction_session_timeout = 200"), "OK SET");
  EXPECT_EQ(End(*in_block), "25P03");
}

TEST_F(TimeoutTest, CancelOfAnIdleSessionDoesNothing) {
  client_->Cancel();
  EXPECT_EQ(client_->Run("SELECT 1"), "1");
  EXPECT_EQ(client_->Run("BEGIN"), "OK BEGIN");
  client_->Cancel();
  EXPECT_EQ(client_->Run("SELECT pg_sleep(0.05)"), "");
  EXPECT_EQ(client_->Run("COMMIT"), "OK COMMIT");
}

TEST(StatementTimerTest, OnlyWhatIsArmedAndStillRunsIsStopped) {
  StatementTimer timer(SystemClock());
  SessionControl fast(1, 0, &timer), slow(2, 0, &timer);
  const auto begin = [](SessionControl& session, int timeout_ms) {
    return session.BeginStatement(SessionControl::StatementKind::kOrdinary, timeout_ms);
  };
  for (int i = 0; i < 100; ++i) {  // each deadline is earlier than the one before, or later
    const std::stop_token stop = begin(fast, 600'000 + (i % 2 == 0 ? i : -i));
    fast.EndStatement();
    EXPECT_FALSE(stop.stop_requested());
  }
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  const std::stop_token stop = begin(slow, 1);
  stopped.wait(lock, stop, [] { return false; });
  EXPECT_EQ(MessageOf(slow.stop_reason()), "canceling statement due to statement timeout");
  slow.Cancel();
  EXPECT_EQ(MessageOf(slow.stop_reason()), "canceling statement due to statement timeout");  // the first reason
  slow.EndStatement();
  EXPECT_FALSE(begin(slow, 0).stop_requested());
  EXPECT_TRUE(slow.stop_reason().ok());
  slow.EndStatement();
  EXPECT_TRUE(fast.stop_reason().ok());
}

}  // namespace
}  // namespace anabranch
