#include "tenant/replication/lost_writes.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <unordered_map>

#include "base/log.h"
#include "base/status.h"
#include "storage/mvcc/reader.h"
#include "storage/protection.h"
#include "tenant/catalog/paths.h"

#define XXH_INLINE_ALL
#include "xxhash.h"

namespace anabranch {
namespace {

constexpr std::string_view kLedgerPrefix = "ledger/";

std::string LedgersOf(TenantId tenant) { return fmt::format("{}{:020}/", kLedgerPrefix, tenant.value()); }
std::string LedgerKey(const catalog::LedgerRecord& record) {
  return LedgersOf(TenantId(record.tenant_id())) + StreamText(StreamId(record.stream_id()));
}
std::string HolderOf(const catalog::LedgerRecord& record) {
  return fmt::format("ledger/{}", StreamText(StreamId(record.stream_id())));
}
std::string PathOf(Store* store, const catalog::LedgerRecord& record) {
  return LedgerPath(store, TenantId(record.tenant_id()), StreamId(record.stream_id()));
}

absl::StatusOr<std::vector<catalog::LedgerRecord>> Load(Store* store, const std::string& prefix) {
  ASSIGN_OR_RETURN(const auto entries, store->ScanMeta(prefix));
  std::vector<catalog::LedgerRecord> result;
  for (const auto& [key, bytes] : entries) {
    if (result.emplace_back().ParseFromString(bytes)) continue;
    return SqlError(sqlstate::kDataCorrupted, fmt::format("catalog record {} does not decode", key));
  }
  std::sort(result.begin(), result.end(),
            [](const auto& a, const auto& b) { return a.discarded_at_ns() < b.discarded_at_ns(); });
  return result;
}

void RemoveFile(const std::string& path) {
  std::error_code error;
  std::filesystem::remove(path, error);
  if (error) Log(LogLevel::kWarning, "ledger.remove_failed", "path={} error=\"{}\"", path, error.message());
}

enum class Removal { kOver, kNoRoom };

// The record first: one without its file would be an error to whoever reads it.
absl::Status Remove(Store* store, const catalog::LedgerRecord& record, Removal why) {
  const absl::StatusOr<catalog::TenantRecord> tenant = LoadTenant(store, TenantId(record.tenant_id()));
  RETURN_IF_ERROR(store->UpdateMeta([&](MetaUpdate& update) -> absl::Status {
    ASSIGN_OR_RETURN(const std::optional<std::string> there, update.GetBefore(LedgerKey(record)));
    if (!there) return absl::OkStatus();
    if (tenant.ok()) Unprotect(update, IncarnationId(tenant->incarnation()), HolderOf(record));
    if (why == Removal::kOver) {
      update.Delete(LedgerKey(record));
    } else {
      catalog::LedgerRecord removed = record;
      removed.set_removed(true);
      update.Put(LedgerKey(record), removed.SerializeAsString());
    }
    return absl::OkStatus();
  }));
  RemoveFile(PathOf(store, record));
  if (why == Removal::kNoRoom) {
    Log(LogLevel::kWarning, "ledger.removed_for_room", "vc_id={} stream={} versions={} bytes={}", record.tenant_id(),
        StreamText(StreamId(record.stream_id())), record.versions(), record.bytes());
  }
  return absl::OkStatus();
}

// What stood at a key at a moment of the past: in a ledger if it was discarded since, else in the keyspace.
class Past {
 public:
  struct Place {
    LedgerReader* ledger;
    uint64_t position;
  };

  Past(std::unique_ptr<MvccReader> reader, size_t keys_max) : reader_(std::move(reader)), keys_max_(keys_max) {}

  absl::Status Note(std::string_view key, Place place) {
    discarded_[HashOf(key)] = place;
    if (discarded_.size() <= keys_max_) return absl::OkStatus();
    return SqlError(
        sqlstate::kOutOfMemory,
        fmt::format("cannot list the lost writes of a failback to more than {} rows (kLostWriteKeysMax)", keys_max_),
        "What was listed is right. The ledger itself is a file in the folder ledger of the store.");
  }
  absl::StatusOr<std::optional<std::string>> ValueOf(std::string_view key) {
    if (const auto it = discarded_.find(HashOf(key)); it != discarded_.end()) {
      ASSIGN_OR_RETURN(Version version, it->second.ledger->At(it->second.position));
      if (version.write.kind == WriteKind::kTombstone) return std::nullopt;
      return std::optional<std::string>(std::move(version.write.value));
    }
    ASSIGN_OR_RETURN(std::optional<ReadVersion> kept, reader_->Get(key));
    if (!kept) return std::nullopt;
    return std::optional<std::string>(std::move(kept->value));
  }
  std::unique_ptr<MvccScan> SystemTables() { return reader_->Scan({"", std::string(kSystemKeysEnd)}); }

