// The room of what is RocksDB's: families and formats, the log, options, files. Read this first. It knows of no timestamps
// being given and of no reader's rules; it uses storage/api/.
//
// Internal to storage/: what stands behind Keyspace: its column families, the database that they belong to, and what the
// writer and readers share. RocksDB types appear in this header and in others that are internal; no public one has any.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "rocksdb/db.h"
#include "storage/api/keyspace.h"
#include "storage/api/types.h"
#include "storage/rocks/files.h"
#include "storage/rocks/iterator_pool.h"
#include "storage/rocks/log_check.h"
#include "storage/rocks/log_key.h"
#include "storage/rocks/published_state.h"
#include "storage/rocks/recent_versions.h"
#include "storage/rocks/snapshot_pins.h"

namespace anabranch {

struct OperationCounter {
  std::atomic<uint64_t> iterator_steps{0};
  std::atomic<uint64_t> gets{0};
  std::atomic<uint64_t> puts{0};
  std::atomic<uint64_t> deletes{0};
  std::atomic<uint64_t> syncs{0};

  OperationCounts Read() const { return {iterator_steps, gets, puts, deletes, syncs}; }
};

// The database, shared by the store and by every keyspace reference and iterator, so column family handles are always
// destroyed before it closes.
struct RocksEngine {
  RocksEngine() = default;
  ~RocksEngine();
  RocksEngine(const RocksEngine&) = delete;
  RocksEngine& operator=(const RocksEngine&) = delete;

  // Opening the store, then its writer thread, all of these.

  // Empty, but for the mark that the next record of the log is to carry.
  rocksdb::WriteBatch NewBatch() const;
  // The batch is in the log, synced if that is asked for, and can be read; or
  // nothing of it took place. NoSpace: the log takes nothing more, or a flush found no room; see storage/commit/writer.h.
  // REQUIRES: it was made by NewBatch since the last Write
  rocksdb::Status Write(rocksdb::WriteBatch* batch, bool sync);
  // All that is written is on disk.
  rocksdb::Status Sync();
  // What the present log refused is cut off, and writes go to a new one.
  rocksdb::Status BeginLog();

  std::shared_ptr<StoreEnv> env;  // outlives `db`
  std::unique_ptr<rocksdb::DB> db;
  rocksdb::ColumnFamilyHandle* default_family = nullptr;  // owned; RocksDB insists on it, BeginLog alone writes to it
  rocksdb::ColumnFamilyHandle* meta = nullptr;            // owned
  OperationCounter counter;
  const std::shared_ptr<IteratorPool> point_iterators = std::make_shared<IteratorPool>();  // over the `data` families
  RecentVersions recent;
  LogMark mark;    // of the next record; changed on the writer thread only
  LogKey log_key;  // set before the database opens
};

class RocksKeyspace final : public Keyspace {
 public:
  RocksKeyspace(std::shared_ptr<RocksEngine> engine, IncarnationId incarnation, rocksdb::ColumnFamilyHandle* data,
                rocksdb::ColumnFamilyHandle* changes, KeyspaceState state)
      : engine_(std::move(engine)), incarnation_(std::move(incarnation)), data_(data), changes_(changes) {
    SetState(std::move(state));
  }
  ~RocksKeyspace() override {
    engine_->point_iterators->Drop(data_->GetID());
    engine_->db->DestroyColumnFamilyHandle(data_);
    engine_->db->DestroyColumnFamilyHandle(changes_);
  }
  RocksKeyspace(const RocksKeyspace&) = delete;
  RocksKeyspace& operator=(const RocksKeyspace&) = delete;

  const IncarnationId& incarnation() const override { return incarnation_; }
  std::shared_ptr<const KeyspaceState> state() const override { return published_.whole(); }
  const PublishedState& published() const { return published_; }

  // Writer thread only, after the change is durable (or before the keyspace is shared). Step 4b of the order of
  // publication, which storage/rocks/published_state.h states.
  void SetState(KeyspaceState state) { published_.Set(std::move(state)); }

  // What RecentVersions says of this keyspace; storage/rocks/recent_versions.h has the picture, with `recent_above`.
  //
  // Writer thread only, before a reader can see the commit (step 2 of the order of publication).
  void NoteCommit(const WriteList& writes, Timestamp ts) {
    if (writes.size() > RecentVersions::kCommitKeysMax) return ForgetRecent(ts);
    engine_->recent.Note(data_->GetID(), writes, ts);
  }
  // Writer thread only (step 4a): versions changed in another way than by a noted commit. REQUIRES: every version, and
  // every snapshot that does not see the change, is at or below `upto`.
  void ForgetRecent(Timestamp upto) { recent_above_ns_.store(upto.ns, std::memory_order_release); }

  // The newest version of the key, if it is noted, above `recent_above`, and at or below `at`.
  std::optional<Version> FindRecent(std::string_view key, Timestamp at) const {
    return engine_->recent.Find(data_->GetID(), key, recent_above(), at);
  }
  // True: no version of the key is above `since`. False: that cannot be told without reading.
  bool UnchangedSince(std::string_view key, Timestamp since) const {
    return since >= recent_above() && engine_->recent.UnchangedSince(data_->GetID(), key, since);
  }

  rocksdb::DB* db() const { return engine_->db.get(); }
  rocksdb::ColumnFamilyHandle* data() const { return data_; }
  rocksdb::ColumnFamilyHandle* changes() const { return changes_; }
  // Of `data`, with prefix_same_as_start.
  std::unique_ptr<rocksdb::Iterator> TakePointIterator(uint64_t* generation) {
    return engine_->point_iterators->Take(data_->GetID(), generation);
  }
  void GivePointIterator(std::unique_ptr<rocksdb::Iterator> iterator, uint64_t generation) {
    engine_->point_iterators->Give(data_->GetID(), std::move(iterator), generation);
  }
  OperationCounter& counter() const { return engine_->counter; }

  SnapshotPins& pins() { return pins_; }

  // Keeps erasing and copying apart (R9): an erase holds it exclusively, an export shared. Without it a version whose index
  // entry was erased between the export of `data` and that of `changes` would come back to life in the copy.
  std::shared_mutex& erase_gate() { return erase_gate_; }

  // Writer thread only: the families are dropped or about to be, and no batch may name them any more (R12).
  bool gone() const { return gone_; }
  void MarkGone() { gone_ = true; }

 private:
  Timestamp recent_above() const { return {recent_above_ns_.load(std::memory_order_acquire)}; }

  const std::shared_ptr<RocksEngine> engine_;
  const IncarnationId incarnation_;
  rocksdb::ColumnFamilyHandle* const data_;     // owned
  rocksdb::ColumnFamilyHandle* const changes_;  // owned
  std::shared_mutex erase_gate_;
  SnapshotPins pins_;
  bool gone_ = false;
  std::atomic<uint64_t> recent_above_ns_{0};
  PublishedState published_;
};

inline RocksKeyspace& AsRocks(const Keyspace& keyspace) {
  return const_cast<RocksKeyspace&>(static_cast<const RocksKeyspace&>(keyspace));
}

// RocksDB's status in our words: IOError -> 58030 (NoSpace -> 53100), Corruption -> XX001, the rest Internal. `context`
// says what was being done. The one translation of this library's errors.
absl::Status FromRocks(const rocksdb::Status& status, std::string_view context);

// The durable value of one record of `meta`; nullopt if there is none.
absl::StatusOr<std::optional<std::string>> ReadMeta(RocksEngine& engine, std::string_view key);

}  // namespace anabranch
