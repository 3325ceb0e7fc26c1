#include "storage/commit/reserve.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/status.h"
#include "storage/rocks/files.h"
#include "storage/rocks/keyspace.h"

namespace anabranch {

Reserve::Reserve(rocksdb::Env* env, std::string dir, uint64_t bytes)
    : env_(env), dir_(std::move(dir)), path_(dir_ + "/reserve"), bytes_(bytes) {
  uint64_t size = 0;
  stands_ = env_->GetFileSize(path_, &size).ok() && size == bytes_;
}

absl::Status Reserve::Refill() {
  if (stands()) return absl::OkStatus();
  uint64_t free = 0;
  const rocksdb::Status asked = env_->GetFreeSpace(dir_, &free);
  if (asked.ok() && !must_write_ && free < bytes_ + bytes_ / kReserveHeadroomDivisor) {
    return FromRocks(rocksdb::Status::NoSpace("too little free space for the reserve"), "keep " + path_);
  }
  absl::Status status = must_write_ ? WriteStep() : Allocate();
  if (!status.ok()) Release();
  return status;
}

bool Reserve::Release() {
  stands_ = false;
  must_write_ = false;
  return env_->DeleteFile(path_).ok();
}

// Blocks first, then the size that says that they are there.
absl::Status Reserve::Allocate() {
  const rocksdb::IOOptions options;
  std::unique_ptr<rocksdb::FSWritableFile> file;
  rocksdb::FileSystem* const files = env_->GetFileSystem().get();
  rocksdb::IOStatus status = files->NewWritableFile(path_, rocksdb::FileOptions(), &file, nullptr);
  if (!status.ok()) return FromRocks(status, "create " + path_);
  status = file->Allocate(0, bytes_, options, nullptr);
  if (status.IsNoSpace()) return FromRocks(status, "allocate " + path_);
  if (!status.ok()) {
    must_write_ = true;
    return absl::OkStatus();
  }
  status = file->Truncate(bytes_, options, nullptr);
  if (status.ok()) status = file->Fsync(options, nullptr);
  if (status.ok()) status = file->Close(options, nullptr);
  RETURN_IF_ERROR(FromRocks(status, "size " + path_));
  RETURN_IF_ERROR(SyncFolder(env_, dir_));
  stands_ = true;
  return absl::OkStatus();
}

absl::Status Reserve::WriteStep() {
  uint64_t size = 0;
  RETURN_IF_ERROR(FromRocks(env_->GetFileSize(path_, &size), "look at " + path_));
  std::unique_ptr<rocksdb::WritableFile> file;
  RETURN_IF_ERROR(FromRocks(env_->ReopenWritableFile(path_, &file, rocksdb::EnvOptions()), "open " + path_));
  const std::string zeros(std::min(kReserveStepBytes, bytes_ - size), '\0');
  RETURN_IF_ERROR(FromRocks(file->Append(zeros), "write " + path_));
  RETURN_IF_ERROR(FromRocks(file->Fsync(), "sync " + path_));
  RETURN_IF_ERROR(FromRocks(file->Close(), "close " + path_));
  if (size + zeros.size() < bytes_) return absl::OkStatus();
  RETURN_IF_ERROR(SyncFolder(env_, dir_));
  stands_ = true;
  return absl::OkStatus();
}

}  // namespace anabranch
