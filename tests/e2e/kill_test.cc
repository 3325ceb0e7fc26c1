// kill -9 of source, standby or both, again and again under load, at random moments and at the five that are hardest. After
// each: replicated_time never went back, nothing was copied anew, the sum held, and no acknowledged transfer at or below
// failover_time is missing.
//
// The moments come from a seed that is printed; ANABRANCH_SEED=<n> repeats them.
#include <cinttypes>
#include <cstdlib>

#include "base/clock.h"
#include "fmt/format.h"
#include "storage/revert.h"
#include "tests/e2e/cluster.h"

namespace anabranch {
namespace {

constexpr int kKillsEach = 10;    // of source, of standby and of both
constexpr int kInFlightMin = 8;   // transactions in flight at every kill
constexpr int kConnections = 12;  // so that kInFlightMin are, nearly always
constexpr int64_t kAccounts = 20'000;
constexpr int kRounds = 3;  // each with a failover and a failback
constexpr int kRandomKillsPerRound = 4;
constexpr size_t kNoiseRows = kEraseVersionsMax / 2 + 1;  // so that two transactions do not fit one batch of an undo
constexpr int kNoiseTransactions = 2;

enum Victim { kSource, kStandby, kBoth, kVictims };
constexpr const char* kVictimNames[] = {"source", "standby", "both"};

enum Place { kRandomMoment, kInitialCopy, kCatchUp, kBeforePublish, kFailbackUndo, kSweep, kPlaces };
constexpr const char* kPlaceNames[] = {"random moment",   "initial copy", "catch-up", "COMPLETE before publication",
                                       "failback's undo", "sweep"};

uint64_t ChooseSeed() {
  const char* fixed = std::getenv("ANABRANCH_SEED");
  return fixed != nullptr ? std::strtoull(fixed, nullptr, 10) : Random().Next() % 1'000'000'000;
}

class Kill : public TwoClusters {
 protected:
  // --- Load and kills ---
  void StartWorkload() {
    workload_ = std::make_unique<TransferWorkload>(TransferWorkload::Options{.uri = source_->Uri("main"),
                                                                             .connections = kConnections,
                                                                             .accounts = kAccounts,
                                                                             .seed = random_.Next() % 1'000'000},
                                                   &ledger_);
  }

  Victim PickVictim() {
    std::vector<Victim> open;
    for (const Victim victim : {kSource, kStandby, kBoth}) {
      if (kills_[victim] < kKillsEach) open.push_back(victim);
    }
    return open.empty() ? static_cast<Victim>(random_.Next() % kVictims) : open[random_.Next() % open.size()];
  }

  void KillNow(Victim victim, Place place) {
    ASSERT_TRUE(WaitUntil(kEventTimeoutMs, [&] { return workload_->in_flight() >= kInFlightMin; }))
        << "only " << workload_->in_flight() << " in flight; last error of the workload: " << workload_->last_error();
    if (victim != kStandby) source_->SendKill();
    if (victim != kSource) standby_->SendKill();
    if (victim != kStandby) source_->Kill();
    if (victim != kSource) standby_->Kill();
    ++kills_[victim];
    ++places_[place];
    std::printf("%6.1f s  killed %-7s  %s\n", watch_.Seconds(), kVictimNames[victim], kPlaceNames[place]);
    std::fflush(stdout);
  }

  // Starts again what is dead.
  void Revive(const std::string& source_failpoints = "", const std::string& standby_failpoints = "") {
    if (!source_->running()) Started(source_->Start(source_failpoints));
    if (!standby_->running()) Started(standby_->Start(standby_failpoints));
  }
  static void Started(const absl::Status& status) { ASSERT_TRUE(status.ok()) << MessageOf(status); }

  // Either process says so: the copy and the stream have a side on each.
  void WaitForFault(const ClusterProcess& cluster, const std::string& name) {
    ASSERT_TRUE(cluster.WaitForLog("failpoint.hit name=" + name, kEventTimeoutMs))
        << name << " was not reached in " << cluster.name();
  }

  // --- Promises ---
  std::optional<StandbyRow> Observe() {
    const auto row = ReadStandby(*standby_);
    if (row.has_value() && row->replicated_ns != 0) {
      EXPECT_GE(row->replicated_ns, replicated_ns_) << "replicated_time went back";
      replicated_ns_ = std::max(replicated_ns_, row->replicated_ns);
    }
    return row;
  }

