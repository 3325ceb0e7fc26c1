// Replication between two clusters in this process, over real sockets: copy, stream, failover, failback, restarts,
// refusals.
#include <array>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <thread>

#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/protection.h"
#include "tenant/catalog/catalog.h"
#include "tenant/testing/replication_fixture.h"

namespace anabranch {
namespace {

using ReplicationTest = ReplicationFixture;

TEST_F(ReplicationTest, CopyThenStreamThenPromote) {
  Fill(a_, "before", 50);
  ASSERT_TRUE(Replicate(a_, b_).ok());
  Fill(a_, "after", 50);
  ASSERT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
  EXPECT_TRUE(Eventually([&] { return b_.StateOf("main") == "replicating"; }));  // written right after the frontier
  const ReplicationStatus status = b_.Status("main");
  EXPECT_EQ(status.source_tenant_name, "main");
  EXPECT_EQ(status.source_cluster_uri.find("secret"), std::string::npos) << status.source_cluster_uri;
  EXPECT_EQ(status.initial_copies, 1u);
  EXPECT_GE(*status.replication_lag_ns, 0);
  EXPECT_LE(*status.retained_time, *status.replicated_time);
  EXPECT_EQ(SqlStateOf(b_->Connect("main").status()), "57P03");
  EXPECT_EQ(SqlStateOf(b_->StartService("main")), "55000");
  const Timestamp at = Promote(b_);
  EXPECT_EQ(b_.Get("main", "before049"), "v");
  EXPECT_EQ(b_.Get("main", "after049"), "v");
  EXPECT_EQ(a_.FingerprintAt("main", at), b_.FingerprintAt("main", at));
  EXPECT_TRUE(b_.Put("main", "own", "1").ok());
}

TEST_F(ReplicationTest, AnEmptySourceReplicatesToo) {
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
  Fill(a_, "k", 1);
  ASSERT_TRUE(CaughtUp(a_, b_));
  Promote(b_);
  EXPECT_EQ(b_.Get("main", "k000"), "v");
}

TEST_F(ReplicationTest, ThereAndBackTwiceWithoutACopy) {
  Fill(a_, "k", 20);
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  TestCluster* primary = &a_;
  TestCluster* standby = &b_;
  for (int round = 0; round < 3; ++round) {
    SCOPED_TRACE(round);
    const Timestamp at = Promote(*standby);
    ASSERT_TRUE(primary->Put("main", fmt::format("lost{}", round), "x").ok());
    ASSERT_TRUE(primary->Put("main", "k000", "lost").ok());
    ASSERT_TRUE(standby->Put("main", fmt::format("kept{}", round), "y").ok());
    ASSERT_TRUE(standby->Put("main", "k001", fmt::format("round{}", round)).ok());
    const absl::Status back = FailBack(*primary, *standby);
    ASSERT_TRUE(back.ok()) << back;
    EXPECT_GE(std::distance(std::filesystem::directory_iterator(primary->dir() + "/store/ledger"), {}), 1);
    ASSERT_TRUE(CaughtUp(*standby, *primary)) << primary->Status("main").last_error;
    EXPECT_EQ(primary->Status("main").initial_copies, 0u);
    const Timestamp now = *primary->Status("main").replicated_time;
    EXPECT_GT(now, at);
    EXPECT_EQ(primary->FingerprintAt("main", now), standby->FingerprintAt("main", now));
    std::swap(primary, standby);
  }
  const Timestamp at = Promote(*standby);
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(standby->Get("main", fmt::format("lost{}", round)), "-");
    EXPECT_EQ(standby->Get("main", fmt::format("kept{}", round)), "y");
  }
  EXPECT_EQ(standby->Get("main", "k000"), "v");
  EXPECT_EQ(standby->Get("main", "k001"), "round2");
  EXPECT_GT(at, kTimestampZero);
}

TEST_F(ReplicationTest, LedgersGoWithTheirVirtualCluster) {
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  Promote(b_);
  ASSERT_TRUE(a_.Put("main", "undone", "x").ok());
  ASSERT_TRUE(FailBack(a_, b_).ok());
  const std::string ledgers = a_.dir() + "/store/ledger";
  EXPECT_FALSE(std::filesystem::is_empty(ledgers));
  ASSERT_TRUE(a_->Drop("main", false).ok());
  EXPECT_TRUE(std::filesystem::is_empty(ledgers));
}

// A block that went bad at the source: no number of copies mends it.
TEST_F(ReplicationTest, ACopyThatStaysDamagedEndsInAnErrorThatNamesTheFile) {
  Fill(a_, "k", 50);
  std::once_flag damaged;
  a_.Reconnect({.answered = [&] {
    std::call_once(damaged, [&] {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(a_.dir())) {
        const std::string path = entry.path();
        if (path.find("/data/") == std::string::npos || !path.ends_with(".sst")) continue;
        FILE* const file = fopen(path.c_str(), "r+");
        ASSERT_EQ(fseek(file, 40, SEEK_SET), 0);
        const int byte = fgetc(file);
        ASSERT_EQ(fseek(file, 40, SEEK_SET), 0);
        fputc(~byte & 0xff, file);
        fclose(file);
      }
    });
  }});
  ASSERT_TRUE(Replicate(a_, b_).ok());
  EXPECT_TRUE(Eventually([&] { return b_.StateOf("main") == "replication error"; })) << b_.StateOf("main");
  const std::string why = b_.Status("main").last_error;
  EXPECT_NE(why.find(fmt::format("damaged {} times", kDamagedCopiesMax)), std::string::npos) << why;
  EXPECT_NE(why.find(".sst"), std::string::npos) << why;
  EXPECT_NE(why.find("offset"), std::string::npos) << why;
}

