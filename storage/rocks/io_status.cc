#include "storage/rocks/io_status.h"

#include <cerrno>
#include <string>
#include <system_error>

namespace anabranch {

// RocksDB keeps no errno, but ends its message with what the system says of it.
rocksdb::IOStatus FullIfQuota(rocksdb::IOStatus status) {
  static const std::string kQuota = std::generic_category().message(EDQUOT);
  const bool is_quota = status.IsIOError() && !status.IsNoSpace() && status.ToString().ends_with(kQuota);
  if (!is_quota) return status;
  rocksdb::IOStatus full = rocksdb::IOStatus::NoSpace(status.getState());
  full.SetRetryable(true);
  return full;
}

rocksdb::IOStatus FinalOfSync(const rocksdb::IOStatus& status) {
  const rocksdb::IOStatus told = FullIfQuota(status);
  return told.IsNoSpace() ? rocksdb::IOStatus::IOError("failed sync", told.ToString()) : told;
}

}  // namespace anabranch
