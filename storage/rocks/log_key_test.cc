#include "storage/rocks/log_key.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "storage/testing/test_store.h"

namespace anabranch {
namespace {

class LogKeyTest : public StoreFixture {
 protected:
  std::string Path() const { return dir_ + "/store/log_key"; }
  std::string Bytes() const {
    std::ifstream file(Path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  absl::Status Open() {
    auto store = Store::Open({.dir = dir_ + "/store", .random = &random_, .block_cache_bytes = 8 << 20});
    if (store.ok()) store_ = *std::move(store);
    return store.status();
  }
};

TEST_F(LogKeyTest, AStoreHasOneOfItsOwnForNobodyElseToRead) {
  const std::string key = Bytes();
  EXPECT_EQ(key.size(), 32u);
  struct stat is {};
  ASSERT_EQ(stat(Path().c_str(), &is), 0);
  EXPECT_EQ(is.st_mode & 0777, 0600u);
  store_.reset();
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Bytes(), key);
}

// As an earlier program's store, whose logs hold what was not flushed.
TEST_F(LogKeyTest, AStoreWithoutOneGetsOneAndKeepsEverything) {
  const std::string before = Bytes();
  const IncarnationId incarnation = [&] {
    const KeyspaceRef keyspace = NewKeyspace();
    CommitPut(keyspace, "k", "v");
    return keyspace->incarnation();
  }();
  store_.reset();
  std::filesystem::remove(Path());
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Bytes().size(), 32u);
  EXPECT_NE(Bytes(), before);
  const auto keyspace = store_->FindKeyspace(incarnation);
  ASSERT_TRUE(keyspace.ok()) << keyspace.status();
  EXPECT_EQ((*ReaderAt(*keyspace, store_->visible())->Get("k"))->value, "v");
}

TEST_F(LogKeyTest, AFileThatIsNoKeyIsReported) {
  store_.reset();
  std::ofstream(Path(), std::ios::binary | std::ios::trunc) << "half";
  EXPECT_EQ(SqlStateOf(Open()), sqlstate::kDataCorrupted);
}

}  // namespace
}  // namespace anabranch
