// The machine stops at every single write, sync and change of a name that an operation causes, from opening the store to
// closing it, and comes back with what the disk may then hold. What readers see must be what they saw after the last step
// that was acknowledged, or after the one under way: never a third thing. Work that is continued after a crash must end
// where it would have ended without.
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/gc.h"
#include "storage/ledger.h"
#include "storage/mvcc/change_index.h"
#include "storage/protection.h"
#include "storage/revert.h"
#include "storage/testing/fault_store.h"
#include "storage/testing/test_store.h"
#include "storage/transfer.h"

namespace anabranch {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;
constexpr uint64_t kWallNs = 1'700'000'000 * kSecondNs;
constexpr uint64_t kSeed = 20240301;
// Each point is tried with what was not synced lost, and with one of the other ways, in turn.
constexpr Unsynced kOtherWays[] = {Unsynced::kKept, Unsynced::kTorn, Unsynced::kHoles};

// What a run remembers of what it was told before the crash.
struct Memory {
  Timestamp told;  // the newest timestamp handed out or shown (R1)
};

struct Step {
  std::string name;
  std::function<absl::Status(FaultStore&, Memory&)> run;
};

struct Scenario {
  std::string name;
  std::function<absl::Status(FaultStore&)> prepare;
  std::vector<Step> steps;
  Timestamp limit = kTimestampMax;  // readers look no further: while a revert works, nobody may read above its target
  // The steps can be done again from wherever they stopped, and end with the same bytes.
  bool resumable = false;
  // What else must hold right after a restart, whatever the point.
  std::function<void(FaultStore&, const std::string& where)> check = nullptr;
};

void MustBe(const absl::Status& status, const std::string& what) {
  if (!status.ok()) {
    fmt::print(stderr, "{}: {}\n", what, MessageOf(status));
    std::abort();
  }
}

template <typename T>
T MustHave(absl::StatusOr<T> value, const std::string& what) {
  MustBe(value.status(), what);
  return *std::move(value);
}

class Runner {
 public:
  explicit Runner(const Scenario& scenario) : scenario_(scenario), store_(kSeed) {}

  void Run() {
    Prepare();
    RunUndisturbed();
    for (uint64_t point = 1; point <= points_ && !testing::Test::HasFailure(); ++point) {
      CrashAt(point, Unsynced::kLost);
      CrashAt(point, kOtherWays[point % std::size(kOtherWays)]);
    }
    fmt::print("[   POINTS ] {}: {} points, {} crashes, {} met a half-done step\n", scenario_.name, points_, crashes_,
               between_);
    EXPECT_GE(crashes_, 2 * points_ - points_ / 10) << "too few of the runs reached their point";
  }

 private:
  void Prepare() {
    MustBe(store_.Open(), "open");
    MustBe(scenario_.prepare(store_), "prepare " + scenario_.name);
    store_.Close();
    before_ = store_.disk().Save();
  }

  void RunUndisturbed() {
    store_.disk().Load(before_);
    store_.disk().ResetCounts();
    MustBe(store_.Open(), "open");
    views_.push_back(MustHave(ViewOf(store_, scenario_.limit), "view"));
    Memory memory;
    for (const Step& step : scenario_.steps) {
      MustBe(step.run(store_, memory), step.name);
      views_.push_back(MustHave(ViewOf(store_, scenario_.limit), "view after " + step.name));
    }
    final_bytes_ = MustHave(BytesOf(store_), "bytes");
    store_.Close();
    points_ = store_.disk().points();
  }

  void CrashAt(uint64_t point, Unsynced unsynced) {
    FaultFileSystem& disk = store_.disk();
    store_.Close();
    disk.Load(before_);
    store_.clock().SetWall(kWallNs);
    disk.StopAt(point);
    size_t done = 0;
    Memory memory;
    if (store_.Open().ok()) {
      while (done < scenario_.steps.size() && scenario_.steps[done].run(store_, memory).ok()) {
        memory.told = std::max(memory.told, store_.store()->visible());
        ++done;
      }
    }
    store_.Close();
    if (disk.stopped()) ++crashes_;
    disk.Crash(unsynced, kSeed + point);
    const std::string where =
        fmt::format("{}, point {}, unsynced {}, after step {}", scenario_.name, point, static_cast<int>(unsynced), done);
    Recover(where, done, memory);
  }

