// The ways out of a failback, and what never gets into one: sources that are lost, clusters that fail back to each other,
// a cluster that is told to follow itself (R13).
#include "tenant/replication/failback.h"

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "base/check.h"
#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/protection.h"
#include "storage/revert.h"
#include "tenant/catalog/catalog.h"
#include "tenant/replication/open_request.h"
#include "tenant/testing/replication_fixture.h"

namespace anabranch {
namespace {

constexpr TenantId kMain{2};

// A is the former primary, stopped, with a write that B does not have. B was promoted and has one that A does not have.
class FailbackTest : public ReplicationFixture {
 protected:
  void SetUp() override {
    Fill(a_, "shared", 5);
    ASSERT_TRUE(Replicate(a_, b_).ok());
    ASSERT_TRUE(CaughtUp(a_, b_));
    parted_at_ = Promote(b_);
    half_ = *a_.Put("main", "on-a", "x");
    ASSERT_TRUE(a_.Put("main", "on-a-too", "x").ok());
    ASSERT_TRUE(b_.Put("main", "on-b", "y").ok());
    ASSERT_TRUE(a_->StopService("main").ok());
    before_ = Record(a_);
  }

  static catalog::TenantRecord Record(TestCluster& cluster) { return *LoadTenant(cluster.store(), kMain); }
  static bool HasUndone(TestCluster& cluster) { return !Record(cluster).has_before_failback(); }
  // How often a ledger was written and kept.
  static size_t Ledgers(TestCluster& cluster) {
    const std::string dir = cluster.dir() + "/store/ledger";
    return std::filesystem::exists(dir) ? std::distance(std::filesystem::directory_iterator(dir), {}) : 0;
  }

  absl::Status Start(TestCluster& cluster, TestCluster& source) {
    return cluster->StartReplication("main", "main", source.uri(), {}, {});
  }
  // START REPLICATION on A; B answers that many OPENs of it and is not heard of again.
  void StartAndLoseTheSource(int opens) {
    b_.Reconnect({.answered = nullptr, .opens_left = opens});
    const absl::Status started = Start(a_, b_);
    ASSERT_TRUE(started.ok()) << started;
  }
  static bool IsReverted(TestCluster& cluster) {
    return Record(cluster).replication().phase() == catalog::Replication::STREAMING;
  }
  // What the job may have done when its process dies, with the source lost.
  void UndoHalf() {
    ASSERT_TRUE(a_->PauseReplication("main").ok());
    const KeyspaceRef keyspace = *a_.store()->FindKeyspace(IncarnationId(before_.incarnation()));
    Epoch epoch;
    ASSERT_TRUE(UpdateTenant(a_.store(), kMain, [&](MetaUpdate& update, catalog::TenantRecord& record) {
                  record.clear_before_failback();
                  epoch = update.Stage(keyspace).BumpEpoch();
                  return absl::OkStatus();
                }).ok());
    ASSERT_TRUE(EraseRange(a_.store(), keyspace, epoch, parted_at_, half_, {}, nullptr).ok());
  }

  // A is ready and serves what was complete; and it can still be brought to where B is.
  void ExpectReadyAtTheDivergence() {
    EXPECT_EQ(a_.StateOf("main"), "ready");
    EXPECT_EQ(a_->Show("main")->service_mode, ServiceMode::kNone);
    EXPECT_EQ(a_.Status("main").failover_time, parted_at_);
    EXPECT_EQ(a_.Status("main").ready_by, "");
    ASSERT_TRUE(a_->StartService("main").ok());
    EXPECT_EQ(a_.Get("main", "shared004"), "v");
    EXPECT_EQ(a_.Get("main", "on-a"), "-");
    EXPECT_EQ(a_.Get("main", "on-a-too"), "-");
    EXPECT_EQ(a_.FingerprintAt("main", parted_at_), b_.FingerprintAt("main", parted_at_));
    EXPECT_EQ(Ledgers(a_), 1u) << "what was undone is kept";
    ExpectFailsBack();
  }
  void ExpectAsBefore() {
    EXPECT_EQ(Record(a_).SerializeAsString(), before_.SerializeAsString());
    const IncarnationId incarnation(before_.incarnation());
    EXPECT_EQ(*ProtectedBy(a_.store(), incarnation, "retention"), std::nullopt);
    EXPECT_EQ(Ledgers(a_), 0u) << "nothing was undone";
    ASSERT_TRUE(a_->StartService("main").ok());
    EXPECT_EQ(a_.Get("main", "on-a"), "x");
    ASSERT_TRUE(a_.Put("main", "later", "z").ok());
    ExpectFailsBack();
  }
  void ExpectFailsBack() {
    b_.Reconnect();
    const absl::Status back = FailBack(a_, b_);
    ASSERT_TRUE(back.ok()) << back;
    ASSERT_TRUE(CaughtUp(b_, a_)) << a_.Status("main").last_error;
    const Timestamp now = *a_.Status("main").replicated_time;
    EXPECT_EQ(a_.FingerprintAt("main", now), b_.FingerprintAt("main", now));
  }

