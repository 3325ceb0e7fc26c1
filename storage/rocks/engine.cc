#include <fmt/format.h>

#include "base/check.h"
#include "base/disk_error.h"
#include "base/status.h"
#include "storage/rocks/keyspace.h"

namespace anabranch {

RocksEngine::~RocksEngine() {
  if (db == nullptr) return;
  point_iterators->Clear();
  if (meta != nullptr) db->DestroyColumnFamilyHandle(meta);
  if (default_family != nullptr) db->DestroyColumnFamilyHandle(default_family);
}

rocksdb::WriteBatch RocksEngine::NewBatch() const {
  rocksdb::WriteBatch batch;
  PutLogMark(&batch, mark, log_key);
  return batch;
}

rocksdb::Status RocksEngine::Write(rocksdb::WriteBatch* batch, bool sync) {
  CHECK(HasMark(*batch, mark), "a record was to be written with the mark of another");
  rocksdb::WriteOptions options;
  options.sync = sync;
  const rocksdb::Status status = db->Write(options, batch);
  if (status.IsBusy()) return rocksdb::Status::NoSpace(status.getState());  // storage/rocks/log_file.h
  if (!status.ok()) return status;
  mark.before = {.log = env->last_log(), .upto = SequenceAfter(*batch)};
  if (sync) mark.synced = mark.before;
  return status;
}

rocksdb::Status RocksEngine::Sync() {
  const rocksdb::Status status = db->SyncWAL();
  if (status.ok()) mark.synced = mark.before;
  return status;
}

// A flush begins a new log, after which it syncs the old one; but only where there is something to flush. All other
// families may be empty, and what they hold need not be flushed.
rocksdb::Status RocksEngine::BeginLog() {
  rocksdb::WriteOptions past_the_log;
  past_the_log.disableWAL = true;
  const rocksdb::Status status = db->Put(past_the_log, default_family, "", "");
  if (!status.ok()) return status;
  rocksdb::FlushOptions flush;
  flush.allow_write_stall = true;  // or it waits until there is none
  return db->Flush(flush, default_family);
}

absl::Status FromRocks(const rocksdb::Status& status, std::string_view context) {
  if (status.ok()) return absl::OkStatus();
  const std::string message = fmt::format("{}: {}", context, status.ToString());
  if (status.IsNoSpace()) return DiskError(DiskFault::kFull, message);
  if (status.IsIOError()) return DiskError(DiskFault::kOther, message);
  if (status.IsCorruption()) return absl::DataLossError(message);
  return absl::InternalError(message);
}

absl::StatusOr<std::optional<std::string>> ReadMeta(RocksEngine& engine, std::string_view key) {
  std::string value;
  const rocksdb::Status status = engine.db->Get(rocksdb::ReadOptions(), engine.meta, rocksdb::Slice(key), &value);
  ++engine.counter.gets;
  if (status.IsNotFound()) return std::nullopt;
  RETURN_IF_ERROR(FromRocks(status, "read meta"));
  return value;
}

}  // namespace anabranch
