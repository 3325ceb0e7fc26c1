// The room of the side that a replication leaves. It uses tenant/replication/.
//
// The source's side of streams: judging who may stream what, exports for initial copies, protection of the history that
// standbys still need.
//
// One StreamRecord per stream. Its protection is made durable before anything relies on it, raised only after the standby's
// durable acknowledgements (R11), and released when the standby finished, or was silent for the expiration window.
//
// Silence is counted by this process's monotonic clock, while it runs and nobody is connected, and noted in the record so
// that it adds up over restarts. So neither a time in which the source was down nor a wall clock that steps expires a stream.
//
// Orphans. An OPEN whose standby does not hear the answer leaves a stream that nobody knows. One for an initial copy is
// `unclaimed` until it is opened again, and is found again by the key of its OPEN; one for a failback is replaced when its
// destination asks anew. Neither expires sooner than others do: the source cannot know whether the answer was journaled.
// Who gives up an answer says which: if the stream was opened again since, by the same statement run again, it stays. An
// OPEN whose peer leaves meanwhile leaves nothing.
//
// Owners. A stream belongs to the user who opened it and to the cluster it was opened for: nobody else goes on with it or
// subscribes to it (42501), and nobody else but an administrator finishes it. An administrator takes it over by opening it
// again for the same cluster, so that the user of a connection string can be replaced; what the former owner had connected
// ends. A stream without an owner, made by a program that kept none, is owned by who opens it next.
//
// Promises (R13). A stream opened for a failback is promised: it stands in the source's own TenantRecord until the standby
// opens it again with everything undone (which it cannot take back by itself any more), gives it up, asks anew as its owner,
// or is forgotten; it is not read before that. While a virtual cluster has promised a stream it begins no failback
// (tenant/replication/failback.h), so two that fail back to each other at the same time never both become standbys.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/api/store.h"
#include "storage/transfer.h"
#include "stream/egress.h"
#include "stream/live_feed.h"
#include "stream/transport.h"
#include "stream/wire.pb.h"
#include "tenant/catalog/catalog.h"
#include "tenant/catalog/stream_info.h"
#include "tenant/catalog/stream_user.h"
#include "tenant/source/registry.h"

namespace anabranch {

// Thread-safe.
class StreamSource {
 public:
  struct Options {
    Store* store = nullptr;
    LiveFeed* feed = nullptr;
    // Sees to it that nothing is hidden. For a source that was promoted: it cannot be undone from then on.
    std::function<absl::Status(TenantId, std::stop_token)> wait_swept;
    // The write that opened a failback's stream has ended the possibility to undo the failover of its source
    // (tenant/replication/undo_failover.h); for an initial copy, wait_swept has.
    std::function<void(const catalog::TenantRecord&)> settled;
  };
  explicit StreamSource(Options options);

  // Forgets streams that their standbys never heard of, and folders that belong to none. Before anything else.
  absl::Status Recover();
  // Forgets streams that were silent for too long and releases their history, and notes the silence of the others.
  absl::Status ExpireSilent();

  // The peer's clock decides nothing. `stop`: the peer has gone, or the node stops.
  absl::StatusOr<wire::OpenResponse> Open(const wire::OpenRequest& request, const StreamUser& user, std::stop_token stop);
  absl::Status ServeSubscription(const wire::SubscribeRequest& request, const StreamUser& user, FrameTransport& transport,
                                 std::stop_token stop);
  absl::Status ServeCopy(const wire::CopyRequest& request, const StreamUser& user, FrameTransport& transport,
                         std::stop_token stop);
  absl::StatusOr<wire::FinishResponse> Finish(const wire::FinishRequest& request, const StreamUser& user);

  // Of all streams that the virtual cluster feeds, from now on. How many these are.
  absl::StatusOr<size_t> SetExpirationWindow(TenantId tenant, uint64_t window_ns);
  // Ends the connections that read this virtual cluster and returns when they are gone. REQUIRES: its record refuses those
  // that come later.
  void EndStreams(TenantId tenant) { registry_.EndTenant(tenant); }
  void EndAll() { registry_.EndAll(); }
  // All that there are, those that nobody will come back to as well.
  absl::StatusOr<std::vector<ReplicationStreamInfo>> Streams();
  // Forgets one that nobody is connected to and releases its history: 55006 if somebody is.
  absl::Status Release(StreamId stream);
  // For a drop: also forgets its streams.
  absl::Status ForgetTenant(TenantId tenant);

  // From before the handshake of a failback until it is journaled or refused: meanwhile its virtual cluster promises
  // nothing.
  class FailbackPreparation {
   public:
    FailbackPreparation(StreamSource* source, TenantId tenant);
    ~FailbackPreparation();
    FailbackPreparation(const FailbackPreparation&) = delete;
    FailbackPreparation& operator=(const FailbackPreparation&) = delete;

   private:
    StreamSource* const source_;
    const TenantId tenant_;
  };

