// Internal to tenant/: what stands behind VirtualClusters. Its methods are spread over bootstrap.cc (Open),
// virtual_clusters.cc (create, drop, show), data_statements.cc (clone, reset), job_statements.cc, rename.cc, capabilities.cc,
// service.cc (start, stop, connect), reader_statements.cc, settings.cc, connection_statements.cc, replication_statements.cc, replication_change.cc and
// failover_statements.cc.
//
// Locks. TenantRuntime::statements serializes the statements on one virtual cluster and is held for as long as one takes,
// remote requests included; SHOW, sessions, streams and the replication job never take it. Everything else is short. The
// catalog needs no lock: see tenant/catalog/catalog.h.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "tenant/catalog/catalog.h"
#include "tenant/catalog/receipts.h"
#include "tenant/replication/collector.h"
#include "tenant/replication/failover.h"
#include "tenant/replication/farewell.h"
#include "tenant/replication/job.h"
#include "tenant/replication/receipt_fingerprints.h"
#include "tenant/replication/sweeper.h"
#include "tenant/replication/undo_failover.h"
#include "tenant/source/source.h"
#include "tenant/virtual_clusters.h"

namespace anabranch {

// What this process holds of a virtual cluster, besides its record.
struct TenantRuntime {
  TenantRuntime(Store* store, TenantId id_, const std::string& name)
      : id(id_),
        progress(std::make_shared<ReplicationProgress>()),
        sweeper(store, name,
                {.kept = [id_](MetaUpdate& update) { return IsKeptForUndo(update, id_); },
                 .begun = [store, id_](uint64_t versions) { NoteSweepBegun(store, id_, versions); },
                 .done = [store, id_] { NoteSwept(store, id_); }}) {}

  const TenantId id;
  const std::shared_ptr<ReplicationProgress> progress;
  Sweeper sweeper;

  std::mutex mutex;
  std::condition_variable_any failed_over;      // a pending failover was published
  std::optional<ServedVirtualCluster> service;  // guarded by mutex; set while it serves
  std::shared_ptr<LockTable> reader_locks;      // guarded by mutex; of a reader's sessions

  std::mutex statements;
  std::unique_ptr<ReplicationJob> job;  // guarded by statements; may have ended by itself. Last: its thread uses the rest
};

class VirtualClustersImpl final : public VirtualClusters {
 public:
  explicit VirtualClustersImpl(Options options);
  ~VirtualClustersImpl() override;
  absl::Status Start();  // Open

  void SetSessionStopper(SessionStopper stopper) override {
    std::lock_guard lock(mutex_);
    session_stopper_ = std::move(stopper);
  }

