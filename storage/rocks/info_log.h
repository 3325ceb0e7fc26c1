// RocksDB's warnings and errors as lines of our log. RocksDB's own file would be one more thing to write on a full disk,
// and a build with assertions aborts when it cannot be written.
#pragma once

#include <memory>

#include "rocksdb/env.h"

namespace anabranch {

std::shared_ptr<rocksdb::Logger> MakeRocksLog();

}  // namespace anabranch