  Timestamp parted_at_;
  Timestamp half_;  // of what A has to undo, one write is at it and one is later
  catalog::TenantRecord before_;
};

// --- Oneself ---

TEST_F(FailbackTest, OneselfIsRefusedBeforeAnythingChanges) {
  const std::string uri = a_.uri();
  for (const std::string& own : {uri, std::string(uri).replace(uri.find("127.0.0.1"), 9, "localhost")}) {
    const absl::Status refused = a_->StartReplication("main", "main", own, {}, {});
    EXPECT_EQ(SqlStateOf(refused), "22023") << refused;
    EXPECT_NE(MessageOf(refused).find("\"main\" cannot be replicated from itself"), std::string::npos) << refused;
    EXPECT_NE(HintOf(refused).find("this very cluster"), std::string::npos) << refused;
  }
  EXPECT_EQ(Record(a_).SerializeAsString(), before_.SerializeAsString());
  EXPECT_EQ(LoadStreams(a_.store())->size(), 1u) << "that of B's initial copy";
  EXPECT_EQ(Ledgers(a_), 0u);
}

TEST_F(FailbackTest, AnotherOfTheSameClusterIsAStandbyLikeAnyOther) {
  ASSERT_TRUE(b_->CreateFromReplication("copy", {}, "main", b_.uri(), {}, {}).ok());
  ASSERT_TRUE(CaughtUp(b_, b_, "copy")) << b_.Status("copy").last_error;
  const auto at = b_->CompleteReplication("copy", ToLatest{}, {});
  ASSERT_TRUE(at.ok()) << at.status();
  ASSERT_TRUE(b_->StartService("copy").ok());
  EXPECT_EQ(b_.Get("copy", "on-b"), "y");
  ASSERT_TRUE(b_.Put("copy", "on-copy", "z").ok());
  ASSERT_TRUE(b_.Put("main", "undone", "x").ok());
  ASSERT_TRUE(b_->StopService("main").ok());
  const absl::Status back = b_->StartReplication("main", "copy", b_.uri(), {}, {});
  ASSERT_TRUE(back.ok()) << back;
  ASSERT_TRUE(CaughtUp(b_, b_)) << b_.Status("main").last_error;
  Promote(b_);
  EXPECT_EQ(b_.Get("main", "on-copy"), "z");
  EXPECT_EQ(b_.Get("main", "undone"), "-");
}

// --- Each other ---

TEST_F(FailbackTest, OfTwoThatFailBackToEachOtherTheFirstOneDoes) {
  ASSERT_TRUE(b_->StopService("main").ok());
  ASSERT_TRUE(Start(a_, b_).ok());
  EXPECT_EQ(SqlStateOf(Start(b_, a_)), "55000");
  EXPECT_EQ(b_.StateOf("main"), "ready");
  EXPECT_TRUE(CaughtUp(b_, a_)) << a_.Status("main").last_error;
}

TEST_F(FailbackTest, TheOneWhoseHandshakeCameFirstWins) {
  ASSERT_TRUE(b_->StopService("main").ok());
  ASSERT_TRUE(Eventually([&] { return Record(b_).failover_receipt() == 0; })) << "a sweep is noted in the record";
  const catalog::TenantRecord b_before = Record(b_);
  absl::Status crossing;
  std::atomic<bool> crossed = false;
  b_.Reconnect({.answered = [&] {
    if (!crossed.exchange(true)) crossing = Start(b_, a_);
  }});
  const absl::Status started = Start(a_, b_);
  EXPECT_TRUE(started.ok()) << started;
  EXPECT_EQ(SqlStateOf(crossing), "55006") << crossing;
  EXPECT_NE(MessageOf(crossing).find("is preparing a failback of its own"), std::string::npos) << crossing;
  EXPECT_EQ(b_.StateOf("main"), "ready");
  EXPECT_EQ(Ledgers(b_), 0u);
  ASSERT_TRUE(CaughtUp(b_, a_)) << a_.Status("main").last_error;
  EXPECT_EQ(Record(b_).SerializeAsString(), b_before.SerializeAsString()) << "the promise is kept, so it is over";
}

// No preparation stands in the way: both have the other's answer. Each has promised, so neither may journal.
TEST_F(FailbackTest, BothWithTheOthersAnswerAreBothRefused) {
  ASSERT_TRUE(b_->StopService("main").ok());
  const catalog::TenantRecord a = Record(a_);
  const catalog::TenantRecord b = Record(b_);
  const auto to_a = b_->OpenStream(FailbackHandshake(a_.store(), a, "main"), kRoot, {});
  const auto to_b = a_->OpenStream(FailbackHandshake(b_.store(), b, "main"), kRoot, {});
  ASSERT_TRUE(to_a.ok() && to_b.ok()) << to_a.status() << to_b.status();
  const auto refused = [](TestCluster& cluster, const catalog::TenantRecord& before, const wire::OpenResponse& answer) {
    const absl::Status prepared = PrepareFailback(cluster.store(), before, answer, UINT64_MAX).status();
    const KeyspaceRef keyspace = *cluster.store()->FindKeyspace(IncarnationId(before.incarnation()));
    const absl::Status journaled =
        JournalFailback(cluster.store(), before, {}, answer, {.owner = keyspace->state()->epoch, .ledger = {}});
    EXPECT_EQ(MessageOf(prepared), MessageOf(journaled));
    EXPECT_NE(MessageOf(journaled).find("has promised to feed the failback"), std::string::npos) << journaled;
    EXPECT_NE(HintOf(journaled).find("ALTER VIRTUAL CLUSTER main CANCEL REPLICATION"), std::string::npos) << journaled;
    return SqlStateOf(journaled);
  };
  EXPECT_EQ(refused(a_, a, *to_a), "55000");
  EXPECT_EQ(refused(b_, b, *to_b), "55000");
  EXPECT_EQ(Ledgers(a_) + Ledgers(b_), 0u);
  // One gives up: the other may.
  wire::FinishRequest finish;
  finish.set_stream_id(to_a->stream_id());
  ASSERT_TRUE(b_->FinishStream(finish, kRoot).ok());
  EXPECT_TRUE(PrepareFailback(b_.store(), b, *to_b, UINT64_MAX).ok());
}

TEST_F(FailbackTest, AtOnceFromBothSidesNeverBothFollow) {
  ASSERT_TRUE(b_->StopService("main").ok());
  constexpr int kRounds = 20;
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(round);
    absl::Status first;
    absl::Status second;
    {
      const std::jthread other([&] { second = Start(b_, a_); });
      first = Start(a_, b_);
    }
    ASSERT_FALSE(first.ok() && second.ok());
    for (TestCluster* cluster : {&a_, &b_}) {
      const absl::Status& status = cluster == &a_ ? first : second;
      if (status.ok()) {
        const absl::Status cancelled = (*cluster)->CancelReplication("main");
        if (!cancelled.ok()) {
          ASSERT_TRUE((*cluster)->CompleteReplication("main", ToLatest{}, {}).ok()) << cancelled;
        }
      }
      ASSERT_EQ(cluster->StateOf("main"), "ready") << status;
    }
  }
  // Whatever was said last: one at a time is possible again as soon as the farewells are said.
  EXPECT_TRUE(Eventually([&] { return Start(a_, b_).ok(); })) << Start(a_, b_);
}

// --- Promises that nobody takes up ---

TEST_F(FailbackTest, APromiseToOneThatForgotItIsVoidOnceItAnswers) {
  ASSERT_TRUE(b_->StopService("main").ok());
  ASSERT_TRUE(b_->OpenStream(FailbackHandshake(a_.store(), Record(a_), "main"), kRoot, {}).ok());
  EXPECT_EQ(Record(b_).promised_streams_size(), 1);
  ASSERT_TRUE(b_->OpenStream(FailbackHandshake(a_.store(), Record(a_), "main"), kRoot, {}).ok());
  EXPECT_EQ(Record(b_).promised_streams_size(), 1) << "asked anew";
  a_.Restart();
  b_.Restart();
  const absl::Status started = Start(b_, a_);
  ASSERT_TRUE(started.ok()) << started;
  EXPECT_EQ(Record(b_).promised_streams_size(), 0);
  EXPECT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
}

TEST_F(FailbackTest, APromiseToAThirdHoldsOverRestartsUntilItIsGivenUpOrExpires) {
  TestCluster c(Virtualization::kVirtualizedEmpty, 3);
  ASSERT_TRUE(Replicate(b_, c).ok());
  ASSERT_TRUE(CaughtUp(b_, c));
  Promote(c);
  ASSERT_TRUE(c->StopService("main").ok());
  ASSERT_TRUE(b_->StopService("main").ok());
  const auto answer = b_->OpenStream(FailbackHandshake(c.store(), Record(c), "main"), kRoot, {});
  ASSERT_TRUE(answer.ok());
  EXPECT_NE(MessageOf(Start(b_, a_)).find("has promised to feed"), std::string::npos);
  b_.Restart();
  const absl::Status refused = Start(b_, a_);
  EXPECT_EQ(SqlStateOf(refused), "55000");
  EXPECT_NE(HintOf(refused).find("24h"), std::string::npos) << HintOf(refused);
  EXPECT_EQ(b_.StateOf("main"), "ready");
  ASSERT_TRUE(UpdateStream(b_.store(), StreamId(answer->stream_id()), [](MetaUpdate&, catalog::StreamRecord& record) {
                record.set_silent_ns(kExpirationWindowNs);
                return absl::OkStatus();
              }).ok());
  b_.Restart();
  const absl::Status started = Start(b_, a_);
  EXPECT_TRUE(started.ok()) << started;
}

// B may not begin a failback of its own while A could still go back to what it was.
TEST_F(FailbackTest, APromiseStandsUntilTheOtherHasUndoneWhatItHas) {
  StartAndLoseTheSource(2);  // which has heard once more of A, before A has undone anything
  ASSERT_TRUE(Eventually([&] { return IsReverted(a_); }));
  EXPECT_EQ(Record(b_).promised_streams_size(), 1);
  b_.Reconnect();
  ASSERT_TRUE(CaughtUp(b_, a_)) << a_.Status("main").last_error;
  EXPECT_EQ(Record(b_).promised_streams_size(), 0);
}

// --- The source is lost ---

TEST_F(FailbackTest, LostBeforeAnythingIsUndoneItGoesBackToWhatItWas) {
  StartAndLoseTheSource(1);
  EXPECT_FALSE(HasUndone(a_));
  EXPECT_EQ(a_.Status("main").ready_by, "ALTER VIRTUAL CLUSTER main CANCEL REPLICATION");
  ASSERT_TRUE(a_->CancelReplication("main").ok());
  EXPECT_TRUE(a_->CancelReplication("main").ok()) << "again";
  ExpectAsBefore();
}

TEST_F(FailbackTest, LostBeforeAnythingIsUndoneAndRestarted) {
  StartAndLoseTheSource(1);
  a_.Restart();
  EXPECT_FALSE(HasUndone(a_));
  ASSERT_TRUE(a_->CancelReplication("main").ok());
  a_.Restart();
  ExpectAsBefore();
}

TEST_F(FailbackTest, PausedBeforeAnythingIsUndoneItGoesBackToWhatItWas) {
  StartAndLoseTheSource(1);
  ASSERT_TRUE(a_->PauseReplication("main").ok());
  ASSERT_TRUE(a_->CancelReplication("main").ok());
  ExpectAsBefore();
}

// What A was promoted to once, and protects for its own followers, comes back as well.
TEST_F(FailbackTest, AnEarlierFailoverIsPutBackToo) {
  ExpectFailsBack();
  const auto at = a_->CompleteReplication("main", ToLatest{}, {});
  ASSERT_TRUE(at.ok());
  ASSERT_TRUE(a_->StartService("main").ok());
  ASSERT_TRUE(a_->StopService("main").ok());
  ASSERT_TRUE(Eventually([&] { return a_.Status("main").progress.empty(); }));  // swept
  before_ = Record(a_);
  StartAndLoseTheSource(1);
  ASSERT_TRUE(a_->CancelReplication("main").ok());
  EXPECT_EQ(Record(a_).SerializeAsString(), before_.SerializeAsString());
  EXPECT_EQ(*ProtectedBy(a_.store(), IncarnationId(before_.incarnation()), "failover"), *at);
  EXPECT_EQ(a_.Status("main").failover_time, *at);
}

TEST_F(FailbackTest, LostInTheMiddleOfTheUndoItIsReadyAtTheDivergence) {
  StartAndLoseTheSource(1);
  UndoHalf();
  EXPECT_EQ(a_.Status("main").ready_by, "ALTER VIRTUAL CLUSTER main CANCEL REPLICATION");
  ASSERT_TRUE(a_->CancelReplication("main").ok());
  ExpectReadyAtTheDivergence();
}

TEST_F(FailbackTest, LostInTheMiddleOfTheUndoAndRestarted) {
  StartAndLoseTheSource(1);
  UndoHalf();
  a_.Restart();
  ASSERT_TRUE(a_->CancelReplication("main").ok());
  a_.Restart();
  ExpectReadyAtTheDivergence();
}

TEST_F(FailbackTest, LostAfterTheUndoItIsReadyAtTheDivergence) {
  StartAndLoseTheSource(2);
  ASSERT_TRUE(Eventually([&] { return IsReverted(a_); }));
  EXPECT_EQ(a_.Status("main").replicated_time, std::nullopt);
  ASSERT_TRUE(a_->CancelReplication("main").ok());
  EXPECT_TRUE(a_->CancelReplication("main").ok()) << "again";
  ExpectReadyAtTheDivergence();
}

TEST_F(FailbackTest, LostAfterTheUndoAndRestarted) {
  StartAndLoseTheSource(2);
  ASSERT_TRUE(Eventually([&] { return IsReverted(a_); }));
  a_.Restart();
  EXPECT_EQ(a_.StateOf("main"), "initializing replication");
  ASSERT_TRUE(a_->CancelReplication("main").ok());
  a_.Restart();
  ExpectReadyAtTheDivergence();
}

TEST_F(FailbackTest, TheDivergenceItselfIsATargetThatIsReached) {
  StartAndLoseTheSource(2);
  ASSERT_TRUE(Eventually([&] { return IsReverted(a_); }));
  const absl::Status latest = a_->CompleteReplication("main", ToLatest{}, {}).status();
  EXPECT_EQ(SqlStateOf(latest), "55000");
  EXPECT_NE(HintOf(latest).find("CANCEL REPLICATION"), std::string::npos) << HintOf(latest);
  EXPECT_NE(HintOf(latest).find("TO SYSTEM TIME '" + FormatHlc(parted_at_)), std::string::npos) << HintOf(latest);
  // A time that the source will never reach waits, and gives way to one that is reached.
  const auto never = a_->CompleteReplication("main", ToSystemTime{"+1h"}, {});
  ASSERT_TRUE(never.ok()) << never.status();
  EXPECT_EQ(a_.StateOf("main"), "replication pending failover");
  const auto at = a_->CompleteReplication("main", ToSystemTime{FormatHlc(parted_at_)}, {});
  ASSERT_TRUE(at.ok()) << at.status();
  EXPECT_EQ(*at, parted_at_);
  ExpectReadyAtTheDivergence();
}

TEST_F(FailbackTest, TheDivergenceIsATargetInTheMiddleOfTheUndoToo) {
  StartAndLoseTheSource(1);
  UndoHalf();
  const auto at = a_->CompleteReplication("main", ToSystemTime{FormatHlc(parted_at_)}, {});
  ASSERT_TRUE(at.ok()) << at.status();
  ExpectReadyAtTheDivergence();
}

TEST_F(FailbackTest, CancelledWhileAFailoverIsPending) {
  StartAndLoseTheSource(2);
  ASSERT_TRUE(Eventually([&] { return IsReverted(a_); }));
  ASSERT_TRUE(a_->CompleteReplication("main", ToSystemTime{"+1h"}, {}).ok());
  ASSERT_TRUE(a_->CancelReplication("main").ok());
  ExpectReadyAtTheDivergence();
}

TEST_F(FailbackTest, ASourceThatHangsHoldsNobody) {
  std::atomic<int> opens = 0;
  std::atomic<bool> hangs = false;
  std::stop_source released;
  b_.Reconnect({.answered = [&] {
    if (++opens != 2) return;
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    hangs = true;
    never.wait(lock, released.get_token(), [] { return false; });
  }});
  ASSERT_TRUE(Start(a_, b_).ok());
  ASSERT_TRUE(Eventually([&] { return hangs.load(); }));
  ASSERT_TRUE(a_->CancelReplication("main").ok());
  EXPECT_EQ(a_.StateOf("main"), "ready") << "while it hangs";
  released.request_stop();
  ExpectAsBefore();
}

// The source dropped its side and says so: the job is in error. Nothing was undone.
TEST_F(FailbackTest, RefusedByTheSourceBeforeTheUndoItGoesBackToWhatItWas) {
  StartAndLoseTheSource(1);
  ASSERT_TRUE(b_->StopService("main").ok());
  ASSERT_TRUE(b_->Drop("main", false).ok());
  b_.Reconnect();
  ASSERT_TRUE(Eventually([&] { return a_.StateOf("main") == "replication error"; })) << a_.Status("main").last_error;
  EXPECT_FALSE(HasUndone(a_));
  ASSERT_TRUE(a_->CancelReplication("main").ok());
  EXPECT_EQ(Record(a_).SerializeAsString(), before_.SerializeAsString());
  ASSERT_TRUE(a_->StartService("main").ok());
  EXPECT_EQ(a_.Get("main", "on-a"), "x");
}

// --- The journal is lost on its way to the disk ---

// While it lives no file of this process grows beyond some bytes, and a log that is longer takes no more writes.
class NoRoomInLogs {
 public:
  explicit NoRoomInLogs(rlim_t file_bytes_max) {
    std::signal(SIGXFSZ, SIG_IGN);
    CHECK(getrlimit(RLIMIT_FSIZE, &before_) == 0, "getrlimit");
    const rlimit limited{.rlim_cur = file_bytes_max, .rlim_max = before_.rlim_max};
    CHECK(setrlimit(RLIMIT_FSIZE, &limited) == 0, "setrlimit");
  }
  ~NoRoomInLogs() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_;
};

// A restart may find the journal all the same: then it needs its ledger, and the stream that it was promised.
TEST_F(FailbackTest, AJournalThatMayBeThereAfterARestartKeepsLedgerAndStream) {
  constexpr rlim_t kMoreThanALedger = 1024;
  // The log that the journal goes to may be new, and shorter than that.
  ASSERT_TRUE(a_.store()
                  ->UpdateMeta([](MetaUpdate& update) {
                    update.Put("test/filler", std::string(2 * kMoreThanALedger, 'x'));
                    return absl::OkStatus();
                  })
                  .ok());
  std::optional<NoRoomInLogs> no_room;
  b_.Reconnect({.answered = [&] { no_room.emplace(kMoreThanALedger); }});
  const absl::Status lost = Start(a_, b_);
  no_room.reset();
  EXPECT_EQ(SqlStateOf(lost), "58030") << lost;
  EXPECT_EQ(Ledgers(a_), 1u);
  ASSERT_EQ(Record(b_).promised_streams_size(), 1);
  EXPECT_TRUE(LoadStream(b_.store(), StreamId(Record(b_).promised_streams(0))).ok());
  // Whatever the restart finds, there is a way.
  b_.Restart();
  a_.Restart();
  ASSERT_TRUE(a_->CancelReplication("main").ok());
  EXPECT_EQ(a_.StateOf("main"), "ready");
}

// --- What CANCEL does not do ---

TEST_F(FailbackTest, CancelIsRefusedWhereItWouldLoseWhatIsComplete) {
  const auto refused = [](TestCluster& cluster, const std::string& name) {
    const absl::Status status = cluster->CancelReplication(name);
    return SqlStateOf(status) + " " + HintOf(status);
  };
  ASSERT_TRUE(Start(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(b_, a_)) << a_.Status("main").last_error;
  EXPECT_EQ(refused(a_, "main"), "55000 Use ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO LATEST.");
  EXPECT_TRUE(CaughtUp(b_, a_)) << "it goes on";
  b_.Reconnect({.answered = nullptr, .opens_left = 1});
  ASSERT_TRUE(a_->CreateFromReplication("new", {}, "main", b_.uri(), {}, {}).ok());
  EXPECT_EQ(refused(a_, "new"), "55000 Use DROP VIRTUAL CLUSTER new.");
  EXPECT_EQ(a_.Status("new").ready_by, "DROP VIRTUAL CLUSTER new");
  EXPECT_EQ(refused(a_, "nobody"), "42704 ");
  EXPECT_EQ(SqlStateOf(a_->CancelReplication("system")), "22023");
}

}  // namespace
}  // namespace anabranch
