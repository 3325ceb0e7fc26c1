#include "storage/ledger.h"

#include <algorithm>
#include <utility>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "storage/mvcc/change_index.h"
#include "storage/rocks/files.h"
#include "storage/store_impl.h"

namespace anabranch {
namespace {

constexpr size_t kLedgerBufferBytes = 1 << 20;

absl::Status TooLarge(uint64_t bytes_max) {
  return SqlError(sqlstate::kConfigurationLimitExceeded,
                  fmt::format("the writes that would be undone take more than {} bytes", bytes_max));
}

// A file that appears under its name only when it is whole and on disk. Created by the first Append.
class LedgerFile {
 public:
  LedgerFile(rocksdb::Env* env, std::string path) : env_(env), path_(std::move(path)), temporary_(path_ + ".tmp") {}
  ~LedgerFile() {
    if (file_ == nullptr) return;
    file_.reset();
    (void)env_->DeleteFile(temporary_);
  }
  LedgerFile(const LedgerFile&) = delete;
  LedgerFile& operator=(const LedgerFile&) = delete;

  uint64_t bytes() const { return bytes_; }  // appended so far

  absl::Status Append(std::string_view record) {
    if (file_ == nullptr) {
      RETURN_IF_ERROR(FromRocks(env_->NewWritableFile(temporary_, &file_, rocksdb::EnvOptions()), "create " + temporary_));
    }
    buffer_.append(record);
    bytes_ += record.size();
    return buffer_.size() < kLedgerBufferBytes ? absl::OkStatus() : WriteBuffer();
  }

  absl::Status Finish() {
    RETURN_IF_ERROR(WriteBuffer());
    RETURN_IF_ERROR(FromRocks(file_->Fsync(), "sync " + temporary_));
    RETURN_IF_ERROR(FromRocks(file_->Close(), "close " + temporary_));
    RETURN_IF_ERROR(FromRocks(env_->RenameFile(temporary_, path_), "rename " + temporary_));
    file_.reset();
    return SyncFolder(env_, FolderOf(path_));
  }

 private:
  absl::Status WriteBuffer() {
    RETURN_IF_ERROR(FromRocks(file_->Append(buffer_), "write " + temporary_));
    buffer_.clear();
    return absl::OkStatus();
  }

  rocksdb::Env* const env_;
  const std::string path_;
  const std::string temporary_;
  std::string buffer_;
  uint64_t bytes_ = 0;
  std::unique_ptr<rocksdb::WritableFile> file_;
};

void EncodeLedgerRecord(const Version& version, std::string* record) {
  std::string payload;
  PutVarint(&payload, version.timestamp.ns);
  payload.push_back(static_cast<char>(version.write.kind));
  PutLengthPrefixed(&payload, version.key);
  payload.append(version.write.value);
  record->clear();
  PutFixed32(record, Crc32c(payload));
  PutLengthPrefixed(record, payload);
}

bool DecodePayload(std::string_view payload, Version* version) {
  std::string_view key;
  if (!TakeVarint(&payload, &version->timestamp.ns) || payload.empty()) return false;
  version->write.kind = static_cast<WriteKind>(payload.front());
  payload.remove_prefix(1);
  if (!TakeLengthPrefixed(&payload, &key)) return false;
  version->key = key;
  version->write.value = payload;
  return true;
}

class Reader final : public LedgerReader {
 public:
  Reader(std::string path, std::unique_ptr<rocksdb::RandomAccessFile> file, uint64_t size)
      : path_(std::move(path)), file_(std::move(file)), size_(size) {}

  absl::StatusOr<bool> Next(Version* version) override {
    if (next_ == size_) return false;
    position_ = next_;
    ASSIGN_OR_RETURN(next_, Read(position_, &ahead_, version));
    return true;
  }
  uint64_t position() const override { return position_; }
  absl::StatusOr<Version> At(uint64_t position) override {
    Version version;
    RETURN_IF_ERROR(Read(position, &aside_, &version).status());
    return version;
  }

 private:
  // A stretch of the file that is read at once.
  struct Window {
    size_t bytes_min;
    std::string buffer = {};
    std::string_view bytes = {};  // in the buffer, or where the file system has it
    uint64_t at = 0;
  };

  absl::Status Damaged(uint64_t position) const {
    return absl::DataLossError(fmt::format("{}: the record at {} is damaged", path_, position));
  }

