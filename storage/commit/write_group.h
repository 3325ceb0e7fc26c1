// Internal to storage/: one group of the commit pipeline, from checked requests to published states. Lives on the writer
// thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "rocksdb/write_batch.h"
#include "storage/api/store.h"
#include "storage/commit/files.h"
#include "storage/commit/hybrid_clock.h"
#include "storage/rocks/keyspace.h"

namespace anabranch {

class WriteGroup {
 public:
  WriteGroup(RocksEngine* engine, HybridClock* clock);

  // Each checks its request and either adds all of it or, on an error, nothing.
  absl::StatusOr<Timestamp> AddCommit(const CommitRequest& request);
  // A large commit, in two groups of its own: its timestamp, from which on its keyspace is held; and its files.
  absl::StatusOr<Timestamp> AddHold(const CommitRequest& request);
  absl::Status AddFiles(const CommitRequest& request, Timestamp ts, CommitFiles* files);
  absl::Status AddIngest(const IngestRequest& request);
  absl::Status AddErase(const Store::EraseRequest& request);

  // For MetaUpdate. A keyspace's state is staged here from the first member that names it: later members are checked
  // against what earlier ones left, and it becomes the keyspace's state when the group is published.
  KeyspaceState StateOf(const KeyspaceRef& keyspace);  // a copy: what is staged changes under later calls
  // Of the durable fields: a record is written. `change` is called at once.
  void Change(const KeyspaceRef& keyspace, absl::FunctionRef<void(KeyspaceState&)> change);
  void ChangeFrontier(const KeyspaceRef& keyspace, Timestamp frontier);
  void Forget(const KeyspaceRef& keyspace);  // the keyspace's records go, and it is marked gone
  void PutMeta(std::string_view key, std::string_view value);
  void DeleteMeta(std::string_view key);
  void RaiseClock(Timestamp ts);  // the clock is at or above `ts` once the group is published
  absl::Status CheckVersion(Timestamp ts) const { return clock_->CheckVersion(ts); }
  void RequireSync() { sync_ = true; }

  bool empty() const;
  // Writes, and syncs if a member asks for it. On an error nothing of the group took place, and this may be called again,
  // as the writer does once it has made room on a full disk: it writes the same batch. Nothing is added after the first
  // call. Files that a commit is written as are adopted once: REQUIRES that there are none at a second call.
  rocksdb::Status WriteBatch();
  // After a successful WriteBatch: the states, and the clock if the group raised it.
  void Publish();
  const std::vector<PublishedCommit>& commits() const { return commits_; }

 private:
  struct Staged {
    KeyspaceRef keyspace;
    KeyspaceState state;
    bool record_changed = false;
    bool changed_otherwise = false;  // its versions or state changed, in other ways than by commits
    bool forgotten = false;
  };

  Staged& Stage(const KeyspaceRef& keyspace);
  void Seal();
  absl::Status CheckOwner(const KeyspaceRef& keyspace, Epoch epoch);
  absl::StatusOr<Timestamp> NextTimestamp(const CommitRequest& request);
  void NoteCommit(const CommitRequest& request, Timestamp ts);
  absl::Status Validate(const CommitRequest& request);
  // `stored`: kind byte and value, in parts.
  void PutVersion(const RocksKeyspace& keyspace, std::string_view key, Timestamp ts, const rocksdb::SliceParts& stored);
  void PutChange(const RocksKeyspace& keyspace, Timestamp ts, const std::vector<std::string_view>& keys);
  // Versions at `ts` are staged; the least key of them.
  void NoteVersion(const KeyspaceRef& keyspace, Timestamp ts, std::string_view first_key);

  RocksEngine* const engine_;
  HybridClock* const clock_;
  rocksdb::WriteBatch batch_;
  std::string version_key_;       // of PutVersion; kept for its memory
  CommitFiles* files_ = nullptr;  // not owned
  std::map<const Keyspace*, Staged> staged_;
  std::vector<PublishedCommit> commits_;
  std::vector<RocksKeyspace*> committed_to_;  // the keyspace of each of commits_
  std::optional<Timestamp> new_ceiling_;
  Timestamp raise_to_;
  uint64_t puts_ = 0;
  uint64_t deletes_ = 0;
  bool sync_ = false;
  bool sealed_ = false;  // the batch is complete: WriteBatch was called
};

// The newest version present, from the last entry of the change index; zero if empty. One step.
absl::StatusOr<Timestamp> NewestPresent(const RocksKeyspace& keyspace);

}  // namespace anabranch
