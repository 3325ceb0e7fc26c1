// The virtual clusters of this physical cluster: catalog, lifecycle, replication jobs, failover, failback. Every VIRTUAL
// CLUSTER statement is one method here; sql/ parses and prints.
//
// Each method returns when what it promises is durable (docs/promises.md), and either does all of it or nothing: refusals
// are decided before the first change, decisions are re-checked inside the UpdateMeta that makes them durable. After a
// crash the catalog record alone says how to go on (docs/formats.md).
//
// Thread-safe. Statements on one virtual cluster run one after the other; statements on different ones do not wait for each
// other.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/ids.h"
#include "base/timestamp.h"
#include "storage/api/store.h"
#include "storage/mvcc/fingerprint.h"
#include "storage/mvcc/transaction.h"
#include "stream/live_feed.h"
#include "stream/transport.h"
#include "stream/wire.pb.h"
#include "tenant/catalog/capability.h"
#include "tenant/catalog/cluster_settings.h"
#include "tenant/catalog/external_connections.h"
#include "tenant/catalog/jobs.h"
#include "tenant/catalog/lifecycle.h"
#include "tenant/catalog/limits.h"
#include "tenant/catalog/spec.h"
#include "tenant/catalog/stream_info.h"
#include "tenant/catalog/stream_user.h"

namespace anabranch {

namespace catalog {
class TenantRecord;
}

struct LostWriteVisitor;  // tenant/replication/lost_write_visitor.h

enum class Virtualization { kUnspecified, kVirtualized, kVirtualizedEmpty };

// A row of SHOW VIRTUAL CLUSTERS; the replication fields are set if the virtual cluster replicates or once did.
struct ReplicationStatus {
  std::string source_tenant_name;
  std::string source_cluster_uri;  // redacted
  std::optional<Timestamp> retained_time;
  std::optional<Timestamp> replicated_time;
  std::optional<int64_t> replication_lag_ns;  // computed when read, in the source's time domain; never negative
  std::optional<Timestamp> failover_time;     // pending or done
  std::string last_error;
  std::string progress;         // of a copy, revert or sweep under way
  std::string ready_by;         // WayToReady (tenant/replication/failover.h)
  uint64_t initial_copies = 0;  // how often the whole keyspace was copied for this stream: 1, and 0 after a failback
};

// A row of SHOW FAILOVERS.
struct FailoverInfo {
  std::string virtual_cluster;  // its name then
  std::string user_name;        // of who asked for it
  Timestamp completed_at;       // by this node's clock
  Timestamp target;
  std::optional<Timestamp> frontier;        // what was replicated then
  std::optional<uint64_t> versions_undone;  // counted when the sweep begins
  std::string phases;                       // "pending 12.000 s, publish 0.002 s, sweep 0.310 s"
  std::optional<Timestamp> lost_upto;       // everything in (target, lost_upto] was undone
  std::string statement;                    // "COMPLETE REPLICATION", ...
  std::optional<uint64_t> fingerprint;      // of the data at the target, if it was asked for
};

// A row of WITH CAPABILITIES.
struct CapabilityRow {
  std::string name;
  std::string value;  // "true", "false", or the bounds
};
std::vector<CapabilityRow> CapabilitiesOf(const catalog::TenantRecord& record);
// What is kept of a value as GRANT writes it; none is true. 42601 if one is needed, 22023 if it can have no such value.
absl::StatusOr<std::string> CapabilityText(Capability capability, const std::optional<std::string>& value);

// Whom a virtual cluster followed until its last failover.
struct PriorReplication {
  std::string source_id;  // "<cluster id>:<virtual cluster id>"
  Timestamp activation_time;
};

struct VirtualClusterInfo {
  TenantId id;
  std::string name;
  DataState data_state;
  ServiceMode service_mode;
  std::optional<ReplicationStatus> replication;
  std::optional<PriorReplication> prior;
  std::vector<CapabilityRow> capabilities;
};

enum class JobAction { kCancel, kPause, kResume };

// What a session needs to run statements in a virtual cluster. Alive as long as any session holds it. A reader's context
// follows: nothing can be written in it.
struct ServedVirtualCluster {
  TenantId id;
  std::string name;
  TransactionContext context;        // locks are shared by all sessions of this service
  std::shared_ptr<LockTable> locks;  // owns context.locks
};

class VirtualClusters {
 public:
  struct Options {
    Store* store = nullptr;                                        // not owned
    LiveFeed* feed = nullptr;                                      // not owned
    Virtualization virtualization = Virtualization::kUnspecified;  // counts only when the store is new
  };
  // Creates what a new store must have, or recovers: finishes or undoes what a crash interrupted, restarts sweepers and
  // replication jobs.
  static absl::StatusOr<std::unique_ptr<VirtualClusters>> Open(Options options);
  // Stops jobs and sweepers and joins them; nothing is lost, Open goes on from there.
  virtual ~VirtualClusters() = default;