  // [position, position + bytes) of the file, or less at its end; until the next call.
  absl::StatusOr<std::string_view> Bytes(uint64_t position, uint64_t bytes, Window* window) {
    bytes = std::min(bytes, size_ - std::min(position, size_));
    if (position < window->at || position + bytes > window->at + window->bytes.size()) {
      window->buffer.resize(std::max<uint64_t>(bytes, window->bytes_min));
      rocksdb::Slice read;
      RETURN_IF_ERROR(
          FromRocks(file_->Read(position, window->buffer.size(), &read, window->buffer.data()), "read " + path_));
      window->bytes = {read.data(), read.size()};
      window->at = position;
    }
    return window->bytes.substr(position - window->at, bytes);
  }

  // Returns where the next record begins.
  absl::StatusOr<uint64_t> Read(uint64_t position, Window* window, Version* version) {
    constexpr uint64_t kHeadBytesMax = 4 + 10;  // CRC and varint
    ASSIGN_OR_RETURN(const std::string_view head, Bytes(position, kHeadBytesMax, window));
    std::string_view rest = head;
    uint32_t crc = 0;
    uint64_t payload_bytes = 0;
    if (!TakeFixed32(&rest, &crc) || !TakeVarint(&rest, &payload_bytes)) return Damaged(position);
    const uint64_t payload_at = position + (head.size() - rest.size());
    if (payload_bytes > size_ - payload_at) return Damaged(position);
    ASSIGN_OR_RETURN(const std::string_view payload, Bytes(payload_at, payload_bytes, window));
    if (payload.size() != payload_bytes || Crc32c(payload) != crc || !DecodePayload(payload, version)) {
      return Damaged(position);
    }
    return payload_at + payload_bytes;
  }

  const std::string path_;
  const std::unique_ptr<rocksdb::RandomAccessFile> file_;
  const uint64_t size_;
  uint64_t position_ = 0;
  uint64_t next_ = 0;
  Window ahead_{.bytes_min = kLedgerBufferBytes};
  Window aside_{.bytes_min = 4 << 10};
};

}  // namespace

absl::StatusOr<LedgerSize> WriteLedger(Store* store, const KeyspaceRef& keyspace, Timestamp after, Timestamp upto,
                                       const std::string& path, uint64_t bytes_max) {
  ASSIGN_OR_RETURN(auto cursor, ChangeCursor::Open(store, keyspace, after, upto, ChangeFilter::kAll));
  // The folder is new to a store's first failback: its name, too, has to be on disk before the failback is (R11).
  rocksdb::Env* const env = static_cast<RocksStore*>(store)->env();
  RETURN_IF_ERROR(FromRocks(env->CreateDirIfMissing(FolderOf(path)), "create " + FolderOf(path)));
  RETURN_IF_ERROR(SyncFolder(env, FolderOf(FolderOf(path))));
  LedgerFile file(env, path);
  uint64_t written = 0;
  ChangeEntry entry;
  std::string record;
  while (true) {
    ASSIGN_OR_RETURN(const bool found, cursor->NextTimestamp(&entry));
    if (!found) break;
    ASSIGN_OR_RETURN(const std::vector<Version> versions, ReadVersions(store, keyspace, entry));
    for (const Version& version : versions) {
      EncodeLedgerRecord(version, &record);
      if (record.size() > bytes_max - file.bytes()) return TooLarge(bytes_max);
      RETURN_IF_ERROR(file.Append(record));
    }
    written += versions.size();
  }
  if (written > 0) RETURN_IF_ERROR(file.Finish());
  return LedgerSize{.versions = written, .bytes = file.bytes()};
}

absl::StatusOr<std::unique_ptr<LedgerReader>> LedgerReader::Open(Store* store, const std::string& path) {
  rocksdb::Env* const env = static_cast<RocksStore*>(store)->env();
  uint64_t size = 0;
  std::unique_ptr<rocksdb::RandomAccessFile> file;
  RETURN_IF_ERROR(FromRocks(env->GetFileSize(path, &size), "open " + path));
  RETURN_IF_ERROR(FromRocks(env->NewRandomAccessFile(path, &file, rocksdb::EnvOptions()), "open " + path));
  return std::make_unique<Reader>(path, std::move(file), size);
}

absl::StatusOr<std::vector<Version>> ReadLedger(Store* store, const std::string& path) {
  ASSIGN_OR_RETURN(const auto reader, LedgerReader::Open(store, path));
  std::vector<Version> versions;
  while (true) {
    Version version;
    ASSIGN_OR_RETURN(const bool found, reader->Next(&version));
    if (!found) return versions;
    versions.push_back(std::move(version));
  }
}

}  // namespace anabranch
