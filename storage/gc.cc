#include "storage/gc.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "base/failpoint.h"
#include "base/status.h"
#include "rocksdb/convenience.h"
#include "storage/mvcc/change_index.h"
#include "storage/mvcc/keyspace_iterator.h"
#include "storage/mvcc/reader.h"
#include "storage/rocks/meta_format.h"

namespace anabranch {
namespace {

// A key, and when the index says that it changed.
using NamedVersion = std::pair<std::string, Timestamp>;

// Keys of consecutive index entries, ascending, each with the last of its changes.
struct Work {
  std::vector<NamedVersion> keys;
  uint64_t entries = 0;
  std::string upto;  // the encoded key of the last entry of the batch
};

// What lies below the floor is this collector's alone: its iterators do not ask for the floor.
absl::StatusOr<std::unique_ptr<KeyspaceIterator>> OpenBelowFloor(const KeyspaceRef& keyspace,
                                                                 KeyspaceIterator::Family family,
                                                                 KeyspaceIterator::Access access, std::string upper_bound) {
  return KeyspaceIterator::Open(keyspace, family, access, std::move(upper_bound), kTimestampMax);
}

class Collection {
 public:
  Collection(Store* store, const KeyspaceRef& keyspace, Epoch epoch, Pacing pacing, std::stop_token stop,
             const std::function<void(const GcProgress&)>& on_batch)
      : store_(store),
        keyspace_(keyspace),
        epoch_(epoch),
        stop_(stop),
        pacer_(store->clock(), pacing, stop),
        on_batch_(on_batch) {}

  absl::StatusOr<GcProgress> Run(uint64_t ttl_ns) {
    RETURN_IF_ERROR(RaiseFloor(ttl_ns));
    Failpoint("gc.floor_raised");
    const std::string mark_key = MetaCollectedKey(keyspace_->incarnation());
    ASSIGN_OR_RETURN(const std::optional<std::string> mark, store_->GetMeta(mark_key));
    collected_ = mark.value_or("");
    while (true) {
      ASSIGN_OR_RETURN(Work work, NextWork());
      if (work.entries == 0) break;
      RETURN_IF_ERROR(Collect(work));
    }
    RETURN_IF_ERROR(DropCollectedEntries());
    return progress_;
  }

 private:
  // R8: synced before anything is deleted. How far is judged where no protection can appear in between.
  absl::Status RaiseFloor(uint64_t ttl_ns) {
    const uint64_t resolved_ns = store_->Resolved(*keyspace_).ns;
    const Timestamp wanted{resolved_ns - std::min(resolved_ns, ttl_ns)};
    RETURN_IF_ERROR(store_->UpdateMeta([&](MetaUpdate& update) -> absl::Status {
      if (update.Before(keyspace_)->epoch != epoch_) return FencedError("the collector no longer owns the keyspace");  // R4
      const Timestamp pinned = AsRocks(*keyspace_).pins().Oldest(store_->clock()->MonotonicNs());
      progress_.floor = update.Stage(keyspace_).RaiseFloor(std::min(wanted, pinned));
      return absl::OkStatus();
    }));
    limit_ = progress_.floor;
    return absl::OkStatus();
  }

  // A new iterator for each batch: one for the whole run would keep memtables and files alive for as long.
  absl::StatusOr<Work> NextWork() {
    Work work;
    ASSIGN_OR_RETURN(auto it, OpenBelowFloor(keyspace_, KeyspaceIterator::Family::kChanges,
                                             KeyspaceIterator::Access::kRange, EncodeTimestamp(limit_.Next())));
    ChangeEntry entry;
    for (it->Seek(collected_ + '\0'); it->Valid() && work.keys.size() < kGcBatchVersions; it->Next()) {
      if (!DecodeChange(it->key(), it->value(), &entry)) {
        return absl::DataLossError(fmt::format("malformed change index entry {}", ToHex(it->key())));
      }
      for (std::string& key : entry.keys) work.keys.emplace_back(std::move(key), entry.timestamp);
      work.upto = std::move(entry.encoded_key);
      ++work.entries;
    }
    if (!it->Valid()) RETURN_IF_ERROR(it->status());
    std::sort(work.keys.begin(), work.keys.end(), [](const NamedVersion& a, const NamedVersion& b) {
      return a.first != b.first ? a.first < b.first : a.second > b.second;
    });
    const auto same_key = [](const NamedVersion& a, const NamedVersion& b) { return a.first == b.first; };
    work.keys.erase(std::unique(work.keys.begin(), work.keys.end(), same_key), work.keys.end());
    return work;
  }

  absl::Status Collect(const Work& work) {
    ASSIGN_OR_RETURN(auto it,
                     OpenBelowFloor(keyspace_, KeyspaceIterator::Family::kData, KeyspaceIterator::Access::kPoint, ""));
    for (const auto& [key, timestamp] : work.keys) RETURN_IF_ERROR(CollectKey(*it, key, timestamp));
    it.reset();
    progress_.entries += work.entries;
    collected_ = work.upto;
    return Flush(work.upto);
  }

