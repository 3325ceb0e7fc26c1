// Internal to storage/: a store that nobody uses gives its memory back. It writes its memtables out, which also makes the
// next start short, and lets go of the hot rows and of all cached blocks but those used last; the files stay in the
// system's page cache, from where the next readers take them.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "storage/rocks/keyspace.h"
#include "storage/rocks/options.h"

namespace anabranch {

class Rest {
 public:
  static constexpr uint64_t kPeriodNs = 30'000'000'000;
  // A period with fewer iterator steps and puts is at rest: a heartbeat, a standby whose source is at rest.
  static constexpr uint64_t kOperations = 1000;
  // Less than this is not worth a file.
  static constexpr size_t kMemtableBytes = 2 << 20;
  static constexpr size_t kCacheBytes = 1 << 20;

  // `engine` and `options` are not owned; `keyspaces` lists those of the store.
  Rest(RocksEngine* engine, const RocksOptions* options, std::function<std::vector<KeyspaceRef>()> keyspaces);

  // To be called again and again, by one thread. Does not wait for the disk.
  void Look(uint64_t monotonic_ns);

 private:
  uint64_t Operations() const;
  void GiveBack();

  RocksEngine* const engine_;
  const RocksOptions* const options_;
  const std::function<std::vector<KeyspaceRef>()> keyspaces_;
  uint64_t period_began_ns_ = 0;
  uint64_t operations_before_ = 0;
};

}  // namespace anabranch
