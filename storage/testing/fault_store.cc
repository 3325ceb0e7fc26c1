#include "storage/testing/fault_store.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "base/coding.h"
#include "base/status.h"
#include "rocksdb/system_clock.h"
#include "storage/mvcc/change_index.h"
#include "storage/mvcc/reader.h"
#include "storage/rocks/meta_format.h"
#include "storage/store_impl.h"
#include "storage/transfer_check.h"

namespace anabranch {
namespace {

constexpr char kDir[] = "/store";
constexpr int kPauseMicrosMax = 1000;
constexpr uint64_t kBehindMicros = 4'999'000;

// RocksDB pauses for a second after a failed flush, and asks every five seconds whether a full disk has room again. Nothing
// here gets better by waiting: pauses are short, and a clock that is behind makes every wait for a moment short.
class ImpatientClock final : public rocksdb::SystemClockWrapper {
 public:
  using SystemClockWrapper::SystemClockWrapper;
  const char* Name() const override { return "anabranch.ImpatientClock"; }
  uint64_t NowMicros() override { return target_->NowMicros() - kBehindMicros; }
  void SleepForMicroseconds(int micros) override { target_->SleepForMicroseconds(std::min(micros, kPauseMicrosMax)); }
};

class FaultEnv final : public rocksdb::EnvWrapper {
 public:
  explicit FaultEnv(const std::shared_ptr<FaultFileSystem>& disk) : EnvWrapper(rocksdb::NewCompositeEnv(disk)) {
    system_clock_ = std::make_shared<ImpatientClock>(rocksdb::SystemClock::Default());
  }
};

std::string LabelKey(const std::string& label) { return std::string(kLabelPrefix) + label; }

void AppendVersion(std::string* text, std::string_view key, Timestamp ts, WriteKind kind, std::string_view value) {
  fmt::format_to(std::back_inserter(*text), "  {}@{}{}{}\n", key, ts.ns, kind == WriteKind::kPut ? "=" : "-", value);
}

absl::Status AppendHistory(FaultStore& store, const KeyspaceRef& keyspace, Timestamp at, std::string* text) {
  ASSIGN_OR_RETURN(auto cursor,
                   ChangeCursor::Open(store.store(), keyspace, keyspace->state()->floor, at, ChangeFilter::kVisible));
  ChangeEntry entry;
  while (true) {
    ASSIGN_OR_RETURN(const bool found, cursor->NextTimestamp(&entry));
    if (!found) return absl::OkStatus();
    ASSIGN_OR_RETURN(const std::vector<Version> versions, ReadVersions(store.store(), keyspace, entry));
    for (const Version& v : versions) AppendVersion(text, v.key, v.timestamp, v.write.kind, v.write.value);
  }
}

absl::Status AppendScan(FaultStore& store, const KeyspaceRef& keyspace, Timestamp at, std::string* text) {
  ASSIGN_OR_RETURN(auto reader, MvccReader::Open(store.store(), keyspace, at));
  const std::unique_ptr<MvccScan> scan = reader->Scan(Span{});
  while (true) {
    ASSIGN_OR_RETURN(const bool found, scan->Next());
    if (!found) return absl::OkStatus();
    // A point read goes another way through the files (filters), and must agree.
    ASSIGN_OR_RETURN(const std::optional<ReadVersion> row, reader->Get(scan->key()));
    if (!row || row->value != scan->value() || row->timestamp != scan->timestamp()) {
      return absl::DataLossError(fmt::format("get and scan disagree on {}", scan->key()));
    }
    AppendVersion(text, scan->key(), scan->timestamp(), WriteKind::kPut, scan->value());
  }
}

absl::Status AppendRaw(rocksdb::DB* db, rocksdb::ColumnFamilyHandle* family, const std::string& from, std::string* text) {
  const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(rocksdb::ReadOptions(), family));
  for (it->Seek(from); it->Valid(); it->Next()) {
    fmt::format_to(std::back_inserter(*text), "  {} {}\n", it->key().ToString(true), it->value().ToString(true));
  }
  return FromRocks(it->status(), "read everything");
}

}  // namespace

