#include "storage/rocks/iterator_pool.h"

#include "storage/rocks/keyspace.h"
#include "storage/testing/test_store.h"

namespace anabranch {
namespace {

class IteratorPoolTest : public StoreFixture {
 protected:
  std::string Get(const std::string& key) {
    const auto row = ReaderAt(keyspace_, store_->Resolved(*keyspace_))->Get(key);
    EXPECT_TRUE(row.ok()) << row.status();
    return row.ok() && *row ? (*row)->value : "";
  }
  // Versions of the family's files that somebody still looks at.
  uint64_t LiveVersions() { return Property("rocksdb.num-live-versions"); }
  uint64_t MemtableBytes() { return Property("rocksdb.size-all-mem-tables"); }
  void Flush() { ASSERT_TRUE(rocks().db()->Flush(rocksdb::FlushOptions(), rocks().data()).ok()); }

  uint64_t Property(const char* name) {
    uint64_t value = 0;
    EXPECT_TRUE(rocks().db()->GetIntProperty(rocks().data(), name, &value));
    return value;
  }
  RocksKeyspace& rocks() { return AsRocks(*keyspace_); }

  KeyspaceRef keyspace_ = NewKeyspace();
};

TEST_F(IteratorPoolTest, AnIteratorAtRestIsTakenAgainAndShowsWhatWasWrittenSince) {
  CommitPut(keyspace_, "a", "1");
  EXPECT_EQ(Get("a"), "1");
  uint64_t generation = 0;
  std::unique_ptr<rocksdb::Iterator> taken = rocks().TakePointIterator(&generation);
  const rocksdb::Iterator* const at_rest = taken.get();
  ASSERT_NE(at_rest, nullptr);
  EXPECT_EQ(rocks().TakePointIterator(&generation), nullptr);  // the one iterator at rest was taken before
  rocks().GivePointIterator(std::move(taken), generation);

  CommitPut(keyspace_, "a", "2");
  EXPECT_EQ(Get("a"), "2");
  taken = rocks().TakePointIterator(&generation);
  EXPECT_EQ(taken.get(), at_rest);
}

TEST_F(IteratorPoolTest, AFlushAndACompactionEndWhatIsAtRest) {
  for (int i = 0; i < 3; ++i) {
    CommitPut(keyspace_, "a", std::to_string(i));
    EXPECT_EQ(Get("a"), std::to_string(i));
    Flush();
    EXPECT_EQ(Get("a"), std::to_string(i));
  }
  ASSERT_TRUE(rocks().db()->CompactRange(rocksdb::CompactRangeOptions(), rocks().data(), nullptr, nullptr).ok());
  uint64_t generation = 0;
  EXPECT_EQ(rocks().TakePointIterator(&generation), nullptr);
  EXPECT_EQ(LiveVersions(), 1u);
  EXPECT_EQ(Get("a"), "2");
}

TEST_F(IteratorPoolTest, OneInUseDuringAFlushIsNotKept) {
  CommitPut(keyspace_, "a", std::string(1 << 20, 'x'));
  {
    const auto reader = ReaderAt(keyspace_, store_->Resolved(*keyspace_));
    ASSERT_TRUE(reader->Get("a").ok());
    Flush();
    EXPECT_GT(MemtableBytes(), 1u << 20);  // the reader still needs the memtable
  }
  EXPECT_LT(MemtableBytes(), 1u << 20);
  uint64_t generation = 0;
  EXPECT_EQ(rocks().TakePointIterator(&generation), nullptr);
}

TEST_F(IteratorPoolTest, NoMoreThanTheBoundAreKept) {
  CommitPut(keyspace_, "a", "1");
  std::vector<std::unique_ptr<MvccReader>> readers;
  for (size_t i = 0; i < IteratorPool::kAtRestMax + 5; ++i) {
    readers.push_back(ReaderAt(keyspace_, store_->Resolved(*keyspace_)));
    ASSERT_TRUE(readers.back()->Get("a").ok());
  }
  readers.clear();
  uint64_t generation = 0;
  std::vector<std::unique_ptr<rocksdb::Iterator>> taken;
  while (auto iterator = rocks().TakePointIterator(&generation)) taken.push_back(std::move(iterator));

  EXPECT_EQ(taken.size(), IteratorPool::kAtRestMax);
}

}  // namespace
}  // namespace anabranch
