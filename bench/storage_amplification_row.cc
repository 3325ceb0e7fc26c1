// How often RocksDB writes a byte of the change index when eight keyspaces take turns in one store.
#include <filesystem>

#include "bench/paired.h"
#include "bench/storage_world.h"
#include "storage/testing/index_writes.h"

namespace anabranch {

void AddAmplificationRow(World& world, const Sizes& sizes) {
  const auto measure = [&world, sizes] {
    const std::string dir = world.dir() + "/amplification";
    IndexWrites writes;
    {
      const std::unique_ptr<Store> store = Take(Store::Open({.dir = dir, .random = world.random()}));
      const std::vector<KeyspaceRef> keyspaces = Take(MakeBusyKeyspaces(store.get(), 8));
      CheckOk(WriteTurns(store.get(), keyspaces, sizes.index_bytes, *world.random()));
      writes = Take(SettleIndexes(keyspaces));
    }
    std::filesystem::remove_all(dir);
    CHECK(writes.flushed >= sizes.index_bytes * 0.9, "too little was written to measure it");
    return writes.amplification();
  };
  RegisterAmount({.name = "change_index_amplification",
                  .unit = fmt::format("{} MB over 8", sizes.index_bytes >> 20),
                  .measure = measure,
                  .most = 1.3});
}

}  // namespace anabranch