// A planned failover: the writers stop, and the source lives.
TEST_F(ReplicationTest, CompleteToLatestTakesInWhatALivingSourceHasAcknowledged) {
  Fill(a_, "before", 10);
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  std::atomic<bool> stop = false;
  std::vector<std::thread> writers;
  std::array<int, 4> acknowledged{};
  for (size_t w = 0; w < acknowledged.size(); ++w) {
    writers.emplace_back([&, w] {
      for (int i = 0; !stop; ++i) {
        ASSERT_TRUE(a_.Put("main", fmt::format("w{}-{:06}", w, i), "v").ok());
        acknowledged[w] = i + 1;
      }
    });
  }
  ASSERT_TRUE(Eventually([&] { return acknowledged[0] > 200; }));
  stop = true;
  for (std::thread& writer : writers) writer.join();
  Promote(b_);
  for (size_t w = 0; w < acknowledged.size(); ++w) {
    EXPECT_EQ(b_.Get("main", fmt::format("w{}-{:06}", w, acknowledged[w] - 1)), "v");
  }
}

TEST_F(ReplicationTest, PromotedAtAPastMomentWithTheSourceDead) {
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  const Timestamp kept = *a_.Put("main", "k", "old");
  ASSERT_TRUE(a_.Put("main", "k", "new").ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  const uint64_t expected = a_.FingerprintAt("main", kept);
  a_.Stop();
  const auto at = b_->CompleteReplication("main", ToSystemTime{FormatHlc(kept)}, {});
  ASSERT_TRUE(at.ok()) << at.status();
  EXPECT_EQ(*at, kept);
  EXPECT_EQ(b_.StateOf("main"), "ready");
  ASSERT_TRUE(b_->StartService("main").ok());
  EXPECT_EQ(b_.Get("main", "k"), "old");
  EXPECT_EQ(b_.FingerprintAt("main", kept), expected);
}

TEST_F(ReplicationTest, AFutureMomentWaitsAndCanBeReplaced) {
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(b_->CompleteReplication("main", ToSystemTime{"+5h"}, {}).ok());
  EXPECT_EQ(b_.StateOf("main"), "replication pending failover");
  EXPECT_GT(b_.Status("main").failover_time->ns, a_.store()->visible().ns);
  const auto soon = b_->CompleteReplication("main", ToSystemTime{"+400ms"}, {});
  ASSERT_TRUE(soon.ok()) << soon.status();
  const Timestamp before = *a_.Put("main", "before", "1");
  ASSERT_LT(before, *soon) << "the machine is too slow for this test";
  ASSERT_TRUE(Eventually([&] { return b_.StateOf("main") == "ready"; })) << b_.Status("main").last_error;
  EXPECT_EQ(b_.Status("main").failover_time, *soon);
  const Timestamp after = *a_.Put("main", "after", "1");
  EXPECT_GT(after, *soon);
  ASSERT_TRUE(b_->StartService("main").ok());
  EXPECT_EQ(b_.Get("main", "before"), "1");
  EXPECT_EQ(b_.Get("main", "after"), "-");
}

TEST_F(ReplicationTest, AReplacedOrCancelledWaitForAPastMomentSaysSo) {
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  a_.Disconnect();
  const Timestamp first = *a_.Put("main", "k", "1");
  const Timestamp second = *a_.Put("main", "k", "2");
  // The standby reckons the source's clock, some microseconds late: both moments must be past by that, too.
  ASSERT_TRUE(a_.store()->WaitVisible({second.ns + 100'000'000}, {}).ok());
  std::stop_source cancel;
  absl::StatusOr<Timestamp> cancelled;
  absl::StatusOr<Timestamp> replaced;
  absl::StatusOr<Timestamp> reached;
  const auto complete = [&](absl::StatusOr<Timestamp>* result, Timestamp at) {
    return std::jthread([=, this, stop = cancel.get_token()] {
      *result = b_->CompleteReplication("main", ToSystemTime{FormatHlc(at)}, stop);
    });
  };
  const auto pending_at = [&](Timestamp at) {
    return Eventually(
        [&] { return b_.StateOf("main") == "replication pending failover" && b_.Status("main").failover_time == at; });
  };
  {
    const std::jthread waiting = complete(&cancelled, second);
    ASSERT_TRUE(pending_at(second));
    cancel.request_stop();
  }
  EXPECT_TRUE(absl::IsCancelled(cancelled.status())) << cancelled.status();
  EXPECT_EQ(b_.StateOf("main"), "replication pending failover");
  cancel = std::stop_source();
  {
    std::jthread waiting = complete(&replaced, first);
    ASSERT_TRUE(pending_at(first));
    const std::jthread other = complete(&reached, second);
    waiting.join();
    EXPECT_EQ(SqlStateOf(replaced.status()), "55000") << replaced.status();
    a_.Reconnect();
  }
  ASSERT_TRUE(reached.ok()) << reached.status();
  EXPECT_EQ(b_.StateOf("main"), "ready") << "it answered before the failover";
  ASSERT_TRUE(b_->StartService("main").ok());
  EXPECT_EQ(b_.Get("main", "k"), "2");
}

TEST_F(ReplicationTest, ASourceInTheMiddleOfItsOwnFailbackIsAskedAgain) {
  TestCluster c(Virtualization::kVirtualizedEmpty, 3);
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(Replicate(a_, c).ok());
  ASSERT_TRUE(CaughtUp(a_, c));
  ASSERT_TRUE(c->PauseReplication("main").ok());  // before the fork
  ASSERT_TRUE(CaughtUp(a_, b_));
  Promote(b_);
  ASSERT_TRUE(FailBack(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(b_, a_)) << a_.Status("main").last_error;
  ASSERT_TRUE(c->ResumeReplication("main").ok());
  ASSERT_TRUE(Eventually([&] { return c.Status("main").last_error.find("only a ready one") != std::string::npos; }))
      << c.Status("main").last_error;
  EXPECT_EQ(c.StateOf("main"), "replicating");
  Promote(a_);
  ASSERT_TRUE(a_.Put("main", "k", "v").ok());
  EXPECT_TRUE(CaughtUp(a_, c)) << c.StateOf("main") << " " << c.Status("main").last_error;
}

TEST_F(ReplicationTest, PauseAndResumeAndRestartsOfBothNeverCopyAgain) {
  Fill(a_, "k", 10);
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(b_->PauseReplication("main").ok());
  EXPECT_EQ(b_.StateOf("main"), "replication paused");
  const Timestamp paused_at = *b_.Status("main").replicated_time;
  Fill(a_, "while-paused", 10);
  b_.Restart();
  EXPECT_EQ(b_.StateOf("main"), "replication paused");
  EXPECT_EQ(b_.Status("main").replicated_time, paused_at);
  ASSERT_TRUE(b_->ResumeReplication("main").ok());
  ASSERT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
  a_.Restart();
  Fill(a_, "after-restart", 10);
  ASSERT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
  // A frontier is durable a moment before the status forgets what went before.
  EXPECT_TRUE(Eventually([&] { return b_.Status("main").last_error.empty(); })) << b_.Status("main").last_error;
  EXPECT_EQ(b_.Status("main").initial_copies, 1u);
  const Timestamp at = Promote(b_);
  EXPECT_EQ(a_.FingerprintAt("main", at), b_.FingerprintAt("main", at));
}

// A statement that reads the record, finds it replicating, and comes to journal its target after the job has met a refusal
// and ended. The refusal is over by then.
class EndedJobTest : public ReplicationFixture {
 protected:
  void SetUp() override {
    ASSERT_TRUE(Replicate(a_, b_).ok());
    ASSERT_TRUE(CaughtUp(a_, b_));
    const StreamId stream(LoadStreams(a_.store())->front().stream_id());
    const auto refuse = [&](bool refused) {
      ASSERT_TRUE(UpdateStream(a_.store(), stream, [&](MetaUpdate&, catalog::StreamRecord& record) {
                    record.set_finished(refused);
                    return absl::OkStatus();
                  }).ok());
    };
    refuse(true);
    a_.Disconnect();
    a_.Reconnect();
    ASSERT_TRUE(Eventually([&] { return b_.StateOf("main") == "replication error"; })) << b_.Status("main").last_error;
    refuse(false);
    ASSERT_TRUE(UpdateTenant(b_.store(), TenantId(2), [&](MetaUpdate&, catalog::TenantRecord& record) {
                  SetState(record, DataState::kReplicating);
                  return absl::OkStatus();
                }).ok());
  }
};

TEST_F(EndedJobTest, APendingFailoverIsCarriedOut) {
  ASSERT_TRUE(b_->CompleteReplication("main", ToSystemTime{"+20ms"}, {}).ok());
  EXPECT_TRUE(Eventually([&] { return b_.StateOf("main") == "ready"; })) << b_.Status("main").last_error;
}

TEST_F(EndedJobTest, ResumeGoesOn) {
  ASSERT_TRUE(b_->ResumeReplication("main").ok());
  EXPECT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
}

TEST_F(ReplicationTest, PausedIsPromotedWithoutItsSource) {
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(b_->PauseReplication("main").ok());
  a_.Stop();
  const auto replicated = b_.Status("main").replicated_time;
  EXPECT_EQ(Promote(b_), *replicated);
}

TEST_F(ReplicationTest, RestartedRightAfterCreateItCopiesOnce) {
  Fill(a_, "k", 50);
  ASSERT_TRUE(Replicate(a_, b_).ok());
  b_.Restart();
  a_.Restart();
  b_.Restart();
  ASSERT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
  EXPECT_EQ(b_.Status("main").initial_copies, 1u);
  EXPECT_TRUE(std::filesystem::is_empty(b_.dir() + "/store/incoming"));
  EXPECT_TRUE(Eventually([&] { return std::filesystem::is_empty(a_.dir() + "/store/exports"); }))
      << "the source keeps its export";
}

TEST_F(ReplicationTest, RestartedRightAfterStartReplicationItFailsBack) {
  Fill(a_, "k", 10);
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  Promote(b_);
  ASSERT_TRUE(a_.Put("main", "lost", "x").ok());
  ASSERT_TRUE(FailBack(a_, b_).ok());
  a_.Restart();
  b_.Restart();
  ASSERT_TRUE(CaughtUp(b_, a_)) << a_.Status("main").last_error;
  const Timestamp now = *a_.Status("main").replicated_time;
  EXPECT_EQ(a_.FingerprintAt("main", now), b_.FingerprintAt("main", now));
  Promote(a_);
  EXPECT_EQ(a_.Get("main", "lost"), "-");
}

TEST_F(ReplicationTest, TheSourceKeepsHistoryForItsStandbyAndForgetsADroppedOne) {
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  const IncarnationId incarnation(LoadTenant(a_.store(), TenantId(2))->incarnation());
  const auto oldest = OldestProtected(a_.store(), incarnation);
  ASSERT_TRUE(oldest.ok() && *oldest);
  EXPECT_LE(**oldest, *b_.Status("main").retained_time);  // R11
  ASSERT_TRUE(b_->Drop("main", false).ok());
  EXPECT_TRUE(Eventually([&] { return !OldestProtected(a_.store(), incarnation)->has_value(); }));
  EXPECT_TRUE(LoadStreams(a_.store())->empty());
  EXPECT_EQ(b_.store()->Keyspaces().size(), 1u);
}

TEST_F(ReplicationTest, RefusalsComeBeforeAnyChange) {
  EXPECT_EQ(SqlStateOf(b_->CreateFromReplication("main", {}, "nobody", a_.uri(), {}, {})), "42704");
  EXPECT_EQ(SqlStateOf(b_->CreateFromReplication("main", {}, "system", a_.uri(), {}, {})), "22023");
  EXPECT_EQ(SqlStateOf(b_->CreateFromReplication("", {}, "main", a_.uri(), {}, {})), "42601");
  EXPECT_EQ(SqlStateOf(b_->CreateFromReplication("system", {}, "main", a_.uri(), {}, {})), "42710");
  EXPECT_TRUE(b_->CreateFromReplication("system", {.if_not_exists = true}, "main", a_.uri(), {}, {}).ok());
  EXPECT_EQ(b_->ShowAll()->size(), 1u);
  a_.Disconnect();
  const absl::Status unreachable = Replicate(a_, b_);
  EXPECT_EQ(SqlStateOf(unreachable), "08001");
  EXPECT_EQ(MessageOf(unreachable).find("secret"), std::string::npos);
  EXPECT_EQ(b_->ShowAll()->size(), 1u);
}

TEST_F(ReplicationTest, StrangersCannotFailBack) {
  ASSERT_TRUE(b_->Create("main", {}).ok());
  const absl::Status refused = b_->StartReplication("main", "main", a_.uri(), {}, {});
  EXPECT_EQ(SqlStateOf(refused), "55000");
  EXPECT_NE(MessageOf(refused).find("share no history"), std::string::npos) << refused;
  EXPECT_EQ(b_.StateOf("main"), "ready");
  EXPECT_EQ(SqlStateOf(a_->StartReplication("main", "main", b_.uri(), {}, {})), "55000") << "it serves";
}

// R10. C replicates from A; A gives up its own history to follow B. What C has of it beyond the fork, nobody else has.
TEST_F(ReplicationTest, AStandbyOfAnAbandonedBranchIsToldSo) {
  TestCluster c(Virtualization::kVirtualizedEmpty, 3);
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(Replicate(a_, c).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  const Timestamp fork = Promote(b_);
  ASSERT_TRUE(a_.Put("main", "only-a-and-c", "x").ok());
  ASSERT_TRUE(CaughtUp(a_, c));
  ASSERT_TRUE(FailBack(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(b_, a_)) << a_.Status("main").last_error;
  ASSERT_TRUE(Eventually([&] { return c.StateOf("main") == "replication error"; })) << c.Status("main").last_error;
  EXPECT_GT(*c.Status("main").replicated_time, fork);
  // Its own way back: promote it, then make it follow the new primary. B alone has the fork.
  Promote(c);
  EXPECT_EQ(c.Get("main", "only-a-and-c"), "x");
  const absl::Status back = FailBack(c, b_);
  ASSERT_TRUE(back.ok()) << back;
  ASSERT_TRUE(CaughtUp(b_, c)) << c.Status("main").last_error;
  const Timestamp now = *c.Status("main").replicated_time;
  EXPECT_EQ(c.FingerprintAt("main", now), b_.FingerprintAt("main", now));
  Promote(c);
  EXPECT_EQ(c.Get("main", "only-a-and-c"), "-");
}

// The source itself changed branches above what the standby holds: the standby follows without a copy.
TEST_F(ReplicationTest, AStandbyFollowsItsSourceThroughAFailover) {
  TestCluster c(Virtualization::kVirtualizedEmpty, 3);
  Fill(a_, "k", 10);
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(Replicate(a_, c).ok());
  ASSERT_TRUE(CaughtUp(a_, c));
  ASSERT_TRUE(c->PauseReplication("main").ok());  // c stands before the fork
  ASSERT_TRUE(CaughtUp(a_, b_));
  Promote(b_);
  ASSERT_TRUE(b_.Put("main", "on-b", "y").ok());
  ASSERT_TRUE(FailBack(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(b_, a_)) << a_.Status("main").last_error;
  Promote(a_);
  ASSERT_TRUE(a_.Put("main", "on-a-again", "z").ok());
  ASSERT_TRUE(c->ResumeReplication("main").ok());
  ASSERT_TRUE(CaughtUp(a_, c)) << c.Status("main").last_error;
  EXPECT_EQ(c.Status("main").initial_copies, 1u);
  const Timestamp now = *c.Status("main").replicated_time;
  EXPECT_EQ(a_.FingerprintAt("main", now), c.FingerprintAt("main", now));
  Promote(c);
  EXPECT_EQ(c.Get("main", "on-b"), "y");
  EXPECT_EQ(c.Get("main", "on-a-again"), "z");
}

}  // namespace
}  // namespace anabranch