  // For a change of history that is not an append (R10): ends the connections that read the virtual cluster, and while it
  // lives none begins. A standby that comes meanwhile asks again.
  class Closing {
   public:
    Closing(StreamSource* source, TenantId tenant);
    ~Closing();
    Closing(const Closing&) = delete;
    Closing& operator=(const Closing&) = delete;

   private:
    StreamSource* const source_;
    const TenantId tenant_;
  };

 private:
  struct Source {
    catalog::TenantRecord tenant;
    KeyspaceRef keyspace;
  };
  using StreamJudge = std::function<absl::Status(const catalog::StreamRecord&)>;

  // open.cc
  absl::StatusOr<TenantId> LocateSource(const wire::OpenRequest& request);
  absl::StatusOr<Source> FindSource(const wire::OpenRequest& request);
  absl::Status CheckRoomForNew(const Source& source, const wire::OpenRequest& request, const StreamUser& user);
  absl::StatusOr<wire::OpenResponse> OpenNew(const Source& source, const wire::OpenRequest& request, const StreamUser& user,
                                             std::stop_token stop);
  absl::StatusOr<wire::OpenResponse> OpenKnown(const Source& source, const catalog::StreamRecord& stream);
  absl::StatusOr<TransferManifest> Export(const Source& source, StreamId stream, const std::stop_token& stop);
  absl::StatusOr<Timestamp> JudgeFailback(const Source& source, const wire::OpenRequest& request);
  absl::StatusOr<wire::OpenResponse> ExplainFailback(const Source& source, const wire::OpenRequest& request,
                                                     std::stop_token stop);
  absl::StatusOr<wire::OpenResponse> OpenFailback(const Source& source, const wire::OpenRequest& request,
                                                  const StreamUser& user);
  absl::StatusOr<Timestamp> JudgeOpenAgain(const Source& source, const catalog::StreamRecord& record,
                                           const wire::OpenRequest& request, const StreamUser& user);
  absl::StatusOr<wire::OpenResponse> OpenAgain(const Source& source, const wire::OpenRequest& request,
                                               const StreamUser& user);
  absl::Status GoOn(const Source& source, const wire::OpenRequest& request, const StreamUser& user);
  enum class Purpose { kInitialCopy, kFailback };
  absl::Status AddStream(const Source& source, const wire::OpenRequest& request, const StreamUser& user, StreamId stream,
                         Timestamp protect, Purpose purpose);
  absl::StatusOr<wire::OpenResponse> Answer(const Source& source, StreamId stream, Timestamp start_at);
  absl::StatusOr<uint64_t> Govern(StreamId stream, FrameTransport& transport);
  absl::Status CheckNotPreparing(const catalog::TenantRecord& tenant);

  // stream_list.cc
  StreamRegistry::Connection ConnectionFrom(StreamRegistry::Purpose purpose, const FrameTransport& transport) const;
  ReplicationStreamInfo InfoOf(const catalog::StreamRecord& record, const catalog::TenantRecord& tenant,
                               uint64_t window_ns);

  // silence.cc
  struct Live;
  Live& LiveOf(StreamId stream);  // REQUIRES: mutex_ held
  void Heard(StreamId stream);
  void EndSilence(catalog::StreamRecord& record);
  uint64_t SilenceOf(const catalog::StreamRecord& record);
  bool IsSilentSince(StreamId stream, uint64_t monotonic_ns);
  absl::Status NoteSilence();
  absl::Status Touch(StreamId stream, std::optional<Timestamp> retained);

  void NoteAcknowledged(StreamId stream, Timestamp frontier);
  // Once it was deleted: what else there is of it goes.
  void Forgotten(StreamId stream);
  // Unless `judge`, which is asked in the write that deletes it, refuses.
  absl::Status Forget(StreamId stream, const StreamJudge& judge = nullptr);
  absl::Status CheckCurrent(const catalog::StreamRecord& record);
  absl::Status FinishExport(StreamId stream);

  const Options options_;
  Store* const store_;
  Egress egress_;
  StreamRegistry registry_;
  // What this process remembers of a stream.
  struct Live {
    std::string branch;                   // of the source, when the stream was last opened
    uint64_t silent_since_ns = 0;         // monotonic; what was silent before is in the record
    uint64_t touched_at_ns = 0;           // monotonic; of the last durable touch. Zero: the record is behind
    uint64_t checkpoint_interval_ns = 0;  // this and below: as the standby was told then
    uint64_t expiration_window_ns = 0;
    Timestamp acknowledged;  // the newest frontier that the standby has told
  };
  std::mutex adding_;  // one new stream at a time: their number is counted
  std::mutex mutex_;
  std::map<StreamId, Live> live_;  // guarded by mutex_; of those that have a record
  std::set<TenantId> preparing_;   // guarded by mutex_; those whose failback is being prepared
  std::set<TenantId> closed_;      // guarded by mutex_; those whose history is being changed
};

}  // namespace anabranch