  // Ends the sessions of a virtual cluster with `why` (57P01) and returns when they are gone. Set once before serving.
  using SessionStopper = std::function<void(TenantId, const absl::Status& why)>;
  virtual void SetSessionStopper(SessionStopper stopper) = 0;

  // --- Statements ---
  virtual absl::Status Create(const std::string& name, CreateOptions options) = 0;
  // A writable copy with a history of its own, `ready` and not serving, of one that is `ready` or of a standby, which goes on
  // (tenant/replication/clone.h). As of the newest moment that is complete there, or of `as_of`, in the standby's source's time.
  virtual absl::Status CreateFromClone(const std::string& name, CreateOptions options, const VirtualClusterSpec& original,
                                       const std::optional<std::string>& as_of, std::stop_token stop) = 0;
  virtual absl::Status CreateFromReplication(const std::string& name, CreateOptions options,
                                             const VirtualClusterSpec& source, const std::string& uri,
                                             ReplicationOptions replication, std::stop_token stop) = 0;
  virtual absl::Status StartReplication(const VirtualClusterSpec& spec, const VirtualClusterSpec& source,
                                        const std::string& uri, ReplicationOptions replication, std::stop_token stop) = 0;
  virtual absl::Status PauseReplication(const VirtualClusterSpec& spec) = 0;
  virtual absl::Status ResumeReplication(const VirtualClusterSpec& spec) = 0;
  // Takes back a failback from which nothing was replicated: `ready` and durable on return, as it was if nothing is undone
  // yet, else at the point where the histories parted (tenant/replication/failback.h). Needs neither the source nor a job. Does nothing
  // if it is `ready`.
  virtual absl::Status CancelReplication(const VirtualClusterSpec& spec, const std::string& user) = 0;
  // SET REPLICATION READ VIRTUAL CLUSTER: adds the reader `<name>-readonly` (tenant/replication/reader.h). 55000 if nothing replicates into
  // it, 42710 if the name is taken. Does nothing if it has one.
  virtual absl::Status AddReadVirtualCluster(const VirtualClusterSpec& spec) = 0;
  // The failover timestamp. `ready` and durable on return, unless the target is in the future. Waits for as long as a past
  // target is not replicated yet; when `stop` is requested the target stays pending. 55000 if another statement, or a
  // source that refused, ended the wait.
  virtual absl::StatusOr<Timestamp> CompleteReplication(const VirtualClusterSpec& spec, const FailoverTarget& target,
                                                        const CompleteOptions& options, std::stop_token stop) = 0;
  // As nobody in particular.
  absl::StatusOr<Timestamp> CompleteReplication(const VirtualClusterSpec& spec, const FailoverTarget& target,
                                                std::stop_token stop) {
    return CompleteReplication(spec, target, CompleteOptions(), std::move(stop));
  }
  absl::Status CancelReplication(const VirtualClusterSpec& spec) { return CancelReplication(spec, ""); }
  // `replication paused` and durable on return, with the replicated_time from before the failover. 55000 with the condition
  // that fails (tenant/replication/undo_failover.h).
  virtual absl::Status UndoCompleteReplication(const VirtualClusterSpec& spec, const std::string& user) = 0;
  virtual absl::StatusOr<std::vector<FailoverInfo>> ShowFailovers() = 0;  // the newest first
  // What the statement would do, decided by the same code, with nothing changed here or at a source (explain_statements.cc).
  // A statement that would be refused is explained, too.
  using Explanation = std::vector<std::pair<std::string, std::string>>;  // property, value
  virtual absl::StatusOr<Explanation> ExplainComplete(const VirtualClusterSpec& spec, const FailoverTarget& target,
                                                      std::stop_token stop) = 0;
  virtual absl::StatusOr<Explanation> ExplainStartReplication(const VirtualClusterSpec& spec,
                                                              const VirtualClusterSpec& source, const std::string& uri,
                                                              ReplicationOptions replication, std::stop_token stop) = 0;
  virtual absl::StatusOr<Explanation> ExplainReset(const VirtualClusterSpec& spec, const std::string& expression,
                                                   std::stop_token stop) = 0;
  virtual absl::StatusOr<Explanation> ExplainDrop(const VirtualClusterSpec& spec, std::stop_token stop) = 0;
  // What failbacks of it discarded, for as long as it is kept (tenant/replication/lost_writes.h). 55000 while one is undoing.
  virtual absl::Status ReadLostWrites(const VirtualClusterSpec& spec, const LostWriteVisitor& visitor,
                                      std::stop_token stop) = 0;
  virtual absl::Status StartService(const VirtualClusterSpec& spec) = 0;
  virtual absl::Status StopService(const VirtualClusterSpec& spec) = 0;
  // Undoes everything above a past moment, in this cluster's own time; returns it. Streams that it feeds end, and each of its
  // standbys is judged when it connects again (tenant/replication/reset.h).
  virtual absl::StatusOr<Timestamp> ResetData(const VirtualClusterSpec& spec, const std::string& expression,
                                              const std::string& user, std::stop_token stop) = 0;
  // Of one that is `dropping` (by its name or id): does what an earlier DROP could not.
  virtual absl::Status Drop(const VirtualClusterSpec& spec, bool if_exists) = 0;
  // Sessions and streams go on: they follow ids. The default target follows the name. 42710 if another one has it.
  virtual absl::Status Rename(const VirtualClusterSpec& spec, const std::string& name) = 0;
  // For a stream into it that runs or is paused; the source is asked before anything changes, and the job connects again.
  // Of what has no such stream, the expiration window counts for the streams that it feeds. 55000 if there is neither;
  // 22023 if the address leads to another source.
  virtual absl::Status ChangeReplication(const VirtualClusterSpec& spec, const ReplicationChange& change,
                                         std::stop_token stop) = 0;
  virtual absl::Status SetCapabilities(const VirtualClusterSpec& spec, const std::map<Capability, std::string>& values) = 0;
  // 42501, with the statement that grants it, if the virtual cluster does not have it. `system` has all.
  virtual absl::Status CheckCapability(TenantId id, Capability capability) = 0;
  // Names for connection strings (tenant/catalog/external_connections.h).
  virtual absl::Status CreateExternalConnection(const std::string& name, const std::string& uri, bool if_not_exists) = 0;
  virtual absl::Status AlterExternalConnection(const std::string& name, const std::string& uri, bool if_exists) = 0;
  // 2BP01 naming who uses it.
  virtual absl::Status DropExternalConnection(const std::string& name, bool if_exists) = 0;
  virtual absl::StatusOr<std::vector<ExternalConnectionInfo>> ShowExternalConnections(
      const std::optional<std::string>& name) = 0;
  // Settings of one virtual cluster: gc.ttlseconds. No value: back to the default. 42704 for another setting, 22023 for a
  // value it cannot have.
  virtual absl::Status SetSetting(const VirtualClusterSpec& spec, const std::string& setting,
                                  const std::optional<std::string>& value) = 0;
  virtual absl::StatusOr<std::string> ShowSetting(const VirtualClusterSpec& spec, const std::string& setting) = 0;
  virtual absl::StatusOr<std::vector<SettingInfo>> ShowSettings(const VirtualClusterSpec& spec) = 0;
  // Settings of this physical cluster (tenant/catalog/cluster_settings.h), in force on return. No value: back to the default.
  virtual absl::Status SetClusterSetting(const std::string& setting, const std::optional<std::string>& value) = 0;
  virtual absl::StatusOr<SettingInfo> ShowClusterSetting(const std::string& setting) = 0;
  virtual absl::StatusOr<std::vector<SettingInfo>> ShowClusterSettings() = 0;  // by name
  virtual absl::StatusOr<VirtualClusterInfo> Show(const VirtualClusterSpec& spec) = 0;
  virtual absl::StatusOr<std::vector<VirtualClusterInfo>> ShowAll() = 0;  // by id
  struct FingerprintRow {
    std::string name;
    Timestamp at;
    Fingerprint fingerprint;
  };
  // Works in any state whose data are complete at that time. nullopt `at_expression`: the newest resolved time.
  virtual absl::StatusOr<FingerprintRow> ShowFingerprint(const VirtualClusterSpec& spec,
                                                         std::optional<std::string> start_expression,
                                                         std::optional<std::string> at_expression,
                                                         std::stop_token stop) = 0;

