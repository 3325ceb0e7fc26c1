// Internal to storage/: disk space kept for the hour when there is none. A file of that size lies in the store's folder;
// on a full disk it is given up so that what administers the store (a failover, the end of a service, a drop) can still
// be written, while data are refused until it stands again.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "rocksdb/env.h"
#include "rocksdb/file_system.h"

namespace anabranch {

// What RocksDB writes to go on after a full disk: memtables, at most, of the default StoreOptions::write_buffer_bytes.
inline constexpr uint64_t kReserveBytes = 256 << 20;
// Part of the reserve that must be free besides it before data are taken again, or the next write would give it up anew.
inline constexpr uint64_t kReserveHeadroomDivisor = 4;
// Written at once where the file system cannot allocate: the writer thread does it between two ticks.
inline constexpr uint64_t kReserveStepBytes = 4 << 20;

// Not thread-safe: opening the store, then its writer thread.
class Reserve {
 public:
  // `env` outlives it. No bytes: there is no reserve, and it always stands.
  Reserve(rocksdb::Env* env, std::string dir, uint64_t bytes);

  // Whether it stands as a whole.
  bool stands() const { return bytes_ == 0 || stands_; }
  // One step towards a whole file, of kReserveStepBytes unless they can be allocated without writing. 53100 if the disk has
  // no room for it: what there was of it is gone then.
  absl::Status Refill();
  // Gives the space back. False if there was none to give.
  bool Release();

 private:
  absl::Status Allocate();
  absl::Status WriteStep();

  rocksdb::Env* const env_;
  const std::string dir_;
  const std::string path_;
  const uint64_t bytes_;
  bool stands_ = false;
  bool must_write_ = false;  // the file system cannot allocate: the reserve is written
};

}  // namespace anabranch