 private:
  struct Hash {
    uint64_t low, high;
    friend bool operator==(const Hash&, const Hash&) = default;
  };
  struct Fold {
    size_t operator()(const Hash& hash) const { return hash.low; }
  };
  static Hash HashOf(std::string_view key) {
    const XXH128_hash_t hash = XXH3_128bits(key.data(), key.size());
    return {hash.low64, hash.high64};
  }

  const std::unique_ptr<MvccReader> reader_;
  const size_t keys_max_;
  std::unordered_map<Hash, Place, Fold> discarded_;
};

DiscardedWrites::Removed RemovedOf(const catalog::LedgerRecord& record) {
  using Removed = DiscardedWrites::Removed;
  if (!record.removed()) return Removed::kNo;
  return record.reset() ? Removed::kByReset : Removed::kForRoom;
}

bool IsSystemKey(std::string_view key) { return key < kSystemKeysEnd; }

// A ledger, and those that later failbacks wrote, which may have gone back further than this one.
class LedgerVisit {
 public:
  LedgerVisit(Store* store, const LostWriteVisitor& visitor, std::stop_token stop, size_t keys_max)
      : store_(store), visitor_(visitor), stop_(std::move(stop)), keys_max_(keys_max) {}

  absl::Status Run(const KeyspaceRef& keyspace, const catalog::LedgerRecord& record,
                   const std::vector<catalog::LedgerRecord>& later) {
    Timestamp kept_at{record.point()};
    for (const catalog::LedgerRecord& other : later) {
      if (!other.reset()) kept_at = std::min(kept_at, Timestamp{other.point()});
    }
    ASSIGN_OR_RETURN(auto reader, MvccReader::Open(store_, keyspace, kept_at));
    Past past(std::move(reader), keys_max_);
    RETURN_IF_ERROR(SchemaKept(past));
    std::vector<std::unique_ptr<LedgerReader>> others;
    for (const catalog::LedgerRecord& other : later) {
      if (other.point() >= record.point() || other.removed()) continue;
      ASSIGN_OR_RETURN(others.emplace_back(), LedgerReader::Open(store_, PathOf(store_, other)));
      RETURN_IF_ERROR(NoteUpTo({record.point()}, *others.back(), past));
    }
    ASSIGN_OR_RETURN(const auto ledger, LedgerReader::Open(store_, PathOf(store_, record)));
    RETURN_IF_ERROR(SchemaDiscarded(*ledger));
    ASSIGN_OR_RETURN(const auto again, LedgerReader::Open(store_, PathOf(store_, record)));
    return Writes(*again, past);
  }

 private:
  absl::Status CheckStop() const {
    return stop_.stop_requested() ? absl::CancelledError("stopped while reading lost writes") : absl::OkStatus();
  }

  absl::Status SchemaKept(Past& past) {
    const std::unique_ptr<MvccScan> scan = past.SystemTables();
    while (true) {
      ASSIGN_OR_RETURN(const bool found, scan->Next());
      if (!found) return absl::OkStatus();
      RETURN_IF_ERROR(
          visitor_.schema({std::string(scan->key()), scan->timestamp(), {WriteKind::kPut, std::string(scan->value())}}));
    }
  }

  absl::Status NoteUpTo(Timestamp upto, LedgerReader& ledger, Past& past) {
    Version version;
    while (true) {
      RETURN_IF_ERROR(CheckStop());
      ASSIGN_OR_RETURN(const bool found, ledger.Next(&version));
      if (!found || version.timestamp > upto) return absl::OkStatus();
      RETURN_IF_ERROR(past.Note(version.key, {&ledger, ledger.position()}));
      if (IsSystemKey(version.key)) RETURN_IF_ERROR(visitor_.schema(version));
    }
  }

  absl::Status SchemaDiscarded(LedgerReader& ledger) {
    Version version;
    while (true) {
      RETURN_IF_ERROR(CheckStop());
      ASSIGN_OR_RETURN(const bool found, ledger.Next(&version));
      if (!found) return absl::OkStatus();
      if (IsSystemKey(version.key)) RETURN_IF_ERROR(visitor_.schema(version));
    }
  }

  absl::Status Writes(LedgerReader& ledger, Past& past) {
    Version version;
    while (true) {
      RETURN_IF_ERROR(CheckStop());
      ASSIGN_OR_RETURN(const bool found, ledger.Next(&version));
      if (!found) return absl::OkStatus();
      if (IsSystemKey(version.key)) continue;
      ASSIGN_OR_RETURN(const std::optional<std::string> old_value, past.ValueOf(version.key));
      RETURN_IF_ERROR(visitor_.write(version, old_value));
      RETURN_IF_ERROR(past.Note(version.key, {&ledger, ledger.position()}));
    }
  }