  void Recover(const std::string& where, size_t done, const Memory& memory) {
    store_.clock().SetWall(kWallNs - 3600 * kSecondNs);  // the wall clock steps back over the restart (R1)
    const absl::Status opened = store_.Open();
    ASSERT_TRUE(opened.ok()) << where << ": " << opened;
    EXPECT_GE(store_.store()->visible(), memory.told) << where << ": the clock went back (R1)";
    const absl::StatusOr<std::string> view = ViewOf(store_, scenario_.limit);
    ASSERT_TRUE(view.ok()) << where << ": " << view.status();
    const bool is_next = done + 1 < views_.size() && *view == views_[done + 1];
    if (is_next && *view != views_[done]) ++between_;
    EXPECT_TRUE(*view == views_[done] || is_next) << where << "\nseen:\n" << *view << "acknowledged:\n" << views_[done];
    if (scenario_.check) scenario_.check(store_, where);
    if (scenario_.resumable) Resume(where, done);
    // It is a store like any other.
    const absl::Status created = store_.Create("after").status();
    ASSERT_TRUE(created.ok()) << where << ": " << created;
    EXPECT_TRUE(store_.Commit("after", {{"k", {WriteKind::kPut, "v"}}}).ok()) << where;
    if (crashes_ % 4 == 0) CrashAgain(where);
  }

  // What recovery left behind must not be in the way of the next one.
  void CrashAgain(const std::string& where) {
    const absl::StatusOr<std::string> view = ViewOf(store_);
    ASSERT_TRUE(view.ok()) << where << ": " << view.status();
    store_.Close();
    store_.disk().Crash(Unsynced::kLost, kSeed);
    const absl::Status opened = store_.Open();
    ASSERT_TRUE(opened.ok()) << where << ", again: " << opened;
    const absl::StatusOr<std::string> again = ViewOf(store_);
    ASSERT_TRUE(again.ok()) << where << ", again: " << again.status();
    EXPECT_EQ(*again, *view) << where << ", again";
  }

  // The step under way is done again even if readers see it as done: its work may not be.
  void Resume(const std::string& where, size_t done) {
    Memory memory;
    for (size_t i = done; i < scenario_.steps.size(); ++i) {
      const absl::Status status = scenario_.steps[i].run(store_, memory);
      ASSERT_TRUE(status.ok()) << where << ", resumed: " << scenario_.steps[i].name << ": " << status;
    }
    const absl::StatusOr<std::string> view = ViewOf(store_, scenario_.limit);
    const absl::StatusOr<std::string> bytes = BytesOf(store_);
    ASSERT_TRUE(view.ok() && bytes.ok()) << where;
    EXPECT_EQ(*view, views_.back()) << where;
    EXPECT_TRUE(*bytes == final_bytes_) << where << ": resumed work ended with other bytes:\n" << *bytes;
  }