FaultStore::FaultStore(uint64_t seed, uint64_t reserve_bytes)
    : disk_(std::make_shared<FaultFileSystem>()),
      env_(std::make_unique<FaultEnv>(disk_)),
      reserve_bytes_(reserve_bytes),
      random_(seed) {
  CHECK(disk_->CreateDir(kDir, {}, nullptr).ok() && disk_->SyncFolder("/").ok(), "a disk without a fault");
}

absl::Status FaultStore::Open() {
  ASSIGN_OR_RETURN(
      store_,
      OpenStoreWithEnv(
          {.dir = kDir, .clock = &clock_, .random = &random_, .block_cache_bytes = 4 << 20, .write_buffer_bytes = 64 << 20},
          env_.get(), reserve_bytes_));
  return absl::OkStatus();
}

void FaultStore::Close() { store_.reset(); }

absl::StatusOr<KeyspaceRef> FaultStore::Create(const std::string& label) {
  ASSIGN_OR_RETURN(KeyspaceRef keyspace, store_->CreateKeyspace());
  RETURN_IF_ERROR(Publish(keyspace, label));
  return keyspace;
}

absl::Status FaultStore::Publish(const KeyspaceRef& keyspace, const std::string& label,
                                 const std::function<void(MetaUpdate&)>& also) {
  return Update([&](MetaUpdate& update) {
    update.Stage(keyspace).Publish();
    update.Put(LabelKey(label), keyspace->incarnation().value());
    also(update);
  });
}

absl::Status FaultStore::MarkDropping(const std::string& label) {
  const KeyspaceRef keyspace = Find(label);
  return Update([&](MetaUpdate& update) {
    update.Stage(keyspace).BumpEpoch();
    update.Stage(keyspace).MarkDropping();
    update.Delete(LabelKey(label));
  });
}

bool FaultStore::Has(const std::string& label) {
  const auto record = store_->GetMeta(LabelKey(label));
  return record.ok() && record->has_value();
}

KeyspaceRef FaultStore::Find(const std::string& label) {
  const auto record = store_->GetMeta(LabelKey(label));
  CHECK(record.ok() && record->has_value(), "no keyspace of this label");
  auto keyspace = store_->FindKeyspace(IncarnationId(**record));
  CHECK(keyspace.ok(), "a labelled keyspace is not there");
  return *keyspace;
}

std::vector<std::string> FaultStore::Labels() {
  std::vector<std::string> labels;
  const auto records = store_->ScanMeta(kLabelPrefix);
  CHECK(records.ok(), "meta cannot be read");
  for (const auto& [key, value] : *records) labels.push_back(key.substr(kLabelPrefix.size()));
  return labels;
}

absl::StatusOr<Timestamp> FaultStore::Commit(const std::string& label, const WriteSet& writes, bool as_files) {
  const KeyspaceRef keyspace = Find(label);
  return store_->Commit({.keyspace = keyspace,
                         .epoch = keyspace->state()->epoch,
                         .writes = std::make_shared<const WriteList>(writes),
                         .validate_spans = {},
                         .validate_after = {},
                         .as_files = as_files});
}

absl::Status FaultStore::Ingest(const std::string& label, std::vector<Version> versions,
                                std::optional<Timestamp> frontier) {
  const KeyspaceRef keyspace = Find(label);
  return store_->Ingest(
      {.keyspace = keyspace, .epoch = keyspace->state()->epoch, .versions = std::move(versions), .frontier = frontier});
}

absl::Status FaultStore::Update(const std::function<void(MetaUpdate&)>& build) {
  return store_->UpdateMeta([&](MetaUpdate& update) {
    build(update);
    return absl::OkStatus();
  });
}

void FaultStore::PutRaw(const std::string& label, std::string_view encoded_key, std::string_view value) {
  const KeyspaceRef keyspace = Find(label);
  const RocksKeyspace& rocks = AsRocks(*keyspace);
  CHECK(rocks.db()->Put({}, rocks.data(), rocksdb::Slice(encoded_key), rocksdb::Slice(value)).ok(), "a write to memory");
}

