// One node's store: a RocksDB with a `meta` column family and two column families per keyspace, and the one writer thread
// through which every change goes.
//
// Commit pipeline. Callers hand requests to the writer thread and block. It takes what is waiting as a group (bounded by
// kGroupBytesMax), checks each request's epoch, assigns increasing timestamps, writes one batch (data, changes, meta),
// syncs the write-ahead log once, then publishes (storage/rocks/published_state.h has the order), gives the locks back, wakes the
// callers and hands the group to the observer. So a snapshot at `visible` is always complete and what was acknowledged can be read. A request
// that fails its own check fails alone; a failed write or sync fails the whole group, and the store refuses every later
// write (58030). On a full disk (53100) nothing is left of the group, and the store takes writes again once there is room.
//
// Large commits (R18). Others do not wait for one: the writer thread gives it a timestamp T and holds its keyspace, which
// resolves just below T from then on; the committer's thread writes sorted files (storage/commit/files.h); the writer thread
// adopts them and publishes. Meanwhile other writes to that keyspace, and all UpdateMeta, wait their turn: whoever decides
// something finds no commit half-way.
//
// Clock (R1, R2). `visible` is max(wall, last + 1) under a ceiling that `meta` holds synced ahead of need, moved by groups
// and, when nothing is written, by ticks of the writer thread. No commit, resolved or served read timestamp passes the
// ceiling, and a restart begins at it, so a wall clock that steps back over a restart never commits below what was already
// shown.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "storage/api/keyspace.h"
#include "storage/api/types.h"
#include "storage/api/write_list.h"

