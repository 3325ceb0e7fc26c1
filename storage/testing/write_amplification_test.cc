// The change index is written once: its keys grow, so RocksDB moves its files down and does not rewrite them. That must
// hold although several keyspaces share one store, one log and one budget for write buffers.
#include "gtest/gtest.h"
#include "storage/testing/index_writes.h"
#include "storage/testing/test_store.h"

namespace anabranch {
namespace {

constexpr double kAmplificationMax = 1.3;

TEST(WriteAmplificationTest, ChangeIndexesOfBusyKeyspacesAreWrittenOnce) {
  std::string dir = testing::TempDir() + "storage-XXXXXX";
  ASSERT_NE(mkdtemp(dir.data()), nullptr);
  Random random(8);
  IndexWrites writes;
  {
    auto store = Store::Open(
        {.dir = dir + "/store", .random = &random, .block_cache_bytes = 8 << 20, .write_buffer_bytes = 2 << 20});
    ASSERT_TRUE(store.ok()) << store.status();
    const auto keyspaces = MakeBusyKeyspaces(store->get(), 8);
    ASSERT_TRUE(keyspaces.ok()) << keyspaces.status();
    const absl::Status written = WriteTurns(store->get(), *keyspaces, 24 << 20, random);
    ASSERT_TRUE(written.ok()) << written;
    const auto settled = SettleIndexes(*keyspaces);
    ASSERT_TRUE(settled.ok()) << settled.status();
    writes = *settled;
  }
  std::filesystem::remove_all(dir);
  EXPECT_GE(writes.flushed, 20 << 20);
  EXPECT_GT(writes.moved_files, 8);  // or nothing was compacted and the figure says nothing
  EXPECT_LE(writes.amplification(), kAmplificationMax);
  fmt::print("[  WRITES  ] {:.1f} MB flushed, {:.2f} times written, {} files below level 0\n", writes.flushed / (1 << 20),
             writes.amplification(), writes.moved_files);
}

}  // namespace
}  // namespace anabranch