  absl::Status CollectKey(KeyspaceIterator& it, std::string_view key, Timestamp changed_at) {
    const std::string prefix = EncodeKeyPrefix(key);
    const auto in_key = [&] { return it.Valid() && it.key().starts_with(prefix); };
    it.Seek(EncodeVersionKey(key, limit_));
    // Another version is the newest: a later entry's work, or the named one is gone since a run that died.
    if (!in_key() || it.key() != EncodeVersionKey(key, changed_at)) return StatusOf(it);
    const auto kind = it.value().empty() ? WriteKind{} : static_cast<WriteKind>(it.value().front());
    if (kind != WriteKind::kPut && kind != WriteKind::kTombstone) {
      return absl::DataLossError(fmt::format("value of unknown kind at data key {}", ToHex(it.key())));
    }
    const std::string newest(it.key());
    for (it.Next(); in_key(); it.Next()) {
      if (doomed_.size() >= kGcBatchVersions) RETURN_IF_ERROR(Flush(""));
      doomed_.emplace_back(it.key());
    }
    RETURN_IF_ERROR(StatusOf(it));
    if (kind == WriteKind::kTombstone) doomed_.push_back(newest);  // R6: in the last of the batches with its versions
    return absl::OkStatus();
  }

  static absl::Status StatusOf(const KeyspaceIterator& it) { return it.Valid() ? absl::OkStatus() : it.status(); }

  absl::Status Flush(std::string collected_upto) {
    if (stop_.stop_requested()) return absl::CancelledError("garbage collection was interrupted");
    std::sort(doomed_.begin(), doomed_.end());
    const size_t versions = doomed_.size();
    RETURN_IF_ERROR(store_->Erase({.keyspace = keyspace_,
                                   .epoch = epoch_,
                                   .data_keys = std::move(doomed_),
                                   .change_keys = {},
                                   .collected_upto = std::move(collected_upto)}));
    doomed_.clear();
    progress_.versions += versions;
    Failpoint("gc.batch");
    if (on_batch_) on_batch_(progress_);
    pacer_.Rest();
    return absl::OkStatus();
  }

  // The files of `changes` that hold only entries that were worked off; `level_0` alone or all.
  bool HasCollectedFiles(bool level_0) const {
    const RocksKeyspace& rocks = AsRocks(*keyspace_);
    rocksdb::ColumnFamilyMetaData metadata;
    rocks.db()->GetColumnFamilyMetaData(rocks.changes(), &metadata);
    for (const rocksdb::LevelMetaData& level : metadata.levels) {
      if (level_0 && level.level != 0) continue;
      for (const rocksdb::SstFileMetaData& file : level.files) {
        if (file.largestkey <= collected_) return true;
      }
    }
    return false;
  }

  // Not needed to keep away from exports (R9): what goes lies below the floor, which they read last.
  absl::Status DropCollectedEntries() const {
    if (collected_.empty() || !HasCollectedFiles(/*level_0=*/false)) return absl::OkStatus();
    RETURN_IF_ERROR(store_->Sync());  // the entries are needed until the deletions are on disk
    Failpoint("gc.before_drop_index");
    const RocksKeyspace& rocks = AsRocks(*keyspace_);
    const rocksdb::Slice begin("", 0);
    const rocksdb::Slice end(collected_);
    if (HasCollectedFiles(/*level_0=*/true)) {  // files of level 0 cannot be dropped; moved below it, they can
      rocksdb::CompactRangeOptions options;
      options.exclusive_manual_compaction = false;
      options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kSkip;
      RETURN_IF_ERROR(
          FromRocks(rocks.db()->CompactRange(options, rocks.changes(), &begin, &end), "move collected entries"));
    }
    const rocksdb::RangePtr range(&begin, &end);
    return FromRocks(rocksdb::DeleteFilesInRanges(rocks.db(), rocks.changes(), &range, 1), "drop collected entries");
  }

  Store* const store_;
  const KeyspaceRef keyspace_;
  const Epoch epoch_;
  const std::stop_token stop_;
  Pacer pacer_;
  const std::function<void(const GcProgress&)>& on_batch_;

  Timestamp limit_;        // history is collected up to here
  std::string collected_;  // the last entry that was worked off
  std::vector<std::string> doomed_;
  GcProgress progress_;
};

}  // namespace

absl::StatusOr<GcProgress> CollectGarbage(Store* store, const KeyspaceRef& keyspace, Epoch epoch, uint64_t ttl_ns,
                                          Pacing pacing, std::stop_token stop,
                                          const std::function<void(const GcProgress&)>& on_batch) {
  return Collection(store, keyspace, epoch, pacing, std::move(stop), on_batch).Run(ttl_ns);
}

}  // namespace anabranch
