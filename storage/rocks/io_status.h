// Internal to storage/: what an error of the file system is to RocksDB, where its own reading of it is not ours.
#pragma once

#include "rocksdb/io_status.h"

namespace anabranch {

// NoSpace if the disk's quota is used up, which RocksDB takes for any other error: there is room again once somebody makes
// some.
rocksdb::IOStatus FullIfQuota(rocksdb::IOStatus status);

// What a failed sync, of a file or a folder, is to whoever would try it again on a full disk: no NoSpace any more.
rocksdb::IOStatus FinalOfSync(const rocksdb::IOStatus& status);

}  // namespace anabranch
