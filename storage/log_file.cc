#include "storage/log_file.h"

#include <utility>

namespace anabranch {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

class LogFile final : public rocksdb::FSWritableFile {
 public:
  LogFile(std::unique_ptr<rocksdb::FSRandomRWFile> file, const rocksdb::FileOptions& options)
      : FSWritableFile(options), file_(std::move(file)) {}

  using FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = file_->Write(size_, data, options, debug);
    if (!status.ok()) return status;
    size_ += data.size();
    if (size_ > room_upto_) MakeRoom(options, debug);
    return status;
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* debug) override { return file_->Flush(options, debug); }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override { return file_->Sync(options, debug); }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override { return file_->Fsync(options, debug); }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override { return file_->Close(options, debug); }
  bool IsSyncThreadSafe() const override { return true; }
  uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return size_; }

 private:
  // On a full disk the log does without.
  void MakeRoom(const IOOptions& options, IODebugContext* debug) {
    static const std::string kZeros(kLogAheadBytes, '\0');
    const bool made = file_->Write(size_, kZeros, options, debug).ok();
    room_upto_ = made ? size_ + kZeros.size() : size_;
  }

  const std::unique_ptr<rocksdb::FSRandomRWFile> file_;
  uint64_t size_ = 0;  // of the records
  uint64_t room_upto_ = 0;
};

}  // namespace

bool IsLog(const std::string& path) { return path.ends_with(".log"); }

IOStatus NewLogFile(rocksdb::FileSystem* files, const std::string& path, const rocksdb::FileOptions& options,
                    std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext* debug) {
  std::unique_ptr<rocksdb::FSWritableFile> created;
  IOStatus status = files->NewWritableFile(path, options, &created, debug);
  if (status.ok()) status = created->Close(options.io_options, debug);
  std::unique_ptr<rocksdb::FSRandomRWFile> file;
  if (status.ok()) status = files->NewRandomRWFile(path, options, &file, debug);
  if (status.ok()) *result = std::make_unique<LogFile>(std::move(file), options);
  return status;
}

}  // namespace anabranch
