#include "storage/rocks/log_file.h"

#include <cstdlib>
#include <mutex>
#include <utility>

#include "storage/rocks/files.h"
#include "storage/rocks/io_status.h"
#include "storage/rocks/log_format.h"

namespace anabranch {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

// Thread-safe: whoever flushes syncs the logs before that, and RocksDB says of none of its files that they are used by one
// thread at a time.
class LogFile final : public rocksdb::FSWritableFile {
 public:
  LogFile(rocksdb::FileSystem* files, std::string path, const FileOptions& options, std::atomic<uint64_t>* last_written)
      : FSWritableFile(options),
        files_(files),
        path_(std::move(path)),
        number_(std::strtoull(path_.c_str() + path_.rfind('/') + 1, nullptr, 10)),
        options_(options),
        last_written_(last_written) {}

  IOStatus Create(const IOOptions& options, IODebugContext* debug) {
    std::lock_guard lock(mutex_);
    return CreateNow(options, debug);
  }

  using FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    std::lock_guard lock(mutex_);
    if (!refused_.ok()) return refused_;
    IOStatus status = file_ == nullptr ? CreateNow(options, debug) : IOStatus::OK();
    if (status.ok()) status = FullIfQuota(file_->Write(size_, data, options, debug));
    if (!status.ok()) {
      const char* const why = status.getState() == nullptr ? "" : status.getState();
      refused_ = status.IsNoSpace() ? IOStatus::Busy(why) : status;
      return refused_;
    }
    *last_written_ = number_;
    end_.Append(data.ToStringView());
    size_ += data.size();
    if (size_ > room_upto_) MakeRoom(options, debug);
    return status;
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* debug) override {
    std::lock_guard lock(mutex_);
    return file_ == nullptr ? IOStatus::OK() : file_->Flush(options, debug);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    std::lock_guard lock(mutex_);
    return refused_.ok() ? SyncNow(&rocksdb::FSRandomRWFile::Sync, options, debug)
                         : SyncNow(&rocksdb::FSRandomRWFile::Fsync, options, debug);
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    std::lock_guard lock(mutex_);
    return SyncNow(&rocksdb::FSRandomRWFile::Fsync, options, debug);
  }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    std::lock_guard lock(mutex_);
    return file_ == nullptr ? IOStatus::OK() : file_->Close(options, debug);
  }
  bool IsSyncThreadSafe() const override { return true; }
  uint64_t GetFileSize(const IOOptions&, IODebugContext*) override {
    std::lock_guard lock(mutex_);
    return size_;
  }

 private:
  using SyncMethod = IOStatus (rocksdb::FSRandomRWFile::*)(const IOOptions&, IODebugContext*);

  // All REQUIRE: mutex_ held.

  // The name is on disk before the first record: RocksDB syncs the folder with the first sync of a log that it has made,
  // and no more if that came before the file.
  IOStatus CreateNow(const IOOptions& options, IODebugContext* debug) {
    std::unique_ptr<rocksdb::FSWritableFile> created;
    std::unique_ptr<rocksdb::FSRandomRWFile> file;
    std::unique_ptr<rocksdb::FSDirectory> folder;
    IOStatus status = files_->NewWritableFile(path_, options_, &created, debug);
    if (status.ok()) status = created->Close(options, debug);
    if (status.ok()) status = files_->NewRandomRWFile(path_, options_, &file, debug);
    if (status.ok()) status = files_->NewDirectory(FolderOf(path_), options, &folder, debug);
    if (!status.ok()) return FullIfQuota(status);
    status = FinalOfSync(folder->Fsync(options, debug));
    if (status.ok()) file_ = std::move(file);
    return status;
  }

  IOStatus SyncNow(SyncMethod sync, const IOOptions& options, IODebugContext* debug) {
    if (file_ == nullptr) return IOStatus::OK();
    if (!refused_.ok()) {  // may be repeated
      const IOStatus cut = FullIfQuota(CutOff(end_.value(), options, debug));
      if (!cut.ok()) return cut;
    }
    if (sync_failed_.ok()) sync_failed_ = FinalOfSync(((*file_).*sync)(options, debug));
    return sync_failed_;
  }

  // On a full disk the log does without, and leaves what there is to those who need it.
  void MakeRoom(const IOOptions& options, IODebugContext* debug) {
    static const std::string kZeros(kLogAheadBytes, '\0');
    if (without_room_) return;
    uint64_t free = 0;
    const bool is_known = files_->GetFreeSpace(path_, options, &free, debug).ok();
    without_room_ = is_known && free < kLogAheadFreeBytes;
    if (without_room_) return;
    without_room_ = !file_->Write(size_, kZeros, options, debug).ok();
    if (without_room_) (void)CutOff(size_, options, debug);  // else it is zeros behind the last record
    if (!without_room_) room_upto_ = size_ + kZeros.size();
  }

  IOStatus CutOff(uint64_t at, const IOOptions& options, IODebugContext* debug) {
    std::unique_ptr<rocksdb::FSWritableFile> file;
    IOStatus status = files_->ReopenWritableFile(path_, options_, &file, debug);
    if (status.ok()) status = file->Truncate(at, options, debug);
    if (status.ok()) status = file->Close(options, debug);
    return status;
  }

  rocksdb::FileSystem* const files_;
  const std::string path_;
  const uint64_t number_;
  const FileOptions options_;
  std::atomic<uint64_t>* const last_written_;

  std::mutex mutex_;                               // guards all below
  std::unique_ptr<rocksdb::FSRandomRWFile> file_;  // null: not created yet
  LogEnd end_;
  uint64_t size_ = 0;  // of the records
  uint64_t room_upto_ = 0;
  bool without_room_ = false;  // no more room is made ahead
  IOStatus refused_;           // not OK: a write failed, nothing more is taken
  IOStatus sync_failed_;       // not OK: no sync succeeds any more
};

}  // namespace

bool IsLog(const std::string& path) { return path.ends_with(".log"); }

IOStatus NewLogFile(rocksdb::FileSystem* files, const std::string& path, const FileOptions& options,
                    std::atomic<uint64_t>* last_written, std::unique_ptr<rocksdb::FSWritableFile>* result,
                    IODebugContext* debug) {
  auto log = std::make_unique<LogFile>(files, path, options, last_written);
  IOStatus status = log->Create(options.io_options, debug);
  if (!status.ok() && !status.IsNoSpace()) return status;
  *result = std::move(log);
  return IOStatus::OK();
}

}  // namespace anabranch