void FaultStore::DeleteRaw(const std::string& label, std::string_view encoded_key) {
  const KeyspaceRef keyspace = Find(label);
  const RocksKeyspace& rocks = AsRocks(*keyspace);
  CHECK(rocks.db()->Delete({}, rocks.data(), rocksdb::Slice(encoded_key)).ok(), "a write to memory");
}

absl::Status FaultStore::Flush() {
  for (const KeyspaceRef& keyspace : store_->Keyspaces()) {
    const RocksKeyspace& rocks = AsRocks(*keyspace);
    RETURN_IF_ERROR(FromRocks(rocks.db()->Flush(rocksdb::FlushOptions(), {rocks.data(), rocks.changes()}), "flush"));
  }
  return absl::OkStatus();
}

absl::Status FaultStore::Compact() {
  rocksdb::CompactRangeOptions options;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  for (const KeyspaceRef& keyspace : store_->Keyspaces()) {
    const RocksKeyspace& rocks = AsRocks(*keyspace);
    RETURN_IF_ERROR(FromRocks(rocks.db()->CompactRange(options, rocks.data(), nullptr, nullptr), "compact"));
    RETURN_IF_ERROR(FromRocks(rocks.db()->CompactRange(options, rocks.changes(), nullptr, nullptr), "compact"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ViewOf(FaultStore& store, Timestamp limit) {
  std::string text;
  ASSIGN_OR_RETURN(const auto labels, store.store()->ScanMeta(kLabelPrefix));
  for (const auto& [label_key, incarnation] : labels) {
    ASSIGN_OR_RETURN(const KeyspaceRef keyspace, store.store()->FindKeyspace(IncarnationId(incarnation)));
    const std::shared_ptr<const KeyspaceState> state = keyspace->state();
    fmt::format_to(std::back_inserter(text), "{} epoch {}{}{} floor {} frontier {}\n", label_key, state->epoch.value(),
                   state->published ? " published" : "", state->ingesting ? " ingesting" : "", state->floor.ns,
                   state->frontier.ns);
    for (const HiddenInterval& hidden : state->hidden) {
      fmt::format_to(std::back_inserter(text), " hidden ({}, {}]\n", hidden.after.ns, hidden.upto.ns);
    }
    ASSIGN_OR_RETURN(const auto protections, store.store()->ScanMeta(MetaProtectPrefix(IncarnationId(incarnation))));
    for (const auto& [key, value] : protections) {
      fmt::format_to(std::back_inserter(text), " protected {} {}\n", key.substr(key.rfind('/')), ToHex(value));
    }
    const Timestamp at = std::max(state->floor, std::min(limit, state->ingesting ? state->frontier : state->newest));
    RETURN_IF_ERROR(AppendHistory(store, keyspace, at, &text));
    text += " live\n";
    RETURN_IF_ERROR(AppendScan(store, keyspace, at, &text));
    RETURN_IF_ERROR(CheckIndexMatchesData(*keyspace, state->floor, kTimestampMax.Prev()));
  }
  ASSIGN_OR_RETURN(const auto records, store.store()->ScanMeta("test/record/"));
  for (const auto& [key, value] : records) fmt::format_to(std::back_inserter(text), "{}={}\n", key, value);
  return text;
}

absl::StatusOr<std::string> BytesOf(FaultStore& store) {
  std::string text;
  for (const std::string& label : store.Labels()) {
    const KeyspaceRef keyspace = store.Find(label);
    const RocksKeyspace& rocks = AsRocks(*keyspace);
    text += label + " data\n";
    RETURN_IF_ERROR(AppendRaw(rocks.db(), rocks.data(), "", &text));
    text += label + " changes\n";
    RETURN_IF_ERROR(AppendRaw(rocks.db(), rocks.changes(), EncodeTimestamp(keyspace->state()->floor.Next()), &text));
  }
  return text;
}

}  // namespace anabranch
