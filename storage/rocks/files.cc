#include "storage/rocks/files.h"

#include <mutex>
#include <utility>
#include <vector>

#include "base/status.h"
#include "rocksdb/file_system.h"
#include "storage/rocks/io_status.h"
#include "storage/rocks/keyspace.h"
#include "storage/rocks/log_file.h"

namespace anabranch {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

// Whether the manifest that is current, now or after a power failure, may name tables that RocksDB does not know of.
// Thread-safe.
class ManifestDoubt {
 public:
  // Of a write or sync of a manifest.
  IOStatus Note(IOStatus status) {
    std::lock_guard lock(mutex_);
    if (!status.ok()) Begin("");
    return status;
  }
  // Another is about to be made current: until the folder that says so is synced, either may be.
  void NoteReplacing() {
    std::lock_guard lock(mutex_);
    Begin("");
  }
  void NoteReplaced(std::string folder) {
    std::lock_guard lock(mutex_);
    Begin(std::move(folder));
  }

  // Before a sync of the folder, and after it, with what was returned before: what came in between it did not cover.
  uint64_t generation() const {
    std::lock_guard lock(mutex_);
    return generation_;
  }
  void NoteSynced(const std::string& folder, uint64_t generation) {
    std::lock_guard lock(mutex_);
    if (generation == generation_ && folder == replaced_in_) doubtful_ = false;
  }

  bool doubtful() const {
    std::lock_guard lock(mutex_);
    return doubtful_;
  }

 private:
  // REQUIRES: mutex_ held.
  void Begin(std::string replaced_in) {
    doubtful_ = true;
    ++generation_;
    replaced_in_ = std::move(replaced_in);
  }

  mutable std::mutex mutex_;  // guards all below
  bool doubtful_ = false;
  uint64_t generation_ = 0;  // of the doubt
  std::string replaced_in_;  // the folder whose sync ends it; empty: another manifest has to become current first
};

class StoreFolder final : public rocksdb::FSDirectoryWrapper {
 public:
  StoreFolder(std::unique_ptr<rocksdb::FSDirectory> folder, std::string path, ManifestDoubt* doubt)
      : FSDirectoryWrapper(std::move(folder)), path_(std::move(path)), doubt_(doubt) {}
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    const uint64_t generation = doubt_->generation();
    return Synced(FSDirectoryWrapper::Fsync(options, debug), generation);
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& why) override {
    const uint64_t generation = doubt_->generation();
    return Synced(FSDirectoryWrapper::FsyncWithDirOptions(options, debug, why), generation);
  }

 private:
  IOStatus Synced(const IOStatus& status, uint64_t generation) {
    if (status.ok()) doubt_->NoteSynced(path_, generation);
    return FinalOfSync(status);
  }

  const std::string path_;
  ManifestDoubt* const doubt_;
};

// What is not a log.
class StoreFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  // `doubt`: of a manifest; else null.
  StoreFile(std::unique_ptr<rocksdb::FSWritableFile> file, ManifestDoubt* doubt)
      : FSWritableFileOwnerWrapper(std::move(file)), doubt_(doubt) {}
  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    return Told(target()->Append(data, options, debug));
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo& verification,
                  IODebugContext* debug) override {
    return Told(target()->Append(data, options, verification, debug));
  }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override { return Told(target()->Close(options, debug)); }
  IOStatus Flush(const IOOptions& options, IODebugContext* debug) override { return Told(target()->Flush(options, debug)); }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override { return Told(target()->Sync(options, debug)); }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override { return Told(target()->Fsync(options, debug)); }
  IOStatus RangeSync(uint64_t offset, uint64_t bytes, const IOOptions& options, IODebugContext* debug) override {
    return Told(target()->RangeSync(offset, bytes, options, debug));
  }
  IOStatus Allocate(uint64_t offset, uint64_t bytes, const IOOptions& options, IODebugContext* debug) override {
    return FullIfQuota(target()->Allocate(offset, bytes, options, debug));
  }

 private:
  IOStatus Told(IOStatus status) const {
    IOStatus told = FullIfQuota(std::move(status));
    return doubt_ == nullptr ? told : doubt_->Note(std::move(told));
  }

  ManifestDoubt* const doubt_;
};

