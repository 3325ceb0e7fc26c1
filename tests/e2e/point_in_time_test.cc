// COMPLETE REPLICATION TO SYSTEM TIME: exactly the state of one moment, past or future.
#include "base/clock.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "tests/e2e/cluster.h"

namespace anabranch {
namespace {

constexpr std::string_view kAll = "SELECT k, v FROM t ORDER BY k";

class PointInTime : public TwoClusters {
 protected:
  void SetUp() override {
    TwoClusters::SetUp();
    Ask(a_.Uri("main"), "CREATE TABLE t (k INT PRIMARY KEY, v TEXT)");
    Ask(a_.Uri("main"), "INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three')");
    CreateStandby(b_, a_);
    WaitReplicated(b_, a_);
    writer_ = *SqlClient::Connect(a_.Uri("main"));
  }

  Timestamp Commit(const std::string& statement) {
    EXPECT_TRUE(writer_->Query("BEGIN; " + statement + "; COMMIT").ok()) << statement;
    const auto shown = writer_->Query("SHOW COMMIT TIMESTAMP");
    return ParseHlc(shown->rows.at(0).at(0).value_or("")).value_or(kTimestampZero);
  }
  std::string StateOnAAt(Timestamp at) {
    return Ask(a_.Uri("main"), "SELECT k, v FROM t AS OF SYSTEM TIME " + FormatHlc(at) + " ORDER BY k");
  }
  std::string Complete(const std::string& target) {
    return AskValue(b_.Uri("system"), "ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO " + target);
  }

  std::unique_ptr<SqlClient> writer_;
};

TEST_F(PointInTime, APastMomentExactly) {
  Commit("UPDATE t SET v = 'first' WHERE k = 1");
  const Timestamp chosen = Commit("DELETE FROM t WHERE k = 2; INSERT INTO t VALUES (4, 'four')");
  const Timestamp mistake = Commit("UPDATE t SET v = 'gone wrong'");
  Commit("DELETE FROM t");
  WaitReplicated(b_, a_);
  ASSERT_GT(mistake, chosen);

  EXPECT_EQ(Complete("SYSTEM TIME " + FormatHlc(chosen)), FormatHlc(chosen));
  EXPECT_EQ(ReadStandby(b_)->status, "ready");
  Ask(b_.Uri("system"), "ALTER VIRTUAL CLUSTER main START SERVICE SHARED");
  EXPECT_EQ(Ask(b_.Uri("main"), std::string(kAll)), "1,first;3,three;4,four");
  EXPECT_EQ(StateOnAAt(chosen), "1,first;3,three;4,four");
  ExpectEqualAt(chosen);
  // What was hidden stays hidden under new writes, and after a restart.
  Ask(b_.Uri("main"), "INSERT INTO t VALUES (5, 'five')");
  b_.Kill();
  ASSERT_TRUE(b_.Start().ok());
  EXPECT_EQ(Ask(b_.Uri("main"), std::string(kAll)), "1,first;3,three;4,four;5,five");
}

TEST_F(PointInTime, OneNanosecondBeforeACommit) {
  const Timestamp at = Commit("UPDATE t SET v = 'changed' WHERE k = 1");
  WaitReplicated(b_, a_);
  FailOver(b_, "SYSTEM TIME " + FormatHlc(at.Prev()));
  EXPECT_EQ(Ask(b_.Uri("main"), std::string(kAll)), "1,one;2,two;3,three");
}

TEST_F(PointInTime, FailbackAfterAPastMoment) {
  const Timestamp chosen = Commit("INSERT INTO t VALUES (4, 'kept')");
  Commit("INSERT INTO t VALUES (5, 'undone')");
  WaitReplicated(b_, a_);
  FailOver(b_, "SYSTEM TIME " + FormatHlc(chosen));
  Ask(b_.Uri("main"), "INSERT INTO t VALUES (6, 'on B')");
  FailBack(a_, b_);
  WaitReplicated(a_, b_);
  ExpectEqualAt(FailOver(a_));
  EXPECT_EQ(Ask(a_.Uri("main"), std::string(kAll)), "1,one;2,two;3,three;4,kept;6,on B");
}

TEST_F(PointInTime, AFutureMomentWaits) {
  const Timestamp now = AskTimestamp(a_.Uri("main"), "SELECT cluster_logical_timestamp()");
  const Timestamp future{now.ns + 3'000'000'000};
  EXPECT_EQ(Complete("SYSTEM TIME " + FormatHlc(future)), FormatHlc(future));
  EXPECT_EQ(ReadStandby(b_)->status, "replication pending failover");
  std::string last;
  Timestamp written;
  for (int i = 100; written <= future; ++i) {
    last = fmt::format("row {}", i);
    written = Commit(fmt::format("UPDATE t SET v = '{}' WHERE k = 3", last));
    ASSERT_FALSE(written.IsZero());
    Pause(20);
  }
  WaitForStatus(b_, "ready");
  Ask(b_.Uri("system"), "ALTER VIRTUAL CLUSTER main START SERVICE SHARED");
  EXPECT_EQ(Ask(b_.Uri("main"), std::string(kAll)), StateOnAAt(future));
  EXPECT_NE(AskValue(b_.Uri("main"), "SELECT v FROM t WHERE k = 3"), last) << "the write after the moment";
}

TEST_F(PointInTime, AFutureMomentReplacedByLatest) {
  Complete("SYSTEM TIME '+1h'");
  EXPECT_EQ(ReadStandby(b_)->status, "replication pending failover");
  Complete("LATEST");
  EXPECT_EQ(ReadStandby(b_)->status, "ready");
}

TEST_F(PointInTime, AFutureMomentSurvivesARestart) {
  Complete("SYSTEM TIME '+4s'");
  b_.Kill();
  ASSERT_TRUE(b_.Start().ok());
  WaitForStatus(b_, "ready");
}

TEST_F(PointInTime, TooOldIsRefused) {
  const uint64_t retained = ReadStandby(b_)->retained_ns;
  ASSERT_NE(retained, 0u);
  ExpectRefused(
      b_.Uri("system"),
      "ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO SYSTEM TIME " + FormatHlc({retained - 3'600'000'000'000}),
      "22023", "");
  ExpectRefused(b_.Uri("system"), "ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO SYSTEM TIME 'yesterday-ish'", "22023",
                "");
  ExpectRefused(b_.Uri("system"), "ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO SYSTEM TIME '-5h'", "22023", "");
  EXPECT_EQ(ReadStandby(b_)->status, "replicating") << "a refusal changed something";
  WaitReplicated(b_, a_);
}

}  // namespace
}  // namespace anabranch