  // --- Jobs (tenant/catalog/jobs.h) ---
  virtual absl::StatusOr<std::vector<JobInfo>> ShowJobs() = 0;  // the oldest first
  // In the order of `ids`. 42704 if one of them is unknown.
  virtual absl::StatusOr<std::vector<JobInfo>> FindJobs(const std::vector<int64_t>& ids) = 0;
  // As they were when the last of them was finished; one that ends without a trace counts as finished. Cancelled when `stop`
  // is requested; they go on.
  virtual absl::StatusOr<std::vector<JobInfo>> WaitForJobs(const std::vector<int64_t>& ids, std::stop_token stop) = 0;
  // As PAUSE, RESUME and CANCEL REPLICATION do to those that are a replication into a virtual cluster here. To cancel a
  // producer gives up a stream that nobody is connected to. Nothing is done if one of them is unknown, finished, or not to be
  // controlled that way.
  virtual absl::Status ControlJobs(JobAction action, const std::vector<int64_t>& ids, const std::string& user) = 0;
  // Of the source: every stream, those that no standby will come back to as well.
  virtual absl::StatusOr<std::vector<ReplicationStreamInfo>> ShowReplicationStreams() = 0;

  // --- Serving sessions ---
  // Empty name: the default target. 3D000: no such virtual cluster. 57P03: it is not serving, with the reason and the
  // statement to run.
  virtual absl::StatusOr<ServedVirtualCluster> Connect(const std::string& name) = 0;

  // --- The source's side of a stream (REPLICATION_STREAM ... on a `system` session) ---
  // 42501 for a stream of another user or another destination (tenant/source/source.h).
  virtual absl::StatusOr<wire::OpenResponse> OpenStream(const wire::OpenRequest& request, const StreamUser& user,
                                                        std::stop_token stop) = 0;
  virtual absl::Status ServeSubscription(const wire::SubscribeRequest& request, const StreamUser& user,
                                         FrameTransport& transport, std::stop_token stop) = 0;
  virtual absl::Status ServeCopy(const wire::CopyRequest& request, const StreamUser& user, FrameTransport& transport,
                                 std::stop_token stop) = 0;
  virtual absl::StatusOr<wire::FinishResponse> FinishStream(const wire::FinishRequest& request, const StreamUser& user) = 0;
};

}  // namespace anabranch
