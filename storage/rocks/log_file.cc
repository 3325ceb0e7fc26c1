#include "storage/rocks/log_file.h"

#include <utility>

#include "storage/rocks/log_format.h"

namespace anabranch {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

class LogFile final : public rocksdb::FSWritableFile {
 public:
  LogFile(rocksdb::FileSystem* files, std::string path, const FileOptions& options)
      : FSWritableFile(options), files_(files), path_(std::move(path)), options_(options) {}

  IOStatus Create(const IOOptions& options, IODebugContext* debug) {
    std::unique_ptr<rocksdb::FSWritableFile> created;
    IOStatus status = files_->NewWritableFile(path_, options_, &created, debug);
    if (status.ok()) status = created->Close(options, debug);
    if (status.ok()) status = files_->NewRandomRWFile(path_, options_, &file_, debug);
    return status;
  }

  using FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    if (!refused_.ok()) return refused_;
    IOStatus status = file_ == nullptr ? Create(options, debug) : IOStatus::OK();
    if (status.ok()) status = file_->Write(size_, data, options, debug);
    if (!status.ok()) {
      const char* const why = status.getState() == nullptr ? "" : status.getState();
      refused_ = status.IsNoSpace() ? IOStatus::Busy(why) : status;
      return refused_;
    }
    end_.Append(data.ToStringView());
    size_ += data.size();
    if (size_ > room_upto_) MakeRoom(options, debug);
    return status;
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* debug) override {
    return file_ == nullptr ? IOStatus::OK() : file_->Flush(options, debug);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    if (file_ == nullptr) return IOStatus::OK();
    if (!refused_.ok()) return Fsync(options, debug);
    if (sync_failed_.ok()) sync_failed_ = FinalOfSync(file_->Sync(options, debug));
    return sync_failed_;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    if (file_ == nullptr) return IOStatus::OK();
    if (!refused_.ok()) {
      const IOStatus cut = CutOffRefused(options, debug);
      if (!cut.ok()) return cut;
    }
    if (sync_failed_.ok()) sync_failed_ = FinalOfSync(file_->Fsync(options, debug));
    return sync_failed_;
  }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    return file_ == nullptr ? IOStatus::OK() : file_->Close(options, debug);
  }
  bool IsSyncThreadSafe() const override { return true; }
  uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return size_; }

 private:
  // On a full disk the log does without.
  void MakeRoom(const IOOptions& options, IODebugContext* debug) {
    static const std::string kZeros(kLogAheadBytes, '\0');
    const bool made = file_->Write(size_, kZeros, options, debug).ok();
    room_upto_ = made ? size_ + kZeros.size() : size_;
  }

  // May be repeated.
  IOStatus CutOffRefused(const IOOptions& options, IODebugContext* debug) {
    std::unique_ptr<rocksdb::FSWritableFile> file;
    IOStatus status = files_->ReopenWritableFile(path_, options_, &file, debug);
    if (status.ok()) status = file->Truncate(end_.value(), options, debug);
    if (status.ok()) status = file->Close(options, debug);
    return status;
  }

  rocksdb::FileSystem* const files_;
  const std::string path_;
  const FileOptions options_;
  std::unique_ptr<rocksdb::FSRandomRWFile> file_;  // null: not created yet
  LogEnd end_;
  uint64_t size_ = 0;  // of the records
  uint64_t room_upto_ = 0;
  IOStatus refused_;      // not OK: a write failed, nothing more is taken
  IOStatus sync_failed_;  // not OK: no sync succeeds any more
};

}  // namespace

bool IsLog(const std::string& path) { return path.ends_with(".log"); }

IOStatus NewLogFile(rocksdb::FileSystem* files, const std::string& path, const FileOptions& options,
                    std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext* debug) {
  auto log = std::make_unique<LogFile>(files, path, options);
  IOStatus status = log->Create(options.io_options, debug);
  if (!status.ok() && !status.IsNoSpace()) return status;
  *result = std::move(log);
  return IOStatus::OK();
}

IOStatus FinalOfSync(const IOStatus& status) {
  return status.IsNoSpace() ? IOStatus::IOError("failed sync", status.ToString()) : status;
}

}  // namespace anabranch
