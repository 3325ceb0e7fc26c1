// The file `sql.url` in a store's folder: where the node that runs on it takes SQL connections. Written once it does,
// removed when it stops.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace anabranch {

absl::Status WriteSqlUrl(const std::string& store_dir, const std::string& url);
void RemoveSqlUrl(const std::string& store_dir);
// 55000 if no node runs on that store.
absl::StatusOr<std::string> ReadSqlUrl(const std::string& store_dir);

}  // namespace anabranch