namespace anabranch {

inline constexpr size_t kGroupBytesMax = 8 << 20;       // a larger request is a group of its own
inline constexpr size_t kLargeCommitBytes = 4 << 20;    // a larger commit is written as files, off the writer thread
inline constexpr size_t kIngestPieceBytes = 1 << 20;    // a larger ingestion is divided
inline constexpr size_t kWriteQueueRequestsMax = 4096;  // callers beyond it wait for a place
inline constexpr uint64_t kTickIntervalNs = 20'000'000;
inline constexpr uint64_t kCeilingLeadNs = 2'000'000'000;   // how far ahead the ceiling is put
inline constexpr uint64_t kCeilingRenewNs = 1'000'000'000;  // it is renewed when less than this is left
static_assert(kTickIntervalNs < kCeilingRenewNs && kCeilingRenewNs < kCeilingLeadNs);

struct StoreOptions {
  std::string dir;
  Clock* clock = SystemClock();  // not owned
  Random* random = nullptr;      // not owned, required
  size_t block_cache_bytes = 256 << 20;
  size_t write_buffer_bytes = 256 << 20;  // over all keyspaces
};

// A transaction's commit. All or nothing at one timestamp.
struct CommitRequest {
  KeyspaceRef keyspace;
  Epoch epoch;
  std::shared_ptr<const WriteList> writes;  // not empty, sorted, each key once; shared with the observer afterwards
  // SERIALIZABLE: fail with 40001 if a key in these spans has a version newer than `validate_after`. Judged by the caller's
  // thread as far as is visible, and then on the writer thread, against what was published since and earlier members of the
  // own group (R3). Empty: no validation.
  std::vector<Span> validate_spans;
  Timestamp validate_after;
  // How often the caller's thread has judged; the more the writer thread looks at (storage/commit/validation.h).
  int validations = 0;
  std::stop_token stop = {};  // ends that judging, with Cancelled, however much there is to look at
  // Is written as a large commit is, whatever its size, into files that nobody looks up a single key in yet. For loads, whose
  // keys lie together and overlap nothing; right for any.
  bool as_files = false;
  // Called on the writer thread as soon as others can see it, before the committer wakes: locks go then (R3). Must not
  // block.
  std::function<void()> published = nullptr;
};

// Versions with timestamps of their own, from a stream. Idempotent.
struct IngestRequest {
  KeyspaceRef keyspace;
  Epoch epoch;
  std::vector<Version> versions;
  // Set: the keyspace is complete up to here once this request is durable; the group is synced and the frontier is in its
  // batch. Unset: the versions may be lost in a crash until a later frontier is acknowledged, and nothing is synced for
  // them.
  std::optional<Timestamp> frontier;
};

// Published transactions of one group, in commit order.
struct PublishedCommit {
  IncarnationId incarnation;
  Timestamp timestamp;
  std::shared_ptr<const WriteList> writes;
};

// Keyspaces with a large commit on its way, and where they resolve until then.
using HeldKeyspaces = std::map<IncarnationId, Timestamp>;

// Called on the writer thread after each publication and tick; must not block and must not call the store.
class CommitObserver {
 public:
  virtual ~CommitObserver() = default;
  // No commit at or below `resolved` will follow; in keyspaces that are held, at or below what `held` says. `commits` may be
  // empty (a tick).
  virtual void OnPublished(const std::vector<PublishedCommit>& commits, Timestamp resolved, const HeldKeyspaces& held) = 0;
};

class MetaUpdateImpl;

// A keyspace as a MetaUpdate will leave it: the changes are called here. Each acts on what those before it in the same
// update left, and becomes visible with the update as a whole. A handle, good within UpdateMeta's callback. Where a change
// cannot be made, the whole update is refused with the first such reason.
class StagedKeyspace {
 public:
  // Ends the present owner's writes and returns the epoch of the next one (R4).
  Epoch BumpEpoch();
  // Hides every version above `after` and returns U, the newest version present at this moment; no other write comes in
  // between. The store's clock moves above U, so later commits are never inside. U <= after: nothing to hide, no interval
  // is made. Refused (22023) if `after` is below the staged floor, or the clock would move by more than it follows (R2).
  Timestamp Hide(Timestamp after);
  // Removes the interval that begins at `after`. REQUIRES: it was swept (nothing is left in it).
  void RetireHidden(Timestamp after);
  // Takes back the interval that begins at `after`, if there is one: its versions exist for readers again. Refused (55000)
  // if something was written above it. REQUIRES: nothing of it was erased.
  void Unhide(Timestamp after);
  void SetIngesting(bool ingesting, Timestamp frontier);
  // Nobody follows any more who does now: KeyspaceState::rewinds.
  void EndFollowers();
  void Publish();  // makes an unpublished keyspace live
  void MarkDropping();
  // Raises the floor towards `wanted`, not beyond what is resolved, protected or hidden (R6, R8, R11), and returns it:
  // staged intervals and frontiers count, protections count as they were before the update. Versions below the floor may be
  // deleted once this update is durable.
  Timestamp RaiseFloor(Timestamp wanted);

 private:
  friend class MetaUpdateImpl;
  StagedKeyspace(MetaUpdateImpl* update, KeyspaceRef keyspace) : update_(update), keyspace_(std::move(keyspace)) {}

  MetaUpdateImpl* update_;
  KeyspaceRef keyspace_;
};

// The change of `meta` being built by UpdateMeta's callback: on the writer thread, atomic, durable when UpdateMeta returns
// OK. What is decided is read as it was before this update; what is changed is staged, and nothing of it shows in the
// former.
class MetaUpdate {
 public:
  virtual ~MetaUpdate() = default;

  // --- Before this update: durable and published, and all of one moment. ---
  // Records of the layers above, under their own key prefixes (tenant/catalog/catalog.h).
  virtual absl::StatusOr<std::optional<std::string>> GetBefore(std::string_view key) = 0;
  std::shared_ptr<const KeyspaceState> Before(const KeyspaceRef& keyspace) const { return keyspace->state(); }
  // The newest timestamp below which all commits are published.
  virtual Timestamp visible() const = 0;

  // --- Staged by this update. ---
  virtual void Put(std::string_view key, std::string_view value) = 0;
  virtual void Delete(std::string_view key) = 0;
  virtual StagedKeyspace Stage(const KeyspaceRef& keyspace) = 0;
};

class Store {
 public:
  // Opens or creates. Refused with one line that says what to do: locked by another process (its pid), made by a newer
  // format, folder not writable. Drops column families that `meta` does not name as published.
  static absl::StatusOr<std::unique_ptr<Store>> Open(StoreOptions options);

