#include "base/disk_error.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/status.h"
#include "fmt/format.h"

namespace anabranch {

absl::Status DiskError(DiskFault fault, std::string message) {
  if (fault == DiskFault::kOther) return SqlError(sqlstate::kIoError, std::move(message));
  return SqlError(sqlstate::kDiskFull, std::move(message),
                  "Free space on the store's disk; the store takes writes again by itself.");
}

absl::Status DiskError(int error, std::string_view doing, std::string_view path) {
  const bool full = error == ENOSPC || error == EDQUOT;
  return DiskError(full ? DiskFault::kFull : DiskFault::kOther,
                   fmt::format("{} {}: {}", doing, path, std::generic_category().message(error)));
}

absl::Status DiskError(const std::error_code& error, std::string_view doing, std::string_view path) {
  return error ? DiskError(error.value(), doing, path) : absl::OkStatus();
}

absl::Status SyncFolder(const std::string& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return DiskError(errno, "opening", folder);
  const int error = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  return error == 0 ? absl::OkStatus() : DiskError(error, "syncing", folder);
}

}  // namespace anabranch
