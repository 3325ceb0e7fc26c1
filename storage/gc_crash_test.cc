// A collector that dies at each of its steps, and what a restart finds.
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "storage/gc.h"
#include "storage/rocks/keyspace.h"
#include "storage/testing/test_store.h"

namespace anabranch {
namespace {

constexpr char kStoreVariable[] = "ANABRANCH_TEST_GC_STORE";
constexpr uint64_t kKeys = 2 * kGcBatchVersions;
constexpr uint64_t kRounds = 3;
constexpr uint64_t kNewest = kKeys * kRounds;
constexpr uint64_t kTtlNs = kKeys / 2;
constexpr uint64_t kFloor = kNewest - kTtlNs;

std::unique_ptr<Store> MustOpen(const std::string& dir, Random* random) {
  auto store = Store::Open({.dir = dir, .random = random, .block_cache_bytes = 8 << 20});
  CHECK(store.ok(), store.status().ToString().c_str());
  return *std::move(store);
}

// Not a test of its own: the process that KilledAtEachStep kills. The failpoint is in its environment.
TEST(GcChild, DISABLED_Collects) {
  const char* dir = getenv(kStoreVariable);
  if (dir == nullptr) GTEST_SKIP() << "run by another test";
  Random random(1);
  const auto store = MustOpen(dir, &random);
  const KeyspaceRef keyspace = store->Keyspaces().at(0);
  const auto progress = CollectGarbage(store.get(), keyspace, keyspace->state()->epoch, kTtlNs, Pacing::kFull, {}, nullptr);
  CHECK(progress.ok(), "collecting in the child");
}

class GcCrashTest : public StoreFixture {
 protected:
  // Every key is written three times; every third key's last version, and every fifth key's second, is a tombstone.
  void Fill() {
    const KeyspaceRef keyspace = NewStandby();
    for (uint64_t round = 0; round < kRounds; ++round) {
      std::vector<Version> versions;
      for (uint64_t i = 0; i < kKeys; ++i) {
        const uint64_t ts = round * kKeys + i + 1;
        const std::string key = fmt::format("key{:06}", i * 7919 % kKeys);
        const bool dead = (round == 1 && i % 5 == 0) || (round == 2 && i % 3 == 0);
        versions.push_back(dead ? DeleteAt(key, ts) : PutAt(key, ts, fmt::format("value {}", ts)));
      }
      Ingest(keyspace, std::move(versions), (round + 1) * kKeys);
      RocksKeyspace& rocks = AsRocks(*keyspace);
      ASSERT_TRUE(rocks.db()->Flush({}, {rocks.data(), rocks.changes()}).ok());
    }
    for (const uint64_t at : {kFloor, kFloor + 1000, kNewest}) rows_[at] = ScanAt(keyspace, at);
  }
  // True if it was killed, false if it finished.
  bool RunChild(const std::string& failpoint) {
    store_.reset();
    const pid_t child = fork();
    if (child == 0) {
      setenv(kStoreVariable, (dir_ + "/store").c_str(), 1);
      setenv("ANABRANCH_FAILPOINTS", (failpoint + "=exit").c_str(), 1);
      execl("/proc/self/exe", "storage_test", "--gtest_also_run_disabled_tests", "--gtest_filter=GcChild.DISABLED_Collects",
            nullptr);
      _exit(127);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    store_ = MustOpen(dir_ + "/store", &random_);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return true;
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << failpoint << " " << status;
    return false;
  }
  void Check() {
    const KeyspaceRef keyspace = store_->Keyspaces().at(0);
    EXPECT_EQ(keyspace->state()->floor, Timestamp{kFloor});
    EXPECT_EQ(SqlStateOf(MvccReader::Open(store_.get(), keyspace, Timestamp{kFloor - 1}).status()),
              sqlstate::kInvalidParameterValue);
    for (const auto& [at, rows] : rows_) EXPECT_TRUE(ScanAt(keyspace, at) == rows) << at;
  }
  uint64_t VersionsPresent() {
    const KeyspaceRef keyspace = store_->Keyspaces().at(0);
    RocksKeyspace& rocks = AsRocks(*keyspace);
    rocksdb::ReadOptions options;
    options.total_order_seek = true;
    const std::unique_ptr<rocksdb::Iterator> it(rocks.db()->NewIterator(options, rocks.data()));
    uint64_t versions = 0;
    for (it->SeekToFirst(); it->Valid(); it->Next()) ++versions;
    return versions;
  }

  std::map<uint64_t, std::string> rows_;
};

TEST_F(GcCrashTest, KilledAtEachStepItGoesOnAndLosesNothing) {
  Fill();
  const uint64_t before = VersionsPresent();
  EXPECT_TRUE(RunChild("gc.floor_raised"));
  Check();
  EXPECT_EQ(VersionsPresent(), before);
  // Each time it gets one batch further.
  int kills = 0;
  uint64_t last = before;
  while (RunChild("gc.batch")) {
    ++kills;
    Check();
    EXPECT_LE(VersionsPresent(), last);
    last = VersionsPresent();
    ASSERT_LT(kills, 20);
  }
  EXPECT_GE(kills, 5);
  Check();
  // Below the floor one version of each key that lives there is left, above it all.
  const KeyspaceRef keyspace = store_->Keyspaces().at(0);
  const auto scan = ReaderAt(keyspace, Timestamp{kFloor})->Scan({});
  uint64_t alive = 0;
  while (*scan->Next()) ++alive;
  EXPECT_EQ(VersionsPresent(), alive + kTtlNs);
}

TEST_F(GcCrashTest, KilledBeforeTheIndexIsDroppedItDropsItNextTime) {
  Fill();
  EXPECT_TRUE(RunChild("gc.before_drop_index"));
  Check();
  const uint64_t versions = VersionsPresent();
  {
    const KeyspaceRef keyspace = store_->Keyspaces().at(0);
    const uint64_t floor_entries = store_->counts().iterator_steps;
    const auto again = CollectGarbage(store_.get(), keyspace, keyspace->state()->epoch, kTtlNs, Pacing::kFull, {}, nullptr);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->entries, 0u);
    EXPECT_LT(store_->counts().iterator_steps - floor_entries, 10u);
    rocksdb::ColumnFamilyMetaData metadata;
    AsRocks(*keyspace).db()->GetColumnFamilyMetaData(AsRocks(*keyspace).changes(), &metadata);
    EXPECT_EQ(metadata.file_count, 1u);  // of three files, the one that reaches above the floor is left
  }
  EXPECT_EQ(VersionsPresent(), versions);
  Check();
}

}  // namespace
}  // namespace anabranch