  // The stream has gone on and reached the present, without a new copy.
  void ExpectResumed() {
    Timestamp now;
    const bool reached = WaitUntil(kEventTimeoutMs, [&] {
      if (now.IsZero()) now = AskTimestamp(source_->Uri("main"), "SELECT cluster_logical_timestamp()");
      const auto row = Observe();
      return row.has_value() && row->status == "replicating" && row->replicated_ns >= now.ns;
    });
    const auto row = Observe();
    ASSERT_TRUE(reached) << "the stream did not resume: "
                         << (row.has_value() ? row->status + ", last error " + row->last_error : std::string("no answer"));
    EXPECT_EQ(row->initial_copies, expected_copies_);
  }

  void ExpectBankWhole(const ClusterProcess& cluster, Timestamp upto) {
    const auto client = SqlClient::Connect(cluster.Uri("main"));
    ASSERT_TRUE(client.ok()) << MessageOf(client.status());
    const auto audit = AuditBank(**client, ledger_, upto);
    ASSERT_TRUE(audit.ok()) << MessageOf(audit.status());
    EXPECT_EQ(audit->accounts, kAccounts);
    EXPECT_TRUE(audit->SumHeld()) << "sum " << audit->sum;
    EXPECT_TRUE(audit->missing.empty()) << audit->missing.size() << " acknowledged transfers are missing, the first is "
                                        << audit->missing[0];
    EXPECT_TRUE(audit->unexpected.empty())
        << audit->unexpected.size() << " transfers from after the failover time are there";
    std::printf("%6.1f s  %s: sum held, %zu transfers, none missing\n", watch_.Seconds(), cluster.name().c_str(),
                audit->journal.size());
  }

  // Several erase batches' worth of versions that a failover or a failback will undo; each COPY is one transaction.
  void WriteNoise(const ClusterProcess& cluster) {
    const auto client = SqlClient::Connect(cluster.Uri("main"));
    ASSERT_TRUE(client.ok()) << MessageOf(client.status());
    for (int transaction = 0; transaction < kNoiseTransactions; ++transaction) {
      bool sent = false;
      const auto copied = (*client)->CopyIn("COPY noise FROM STDIN", [&] {
        std::string rows;
        for (size_t i = 0; !sent && i < kNoiseRows; ++i) rows += fmt::format("{}\tnoise\n", ++noise_key_);
        sent = true;
        return rows;
      });
      ASSERT_TRUE(copied.ok()) << MessageOf(copied.status());
    }
  }

  // --- The story ---
  void KillInInitialCopy() {
    const std::string slow = "copy.chunk=delay:400";
    source_->Kill();
    Revive(slow);
    CreateStandby(*standby_, *source_);
    for (const Victim victim : {kSource, kStandby, kBoth}) {
      WaitForFault(*source_, "copy.chunk");
      KillNow(victim, kInitialCopy);
      // What survives keeps its failpoint, and its log says already that it was reached.
      if (source_->running()) source_->Kill();
      Revive(victim == kBoth ? "" : slow);
    }
    expected_copies_ = "1";
    ExpectResumed();
  }

  void KillAtRandomMoments() {
    for (int i = 0; i < kRandomKillsPerRound; ++i) {
      Pause(20 + random_.Next() % 300);
      KillNow(PickVictim(), kRandomMoment);
      Revive();
      ExpectResumed();
    }
  }

  void KillInCatchUp() {
    KillNow(kSource, kRandomMoment);
    Revive("producer.catch_up=delay:500");
    WaitForFault(*source_, "producer.catch_up");
    KillNow(PickVictim(), kCatchUp);
    if (source_->running()) source_->Kill();
    Revive();
    ExpectResumed();
  }

  // Killed between the decision and its publication it comes back as the old state or the new one; then it is completed if
  // it was not.
  void FailOverKilled() {
    KillNow(kStandby, kRandomMoment);
    Revive("", "failover.before_publish=delay:2000");
    ExpectResumed();
    {
      std::jthread completing([uri = standby_->Uri("system")] {
        (void)QueryOnce(uri, "ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO LATEST");
      });
      WaitForFault(*standby_, "failover.before_publish");
      KillNow(random_.Next() % 2 == 0 ? kStandby : kBoth, kBeforePublish);
    }
    Revive("", "erase.batch=delay:700,sweep.before_retire=delay:2000");
    std::optional<StandbyRow> row = Observe();
    ASSERT_TRUE(row.has_value());
    std::printf("%6.1f s  came back as '%s'\n", watch_.Seconds(), row->status.c_str());
    if (row->status != "ready") {
      // To a moment that lies behind, so that there is much to hide and to sweep.
      ExpectResumed();
      const Timestamp before{replicated_ns_};
      WriteNoise(*source_);
      ExpectResumed();
      AskTimestamp(standby_->Uri("system"),
                   "ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO SYSTEM TIME " + FormatHlc(before));
      row = Observe();
    }
    ASSERT_EQ(row->status, "ready");
    const auto failover_time = ParseHlc(row->failover_time);
    ASSERT_TRUE(failover_time.ok()) << row->failover_time;
    WriteNoise(*source_);
    workload_->Stop();
    Ask(standby_->Uri("system"), "ALTER VIRTUAL CLUSTER main START SERVICE SHARED");
    ExpectBankWhole(*standby_, *failover_time);
    ledger_.KeepUpTo(*failover_time);
    std::swap(source_, standby_);
    StartWorkload();
  }