class StoreFiles final : public rocksdb::FileSystemWrapper {
 public:
  StoreFiles(const std::shared_ptr<rocksdb::FileSystem>& base, std::shared_ptr<std::atomic<uint64_t>> last_log)
      : FileSystemWrapper(base), last_log_(std::move(last_log)) {}
  const char* Name() const override { return "anabranch.StoreFiles"; }

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext* debug) override {
    if (IsLog(path)) return NewLogFile(target(), path, options, last_log_.get(), result, debug);
    return Wrapped(path, target()->NewWritableFile(path, options, result, debug), result);
  }
  IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                              std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext* debug) override {
    return Wrapped(path, target()->ReopenWritableFile(path, options, result, debug), result);
  }

  IOStatus NewDirectory(const std::string& path, const IOOptions& options, std::unique_ptr<rocksdb::FSDirectory>* result,
                        IODebugContext* debug) override {
    std::unique_ptr<rocksdb::FSDirectory> folder;
    IOStatus status = target()->NewDirectory(path, options, &folder, debug);
    if (status.ok()) *result = std::make_unique<StoreFolder>(std::move(folder), path, &doubt_);
    return status;
  }

  IOStatus DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) override {
    if (path.ends_with(".sst") && doubt_.doubtful()) return IOStatus::Busy("a manifest may name it", path);
    return target()->DeleteFile(path, options, debug);
  }

  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* debug) override {
    const bool replaces = to.ends_with("/CURRENT");
    if (replaces) doubt_.NoteReplacing();
    IOStatus status = FullIfQuota(target()->RenameFile(from, to, options, debug));
    if (status.ok() && replaces) doubt_.NoteReplaced(FolderOf(to));
    return status;
  }

  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions& options,
                    IODebugContext* debug) override {
    IOStatus status = FullIfQuota(target()->LinkFile(from, to, options, debug));
    if (!status.ok()) return status;
    std::unique_ptr<rocksdb::FSDirectory> folder;
    status = NewDirectory(FolderOf(to), options, &folder, debug);
    if (status.ok()) status = folder->Fsync(options, debug);
    return status;
  }

 private:
  IOStatus Wrapped(const std::string& path, IOStatus made, std::unique_ptr<rocksdb::FSWritableFile>* file) {
    if (!made.ok()) return FullIfQuota(std::move(made));
    const bool is_manifest = path.find("/MANIFEST-") != std::string::npos;
    *file = std::make_unique<StoreFile>(std::move(*file), is_manifest ? &doubt_ : nullptr);
    return made;
  }

  const std::shared_ptr<std::atomic<uint64_t>> last_log_;
  ManifestDoubt doubt_;
};

}  // namespace

StoreEnv::StoreEnv(rocksdb::Env* base) : StoreEnv(base, std::make_shared<std::atomic<uint64_t>>(0)) {}

StoreEnv::StoreEnv(rocksdb::Env* base, LastLog last_log)
    : EnvWrapper(rocksdb::NewCompositeEnv(std::make_shared<StoreFiles>(base->GetFileSystem(), last_log))),
      last_log_(std::move(last_log)) {
  system_clock_ = base->GetSystemClock();
}

absl::Status SyncFile(rocksdb::Env* env, const std::string& path) {
  std::unique_ptr<rocksdb::WritableFile> file;
  rocksdb::Status status = env->ReopenWritableFile(path, &file, rocksdb::EnvOptions());
  if (status.ok()) status = file->Fsync();
  if (status.ok()) status = file->Close();
  return FromRocks(status, "sync " + path);
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string ScratchRoot(const std::string& dir) { return dir + "/tmp"; }

absl::Status SyncFolder(rocksdb::Env* env, const std::string& folder) {
  std::unique_ptr<rocksdb::Directory> directory;
  rocksdb::Status status = env->NewDirectory(folder, &directory);
  if (status.ok()) status = directory->Fsync();
  return FromRocks(status, "sync folder " + folder);
}

absl::Status RemoveTree(rocksdb::Env* env, const std::string& path) {
  std::vector<std::string> children;
  const rocksdb::Status listed = env->GetChildren(path, &children);
  if (listed.IsNotFound()) return absl::OkStatus();
  RETURN_IF_ERROR(FromRocks(listed, "list " + path));
  for (const std::string& child : children) {
    const std::string inside = path + "/" + child;
    bool is_folder = false;
    RETURN_IF_ERROR(FromRocks(env->IsDirectory(inside, &is_folder), "look at " + inside));
    if (is_folder) {
      RETURN_IF_ERROR(RemoveTree(env, inside));
    } else {
      RETURN_IF_ERROR(FromRocks(env->DeleteFile(inside), "remove " + inside));
    }
  }
  return FromRocks(env->DeleteDir(path), "remove folder " + path);
}

}  // namespace anabranch
