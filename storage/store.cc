#include "storage/api/store.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "storage/commit/validation.h"
#include "storage/rocks/files.h"
#include "storage/store_impl.h"

namespace anabranch {
namespace {

constexpr int kIncarnationHexDigits = 16;
constexpr size_t kVersionOverheadBytes = 32;

absl::StatusOr<size_t> CheckSize(const WriteList& writes) {
  for (const WriteList::Entry entry : writes) {
    if (entry.key.size() > kKeyBytesMax) {
      return SqlError(sqlstate::kProgramLimitExceeded,
                      fmt::format("key of {} bytes exceeds the limit of {} bytes", entry.key.size(), kKeyBytesMax));
    }
    if (entry.value().size() > kValueBytesMax) {
      return SqlError(sqlstate::kProgramLimitExceeded,
                      fmt::format("value of {} bytes exceeds the limit of {} bytes", entry.value().size(), kValueBytesMax));
    }
  }
  const size_t bytes = writes.payload_bytes();
  if (bytes > kTransactionBytesMax) {
    return SqlError(
        sqlstate::kProgramLimitExceeded,
        fmt::format("transaction of {} bytes exceeds the limit of {} bytes of writes", bytes, kTransactionBytesMax));
  }
  return bytes + writes.size() * kVersionOverheadBytes;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenStoreWithEnv(StoreOptions options, rocksdb::Env* env, uint64_t reserve_bytes) {
  CHECK(options.random != nullptr && options.clock != nullptr, "StoreOptions need a clock and a random source");
  while (true) {
    const RocksOptions rocks_options(options, env);
    auto store = std::make_unique<RocksStore>(options, rocks_options, reserve_bytes);
    const absl::Status loaded = store->Load();
    if (loaded.ok()) return store;
    store.reset();
    // On a full disk in the reserve's place: what the logs hold is written to tables, and the clock's ceiling to a log.
    if (SqlStateOf(loaded) != sqlstate::kDiskFull || !Reserve(env, options.dir, reserve_bytes).Release()) return loaded;
    Log(LogLevel::kWarning, "store.reserve_given_up");
  }
}

RocksStore::RocksStore(StoreOptions options, const RocksOptions& rocks_options, uint64_t reserve_bytes)
    : options_(std::move(options)),
      rocks_options_(rocks_options),
      reserve_bytes_(reserve_bytes),
      engine_(std::make_shared<RocksEngine>()) {
  engine_->env = rocks_options_.env();
}

RocksStore::~RocksStore() {
  if (writer_ != nullptr) writer_->Stop();
}

absl::StatusOr<rocksdb::ColumnFamilyHandle*> RocksStore::MakeEmptyFamily(const std::string& name,
                                                                         const rocksdb::ColumnFamilyOptions& options) {
  rocksdb::ColumnFamilyHandle* handle = nullptr;
  RETURN_IF_ERROR(FromRocks(engine_->db->CreateColumnFamily(options, name, &handle), "create column family"));
  return handle;
}

absl::StatusOr<rocksdb::ColumnFamilyHandle*> RocksStore::MakeImportedFamily(
    const std::string& name, const rocksdb::ColumnFamilyOptions& options, const rocksdb::ExportImportFilesMetaData& files) {
  rocksdb::ImportColumnFamilyOptions import_options;
  import_options.move_files = true;
  rocksdb::ColumnFamilyHandle* handle = nullptr;
  RETURN_IF_ERROR(FromRocks(engine_->db->CreateColumnFamilyWithImport(options, name, import_options, files, &handle),
                            "import column family"));
  return handle;
}

absl::StatusOr<KeyspaceRef> RocksStore::CreateKeyspace() {
  return AddKeyspace(kTimestampZero, [this](Family, const std::string& name, const rocksdb::ColumnFamilyOptions& options) {
    return MakeEmptyFamily(name, options);
  });
}

absl::StatusOr<KeyspaceRef> RocksStore::AddKeyspace(Timestamp floor, const MakeFamily& make) {
  {
    std::lock_guard lock(mutex_);
    if (keyspaces_.size() + being_made_ >= kKeyspacesMax) {
      return SqlError(sqlstate::kProgramLimitExceeded,
                      fmt::format("store already holds {} keyspaces, the most it can", kKeyspacesMax),
                      "Drop a virtual cluster that is no longer needed.");
    }
    ++being_made_;
  }
  absl::StatusOr<KeyspaceRef> keyspace = AddReserved(floor, make);
  std::lock_guard lock(mutex_);
  --being_made_;
  if (keyspace.ok()) keyspaces_.emplace((*keyspace)->incarnation(), *keyspace);
  return keyspace;
}

// Nothing is written to `meta`: what it does not name as published, a start drops.
absl::StatusOr<KeyspaceRef> RocksStore::AddReserved(Timestamp floor, const MakeFamily& make) {
  const IncarnationId incarnation(options_.random->NextHex(kIncarnationHexDigits));
  const auto make_one = [&](Family family) {
    return make(family, FamilyName(incarnation, family), rocks_options_.family(family));
  };
  ASSIGN_OR_RETURN(rocksdb::ColumnFamilyHandle* const data, make_one(Family::kData));
  const absl::StatusOr<rocksdb::ColumnFamilyHandle*> changes = make_one(Family::kChanges);
  if (!changes.ok()) {
    (void)engine_->db->DropColumnFamily(data);
    engine_->db->DestroyColumnFamilyHandle(data);
    return changes.status();
  }
  KeyspaceState state;
  state.epoch = Epoch(1);
  state.floor = floor;
  auto keyspace = std::make_shared<RocksKeyspace>(engine_, incarnation, data, *changes, state);
  const absl::StatusOr<Timestamp> newest = NewestPresent(*keyspace);
  const absl::Status status = newest.ok() ? clock_->CheckVersion(*newest) : newest.status();
  if (!status.ok()) {
    (void)engine_->db->DropColumnFamilies({data, *changes});  // else the next start does
    return status;
  }
  state.newest = *newest;
  state.system_newest = state.newest;
  keyspace->SetState(state);
  return keyspace;
}

absl::StatusOr<KeyspaceRef> RocksStore::FindKeyspace(const IncarnationId& incarnation) {
  std::lock_guard lock(mutex_);
  const auto found = keyspaces_.find(incarnation);
  if (found == keyspaces_.end()) return absl::NotFoundError(fmt::format("no keyspace {}", incarnation.value()));
  return found->second;
}

std::vector<KeyspaceRef> RocksStore::Keyspaces() {
  std::lock_guard lock(mutex_);
  std::vector<KeyspaceRef> all;
  for (const auto& [incarnation, keyspace] : keyspaces_) all.push_back(keyspace);
  return all;
}

// R12. Forgetting it on the writer thread is the barrier: every group before it is written, and after it none may name the
// families. A crash from there on leaves families that `meta` does not name.
absl::Status RocksStore::DropKeyspace(const KeyspaceRef& keyspace) {
  RETURN_IF_ERROR(writer_->Update([&](MetaUpdateImpl& update) { return update.Forget(keyspace); }));
  {
    std::lock_guard lock(mutex_);
    keyspaces_.erase(keyspace->incarnation());
  }
  const RocksKeyspace& rocks = AsRocks(*keyspace);
  const rocksdb::Status status = engine_->db->DropColumnFamilies({rocks.data(), rocks.changes()});
  return FromRocks(status, "drop column families");
}

absl::StatusOr<Timestamp> RocksStore::Commit(CommitRequest request) {
  CHECK(request.writes != nullptr && !request.writes->empty(), "a commit without writes has no timestamp to give");
  CHECK(request.writes->sorted(), "the keys of a commit must ascend");
  ASSIGN_OR_RETURN(const size_t bytes, CheckSize(*request.writes));
  const bool is_large = request.as_files || bytes > kLargeCommitBytes;
  const auto begin = [&] { return is_large ? writer_->Hold(request) : writer_->Commit(request, bytes); };
  absl::StatusOr<Timestamp> ts = TooMuchToValidate();
  for (int looks = 0; looks < kValidationsMax && IsTooMuchToValidate(ts.status()); ++looks) {
    if (!request.validate_spans.empty()) RETURN_IF_ERROR(ValidateVisible(this, &request));
    ts = begin();
  }
  if (IsTooMuchToValidate(ts.status())) return SerializationFailure();
  if (ts.ok() && is_large) RETURN_IF_ERROR(CommitFilesAt(*ts, request));
  return ts;
}

// The keyspace is held.
absl::Status RocksStore::CommitFilesAt(Timestamp ts, const CommitRequest& request) {
  const auto filters = request.as_files ? CommitFiles::Filters::kNone : CommitFiles::Filters::kAsFamily;
  CommitFiles files(engine_.get(), &AsRocks(*request.keyspace), ts, filters);
  const absl::Status written = FromRocks(files.Write(*request.writes), "write the files of a commit");
  const absl::Status ended = writer_->EndHold(request, ts, written.ok() ? &files : nullptr);
  return written.ok() ? ended : written;
}

// Its parts may come one by one, as long as the frontier comes last.
absl::Status RocksStore::Ingest(IngestRequest request) {
  std::vector<Version> versions = std::move(request.versions);
  IngestRequest piece{.keyspace = request.keyspace, .epoch = request.epoch, .versions = {}, .frontier = std::nullopt};
  size_t bytes = 0;
  for (Version& version : versions) {
    const size_t version_bytes = version.key.size() + version.write.value.size() + kVersionOverheadBytes;
    const bool is_full = bytes + version_bytes > kIngestPieceBytes;
    // What was committed together stays together, if it is not large itself: its index entry is one.
    const bool may_end =
        bytes > 2 * kIngestPieceBytes || (bytes > 0 && piece.versions.back().timestamp != version.timestamp);
    if (is_full && may_end) {
      RETURN_IF_ERROR(writer_->Ingest(piece, std::exchange(bytes, 0)));
      piece.versions.clear();
    }
    bytes += version_bytes;
    piece.versions.push_back(std::move(version));
  }
  piece.frontier = request.frontier;
  return writer_->Ingest(piece, bytes);
}

absl::Status RocksStore::UpdateMeta(std::function<absl::Status(MetaUpdate&)> build) { return writer_->Update(build); }

absl::Status RocksStore::Erase(EraseRequest request) {
  size_t bytes = 0;
  for (const std::string& key : request.data_keys) bytes += key.size();
  for (const std::string& key : request.change_keys) bytes += key.size();
  std::unique_lock gate(AsRocks(*request.keyspace).erase_gate());
  return writer_->Erase(request, bytes);
}

Timestamp RocksStore::Resolved(const Keyspace& keyspace) const {
  // In this order, as storage/rocks/published_state.h says.
  const Timestamp visible = writer_->visible();
  return AsRocks(keyspace).published().resolves_at().value_or(visible);
}

absl::Status RocksStore::WaitVisible(Timestamp ts, std::stop_token stop) {
  if (ts > visible() && clock_->IsAhead(ts, kCeilingLeadNs)) {
    return SqlError(sqlstate::kInvalidParameterValue, fmt::format("timestamp {} is in the future", FormatHlc(ts)));
  }
  return writer_->WaitVisible(ts, std::move(stop));
}

absl::Status RocksStore::WaitReadable(const KeyspaceRef& keyspace, Timestamp ts, std::stop_token stop) {
  if (ts > visible() && clock_->IsAhead(ts, kCeilingLeadNs)) return WaitVisible(ts, std::move(stop));  // refused
  return writer_->WaitReadable(AsRocks(*keyspace), ts, std::move(stop));
}

absl::StatusOr<Timestamp> RocksStore::ReserveTimestamp() {
  while (true) {
    if (const std::optional<Timestamp> ts = clock_->Next()) return *ts;
    RETURN_IF_ERROR(writer_->RenewCeiling());
  }
}

absl::Status RocksStore::ForwardClock(Timestamp ts) {
  if (ts <= clock_->Now()) return absl::OkStatus();
  const uint64_t wall_ns = options_.clock->WallNs();
  if (ts.ns > wall_ns && ts.ns - wall_ns > kPeerClockAheadNsMax) {
    return SqlError(sqlstate::kInvalidParameterValue,
                    fmt::format("peer's clock is {} s ahead of this node's, more than the {} s that are followed",
                                (ts.ns - wall_ns) / 1'000'000'000, kPeerClockAheadNsMax / 1'000'000'000),
                    "Set both machines' clocks, for example with chrony.");
  }
  return writer_->RaiseClock(ts);
}

absl::StatusOr<std::optional<std::string>> RocksStore::GetMeta(std::string_view key) { return ReadMeta(*engine_, key); }

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> RocksStore::ScanMeta(std::string_view prefix) {
  std::vector<std::pair<std::string, std::string>> records;
  const std::unique_ptr<rocksdb::Iterator> it(engine_->db->NewIterator(rocksdb::ReadOptions(), engine_->meta));
  for (it->Seek(rocksdb::Slice(prefix)); it->Valid() && it->key().starts_with(rocksdb::Slice(prefix)); it->Next()) {
    ++engine_->counter.iterator_steps;
    records.emplace_back(it->key().ToString(), it->value().ToString());
  }
  RETURN_IF_ERROR(FromRocks(it->status(), "scan meta"));
  return records;
}

absl::StatusOr<std::string> RocksStore::NewScratchPath() {
  const std::string tmp = ScratchRoot(options_.dir);
  RETURN_IF_ERROR(FromRocks(env()->CreateDirIfMissing(tmp), "create " + tmp));
  return fmt::format("{}/{}", tmp, options_.random->NextHex(kIncarnationHexDigits));
}

}  // namespace anabranch