  void KillInSweep(int round) {
    // Amid the erasing in one round, between it and the retirement of the interval in the next.
    WaitForFault(*source_, round % 2 == 0 ? "erase.batch" : "sweep.before_retire");
    KillNow(round == 0 ? kBoth : kSource, kSweep);
    Revive();
    ExpectBankWhole(*source_, kTimestampMax);
  }

  void FailBackKilled() {
    KillNow(kStandby, kRandomMoment);
    Revive("", "failback.before_revert=delay:300,erase.batch=delay:700");
    replicated_ns_ = 0;
    FailBack(*standby_, *source_);
    WaitForFault(*standby_, "failback.before_revert");
    WaitForFault(*standby_, "erase.batch");
    EXPECT_EQ(standby_->Log().find("failback.reverted"), std::string::npos) << "the undo was over before the kill";
    KillNow(random_.Next() % 2 == 0 ? kStandby : kBoth, kFailbackUndo);
    Revive();
    expected_copies_ = "0";
    ExpectResumed();
  }

  const uint64_t seed_ = ChooseSeed();
  Random random_{seed_};
  const Stopwatch watch_;
  ClusterProcess* source_ = &a_;
  ClusterProcess* standby_ = &b_;
  TransferLedger ledger_;
  std::unique_ptr<TransferWorkload> workload_;
  uint64_t replicated_ns_ = 0;
  std::string expected_copies_;
  int64_t noise_key_ = 0;
  int kills_[kVictims] = {};
  int places_[kPlaces] = {};
};

// Ends the test at the first broken promise: what follows would only hide it.
#define STEP(step)                                                                                \
  do {                                                                                            \
    step;                                                                                         \
    ASSERT_FALSE(HasFailure()) << "in " #step ", seed " << seed_ << ": ANABRANCH_SEED=" << seed_; \
  } while (false)

TEST_F(Kill, SourceStandbyOrBothTenTimesEachUnderLoad) {
  std::printf("seed %" PRIu64 "\n", seed_);
  {
    const auto client = SqlClient::Connect(a_.Uri("main"));
    ASSERT_TRUE(client.ok());
    const auto loaded = CreateBank(**client, kAccounts);
    ASSERT_TRUE(loaded.ok()) << MessageOf(loaded.status());
    ASSERT_TRUE((*client)->Query("CREATE TABLE noise (k INT8 PRIMARY KEY, v TEXT)").ok());
  }
  StartWorkload();
  STEP(KillInInitialCopy());
  for (int round = 0; round < kRounds; ++round) {
    STEP(KillAtRandomMoments());
    STEP(KillInCatchUp());
    STEP(ExpectBankWhole(*source_, kTimestampMax));
    STEP(FailOverKilled());
    STEP(KillInSweep(round));
    STEP(FailBackKilled());
  }
  while (*std::min_element(kills_, kills_ + kVictims) < kKillsEach) STEP(KillAtRandomMoments());
  workload_->Stop();
  STEP(WaitReplicated(*standby_, *source_));
  STEP(ExpectBankWhole(*source_, kTimestampMax));
  const Timestamp at = FailOver(*standby_);
  STEP(ExpectBankWhole(*standby_, kTimestampMax));
  STEP(ExpectEqualAt(at));

  for (int victim = 0; victim < kVictims; ++victim)
    std::printf("killed %-8s %d times\n", kVictimNames[victim], kills_[victim]);
  for (int place = 0; place < kPlaces; ++place) {
    std::printf("killed at %-28s %d times\n", kPlaceNames[place], places_[place]);
    EXPECT_GT(places_[place], 0) << kPlaceNames[place] << " was never hit, seed " << seed_;
  }
}

}  // namespace
}  // namespace anabranch
