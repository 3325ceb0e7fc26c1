// A disk that reports errors, is full, or gives back other bytes than were written.
#include <algorithm>
#include <cerrno>
#include <map>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/rocks/keyspace.h"
#include "storage/rocks/log_file.h"
#include "storage/store_impl.h"
#include "storage/testing/fault_store.h"
#include "storage/testing/test_store.h"

namespace anabranch {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;

// Some file systems find out when they sync that there is no room. What is on disk then is as unknown as after any other.
const rocksdb::IOStatus kSyncErrors[] = {rocksdb::IOStatus::IOError("injected"), rocksdb::IOStatus::NoSpace("injected")};

WriteSet One(const std::string& key, std::string value) { return {{key, {WriteKind::kPut, std::move(value)}}}; }

class FaultTest : public testing::Test {
 protected:
  explicit FaultTest(uint64_t reserve_bytes = 0) : store_(7, reserve_bytes) {
    Must(store_.Open());
    Must(store_.Create("a").status());
    Must(store_.Commit("a", One("before", "1")).status());
  }

  static void Must(const absl::Status& status) { ASSERT_TRUE(status.ok()) << status; }
  std::string View() {
    auto view = ViewOf(store_);
    EXPECT_TRUE(view.ok()) << view.status();
    return view.value_or("");
  }
  std::string StateOfCommit(const std::string& key) {
    const absl::Status status = store_.Commit("a", One(key, "x")).status();
    return status.ok() ? "ok" : SqlStateOf(status);
  }
  // Commits once the store takes writes again. RocksDB notices the room on a thread of its own.
  std::string StateOfCommitInTime(const std::string& key) {
    constexpr int kAttemptsMax = 100'000;
    std::string state;
    for (int i = 0; i < kAttemptsMax && state != "ok"; ++i) {
      store_.clock().Advance(2 * kSecondNs);
      std::this_thread::yield();
      state = StateOfCommit(key);
    }
    return state;
  }
  // Flushes and compactions that opening the store began are over.
  void WaitUntilQuiet() {
    rocksdb::DB& db = *static_cast<RocksStore*>(store_.store())->engine().db;
    for (const char* busy : {"rocksdb.mem-table-flush-pending", "rocksdb.num-running-flushes", "rocksdb.compaction-pending",
                             "rocksdb.num-running-compactions"}) {
      uint64_t value = 1;
      while (db.GetAggregatedIntProperty(busy, &value) && value != 0) std::this_thread::yield();
    }
  }
  bool IsThere(const std::string& key) {
    const KeyspaceRef keyspace = store_.Find("a");
    auto reader = MvccReader::Open(store_.store(), keyspace, store_.store()->Resolved(*keyspace));
    EXPECT_TRUE(reader.ok()) << reader.status();
    auto row = (*reader)->Get(key);
    EXPECT_TRUE(row.ok()) << row.status();
    return row.ok() && row->has_value();
  }
  void Restart(Unsynced unsynced) {
    store_.Close();
    store_.disk().Crash(unsynced, 1);
    Must(store_.Open());
  }
  // A failed write or sync of the commit's group stops all writing until a restart; what was acknowledged is there after
  // it.
  void FailedOnce(FaultFileSystem::PointKind kind, const std::string& suffix, const rocksdb::IOStatus& error,
                  Unsynced unsynced) {
    const std::string failed = fmt::format("failed {} {}", error.IsNoSpace(), static_cast<int>(unsynced));
    const std::string refused = "refused after " + failed;
    store_.disk().ResetCounts();
    store_.disk().FailAt(kind, suffix, 1, error);
    EXPECT_EQ(StateOfCommit(failed), "58030");
    EXPECT_EQ(store_.disk().faults(), 1u);
    store_.clock().Advance(2 * kSecondNs);
    const Timestamp visible = store_.store()->visible();
    store_.disk().ResetCounts();
    EXPECT_EQ(StateOfCommit(refused), "58030");  // the disk works again, but what the log holds is not known
    EXPECT_EQ(SqlStateOf(store_.store()->Sync()), "58030");
    EXPECT_EQ(SqlStateOf(store_.Update([](MetaUpdate& update) { update.Put("test/record/x", "y"); })), "58030");
    EXPECT_EQ(store_.disk().log_bytes(), 0u) << "something was written after a failed sync";
    EXPECT_EQ(store_.store()->visible(), visible);
    EXPECT_TRUE(IsThere("before"));
    EXPECT_FALSE(IsThere(failed));
    Restart(unsynced);
    EXPECT_TRUE(IsThere("before"));
    EXPECT_FALSE(IsThere(refused));
    EXPECT_EQ(StateOfCommit("after"), "ok");
    const std::string view = View();
    Restart(Unsynced::kLost);
    EXPECT_EQ(View(), view);
  }