  const Scenario& scenario_;
  FaultStore store_;
  FaultFileSystem::Names before_;
  std::vector<std::string> views_;  // views_[i]: the view after i steps
  std::string final_bytes_;
  uint64_t points_ = 0;
  uint64_t crashes_ = 0;
  uint64_t between_ = 0;
};

// ---------------------------------------------------------------- steps

Write Put(std::string value) { return {WriteKind::kPut, std::move(value)}; }

Step CommitStep(std::string label, WriteSet writes, bool as_files = false) {
  return {"commit to " + label, [=](FaultStore& store, Memory& memory) -> absl::Status {
            ASSIGN_OR_RETURN(const Timestamp ts, store.Commit(label, writes, as_files));
            memory.told = std::max(memory.told, ts);
            return absl::OkStatus();
          }};
}
Step FlushStep() {
  return {"flush", [](FaultStore& store, Memory&) { return store.Flush(); }};
}
Step CompactStep() {
  return {"compact", [](FaultStore& store, Memory&) { return store.Compact(); }};
}
Step IngestStep(std::vector<Version> versions, std::optional<Timestamp> frontier) {
  return {frontier ? "ingest to a frontier" : "ingest",
          [=](FaultStore& store, Memory&) { return store.Ingest("standby", versions, frontier); }};
}

// ---------------------------------------------------------------- what is there before

absl::Status PrepareSome(FaultStore& store) {
  RETURN_IF_ERROR(store.Create("a").status());
  RETURN_IF_ERROR(store.Create("b").status());
  RETURN_IF_ERROR(store.Commit("a", {{"k1", Put("1")}, {"k2", Put("1")}}).status());
  RETURN_IF_ERROR(store.Flush());
  RETURN_IF_ERROR(store.Commit("a", {{"k2", Put("2")}, {"k3", Put("2")}}).status());
  return store.Commit("b", {{"k1", Put("b")}}).status();
}

// Versions up to 100 + `above` lie at 1 .. 100, `above` more at 101 and on, beyond the frontier of 100.
absl::Status PrepareStandby(FaultStore& store, int above) {
  ASSIGN_OR_RETURN(const KeyspaceRef keyspace, store.Create("standby"));
  RETURN_IF_ERROR(store.Update([&](MetaUpdate& update) { update.Stage(keyspace).SetIngesting(true, kTimestampZero); }));
  std::vector<Version> versions;
  for (uint64_t ts = 1; ts <= 100; ++ts) versions.push_back(PutAt(fmt::format("k{}", ts % 30), ts, fmt::format("{}", ts)));
  RETURN_IF_ERROR(store.Ingest("standby", std::move(versions), Timestamp{100}));
  RETURN_IF_ERROR(store.Flush());
  versions.clear();
  for (int i = 0; i < above; ++i) versions.push_back(PutAt(fmt::format("k{}", i), 101 + i / 10, "above"));
  return store.Ingest("standby", std::move(versions), std::nullopt);
}

absl::Status Promote(FaultStore& store) {
  const KeyspaceRef keyspace = store.Find("standby");
  return store.Update([&](MetaUpdate& update) {
    update.Stage(keyspace).BumpEpoch();
    update.Stage(keyspace).Hide(Timestamp{100});
    update.Stage(keyspace).SetIngesting(false, Timestamp{100});
    update.Put("test/record/state", "ready");
    Protect(update, keyspace->incarnation(), "failover", Timestamp{100});
  });
}

// ---------------------------------------------------------------- scenarios

Scenario Commits() {
  return {.name = "commit",
          .prepare = PrepareSome,
          .steps = {CommitStep("a", {{"k1", Put("3")}}),
                    CommitStep("a", {{"k1", {WriteKind::kTombstone, ""}}, {"k4", Put("4")}}), FlushStep(),
                    CommitStep("b", {{"k1", Put(std::string(100'000, 'x'))}}), CompactStep(),
                    CommitStep("a", {{"k5", Put("5")}})}};
}

// Among ordinary commits, to keys that lie in memtables and in files, and to none.
Scenario CommitsAsFiles() {
  return {.name = "commit as files",
          .prepare = PrepareSome,
          .steps = {CommitStep("a", {{"k2", Put("3")}, {"k4", Put("3")}}, true), CommitStep("a", {{"k4", Put("4")}}),
                    CommitStep("b", {{"k8", Put(std::string(50'000, 'x'))}, {"k9", Put("b")}}, true),
                    CommitStep("b", {{"k9", {WriteKind::kTombstone, ""}}}, true), FlushStep(),
                    CommitStep("a", {{"k1", Put("5")}}, true), CompactStep()}};
}

Scenario Ingestion() {
  return {.name = "ingest",
          .prepare = [](FaultStore& store) { return PrepareStandby(store, 0); },
          .steps = {IngestStep({PutAt("k1", 110, "x"), PutAt("k2", 110, "x")}, std::nullopt),
                    IngestStep({PutAt("k3", 110, "x"), DeleteAt("k1", 120)}, Timestamp{115}), FlushStep(),
                    IngestStep({PutAt("k9", 130, std::string(50'000, 'y'))}, std::nullopt), FlushStep(),
                    IngestStep({PutAt("k9", 131, "z")}, Timestamp{140})}};
}

Scenario Creation() {
  return {.name = "keyspace create",
          .prepare = PrepareSome,
          .steps = {{"create", [](FaultStore& store, Memory&) { return store.Create("new").status(); }},
                    CommitStep("new", {{"k", Put("v")}}),
                    {"create another", [](FaultStore& store, Memory&) { return store.Create("newer").status(); }}}};
}

Scenario Import() {
  return {.name = "keyspace import",
          .prepare = [](FaultStore& store) -> absl::Status {
            RETURN_IF_ERROR(PrepareSome(store));
            RETURN_IF_ERROR(store.Compact());
            return store.Commit("a", {{"k7", Put("7")}}).status();
          },
          .steps = {{"export and import",
                     [](FaultStore& store, Memory&) -> absl::Status {
                       ASSIGN_OR_RETURN(const TransferManifest manifest,
                                        ExportKeyspace(store.store(), store.Find("a"), "/store/tmp-export"));
                       ASSIGN_OR_RETURN(const KeyspaceRef copy,
                                        ImportKeyspace(store.store(), manifest, "/store/tmp-export"));
                       return store.Publish(copy, "copy");
                     }},
                    CommitStep("copy", {{"k8", Put("8")}})}};
}

Scenario Clone() {
  return {.name = "keyspace clone",
          .prepare = [](FaultStore& store) { return PrepareStandby(store, 5); },
          .steps = {{"clone",
                     [](FaultStore& store, Memory&) -> absl::Status {
                       ASSIGN_OR_RETURN(const KeyspaceRef clone, CloneKeyspace(store.store(), store.Find("standby")));
                       return store.Publish(clone, "clone");
                     }},
                    {"clone as of a past moment",
                     [](FaultStore& store, Memory&) -> absl::Status {
                       ASSIGN_OR_RETURN(const KeyspaceRef clone,
                                        CloneKeyspace(store.store(), store.Find("standby"), Timestamp{25}));
                       return store.Publish(clone, "earlier");
                     }},
                    CommitStep("clone", {{"k1", Put("mine")}})}};
}

Scenario Drop() {
  return {.name = "keyspace drop",
          .prepare = PrepareSome,
          .steps = {{"mark", [](FaultStore& store,
                                Memory&) { return store.Has("b") ? store.MarkDropping("b") : absl::OkStatus(); }},
                    {"drop",
                     [](FaultStore& store, Memory&) -> absl::Status {
                       for (const KeyspaceRef& keyspace : store.store()->Keyspaces()) {
                         if (!keyspace->state()->dropping) continue;
                         RETURN_IF_ERROR(store.store()->DropKeyspace(keyspace));
                       }
                       return absl::OkStatus();
                     }}},
          .resumable = true};
}

Scenario Promotion() {
  return {.name = "promote",
          .prepare = [](FaultStore& store) { return PrepareStandby(store, 20); },
          .steps = {{"promote", [](FaultStore& store, Memory&) { return Promote(store); }},
                    CommitStep("standby", {{"k1", Put("mine")}})}};
}

absl::Status Sweep(FaultStore& store, Memory&) {
  const KeyspaceRef keyspace = store.Find("standby");
  return SweepHidden(store.store(), keyspace, keyspace->state()->epoch, {}, nullptr, Pacing::kPaced).status();
}

Scenario Sweeping() {
  return {.name = "sweep",
          .prepare = [](FaultStore& store) -> absl::Status {
            RETURN_IF_ERROR(PrepareStandby(store, static_cast<int>(kPacedVersionsMax) + 500));
            RETURN_IF_ERROR(Promote(store));
            return store.Commit("standby", {{"k1", Put("mine")}}).status();
          },
          .steps = {{"sweep", Sweep}},
          .resumable = true};
}

constexpr char kLedgerPath[] = "/store/ledger/1.ledger";
constexpr char kJournalKey[] = "test/record/reverting";

// The versions above 50, of which there are as many as PrepareStandby made.
absl::Status WriteTheLedger(FaultStore& store, Memory&) {
  const auto journaled = store.store()->GetMeta(kJournalKey);
  if (journaled.ok() && journaled->has_value()) return absl::OkStatus();  // a restarted failback goes on from there
  return WriteLedger(store.store(), store.Find("standby"), Timestamp{50}, kTimestampMax.Prev(), kLedgerPath).status();
}
absl::Status JournalRevert(FaultStore& store, Memory&) {
  return store.Update([](MetaUpdate& update) { update.Put(kJournalKey, "yes"); });
}
// R11: from the journaling on, every version that goes is in the ledger.
void CheckLedger(FaultStore& store, const std::string& where) {
  const auto journaled = store.store()->GetMeta(kJournalKey);
  ASSERT_TRUE(journaled.ok()) << where;
  if (!journaled->has_value()) return;
  const auto ledger = ReadLedger(store.store(), kLedgerPath);
  ASSERT_TRUE(ledger.ok()) << where << ": " << ledger.status();
  EXPECT_EQ(ledger->size(), 50 + kPacedVersionsMax + 500) << where;
  EXPECT_EQ(ledger->front().timestamp, Timestamp{51}) << where;
  EXPECT_EQ(ledger->back().write.value, "above") << where;
}

Scenario Revert() {
  const auto revert = [](FaultStore& store, Memory&) -> absl::Status {
    const KeyspaceRef keyspace = store.Find("standby");
    return EraseRange(store.store(), keyspace, keyspace->state()->epoch, Timestamp{50}, kTimestampMax.Prev(), {}, nullptr,
                      Pacing::kPaced)
        .status();
  };
  const auto back = [](FaultStore& store, Memory&) -> absl::Status {
    const KeyspaceRef keyspace = store.Find("standby");
    return store.Update([&](MetaUpdate& update) { update.Stage(keyspace).SetIngesting(true, Timestamp{50}); });
  };
  return {.name = "revert",
          .prepare = [](FaultStore& store) -> absl::Status {
            RETURN_IF_ERROR(PrepareStandby(store, static_cast<int>(kPacedVersionsMax) + 500));
            const KeyspaceRef keyspace = store.Find("standby");
            return store.Update([&](MetaUpdate& update) {
              update.Stage(keyspace).BumpEpoch();
              update.Stage(keyspace).SetIngesting(false, Timestamp{200});
            });
          },
          .steps = {{"ledger", WriteTheLedger},
                    {"journal", JournalRevert},
                    {"revert", revert},
                    {"stream again", back},
                    IngestStep({PutAt("k1", 60, "again")}, Timestamp{60})},
          .limit = Timestamp{50},
          .resumable = true,
          .check = CheckLedger};
}

// Half of the index lies in files of its own below the floor, and goes.
Scenario Collection() {
  return {.name = "garbage collection",
          .prepare = [](FaultStore& store) -> absl::Status {
            ASSIGN_OR_RETURN(const KeyspaceRef keyspace, store.Create("standby"));
            RETURN_IF_ERROR(
                store.Update([&](MetaUpdate& update) { update.Stage(keyspace).SetIngesting(true, kTimestampZero); }));
            for (const uint64_t first : {1, 61, 121}) {
              std::vector<Version> versions;
              for (uint64_t ts = first; ts < first + 60; ++ts) {
                const std::string key = fmt::format("k{}", ts % 17);
                versions.push_back(ts % 5 == 0 ? DeleteAt(key, ts) : PutAt(key, ts, fmt::format("{}", ts)));
              }
              RETURN_IF_ERROR(store.Ingest("standby", std::move(versions), Timestamp{first + 59}));
              RETURN_IF_ERROR(store.Flush());
            }
            return absl::OkStatus();
          },
          .steps = {{"collect",
                     [](FaultStore& store, Memory&) -> absl::Status {
                       const KeyspaceRef keyspace = store.Find("standby");
                       ASSIGN_OR_RETURN(const GcProgress progress,
                                        CollectGarbage(store.store(), keyspace, keyspace->state()->epoch, /*ttl_ns=*/50,
                                                       Pacing::kFull, {}, nullptr));
                       EXPECT_EQ(progress.floor, Timestamp{130});
                       return absl::OkStatus();
                     }},
                    IngestStep({PutAt("k1", 200, "later")}, Timestamp{200})},
          .resumable = true};
}

// Nothing is written but the ceiling, and no timestamp may come twice.
Scenario Ceiling() {
  const auto reserve = [](FaultStore& store, Memory& memory) -> absl::Status {
    store.clock().Advance(3 * kSecondNs);
    ASSIGN_OR_RETURN(const Timestamp ts, store.store()->ReserveTimestamp());
    EXPECT_GT(ts, memory.told);
    memory.told = ts;
    return absl::OkStatus();
  };
  const auto forward = [](FaultStore& store, Memory& memory) -> absl::Status {
    const Timestamp ahead{store.store()->visible().ns + 100 * kSecondNs};
    RETURN_IF_ERROR(store.store()->ForwardClock(ahead));
    memory.told = ahead;
    return absl::OkStatus();
  };
  return {.name = "ceiling renewal",
          .prepare = PrepareSome,
          .steps = {{"reserve", reserve}, {"reserve", reserve}, {"forward", forward}, {"reserve", reserve}}};
}

class CrashTest : public testing::TestWithParam<Scenario (*)()> {};

TEST_P(CrashTest, AnyPointLeavesTheOldStateOrTheNewOne) {
  const Scenario scenario = GetParam()();
  Runner(scenario).Run();
}

INSTANTIATE_TEST_SUITE_P(Every, CrashTest,
                         testing::Values(Commits, CommitsAsFiles, Ingestion, Creation, Import, Clone, Drop, Promotion,
                                         Sweeping, Revert, Collection, Ceiling),
                         [](const auto& info) {
                           std::string name = info.param().name;
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return name;
                         });

}  // namespace
}  // namespace anabranch