  absl::Status Create(const std::string& name, CreateOptions options) override;
  absl::Status CreateFromClone(const std::string& name, CreateOptions options, const VirtualClusterSpec& original,
                               const std::optional<std::string>& as_of, std::stop_token stop) override;
  absl::Status CreateFromReplication(const std::string& name, CreateOptions options, const VirtualClusterSpec& source,
                                     const std::string& uri, ReplicationOptions replication, std::stop_token stop) override;
  absl::Status StartReplication(const VirtualClusterSpec& spec, const VirtualClusterSpec& source, const std::string& uri,
                                ReplicationOptions replication, std::stop_token stop) override;
  absl::Status PauseReplication(const VirtualClusterSpec& spec) override;
  absl::Status ResumeReplication(const VirtualClusterSpec& spec) override;
  absl::Status CancelReplication(const VirtualClusterSpec& spec, const std::string& user) override;
  absl::Status AddReadVirtualCluster(const VirtualClusterSpec& spec) override;
  absl::StatusOr<Timestamp> CompleteReplication(const VirtualClusterSpec& spec, const FailoverTarget& target,
                                                const CompleteOptions& options, std::stop_token stop) override;
  absl::Status UndoCompleteReplication(const VirtualClusterSpec& spec, const std::string& user) override;
  absl::StatusOr<std::vector<FailoverInfo>> ShowFailovers() override;
  absl::StatusOr<Explanation> ExplainComplete(const VirtualClusterSpec& spec, const FailoverTarget& target,
                                              std::stop_token stop) override;
  absl::StatusOr<Explanation> ExplainStartReplication(const VirtualClusterSpec& spec, const VirtualClusterSpec& source,
                                                      const std::string& uri, ReplicationOptions replication,
                                                      std::stop_token stop) override;
  absl::StatusOr<Explanation> ExplainReset(const VirtualClusterSpec& spec, const std::string& expression,
                                           std::stop_token stop) override;
  absl::StatusOr<Explanation> ExplainDrop(const VirtualClusterSpec& spec, std::stop_token stop) override;
  absl::Status ReadLostWrites(const VirtualClusterSpec& spec, const LostWriteVisitor& visitor,
                              std::stop_token stop) override;
  absl::Status StartService(const VirtualClusterSpec& spec) override;
  absl::Status StopService(const VirtualClusterSpec& spec) override;
  absl::StatusOr<Timestamp> ResetData(const VirtualClusterSpec& spec, const std::string& expression,
                                      const std::string& user, std::stop_token stop) override;
  absl::Status Drop(const VirtualClusterSpec& spec, bool if_exists) override;
  absl::Status ChangeReplication(const VirtualClusterSpec& spec, const ReplicationChange& change,
                                 std::stop_token stop) override;
  absl::Status SetCapabilities(const VirtualClusterSpec& spec, const std::map<Capability, std::string>& values) override;
  absl::Status CheckCapability(TenantId id, Capability capability) override;
  absl::Status CreateExternalConnection(const std::string& name, const std::string& uri, bool if_not_exists) override;
  absl::Status AlterExternalConnection(const std::string& name, const std::string& uri, bool if_exists) override;
  absl::Status DropExternalConnection(const std::string& name, bool if_exists) override;
  absl::StatusOr<std::vector<ExternalConnectionInfo>> ShowExternalConnections(
      const std::optional<std::string>& name) override;
  absl::StatusOr<std::vector<SettingInfo>> ShowSettings(const VirtualClusterSpec& spec) override;
  absl::Status Rename(const VirtualClusterSpec& spec, const std::string& name) override;
  absl::Status SetSetting(const VirtualClusterSpec& spec, const std::string& setting,
                          const std::optional<std::string>& value) override;
  absl::StatusOr<std::string> ShowSetting(const VirtualClusterSpec& spec, const std::string& setting) override;
  absl::Status SetClusterSetting(const std::string& setting, const std::optional<std::string>& value) override;
  absl::StatusOr<SettingInfo> ShowClusterSetting(const std::string& setting) override;
  absl::StatusOr<std::vector<SettingInfo>> ShowClusterSettings() override;
  absl::StatusOr<VirtualClusterInfo> Show(const VirtualClusterSpec& spec) override;
  absl::StatusOr<std::vector<VirtualClusterInfo>> ShowAll() override;
  absl::StatusOr<FingerprintRow> ShowFingerprint(const VirtualClusterSpec& spec,
                                                 std::optional<std::string> start_expression,
                                                 std::optional<std::string> at_expression, std::stop_token stop) override;

  absl::StatusOr<std::vector<JobInfo>> ShowJobs() override;
  absl::StatusOr<std::vector<JobInfo>> FindJobs(const std::vector<int64_t>& ids) override;
  absl::StatusOr<std::vector<JobInfo>> WaitForJobs(const std::vector<int64_t>& ids, std::stop_token stop) override;
  absl::Status ControlJobs(JobAction action, const std::vector<int64_t>& ids, const std::string& user) override;
  absl::StatusOr<std::vector<ReplicationStreamInfo>> ShowReplicationStreams() override { return source_.Streams(); }

  absl::StatusOr<ServedVirtualCluster> Connect(const std::string& name) override;

  absl::StatusOr<wire::OpenResponse> OpenStream(const wire::OpenRequest& request, const StreamUser& user,
                                                std::stop_token stop) override;
  absl::Status ServeSubscription(const wire::SubscribeRequest& request, const StreamUser& user, FrameTransport& transport,
                                 std::stop_token stop) override;
  absl::Status ServeCopy(const wire::CopyRequest& request, const StreamUser& user, FrameTransport& transport,
                         std::stop_token stop) override;
  absl::StatusOr<wire::FinishResponse> FinishStream(const wire::FinishRequest& request, const StreamUser& user) override;

 private:
  // One statement's turn on a virtual cluster, and its record as of then.
  struct Statement {
    std::shared_ptr<TenantRuntime> runtime;
    std::unique_lock<std::mutex> turn;
    catalog::TenantRecord record;
  };
  // 42704 if there is none. 22023 for `system` if `verb` is given: `cannot <verb> tenant "1", ...`.
  absl::StatusOr<TenantId> Locate(const VirtualClusterSpec& spec);
  absl::StatusOr<TenantId> LocateFor(const VirtualClusterSpec& spec, std::string_view verb);
  // A reader is refused (55000) unless the statement is one for readers, too.
  enum class OnReader { kRefuse, kAllow };
  absl::StatusOr<Statement> Begin(const VirtualClusterSpec& spec, std::string_view verb,
                                  OnReader on_reader = OnReader::kRefuse);
  std::shared_ptr<TenantRuntime> RuntimeOf(const catalog::TenantRecord& record);