  Store* const store_;
  const LostWriteVisitor& visitor_;
  const std::stop_token stop_;
  const size_t keys_max_;
};

}  // namespace

void AddLedger(MetaUpdate& update, const IncarnationId& keyspace, const catalog::LedgerRecord& record) {
  update.Put(LedgerKey(record), record.SerializeAsString());
  Protect(update, keyspace, HolderOf(record), {record.point()});
}

void DeleteLedger(MetaUpdate& update, const IncarnationId& keyspace, const catalog::LedgerRecord& record) {
  update.Delete(LedgerKey(record));
  Unprotect(update, keyspace, HolderOf(record));
}

absl::Status EndLedgersAbove(MetaUpdate& update, const IncarnationId& keyspace, Timestamp target,
                             const std::vector<catalog::LedgerRecord>& ledgers) {
  for (const catalog::LedgerRecord& record : ledgers) {
    if (record.point() <= target.ns) continue;
    ASSIGN_OR_RETURN(const std::optional<std::string> there, update.GetBefore(LedgerKey(record)));
    if (!there) continue;
    catalog::LedgerRecord over = record;
    over.set_removed(true);
    over.set_reset(true);
    update.Put(LedgerKey(record), over.SerializeAsString());
    Unprotect(update, keyspace, HolderOf(record));
  }
  return absl::OkStatus();
}

void RemoveFiles(Store* store, TenantId tenant) {
  const absl::StatusOr<std::vector<catalog::LedgerRecord>> ledgers = LoadLedgers(store, tenant);
  if (!ledgers.ok()) return;  // the next start removes them
  for (const catalog::LedgerRecord& record : *ledgers) {
    if (record.removed()) RemoveFile(PathOf(store, record));
  }
}

absl::StatusOr<std::vector<catalog::LedgerRecord>> LoadLedgers(Store* store, TenantId tenant) {
  return Load(store, LedgersOf(tenant));
}

absl::Status TrimLedgers(Store* store, uint64_t bytes_max) {
  ASSIGN_OR_RETURN(const std::vector<catalog::LedgerRecord> ledgers, Load(store, std::string(kLedgerPrefix)));
  const uint64_t now_ns = store->clock()->WallNs();
  uint64_t bytes = 0;
  for (const catalog::LedgerRecord& record : ledgers) {
    if (record.keep_until_ns() <= now_ns) {
      RETURN_IF_ERROR(Remove(store, record, Removal::kOver));
    } else if (!record.removed()) {
      bytes += record.bytes();
    }
  }
  for (size_t i = 0; i + 1 < ledgers.size() && bytes > bytes_max; ++i) {  // the newest stays
    const catalog::LedgerRecord& record = ledgers[i];
    if (record.keep_until_ns() <= now_ns || record.removed()) continue;
    RETURN_IF_ERROR(Remove(store, record, Removal::kNoRoom));
    bytes -= record.bytes();
  }
  return absl::OkStatus();
}

absl::Status RemoveStrayLedgers(Store* store) {
  ASSIGN_OR_RETURN(const std::vector<catalog::LedgerRecord> ledgers, Load(store, std::string(kLedgerPrefix)));
  std::set<std::string> known;
  for (const catalog::LedgerRecord& record : ledgers) {
    if (!record.removed()) known.insert(PathOf(store, record));
  }
  std::error_code error;
  for (std::filesystem::directory_iterator it(LedgerRoot(store), error), end; !error && it != end; it.increment(error)) {
    if (!known.contains(it->path().string())) RemoveFile(it->path().string());
  }
  return absl::OkStatus();
}

absl::Status VisitLostWrites(Store* store, const catalog::TenantRecord& record, const LostWriteVisitor& visitor,
                             std::stop_token stop, size_t keys_max) {
  ASSIGN_OR_RETURN(const std::vector<catalog::LedgerRecord> ledgers, LoadLedgers(store, TenantId(record.id())));
  if (ledgers.empty()) return absl::OkStatus();
  if (record.replication().phase() == catalog::Replication::REVERTING && IsReplicating(StateOf(record))) {
    return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                    fmt::format("a failback of virtual cluster \"{}\" is still undoing writes", record.name()),
                    "Try again when SHOW VIRTUAL CLUSTER ... WITH REPLICATION STATUS shows a replicated_time.");
  }
  ASSIGN_OR_RETURN(const KeyspaceRef keyspace, store->FindKeyspace(IncarnationId(record.incarnation())));
  for (size_t i = 0; i < ledgers.size(); ++i) {
    RETURN_IF_ERROR(visitor.failback({.point = {ledgers[i].point()},
                                      .discarded_at = {ledgers[i].discarded_at_ns()},
                                      .versions = ledgers[i].versions(),
                                      .removed = RemovedOf(ledgers[i])}));
    if (ledgers[i].removed()) continue;
    LedgerVisit visit(store, visitor, stop, keys_max);
    RETURN_IF_ERROR(visit.Run(keyspace, ledgers[i], {ledgers.begin() + static_cast<ptrdiff_t>(i) + 1, ledgers.end()}));
  }
  return absl::OkStatus();
}

}  // namespace anabranch
