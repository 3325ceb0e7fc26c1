// What the disk refused, as an error for a user. The one place where errno becomes an SQLSTATE.
#pragma once

#include <string>
#include <string_view>
#include <system_error>

#include "absl/status/status.h"

namespace anabranch {

enum class DiskFault {
  kFull,   // 53100, with the hint to free space
  kOther,  // 58030
};

absl::Status DiskError(DiskFault fault, std::string message);
// "<doing> <path>: <what the system says>". `error`: errno after a call that failed.
absl::Status DiskError(int error, std::string_view doing, std::string_view path);
// The same after a call that hands its error out. OK if there was none.
absl::Status DiskError(const std::error_code& error, std::string_view doing, std::string_view path);

// The names in the folder are on disk.
absl::Status SyncFolder(const std::string& folder);

}  // namespace anabranch
