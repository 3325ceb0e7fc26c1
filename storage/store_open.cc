// Opening a store: from a folder to a running writer, or one line that says what to do.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/disk_error.h"
#include "base/log.h"
#include "base/status.h"
#include "rocksdb/env.h"
#include "rocksdb/listener.h"
#include "storage/rocks/files.h"
#include "storage/rocks/log_check.h"
#include "storage/rocks/log_key.h"
#include "storage/rocks/meta_format.h"
#include "storage/store_impl.h"

namespace anabranch {
namespace {

constexpr int kClusterIdHexDigits = 32;
constexpr char kMetaFamily[] = "meta";
// RocksDB would start 16 threads for each column family, of which there may be hundreds with a file or two each.
constexpr int kFileOpeningThreads = 1;

// After an error that stops all writing, RocksDB would look every five seconds whether a full disk has room again, and not
// let itself be resumed meanwhile. The writer does that (storage/commit/writer.h), when it gives up the reserve, for one.
class ResumeByHand final : public rocksdb::EventListener {
 public:
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status error, bool* by_itself) override {
    if (error.severity() >= rocksdb::Status::kHardError) *by_itself = false;
  }
};

absl::Status MakeFolder(const std::string& dir) {
  const std::filesystem::path parent = (std::filesystem::absolute(dir) / "").parent_path().parent_path();
  std::error_code error;
  std::filesystem::create_directories(parent, error);
  if (!error && mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) error.assign(errno, std::generic_category());
  if (!error && access(dir.c_str(), R_OK | W_OK | X_OK) != 0) error.assign(errno, std::generic_category());
  if (error) {
    return SqlError(sqlstate::kIoError, fmt::format("store folder {} is not writable: {}", dir, error.message()),
                    "Give the process a folder that it may write to.");
  }
  if (access(parent.c_str(), R_OK) != 0) return absl::OkStatus();  // a parent that may not be opened cannot be synced
  return SyncFolder(parent);  // without it a power failure could take the whole store, acknowledged writes and all
}

// The process that holds the lock, asked of the kernel. 0 if it cannot be found.
pid_t LockHolder(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return 0;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool held = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  close(fd);
  return held ? lock.l_pid : 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> Store::Open(StoreOptions options) {
  RETURN_IF_ERROR(MakeFolder(options.dir));
  return OpenStoreWithEnv(std::move(options), rocksdb::Env::Default());
}

// Before anything is read: another process may be changing it. RocksDB takes the same lock again when it opens.
absl::Status RocksStore::CheckNotLocked() const {
  const std::string path = options_.dir + "/LOCK";
  rocksdb::FileLock* lock = nullptr;
  const rocksdb::Status status = env()->LockFile(path, &lock);
  if (status.ok()) return FromRocks(env()->UnlockFile(lock), "release the store's lock");
  // RocksDB says so if this very process holds it. The file must not be opened then: closing it would release the lock.
  const bool held_here = status.ToString().find("lock hold by current process") != std::string::npos;
  const pid_t holder = held_here ? getpid() : LockHolder(path);
  if (holder == 0) return FromRocks(status, "lock the store");
  return SqlError(sqlstate::kObjectInUse, fmt::format("store {} is in use by process {}", options_.dir, holder),
                  "Stop that process, or give another --store folder.");
}

absl::Status RocksStore::OpenDatabase(std::vector<rocksdb::ColumnFamilyHandle*>* handles) {
  std::vector<std::string> names;
  const rocksdb::Status listed = rocksdb::DB::ListColumnFamilies(rocks_options_.db(), options_.dir, &names);
  // A folder without a database is a new store; what stands in a damaged one, Open reports.
  if (!listed.ok()) names = {rocksdb::kDefaultColumnFamilyName};
  if (std::find(names.begin(), names.end(), kMetaFamily) == names.end()) names.push_back(kMetaFamily);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const std::string& name : names) {
    const bool is_data = name.ends_with("/data");
    const bool is_changes = name.ends_with("/changes");
    families.emplace_back(name, is_data      ? rocks_options_.family(Family::kData)
                                : is_changes ? rocks_options_.family(Family::kChanges)
                                             : rocks_options_.meta());
  }
  rocksdb::DBOptions db_options = rocks_options_.db();
  db_options.max_file_opening_threads = kFileOpeningThreads;
  db_options.listeners = {std::make_shared<ResumeByHand>(), engine_->point_iterators};
  rocksdb::DB* db = nullptr;
  RETURN_IF_ERROR(FromRocks(rocksdb::DB::Open(db_options, options_.dir, families, handles, &db),
                            fmt::format("open store {}", options_.dir)));
  engine_->db.reset(db);
  return absl::OkStatus();
}

absl::Status RocksStore::InitializeMeta(bool has_keyspaces) {
  ASSIGN_OR_RETURN(const std::optional<std::string> format, GetMeta(kMetaFormatKey));
  if (!format) {
    if (has_keyspaces) return absl::DataLossError(fmt::format("store {} has data but no format record", options_.dir));
    rocksdb::WriteBatch batch = engine_->NewBatch();
    batch.Put(engine_->meta, rocksdb::Slice(kMetaFormatKey), EncodeFormatVersion(kStoreFormatVersion));
    batch.Put(engine_->meta, rocksdb::Slice(kMetaClusterIdKey), options_.random->NextHex(kClusterIdHexDigits));
    batch.Put(engine_->meta, rocksdb::Slice(kMetaCeilingKey), EncodeTimestamp(kTimestampZero));
    RETURN_IF_ERROR(FromRocks(engine_->Write(&batch, /*sync=*/true), fmt::format("create store {}", options_.dir)));
  } else {
    uint64_t version = 0;
    if (!DecodeFormatVersion(*format, &version)) return absl::DataLossError("store format record does not decode");
    if (version > kStoreFormatVersion) {
      return SqlError(
          sqlstate::kObjectNotInPrerequisiteState,
          fmt::format("store {} has format {}, this program reads up to {}", options_.dir, version, kStoreFormatVersion),
          "Start it with the newer program that wrote it.");
    }
  }
  ASSIGN_OR_RETURN(const std::optional<std::string> cluster_id, GetMeta(kMetaClusterIdKey));
  ASSIGN_OR_RETURN(const std::optional<std::string> ceiling_record, GetMeta(kMetaCeilingKey));
  Timestamp ceiling;
  if (!cluster_id || !ceiling_record || !DecodeTimestamp(*ceiling_record, &ceiling)) {
    return absl::DataLossError(fmt::format("store {} has no cluster id or clock ceiling", options_.dir));
  }
  cluster_id_ = ClusterId(*cluster_id);
  clock_.emplace(options_.clock, ceiling);
  return absl::OkStatus();
}

absl::Status RocksStore::LoadKeyspace(const std::string& incarnation, std::string_view record,
                                      std::map<std::string, rocksdb::ColumnFamilyHandle*>& families) {
  KeyspaceState state;
  if (!DecodeKeyspaceState(record, &state)) {
    return absl::DataLossError(fmt::format("state of keyspace {} does not decode", incarnation));
  }
  const IncarnationId id(incarnation);
  if (!state.published || state.dropping) {
    rocksdb::WriteBatch batch = engine_->NewBatch();
    batch.Delete(engine_->meta, MetaKeyspaceKey(id));
    batch.Delete(engine_->meta, MetaFrontierKey(id));
    batch.Delete(engine_->meta, MetaCollectedKey(id));
    ASSIGN_OR_RETURN(const auto protections, ScanMeta(MetaProtectPrefix(id)));
    for (const auto& [key, value] : protections) batch.Delete(engine_->meta, key);
    return FromRocks(engine_->Write(&batch, /*sync=*/false), "forget keyspace");
  }
  const auto data = families.extract(FamilyName(id, Family::kData));
  const auto changes = families.extract(FamilyName(id, Family::kChanges));
  if (data.empty() || changes.empty()) {
    if (!data.empty()) families.emplace(data.key(), data.mapped());
    if (!changes.empty()) families.emplace(changes.key(), changes.mapped());
    return absl::DataLossError(fmt::format("keyspace {} is recorded but a column family of it is missing", incarnation));
  }
  auto keyspace = std::make_shared<RocksKeyspace>(engine_, id, data.mapped(), changes.mapped(), state);
  ASSIGN_OR_RETURN(const std::optional<std::string> frontier, GetMeta(MetaFrontierKey(id)));
  if (frontier && !DecodeTimestamp(*frontier, &state.frontier)) {
    return absl::DataLossError(fmt::format("frontier of keyspace {} does not decode", incarnation));
  }
  ASSIGN_OR_RETURN(state.newest, NewestPresent(*keyspace));
  state.system_newest = state.newest;
  keyspace->SetState(std::move(state));
  keyspaces_.emplace(id, std::move(keyspace));
  return absl::OkStatus();
}

// Takes every handle: into the engine, into a keyspace, or, for what `meta` does not name as published, to be dropped.
absl::Status RocksStore::LoadKeyspaces(std::vector<rocksdb::ColumnFamilyHandle*> handles) {
  std::map<std::string, rocksdb::ColumnFamilyHandle*> families;
  for (rocksdb::ColumnFamilyHandle* handle : handles) {
    if (handle->GetName() == rocksdb::kDefaultColumnFamilyName) {
      engine_->default_family = handle;
    } else if (handle->GetName() == kMetaFamily) {
      engine_->meta = handle;
    } else {
      families.emplace(handle->GetName(), handle);
    }
  }
  absl::Status status = InitializeMeta(!families.empty());
  if (status.ok()) {
    const auto records = ScanMeta(kMetaKeyspacePrefix);
    status = records.status();
    for (size_t i = 0; status.ok() && i < records->size(); ++i) {
      const auto& [key, record] = (*records)[i];
      status = LoadKeyspace(key.substr(kMetaKeyspacePrefix.size()), record, families);
    }
  }
  for (const auto& [name, handle] : families) {
    if (status.ok()) {
      Log(LogLevel::kInfo, "store.family_dropped", "name={}", name);
      status = FromRocks(engine_->db->DropColumnFamily(handle), fmt::format("drop column family {}", name));
    }
    engine_->db->DestroyColumnFamilyHandle(handle);
  }
  return status;
}

absl::Status RocksStore::Load() {
  RETURN_IF_ERROR(FromRocks(env()->CreateDirIfMissing(options_.dir), "create store folder " + options_.dir));
  RETURN_IF_ERROR(CheckNotLocked());
  ASSIGN_OR_RETURN(std::optional<LogKey> key, LogKey::Read(env(), options_.dir));
  ASSIGN_OR_RETURN(engine_->mark.first_log, CheckLogs(env(), options_.dir, key));
  // Made when the logs of earlier programs were checked: from now on their marks count no more.
  if (!key) {
    ASSIGN_OR_RETURN(key, LogKey::Make(env(), options_.dir, options_.random));
  }
  engine_->log_key = *key;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  RETURN_IF_ERROR(OpenDatabase(&handles));
  RETURN_IF_ERROR(LoadKeyspaces(std::move(handles)));
  // What is left of an export that died is only in the way.
  if (absl::Status status = RemoveTree(env(), ScratchRoot(options_.dir)); !status.ok()) {
    Log(LogLevel::kWarning, "store.scratch_left", "error=\"{}\"", MessageOf(status));
  }
  writer_ = std::make_unique<Writer>(engine_, &*clock_, options_.clock, Reserve(env(), options_.dir, reserve_bytes_),
                                     Rest(engine_.get(), &rocks_options_, [this] { return Keyspaces(); }));
  return writer_->Start();
}

}  // namespace anabranch
