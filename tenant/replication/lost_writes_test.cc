// What a failback discarded: all of it, with what it had replaced, until its time is over or the room is needed.
#include "tenant/replication/lost_writes.h"

#include <filesystem>

#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/protection.h"
#include "tenant/testing/replication_fixture.h"

namespace anabranch {
namespace {

constexpr TenantId kMain{2};

class LostWritesTest : public ReplicationFixture {
 protected:
  void SetUp() override {
    Write(a_, "k1", "at P");
    Write(a_, "k2", "at P");
    Write(a_, std::string("\x01table"), "schema at P");
    ASSERT_TRUE(Replicate(a_, b_).ok());
    ASSERT_TRUE(CaughtUp(a_, b_));
    Promote(b_);
  }
  static void Write(TestCluster& cluster, const std::string& key, const std::string& value) {
    const auto at = cluster.Put("main", key, value);
    ASSERT_TRUE(at.ok()) << at.status();
  }
  static void Delete(TestCluster& cluster, const std::string& key) {
    const auto served = cluster->Connect("main");
    ASSERT_TRUE(served.ok());
    const WriteSet writes{{key, {WriteKind::kTombstone, ""}}};
    ASSERT_TRUE(cluster.store()
                    ->Commit({.keyspace = served->context.keyspace,
                              .epoch = served->context.epoch,
                              .writes = std::make_shared<const WriteList>(writes),
                              .validate_spans = {},
                              .validate_after = {}})
                    .ok());
  }
  // "schema k=v; ..." and "k: old -> new; ...".
  static std::string Lost(TestCluster& cluster) {
    std::string text;
    const LostWriteVisitor visitor{
        .failback =
            [&](const DiscardedWrites& discarded) {
              const bool there = discarded.removed == DiscardedWrites::Removed::kNo;
              const bool reset = discarded.removed == DiscardedWrites::Removed::kByReset;
              text += there ? "| " : fmt::format("[{} {}] ", discarded.versions, reset ? "reset" : "removed");
              return absl::OkStatus();
            },
        .schema =
            [&](const Version& version) {
              text += fmt::format("schema {}; ", version.write.value);
              return absl::OkStatus();
            },
        .write =
            [&](const Version& version, const std::optional<std::string>& old_value) {
              const bool put = version.write.kind == WriteKind::kPut;
              text += fmt::format("{}: {} -> {}; ", version.key, old_value.value_or("-"), put ? version.write.value : "-");
              return absl::OkStatus();
            }};
    const absl::Status status = cluster->ReadLostWrites("main", visitor, {});
    return status.ok() ? text : SqlStateOf(status);
  }
  static std::optional<Timestamp> LedgerProtection(TestCluster& cluster) {
    const catalog::TenantRecord record = *LoadTenant(cluster.store(), kMain);
    const auto ledgers = LoadLedgers(cluster.store(), kMain);
    if (!ledgers.ok() || ledgers->empty()) return std::nullopt;
    return *ProtectedBy(cluster.store(), IncarnationId(record.incarnation()),
                        fmt::format("ledger/{}", StreamText(StreamId(ledgers->front().stream_id()))));
  }
};

TEST_F(LostWritesTest, PutsAndDeletesWithWhatTheyReplaced) {
  EXPECT_EQ(Lost(a_), "");
  Write(a_, "k1", "first");
  Write(a_, std::string("\x01table"), "schema later");
  Write(a_, "k1", "second");
  Delete(a_, "k1");
  Write(a_, "k1", "third");
  Delete(a_, "k2");
  Write(a_, "k3", "new");
  ASSERT_TRUE(FailBack(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(b_, a_)) << a_.Status("main").last_error;
  const std::string expected =
      "| schema schema at P; schema schema later; k1: at P -> first; k1: first -> second; k1: second -> -; k1: - -> third; "
      "k2: at P -> -; k3: - -> new; ";
  EXPECT_EQ(Lost(a_), expected);
  a_.Restart();
  EXPECT_EQ(Lost(a_), expected);
  EXPECT_NE(LedgerProtection(a_), std::nullopt) << "what was there at P must not be collected";
  Promote(a_);
  Write(a_, "k1", "after");
  EXPECT_EQ(Lost(a_), expected);
  EXPECT_EQ(Lost(b_), "");
}

TEST_F(LostWritesTest, OfEachFailbackAndTheOldestGoesWhenThereIsNoRoom) {
  Write(a_, "k1", "first");
  ASSERT_TRUE(FailBack(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(b_, a_));
  Promote(a_);
  Write(b_, "k1", "on b");
  Write(a_, "k1", "kept");
  ASSERT_TRUE(FailBack(b_, a_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  Promote(b_);
  Write(a_, "k1", "again");
  ASSERT_TRUE(FailBack(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(b_, a_));
  EXPECT_EQ(Lost(a_), "| schema schema at P; k1: at P -> first; | schema schema at P; k1: kept -> again; ");
  EXPECT_EQ(Lost(b_), "| schema schema at P; k1: at P -> on b; ");
  ASSERT_TRUE(TrimLedgers(a_.store(), LoadLedgers(a_.store(), kMain)->back().bytes()).ok());
  EXPECT_EQ(Lost(a_), "[1 removed] | schema schema at P; k1: kept -> again; ");
  ASSERT_TRUE(TrimLedgers(a_.store(), 0).ok());
  EXPECT_EQ(Lost(a_), "[1 removed] | schema schema at P; k1: kept -> again; ") << "the newest stays";
}

// What they replaced, and what the tables were like, is no more.
TEST_F(LostWritesTest, GoWithAResetToBeforeThem) {
  const Timestamp before = a_.store()->visible();
  const Timestamp parted = *b_.Status("main").failover_time;
  Write(a_, "k1", "first");
  ASSERT_TRUE(FailBack(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(b_, a_)) << a_.Status("main").last_error;
  ASSERT_TRUE(a_->CompleteReplication("main", ToLatest{}, {}).ok());
  const Timestamp above = *a_.Status("main").failover_time;
  ASSERT_LT(parted, above);
  ASSERT_TRUE(a_->ResetData("main", FormatHlc(above), "root", {}).ok());
  EXPECT_EQ(Lost(a_), "| schema schema at P; k1: at P -> first; ") << "the reset was to after them";
  const Timestamp point{LoadLedgers(a_.store(), kMain)->front().point()};
  ASSERT_TRUE(a_->ResetData("main", FormatHlc(point), "root", {}).ok());
  EXPECT_EQ(Lost(a_), "| schema schema at P; k1: at P -> first; ") << "what they followed is there";
  ASSERT_TRUE(a_->ResetData("main", FormatHlc(point.Prev()), "root", {}).ok());
  EXPECT_EQ(Lost(a_), "[1 reset] ");
  EXPECT_TRUE(std::filesystem::is_empty(a_.dir() + "/store/ledger"));
  EXPECT_LE(before, above);
  a_.Restart();
  EXPECT_EQ(Lost(a_), "[1 reset] ");
}

TEST_F(LostWritesTest, OfMoreRowsThanFitIntoMemoryAreRefused) {
  for (int i = 0; i < 5; ++i) Write(a_, fmt::format("k{}", i), "lost");
  ASSERT_TRUE(FailBack(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(b_, a_)) << a_.Status("main").last_error;
  uint64_t writes = 0;
  const LostWriteVisitor visitor{.failback = [](const DiscardedWrites&) { return absl::OkStatus(); },
                                 .schema = [](const Version&) { return absl::OkStatus(); },
                                 .write =
                                     [&](const Version&, const std::optional<std::string>&) {
                                       ++writes;
                                       return absl::OkStatus();
                                     }};
  const catalog::TenantRecord record = *LoadTenant(a_.store(), kMain);
  EXPECT_TRUE(VisitLostWrites(a_.store(), record, visitor, {}, 5).ok());
  EXPECT_EQ(writes, 5u);
  const absl::Status refused = VisitLostWrites(a_.store(), record, visitor, {}, 4);
  EXPECT_EQ(SqlStateOf(refused), "53200") << refused;
}

TEST_F(LostWritesTest, GoWhenTheirTimeIsOver) {
  Write(a_, "k1", "first");
  ASSERT_TRUE(a_->StopService("main").ok());
  ReplicationOptions options;
  options.retention_ns = 1;
  ASSERT_TRUE(a_->StartReplication("main", "main", b_.uri(), options, {}).ok());
  ASSERT_TRUE(CaughtUp(b_, a_)) << a_.Status("main").last_error;
  EXPECT_EQ(Lost(a_), "") << "a nanosecond has passed";
  EXPECT_TRUE(std::filesystem::is_empty(a_.dir() + "/store/ledger"));
}

TEST_F(LostWritesTest, AFailbackThatWouldDiscardMoreThanIsKeptIsRefused) {
  Write(a_, "k1", std::string(1000, 'x'));
  a_.SetLostWritesMax(1000);
  a_.Restart();
  ASSERT_TRUE(a_->StopService("main").ok());
  const std::string before = LoadTenant(a_.store(), kMain)->SerializeAsString();
  const absl::Status refused = a_->StartReplication("main", "main", b_.uri(), {}, {});
  EXPECT_EQ(SqlStateOf(refused), "53400") << refused;
  EXPECT_NE(HintOf(refused).find("physical_replication.failback.lost_writes_bytes_max"), std::string::npos);
  EXPECT_EQ(LoadTenant(a_.store(), kMain)->SerializeAsString(), before);
  EXPECT_TRUE(std::filesystem::is_empty(a_.dir() + "/store/ledger"));
}

TEST_F(LostWritesTest, LedgersOfFailbacksThatNeverWereAreRemovedByAStart) {
  Write(a_, "k1", "first");
  const std::string dir = a_.dir() + "/store/ledger";
  std::filesystem::create_directories(dir);
  const catalog::TenantRecord record = *LoadTenant(a_.store(), kMain);
  ASSERT_TRUE(WriteLedger(a_.store(), *a_.store()->FindKeyspace(IncarnationId(record.incarnation())), {},
                          kTimestampMax.Prev(), dir + "/2-0000000000000001.ledger")
                  .ok());
  a_.Restart();
  EXPECT_TRUE(std::filesystem::is_empty(dir));
}

}  // namespace
}  // namespace anabranch