  virtual ~Store() = default;  // drains the queue, stops the writer, closes. REQUIRES: no iterator, no KeyspaceRef is left

  virtual const ClusterId& cluster_id() const = 0;
  virtual const std::string& dir() const = 0;
  virtual Clock* clock() const = 0;
  virtual Random* random() const = 0;

  // --- Keyspaces. All are listed by incarnation; which virtual cluster one belongs to is the catalog's business. ---
  // New, empty, unpublished, epoch 1. 54000 beyond kKeyspacesMax.
  virtual absl::StatusOr<KeyspaceRef> CreateKeyspace() = 0;
  virtual absl::StatusOr<KeyspaceRef> FindKeyspace(const IncarnationId& incarnation) = 0;  // NotFound
  virtual std::vector<KeyspaceRef> Keyspaces() = 0;
  // REQUIRES: marked dropping by an earlier UpdateMeta (or unpublished). Passes a barrier through the writer thread, then
  // drops (R12).
  virtual absl::Status DropKeyspace(const KeyspaceRef& keyspace) = 0;

  // --- Writing. Each blocks until durable and published, or refused. Cannot be cancelled once queued. ---
  virtual absl::StatusOr<Timestamp> Commit(CommitRequest request) = 0;
  virtual absl::Status Ingest(IngestRequest request) = 0;
  virtual absl::Status UpdateMeta(std::function<absl::Status(MetaUpdate&)> build) = 0;
  // Deletes exactly these versions and change-index entries (encoded keys), if `epoch` still owns the keyspace. Not synced:
  // the work can be found and done again. Only revert.h and gc.h call it.
  struct EraseRequest {
    KeyspaceRef keyspace;
    Epoch epoch;
    std::vector<std::string> data_keys;    // encoded, sorted
    std::vector<std::string> change_keys;  // encoded, sorted
    // Not empty: garbage collection has worked off the change index up to this entry (encoded), recorded in the same batch.
    std::string collected_upto = {};
  };
  virtual absl::Status Erase(EraseRequest request) = 0;
  // Everything written before this call is on disk when it returns OK.
  virtual absl::Status Sync() = 0;

  // --- Time ---
  virtual Timestamp visible() const = 0;
  // What reads of this keyspace may rely on: `visible`, or the frontier of a keyspace under ingestion (R2).
  virtual Timestamp Resolved(const Keyspace& keyspace) const = 0;
  // Returns when visible() >= ts. Cancelled when `stop` is requested first; 22023 at once if ts is further ahead of the
  // clock than kCeilingLeadNs.
  virtual absl::Status WaitVisible(Timestamp ts, std::stop_token stop) = 0;
  // The same, and until no large commit at or below `ts` is on its way there: nothing at or below it will follow.
  virtual absl::Status WaitReadable(const KeyspaceRef& keyspace, Timestamp ts, std::stop_token stop) = 0;
  // A timestamp never handed out before and never to be again, restarts included; under the ceiling. For row ids.
  virtual absl::StatusOr<Timestamp> ReserveTimestamp() = 0;
  // Moves the clock to at least `ts`. 22023 if ts is ahead of the wall clock by more than kPeerClockAheadNsMax (R2).
  virtual absl::Status ForwardClock(Timestamp ts) = 0;

  // --- Meta, read side: the last durable values. ---
  virtual absl::StatusOr<std::optional<std::string>> GetMeta(std::string_view key) = 0;
  virtual absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ScanMeta(std::string_view prefix) = 0;

  // One observer; nullptr removes it. Takes effect, passing a barrier through the writer thread, before it returns.
  virtual void SetObserver(CommitObserver* observer) = 0;

  virtual OperationCounts counts() const = 0;
};

inline constexpr uint64_t kPeerClockAheadNsMax = 600'000'000'000;  // 10 minutes

}  // namespace anabranch
