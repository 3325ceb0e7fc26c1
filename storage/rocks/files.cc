#include "storage/rocks/files.h"

#include <utility>
#include <vector>

#include "base/status.h"
#include "rocksdb/file_system.h"
#include "storage/rocks/keyspace.h"
#include "storage/rocks/log_file.h"

namespace anabranch {
namespace {

class StoreFolder final : public rocksdb::FSDirectoryWrapper {
 public:
  using FSDirectoryWrapper::FSDirectoryWrapper;
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    return FinalOfSync(FSDirectoryWrapper::Fsync(options, debug));
  }
  rocksdb::IOStatus FsyncWithDirOptions(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug,
                                        const rocksdb::DirFsyncOptions& why) override {
    return FinalOfSync(FSDirectoryWrapper::FsyncWithDirOptions(options, debug, why));
  }
};

class StoreFiles final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "anabranch.StoreFiles"; }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override {
    if (IsLog(path)) return NewLogFile(target(), path, options, result, debug);
    return target()->NewWritableFile(path, options, result, debug);
  }

  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* result, rocksdb::IODebugContext* debug) override {
    std::unique_ptr<rocksdb::FSDirectory> folder;
    rocksdb::IOStatus status = target()->NewDirectory(path, options, &folder, debug);
    if (status.ok()) *result = std::make_unique<StoreFolder>(std::move(folder));
    return status;
  }

  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = target()->LinkFile(from, to, options, debug);
    if (!status.ok()) return status;
    std::unique_ptr<rocksdb::FSDirectory> folder;
    status = NewDirectory(to.substr(0, to.rfind('/')), options, &folder, debug);
    if (status.ok()) status = folder->Fsync(options, debug);
    return status;
  }
};

class StoreEnv final : public rocksdb::EnvWrapper {
 public:
  explicit StoreEnv(rocksdb::Env* base)
      : EnvWrapper(rocksdb::NewCompositeEnv(std::make_shared<StoreFiles>(base->GetFileSystem()))) {
    system_clock_ = base->GetSystemClock();
  }
};

}  // namespace

std::shared_ptr<rocksdb::Env> MakeStoreEnv(rocksdb::Env* base) { return std::make_shared<StoreEnv>(base); }

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
