// What RocksDB holds of the files of a FaultFileSystem, which outlives them.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "storage/testing/fault_file_system.h"

namespace anabranch {

class FaultSequentialFile final : public rocksdb::FSSequentialFile {
 public:
  FaultSequentialFile(const FaultFileSystem* files, std::shared_ptr<FaultFileSystem::File> file)
      : files_(files), file_(std::move(file)) {}
  rocksdb::IOStatus Read(size_t bytes, const rocksdb::IOOptions&, rocksdb::Slice* result, char* scratch,
                         rocksdb::IODebugContext*) override {
    const rocksdb::IOStatus status = files_->ReadAt(*file_, offset_, bytes, result, scratch);
    offset_ += result->size();
    return status;
  }
  rocksdb::IOStatus Skip(uint64_t bytes) override {
    offset_ += bytes;
    return rocksdb::IOStatus::OK();
  }

 private:
  const FaultFileSystem* const files_;
  const std::shared_ptr<FaultFileSystem::File> file_;
  uint64_t offset_ = 0;
};

class FaultRandomAccessFile final : public rocksdb::FSRandomAccessFile {
 public:
  FaultRandomAccessFile(const FaultFileSystem* files, std::shared_ptr<FaultFileSystem::File> file)
      : files_(files), file_(std::move(file)) {}
  rocksdb::IOStatus Read(uint64_t offset, size_t bytes, const rocksdb::IOOptions&, rocksdb::Slice* result, char* scratch,
                         rocksdb::IODebugContext*) const override {
    return files_->ReadAt(*file_, offset, bytes, result, scratch);
  }
  rocksdb::IOStatus Prefetch(uint64_t, size_t, const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::NotSupported("Prefetch");
  }

 private:
  const FaultFileSystem* const files_;
  const std::shared_ptr<FaultFileSystem::File> file_;
};

class FaultWritableFile final : public rocksdb::FSWritableFile {
 public:
  FaultWritableFile(FaultFileSystem* files, std::string path, std::shared_ptr<FaultFileSystem::File> file)
      : files_(files), path_(std::move(path)), file_(std::move(file)) {}
  using FSWritableFile::Append;
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return files_->Append(path_, *file_, data);
  }
  rocksdb::IOStatus Allocate(uint64_t, uint64_t, const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return files_->Allocate();
  }
  rocksdb::IOStatus Truncate(uint64_t size, const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return files_->Resize(path_, *file_, size);
  }
  rocksdb::IOStatus Close(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override { return rocksdb::IOStatus::OK(); }
  rocksdb::IOStatus Flush(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override { return rocksdb::IOStatus::OK(); }
  rocksdb::IOStatus Sync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return files_->Sync(path_, *file_);
  }
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return files_->Sync(path_, *file_);
  }
  bool IsSyncThreadSafe() const override { return true; }
  uint64_t GetFileSize(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override { return files_->Size(*file_); }

 private:
  FaultFileSystem* const files_;
  const std::string path_;
  const std::shared_ptr<FaultFileSystem::File> file_;
};

class FaultRandomRWFile final : public rocksdb::FSRandomRWFile {
 public:
  FaultRandomRWFile(FaultFileSystem* files, std::string path, std::shared_ptr<FaultFileSystem::File> file)
      : files_(files), path_(std::move(path)), file_(std::move(file)) {}
  rocksdb::IOStatus Write(uint64_t offset, const rocksdb::Slice& data, const rocksdb::IOOptions&,
                          rocksdb::IODebugContext*) override {
    return files_->Write(path_, *file_, offset, data);
  }
  rocksdb::IOStatus Read(uint64_t offset, size_t bytes, const rocksdb::IOOptions&, rocksdb::Slice* result, char* scratch,
                         rocksdb::IODebugContext*) const override {
    return files_->ReadAt(*file_, offset, bytes, result, scratch);
  }
  rocksdb::IOStatus Flush(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override { return rocksdb::IOStatus::OK(); }
  rocksdb::IOStatus Sync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return files_->Sync(path_, *file_);
  }
  rocksdb::IOStatus Close(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override { return rocksdb::IOStatus::OK(); }

 private:
  FaultFileSystem* const files_;
  const std::string path_;
  const std::shared_ptr<FaultFileSystem::File> file_;
};

class FaultFolder final : public rocksdb::FSDirectory {
 public:
  FaultFolder(FaultFileSystem* files, std::string path) : files_(files), path_(std::move(path)) {}
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return files_->SyncFolder(path_);
  }
  rocksdb::IOStatus Close(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override { return rocksdb::IOStatus::OK(); }

 private:
  FaultFileSystem* const files_;
  const std::string path_;
};

}  // namespace anabranch
