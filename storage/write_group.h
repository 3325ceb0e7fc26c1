// Internal to storage/: one group of the commit pipeline, from checked requests to published states. Lives on the writer
// thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rocksdb/write_batch.h"
#include "storage/commit_files.h"
#include "storage/hybrid_clock.h"
#include "storage/rocks_keyspace.h"
#include "storage/store.h"

namespace anabranch {

class WriteGroup {
 public:
  WriteGroup(RocksEngine* engine, HybridClock* clock);

  // Each checks its request and either adds all of it or, on an error, nothing. A commit as files has a group of its own.
  absl::StatusOr<Timestamp> AddCommit(const CommitRequest& request);
  absl::Status AddIngest(const IngestRequest& request);
  absl::Status AddErase(const Store::EraseRequest& request);

  // For MetaUpdate. Staged states are what later members of the group are checked against; they become the keyspaces'
  // states when the group is published.
  const KeyspaceState& StateOf(const KeyspaceRef& keyspace);
  KeyspaceState& ChangeState(const KeyspaceRef& keyspace);  // its durable fields: a record is written
  void ChangeFrontier(const KeyspaceRef& keyspace, Timestamp frontier);
  void Forget(const KeyspaceRef& keyspace);  // its records go, and it is marked gone
  void PutMeta(std::string_view key, std::string_view value);
  void DeleteMeta(std::string_view key);
  void RaiseClock(Timestamp ts);  // the clock is at or above `ts` once the group is published
  void RequireSync() { sync_ = true; }

  bool empty() const;
  // Writes, and syncs if a member asks for it. On an error nothing of the group took place.
  rocksdb::Status WriteBatch();
  // After a successful WriteBatch: the states, and the clock if the group raised it.
  void Publish();
  const std::vector<PublishedCommit>& commits() const { return commits_; }

 private:
  struct Staged {
    KeyspaceRef keyspace;
    KeyspaceState state;
    bool record_changed = false;
    bool changed_otherwise = false;  // than by commits
    bool forgotten = false;
  };

  Staged& Stage(const KeyspaceRef& keyspace);
  absl::Status CheckOwner(const KeyspaceRef& keyspace, Epoch epoch);
  absl::Status Validate(const CommitRequest& request);
  // `stored`: kind byte and value, in parts.
  void PutVersion(const RocksKeyspace& keyspace, std::string_view key, Timestamp ts, const rocksdb::SliceParts& stored);
  void PutChange(const RocksKeyspace& keyspace, Timestamp ts, const std::vector<std::string_view>& keys);
  // Versions at `ts` are staged; the least key of them.
  void NoteVersion(const KeyspaceRef& keyspace, Timestamp ts, std::string_view first_key);

  RocksEngine* const engine_;
  HybridClock* const clock_;
  rocksdb::WriteBatch batch_;
  std::string version_key_;  // kept for its memory
  std::optional<CommitFiles> files_;
  std::map<const Keyspace*, Staged> staged_;
  std::vector<PublishedCommit> commits_;
  std::vector<RocksKeyspace*> committed_to_;  // by each of commits_
  std::optional<Timestamp> new_ceiling_;
  Timestamp raise_to_;
  uint64_t puts_ = 0;
  uint64_t deletes_ = 0;
  bool sync_ = false;
};

// The newest version present, from the last entry of the change index; zero if empty. One step.
absl::StatusOr<Timestamp> NewestPresent(const RocksKeyspace& keyspace);

}  // namespace anabranch