  FaultStore store_;
};

TEST_F(FaultTest, FailedSyncIsStickyUntilARestart) {
  for (const rocksdb::IOStatus& error : kSyncErrors) {
    for (const Unsynced unsynced : kAllUnsynced) FailedOnce(FaultFileSystem::PointKind::kSync, ".log", error, unsynced);
  }
}

// The name of a new log.
TEST_F(FaultTest, FailedSyncOfTheFolderIsStickyUntilARestart) {
  for (const rocksdb::IOStatus& error : kSyncErrors) {
    for (const Unsynced unsynced : kAllUnsynced) {
      EXPECT_EQ(StateOfCommit("flushed"), "ok");
      Must(store_.Compact());  // begins a log, and leaves nothing to do for others, who sync the folder, too
      FailedOnce(FaultFileSystem::PointKind::kSync, "/store", error, unsynced);
    }
  }
}

TEST_F(FaultTest, FailedWriteIsStickyUntilARestart) {
  for (const Unsynced unsynced : kAllUnsynced) {
    FailedOnce(FaultFileSystem::PointKind::kWrite, ".log", rocksdb::IOStatus::IOError("injected"), unsynced);
  }
}

TEST_F(FaultTest, FailedFlushOfAMemtableIsReportedAndNothingIsLost) {
  store_.disk().FailAt(FaultFileSystem::PointKind::kName, ".sst", 1, rocksdb::IOStatus::IOError("injected"));
  EXPECT_FALSE(store_.Flush().ok());
  EXPECT_EQ(store_.disk().faults(), 1u);
  EXPECT_TRUE(IsThere("before"));
  Restart(Unsynced::kLost);
  EXPECT_TRUE(IsThere("before"));
  EXPECT_EQ(StateOfCommit("after"), "ok");
}

// They are no part of the database yet: nobody else has to know.
TEST_F(FaultTest, FilesThatCannotBeWrittenRefuseTheirCommitAlone) {
  const std::vector<std::pair<FaultFileSystem::PointKind, rocksdb::IOStatus>> faults = {
      {FaultFileSystem::PointKind::kName, rocksdb::IOStatus::IOError("injected")},
      {FaultFileSystem::PointKind::kWrite, rocksdb::IOStatus::NoSpace("injected")},
      {FaultFileSystem::PointKind::kSync, rocksdb::IOStatus::IOError("injected")}};
  for (const auto& [kind, error] : faults) {
    store_.disk().ResetCounts();
    store_.disk().FailAt(kind, "-data", 1, error);
    EXPECT_EQ(SqlStateOf(store_.Commit("a", One("files", "x"), true).status()), error.IsNoSpace() ? "53100" : "58030");
    EXPECT_EQ(store_.disk().faults(), 1u);
    EXPECT_FALSE(IsThere("files"));
    EXPECT_EQ(StateOfCommit(fmt::format("after {}", static_cast<int>(kind))), "ok");
  }
  store_.disk().ResetCounts();
  Must(store_.Commit("a", One("files", std::string(100'000, 'x')), true).status());
  EXPECT_EQ(store_.disk().log_bytes(), 0u);
  const std::string view = View();
  Restart(Unsynced::kLost);
  EXPECT_EQ(View(), view);
  for (const std::string& file : store_.disk().Files()) EXPECT_EQ(file.find("/tmp/"), std::string::npos) << file;
}

// Whether they are part of it is not known then.
TEST_F(FaultTest, FilesThatCannotBeAdoptedStopTheStoreUntilARestart) {
  constexpr auto kSync = FaultFileSystem::PointKind::kSync;
  constexpr auto kWrite = FaultFileSystem::PointKind::kWrite;
  // RocksDB writes twice: that it takes numbers for the files, then that they are there.
  constexpr uint64_t kAdoption = 2;
  const std::pair<FaultFileSystem::PointKind, uint64_t> faults[] = {
      {kSync, 1}, {kSync, kAdoption}, {kWrite, 1}, {kWrite, kAdoption}};
  for (const auto& [kind, number] : faults) {
    for (const Unsynced unsynced : kAllUnsynced) {
      const std::string files = fmt::format("files {} {} {}", kind == kSync, number, static_cast<int>(unsynced));
      store_.Close();
      Must(store_.Open());  // a manifest of its own, whose name is the last one
      WaitUntilQuiet();     // nobody else writes to it from now on
      std::string manifest;
      for (const std::string& file : store_.disk().Files()) {
        if (file.find("/MANIFEST-") != std::string::npos) manifest = std::max(manifest, file);
      }
      store_.disk().ResetCounts();
      store_.disk().FailAt(kind, manifest, number, rocksdb::IOStatus::IOError("injected"));
      EXPECT_EQ(SqlStateOf(store_.Commit("a", One(files, "x"), true).status()), "58030");
      EXPECT_EQ(store_.disk().faults(), 1u);
      EXPECT_EQ(StateOfCommit("refused"), "58030");
      EXPECT_TRUE(IsThere("before"));
      Restart(unsynced);
      const std::string view = View();  // of both families, or of neither
      const bool is_there = IsThere(files);
      const bool is_named = kind == kSync && number == kAdoption && unsynced != Unsynced::kLost;
      EXPECT_TRUE(is_named || !is_there) << files;
      EXPECT_TRUE(is_there || !is_named || unsynced != Unsynced::kKept) << files;
      EXPECT_EQ(StateOfCommit("after"), "ok");
      store_.Close();
      Must(store_.Open());
      EXPECT_TRUE(IsThere("after"));
    }
  }
}

TEST_F(FaultTest, FullDiskRefusesWritesServesReadsAndRecoversByItself) {
  for (int round = 0; round < 3; ++round) {
    const std::string failed = fmt::format("failed{}", round);
    const std::string after = fmt::format("after{}", round);
    store_.disk().ResetCounts();
    store_.disk().SetFull(true);
    EXPECT_EQ(StateOfCommit(failed), "53100");
    EXPECT_EQ(StateOfCommit(failed), "53100");
    EXPECT_GE(store_.disk().faults(), 1u);
    EXPECT_TRUE(IsThere("before"));
    store_.clock().Advance(2 * kSecondNs);
    EXPECT_EQ(StateOfCommit(failed), "53100");  // it tried, and the disk is still full
    store_.disk().SetFull(false);
    EXPECT_EQ(StateOfCommitInTime(after), "ok");
    EXPECT_TRUE(IsThere(after));
    EXPECT_FALSE(IsThere(failed));
    const std::string view = View();
    Restart(round == 0 ? Unsynced::kLost : round == 1 ? Unsynced::kKept : Unsynced::kTorn);
    EXPECT_EQ(View(), view) << "a refused write came back, or an acknowledged one is gone";
  }
}

TEST_F(FaultTest, AQuotaThatIsUsedUpIsAFullDisk) {
  const auto quota = rocksdb::IOStatus::IOError("While appending to file", std::generic_category().message(EDQUOT));
  for (const char* const suffix : {".log", ".sst"}) {
    store_.disk().ResetCounts();
    store_.disk().FailAt(FaultFileSystem::PointKind::kWrite, suffix, 1, quota);
    const absl::Status flushed = suffix == std::string(".sst") ? store_.Flush() : absl::OkStatus();
    if (!flushed.ok()) {
      EXPECT_EQ(SqlStateOf(flushed), "53100") << flushed;
    } else {
      EXPECT_EQ(StateOfCommit("refused"), "53100");
    }
    EXPECT_EQ(store_.disk().faults(), 1u) << suffix;
    EXPECT_EQ(StateOfCommitInTime("after"), "ok") << suffix;
  }
}

TEST_F(FaultTest, FullDiskInTheMiddleOfAMemtableFlushRecoversByItself) {
  for (int i = 0; i < 20; ++i) Must(store_.Commit("a", One(fmt::format("k{}", i), std::string(1000, 'v'))).status());
  const std::string view = View();
  store_.disk().SetFull(true);
  EXPECT_FALSE(store_.Flush().ok());
  EXPECT_EQ(StateOfCommit("failed"), "53100");
  store_.disk().SetFull(false);
  EXPECT_EQ(View(), view);
  EXPECT_EQ(StateOfCommitInTime("after"), "ok");
  const std::string last = View();
  Restart(Unsynced::kLost);
  EXPECT_EQ(View(), last);
}

// To RocksDB it would be a fatal error.
TEST_F(FaultTest, ANewLogThatFindsNoRoomIsCreatedLater) {
  for (const bool lasting : {false, true}) {
    const std::string at_once = fmt::format("at once {}", lasting);
    EXPECT_EQ(StateOfCommit("flushed"), "ok");
    store_.disk().ResetCounts();
    store_.disk().FailAt(FaultFileSystem::PointKind::kName, ".log", 1, rocksdb::IOStatus::NoSpace("injected"));
    store_.disk().SetFull(lasting);
    EXPECT_EQ(store_.Flush().ok(), !lasting);
    EXPECT_GE(store_.disk().faults(), 1u);
    EXPECT_EQ(StateOfCommit(at_once), lasting ? "53100" : "ok");
    store_.disk().SetFull(false);
    EXPECT_EQ(StateOfCommitInTime("after"), "ok");
    const std::string view = View();
    Restart(Unsynced::kLost);
    EXPECT_EQ(View(), view);
    EXPECT_NE(IsThere(at_once), lasting);
  }
}

TEST_F(FaultTest, ANewLogThatCannotBeCreatedStopsTheStoreUntilARestart) {
  EXPECT_EQ(StateOfCommit("flushed"), "ok");
  store_.disk().ResetCounts();
  store_.disk().FailAt(FaultFileSystem::PointKind::kName, ".log", 1, rocksdb::IOStatus::IOError("injected"));
  EXPECT_FALSE(store_.Flush().ok());
  EXPECT_EQ(store_.disk().faults(), 1u);
  EXPECT_EQ(StateOfCommit("refused"), "58030");
  EXPECT_TRUE(IsThere("flushed"));
  Restart(Unsynced::kLost);
  EXPECT_TRUE(IsThere("flushed"));
  EXPECT_EQ(StateOfCommit("after"), "ok");
}

// ---------------------------------------------------------------- a full disk and the reserve

class ReserveTest : public FaultTest {
 protected:
  static constexpr uint64_t kReserve = 1 << 20;
  static constexpr uint64_t kLeft = 64 << 10;

  ReserveTest() : FaultTest(kReserve) {
    Must(store_.Create("big").status());
    for (int i = 0; i < 20; ++i) Must(store_.Commit("big", One(fmt::format("k{}", i), Noise(100'000))).status());
    store_.Close();
    Must(store_.Open());  // no log is left that a flush would free
    AwaitPurge();
  }
  // Nothing that compresses: what leaves the log for a table takes as much room there.
  std::string Noise(size_t bytes) {
    std::string noise(bytes, '\0');
    for (char& c : noise) c = static_cast<char>(random_());
    return noise;
  }
  // RocksDB deletes the last run's manifest and logs in the background, which would make room on a disk that a test fills.
  void AwaitPurge() {
    const auto obsolete = [&] {
      const std::vector<std::string> files = store_.disk().Files();
      const auto count = [&](auto matches) { return std::count_if(files.begin(), files.end(), matches); };
      return count([](const std::string& file) { return file.find("/MANIFEST-") != std::string::npos; }) > 1 ||
             count([](const std::string& file) { return file.ends_with(".log"); }) > 1;
    };
    while (obsolete()) std::this_thread::yield();
  }
  bool ReserveStands() {
    const std::vector<std::string> files = store_.disk().Files();
    return std::find(files.begin(), files.end(), "/store/reserve") != files.end() &&
           store_.disk().SizeOf("/store/reserve") == kReserve;
  }
  // Others fill the disk, but for a rest that commits then fill, with the room ahead in the log.
  void FillUp() {
    store_.disk().SetCapacity(store_.disk().Used() + kLeft);
    std::string state = "ok";
    int commits = 0;
    for (; state == "ok" && commits < 100; ++commits) {
      state = store_.Commit("a", One("filler", Noise(5000))).ok() ? "ok" : "refused";
    }
    EXPECT_GT(commits, 1);
    EXPECT_EQ(StateOfCommit("refused"), "53100");
    EXPECT_TRUE(ReserveStands());
  }
  absl::Status DropBig() {
    const KeyspaceRef big = store_.Find("big");
    RETURN_IF_ERROR(store_.MarkDropping("big"));
    return store_.store()->DropKeyspace(big);
  }

 private:
  std::mt19937_64 random_{3};
};

TEST_F(ReserveTest, AFullDiskStillTakesAFailoverAndADropThatFreesIt) {
  ASSERT_TRUE(ReserveStands());
  FillUp();
  EXPECT_TRUE(IsThere("before"));
  const KeyspaceRef keyspace = store_.Find("a");
  const Epoch before = keyspace->state()->epoch;
  Must(store_.Update([&](MetaUpdate& update) {
    update.Stage(keyspace).BumpEpoch();
    update.Put("test/record/state", "ready");
  }));
  EXPECT_GT(keyspace->state()->epoch, before);
  EXPECT_FALSE(ReserveStands());
  EXPECT_EQ(StateOfCommit("refused"), "53100");
  store_.clock().Advance(2 * kSecondNs);
  EXPECT_EQ(StateOfCommit("refused"), "53100");
  EXPECT_TRUE(IsThere("before"));
  Must(DropBig());
  EXPECT_EQ(StateOfCommitInTime("after"), "ok");
  EXPECT_TRUE(ReserveStands());
  const std::string view = View();
  EXPECT_NE(view.find("test/record/state=ready"), std::string::npos);
  Restart(Unsynced::kLost);
  EXPECT_EQ(View(), view);
  EXPECT_FALSE(IsThere("refused"));
}

TEST_F(ReserveTest, TheUpdateThatMeetsTheFullDiskFirstIsWritten) {
  store_.disk().SetCapacity(store_.disk().Used());
  const std::string more_than_there_is_room_for_in_the_log = Noise(kLogAheadBytes);
  Must(store_.Update([&](MetaUpdate& update) {
    update.Put("test/record/state", "ready");
    update.Put("test/noise", more_than_there_is_room_for_in_the_log);
  }));
  EXPECT_FALSE(ReserveStands());
  EXPECT_EQ(StateOfCommit("refused"), "53100");
  Restart(Unsynced::kLost);
  EXPECT_NE(View().find("test/record/state=ready"), std::string::npos);
}

TEST_F(ReserveTest, AStoreOnAFullDiskOpensAndTakesDataOnceThereIsRoom) {
  store_.Close();
  store_.disk().SetCapacity(store_.disk().Used());
  Must(store_.Open());
  EXPECT_FALSE(ReserveStands());
  EXPECT_TRUE(IsThere("before"));
  EXPECT_EQ(StateOfCommit("refused"), "53100");
  store_.disk().SetCapacity(0);
  EXPECT_EQ(StateOfCommitInTime("after"), "ok");
  EXPECT_TRUE(ReserveStands());
}

TEST_F(ReserveTest, WhereNothingCanBeAllocatedItIsWritten) {
  Must(DropBig());
  store_.Close();
  Must(FromRocks(store_.disk().DeleteFile("/store/reserve", {}, nullptr), "remove"));
  store_.disk().RefuseToAllocate();
  Must(store_.Open());
  EXPECT_TRUE(ReserveStands());
  EXPECT_EQ(StateOfCommit("after"), "ok");
}

// A disk writes what was not synced in any order, and a power failure leaves some of it.
TEST_F(FaultTest, TornEndOfTheLogIsNoDamage) {
  Must(store_.Create("standby").status());
  Must(store_.Update([&](MetaUpdate& update) { update.Stage(store_.Find("standby")).SetIngesting(true, kTimestampZero); }));
  Must(store_.Ingest("standby", {PutAt("k", 1, std::string(100'000, 'v'))}, Timestamp{1}));
  store_.Close();
  const FaultFileSystem::Names before = store_.disk().Save();
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    store_.disk().Load(before);
    Must(store_.Open());
    const std::string view = View();
    for (uint64_t ts = 2; ts <= 6; ++ts) {
      Must(store_.Ingest("standby", {PutAt("k", ts, std::string(ts * 20'000, 'w'))}, std::nullopt));
    }
    store_.disk().StopAt(1);  // before the close can sync anything
    store_.Close();
    store_.disk().Crash(Unsynced::kHoles, seed);
    const absl::Status opened = store_.Open();
    ASSERT_TRUE(opened.ok()) << "seed " << seed << ": " << opened;
    EXPECT_EQ(View(), view) << "seed " << seed;
    store_.Close();
  }
  Must(store_.Open());
}

// ---------------------------------------------------------------- other bytes than were written

class FlippedBitTest : public FaultTest {
 protected:
  struct Tally {
    int reported = 0;  // the store does not open, or the read fails
    int harmless = 0;  // everything reads as it was written
  };

  void Fill() {
    for (int i = 0; i < 300; ++i) {
      Must(store_.Commit("a", One(fmt::format("key{}", i % 90), fmt::format("value {} {}", i, i * i * i))).status());
      if (i == 100) Must(store_.Compact());
      if (i == 200) Must(store_.Flush());
    }
    view_ = View();
    store_.Close();
    disk_before_ = store_.disk().Save();
  }

  void Flip(const std::string& path, uint64_t bit) {
    store_.Close();
    store_.disk().Load(disk_before_);
    store_.disk().FlipBit(path, bit);
    const std::string where = fmt::format("bit {} of {} in {} bytes", bit, path, store_.disk().SizeOf(path));
    Tally& tally = tallies_[KindOf(path)];
    const absl::Status opened = store_.Open();
    const absl::StatusOr<std::string> view = opened.ok() ? ViewOf(store_) : opened;
    if (!view.ok()) {
      ++tally.reported;
    } else if (*view == view_) {
      ++tally.harmless;
    } else {
      ADD_FAILURE() << where << ": other data was served";
    }
  }

  static std::string KindOf(const std::string& path) {
    const std::string name = path.substr(path.rfind('/') + 1);
    if (name.ends_with(".sst")) return "table";
    if (name.ends_with(".log")) return "log";
    return name.substr(0, name.find('-'));
  }

  FaultFileSystem::Names disk_before_;
  std::string view_;
  std::map<std::string, Tally> tallies_;
};

TEST_F(FlippedBitTest, IsReportedAndNeverServed) {
  Fill();
  std::mt19937_64 random(11);
  constexpr int kFlipsPerFile = 60;
  for (const auto& [path, file] : disk_before_) {
    const std::string kind = KindOf(path);
    if (kind == "LOCK" || kind == "OPTIONS" || file->bytes.empty()) continue;
    const size_t written = kind == "log" ? file->bytes.find_last_not_of('\0') + 1 : file->bytes.size();
    const uint64_t bits = written * 8;  // and not those of the room ahead
    for (int i = 0; i < kFlipsPerFile; ++i) Flip(path, random() % bits);
    // The end of a log could pass for a torn one.
    const uint64_t end = kind == "MANIFEST" || kind == "log" ? std::min<uint64_t>(bits, 600) : 0;
    for (uint64_t bit = bits - end; bit < bits; bit += 3) Flip(path, bit);
    if (written < file->bytes.size()) Flip(path, bits + random() % (file->bytes.size() * 8 - bits));
  }
  for (const auto& [kind, tally] : tallies_) {
    fmt::print("[    FLIPS ] {}: {} reported, {} harmless\n", kind, tally.reported, tally.harmless);
  }
  EXPECT_GT(tallies_["table"].reported, 0);
  EXPECT_GT(tallies_["log"].reported, 0);
}

}  // namespace
}  // namespace anabranch
