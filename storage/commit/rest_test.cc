#include "storage/commit/rest.h"

#include <atomic>
#include <utility>

#include "storage/testing/test_store.h"

namespace anabranch {
namespace {

constexpr size_t kRows = 20'000;

// Of which periods can be skipped. Thread-safe.
class SkippingClock final : public Clock {
 public:
  uint64_t WallNs() const override { return SystemClock()->WallNs(); }
  uint64_t MonotonicNs() const override { return SystemClock()->MonotonicNs() + skipped_ns_; }
  void Skip(uint64_t ns) { skipped_ns_ += ns; }

 private:
  std::atomic<uint64_t> skipped_ns_{0};
};

class RestTest : public StoreFixture {
 protected:
  RestTest() {
    auto store = Store::Open({.dir = dir_ + "/rest", .clock = &clock_, .random = &random_});
    CHECK(store.ok(), store.status().ToString().c_str());
    store_ = *std::move(store);
    keyspace_ = NewKeyspace();
  }
  ~RestTest() override {
    keyspace_.reset();
    store_.reset();
  }

  void Write(size_t rows) {
    constexpr size_t kRowsOfACommit = 2000;  // small enough to go through the memtable
    WriteSet writes;
    for (size_t i = 0; i < rows; ++i) {
      writes[fmt::format("{:06}", i)] = {WriteKind::kPut, random_.NextHex(512)};
      if (writes.size() == kRowsOfACommit || i + 1 == rows) CommitWrites(keyspace_, std::exchange(writes, {}));
    }
  }
  // The store sees a period end, soon.
  void SkipPeriod() {
    clock_.Skip(Rest::kPeriodNs + 1);
    const Timestamp three_ticks_later{store_->visible().ns + 3 * kTickIntervalNs};
    ASSERT_TRUE(store_->WaitVisible(three_ticks_later, {}).ok());
  }
  size_t Rows() {
    size_t rows = 0;
    const auto scan = ReaderAt(keyspace_, store_->Resolved(*keyspace_))->Scan({});
    for (absl::StatusOr<bool> found = scan->Next(); found.ok() && *found; found = scan->Next()) ++rows;
    return rows;
  }
  uint64_t MemtableBytes() { return Property("rocksdb.cur-size-all-mem-tables"); }
  uint64_t CacheBytes() { return Property("rocksdb.block-cache-usage"); }
  uint64_t Property(const char* name) {
    RocksKeyspace& rocks = AsRocks(*keyspace_);
    uint64_t value = 0;
    EXPECT_TRUE(rocks.db()->GetIntProperty(rocks.data(), name, &value));
    return value;
  }

  SkippingClock clock_;
  KeyspaceRef keyspace_;
};

TEST_F(RestTest, AStoreAtRestWritesOutAndForgetsAndReadsTheSame) {
  Write(kRows);
  ASSERT_GT(MemtableBytes(), Rest::kMemtableBytes);
  for (int i = 0; MemtableBytes() > Rest::kMemtableBytes && i < 200; ++i) SkipPeriod();
  EXPECT_LE(MemtableBytes(), Rest::kMemtableBytes);

  EXPECT_EQ(Rows(), kRows);
  ASSERT_GT(CacheBytes(), Rest::kCacheBytes);
  for (int i = 0; CacheBytes() > Rest::kCacheBytes && i < 200; ++i) SkipPeriod();
  EXPECT_LE(CacheBytes(), Rest::kCacheBytes);

  EXPECT_EQ(Rows(), kRows);
  EXPECT_GT(CacheBytes(), Rest::kCacheBytes);  // the cache may hold as much as before
}

TEST_F(RestTest, AStoreInUseKeepsWhatItHas) {
  Write(kRows);
  EXPECT_EQ(Rows(), kRows);
  for (int i = 0; i < 5; ++i) {
    const uint64_t before = MemtableBytes();
    Write(2 * Rest::kOperations);
    SkipPeriod();
    EXPECT_GT(MemtableBytes(), before);
  }
}

}  // namespace
}  // namespace anabranch