  // bootstrap.cc
  absl::Status Bootstrap();
  absl::Status Recover(const catalog::TenantRecord& record);
  void HouseKeep(std::stop_token stop);
  absl::Status FinishDrops();

  // fork_protections.cc
  absl::StatusOr<uint64_t> MoveForkProtections();
  absl::Status ReleaseForkProtections();

  // virtual_clusters.cc
  absl::StatusOr<TenantId> LocateToDrop(const VirtualClusterSpec& spec);
  absl::Status FinishDrop(const catalog::TenantRecord& record);
  VirtualClusterInfo InfoOf(const catalog::TenantRecord& record);
  Timestamp FrontierOf(const catalog::TenantRecord& record);
  Timestamp SourceNow(const catalog::TenantRecord& record, const TenantRuntime& runtime);

  // settings.cc
  absl::Status SetLiveFeedBytes();

  // job_statements.cc
  JobProgress JobProgressOf(const catalog::TenantRecord& record);

  // service.cc
  void EndSessions(TenantId id, std::string why, std::string hint);
  absl::Status Serve(const catalog::TenantRecord& record);
  absl::StatusOr<std::string> DefaultTarget();

  // replication_change.cc
  absl::Status CheckSource(const catalog::TenantRecord& record, const std::string& address, uint64_t expiration_window_ns,
                           std::stop_token stop);
  absl::Status SetExpirationWindow(const catalog::TenantRecord& record, uint64_t window_ns);

  // reader_statements.cc
  absl::StatusOr<ServedVirtualCluster> ConnectReader(const catalog::TenantRecord& record);
  void EndReader(TenantId reader);  // its sessions and, if it is dropping, itself; zero: nothing
  ReplicationStatus ReaderStatus(const catalog::TenantRecord& reader);

  // replication_statements.cc
  absl::StatusOr<wire::OpenResponse> Handshake(const std::string& address, const wire::OpenRequest& request,
                                               std::stop_token stop);
  void GiveUp(const std::string& address, const wire::OpenResponse& answer);
  void StartJob(TenantRuntime& runtime);  // REQUIRES: statements held, or nobody knows the runtime yet
  void AfterFailover(TenantRuntime& runtime, const PublishedFailover& published);
  absl::Status CancelJobless(Statement& statement, const std::string& user);
  absl::StatusOr<Timestamp> CompleteNow(Statement statement, std::optional<Timestamp> target,
                                        const CompleteOptions& options);
  absl::Status CompleteLater(Statement statement, Timestamp target, const CompleteOptions& options, bool wait,
                             std::stop_token stop);
  absl::Status WaitFailedOver(TenantRuntime& runtime, Timestamp target, std::stop_token stop);

  // failover_statements.cc
  // Ends the possibility to undo the last failover, if there is one that ends by `due_ns`, and begins to sweep.
  absl::Status SettleFailover(TenantRuntime& runtime, std::string_view why, uint64_t due_ns = UINT64_MAX);
  // Once it is durable that it cannot be undone: sweeps the keyspace, and says what is journaled.
  void ConcludeFailover(TenantRuntime& runtime, const IncarnationId& incarnation);
  absl::Status EndUndoWindows(uint64_t* next_ms);

  const Options options_;
  Store* const store_;
  std::mutex creating_;  // one new virtual cluster at a time: the limit is counted
  std::mutex mutex_;
  std::map<TenantId, std::shared_ptr<TenantRuntime>> runtimes_;  // guarded by mutex_
  ExternalConnections connections_;
  SessionStopper session_stopper_;  // guarded by mutex_: a job may come first
  Farewells farewells_;
  ReceiptFingerprints fingerprints_;
  StreamSource source_;
  Collector collector_;
  std::mutex housekeeping_;
  std::condition_variable_any housekeeping_due_;
  uint64_t last_round_ns_ = 0;  // the housekeeper's own; monotonic, of its last round. Zero: there was none yet
  bool window_opened_ = false;  // guarded by housekeeping_; a failover can be undone, for a while
  std::jthread housekeeper_;
};

}  // namespace anabranch
