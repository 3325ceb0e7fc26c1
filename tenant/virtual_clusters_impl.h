// Internal to tenant/: what stands behind VirtualClusters. Its methods are spread over bootstrap.cc (Open),
// virtual_clusters.cc (create, drop, show), service.cc (start, stop, connect), reader.cc, settings.cc,
// replication_statements.cc and failover_statements.cc.
//
// Locks. TenantRuntime::statements serializes the statements on one virtual cluster and is held for as long as one takes,
// remote requests included; SHOW, sessions, streams and the replication job never take it. Everything else is short. The
// catalog needs no lock: see tenant/catalog.h.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "tenant/catalog.h"
#include "tenant/collector.h"
#include "tenant/failover.h"
#include "tenant/farewell.h"
#include "tenant/receipts.h"
#include "tenant/replication_job.h"
#include "tenant/stream_source.h"
#include "tenant/sweeper.h"
#include "tenant/virtual_clusters.h"

namespace anabranch {

// Judged by the source, and by this node's clock (R2). replication_statements.cc.
absl::StatusOr<wire::OpenResponse> AskSource(Store* store, const std::string& uri, const wire::OpenRequest& request,
                                             std::stop_token stop);

// What this process holds of a virtual cluster, besides its record.
struct TenantRuntime {
  TenantRuntime(Store* store, TenantId id_, const std::string& name)
      : id(id_),
        progress(std::make_shared<ReplicationProgress>()),
        sweeper(store, name,
                {.begun = [store, id_](uint64_t versions) { NoteSweepBegun(store, id_, versions); },
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
  absl::Status CreateFromReplication(const std::string& name, CreateOptions options, const std::string& source_name,
                                     const std::string& uri, ReplicationOptions replication, std::stop_token stop) override;
  absl::Status StartReplication(const VirtualClusterSpec& spec, const std::string& source_name, const std::string& uri,
                                ReplicationOptions replication, std::stop_token stop) override;
  absl::Status PauseReplication(const VirtualClusterSpec& spec) override;
  absl::Status ResumeReplication(const VirtualClusterSpec& spec) override;
  absl::Status CancelReplication(const VirtualClusterSpec& spec, const std::string& user) override;
  absl::Status AddReadVirtualCluster(const VirtualClusterSpec& spec) override;
  absl::StatusOr<Timestamp> CompleteReplication(const VirtualClusterSpec& spec, const FailoverTarget& target,
                                                const std::string& user, std::stop_token stop) override;
  absl::Status UndoCompleteReplication(const VirtualClusterSpec& spec, const std::string& user) override;
  absl::StatusOr<std::vector<FailoverInfo>> ShowFailovers() override;
  absl::StatusOr<Explanation> ExplainComplete(const VirtualClusterSpec& spec, const FailoverTarget& target,
                                              std::stop_token stop) override;
  absl::StatusOr<Explanation> ExplainStartReplication(const VirtualClusterSpec& spec, const std::string& source_name,
                                                      const std::string& uri, ReplicationOptions replication,
                                                      std::stop_token stop) override;
  absl::StatusOr<Explanation> ExplainDrop(const VirtualClusterSpec& spec, std::stop_token stop) override;
  absl::Status ReadLostWrites(const VirtualClusterSpec& spec, const LostWriteVisitor& visitor,
                              std::stop_token stop) override;
  absl::Status StartService(const VirtualClusterSpec& spec) override;
  absl::Status StopService(const VirtualClusterSpec& spec) override;
  absl::Status Drop(const VirtualClusterSpec& spec, bool if_exists) override;
  absl::Status SetSetting(const VirtualClusterSpec& spec, const std::string& setting,
                          const std::optional<std::string>& value) override;
  absl::StatusOr<std::string> ShowSetting(const VirtualClusterSpec& spec, const std::string& setting) override;
  absl::StatusOr<VirtualClusterInfo> Show(const VirtualClusterSpec& spec) override;
  absl::StatusOr<std::vector<VirtualClusterInfo>> ShowAll() override;
  absl::StatusOr<FingerprintRow> ShowFingerprint(const VirtualClusterSpec& spec,
                                                 std::optional<std::string> start_expression,
                                                 std::optional<std::string> at_expression, std::stop_token stop) override;

  absl::StatusOr<ServedVirtualCluster> Connect(const std::string& name) override;

  absl::StatusOr<wire::OpenResponse> OpenStream(const wire::OpenRequest& request, std::stop_token stop) override;
  absl::Status ServeSubscription(const wire::SubscribeRequest& request, FrameTransport& transport,
                                 std::stop_token stop) override;
  absl::Status ServeCopy(const wire::CopyRequest& request, FrameTransport& transport, std::stop_token stop) override;
  absl::StatusOr<wire::FinishResponse> FinishStream(const wire::FinishRequest& request) override;

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
  absl::Status ReleaseFailoverProtections();

  // virtual_clusters.cc
  absl::Status CheckRoom(size_t wanted);
  absl::Status FinishDrop(const catalog::TenantRecord& record);
  VirtualClusterInfo InfoOf(const catalog::TenantRecord& record);
  Timestamp FrontierOf(const catalog::TenantRecord& record);
  Timestamp SourceNow(const catalog::TenantRecord& record, const TenantRuntime& runtime);

  // service.cc
  void EndSessions(TenantId id, std::string why, std::string hint);
  absl::Status Serve(const catalog::TenantRecord& record);

  // reader.cc
  absl::StatusOr<ServedVirtualCluster> ConnectReader(const catalog::TenantRecord& record);
  void EndReader(TenantId reader);  // its sessions and, if it is dropping, itself; zero: nothing
  ReplicationStatus ReaderStatus(const catalog::TenantRecord& reader);

  // replication_statements.cc
  void StartJob(TenantRuntime& runtime);  // REQUIRES: statements held, or nobody knows the runtime yet
  void AfterFailover(TenantRuntime& runtime, const PublishedFailover& published);
  absl::Status CancelJobless(Statement& statement, const std::string& user);
  absl::StatusOr<Timestamp> CompleteNow(Statement statement, std::optional<Timestamp> target, const std::string& user);
  absl::Status CompleteLater(Statement statement, Timestamp target, const std::string& user, bool wait,
                             std::stop_token stop);
  absl::Status WaitFailedOver(TenantRuntime& runtime, Timestamp target, std::stop_token stop);

  // failover_statements.cc
  uint64_t UndoWindowNs() const { return options_.failover_undo_window_ns; }
  // Ends the possibility to undo the last failover, if there is one that ends by `due_ns`, and begins to sweep.
  absl::Status SettleFailover(TenantRuntime& runtime, std::string_view why, uint64_t due_ns = UINT64_MAX);
  // Once it is durable that it cannot be undone. `record` as of then.
  void ConcludeFailover(TenantRuntime& runtime, const catalog::TenantRecord& record);
  absl::Status EndUndoWindows(uint64_t* next_ms);

  const Options options_;
  Store* const store_;
  std::mutex creating_;  // one new virtual cluster at a time: the limit is counted
  std::mutex mutex_;
  std::map<TenantId, std::shared_ptr<TenantRuntime>> runtimes_;  // guarded by mutex_
  SessionStopper session_stopper_;                               // guarded by mutex_: a job may come first
  Farewells farewells_;
  StreamSource source_;
  Collector collector_;
  std::mutex housekeeping_;
  std::condition_variable_any housekeeping_due_;
  bool window_opened_ = false;  // guarded by housekeeping_; a failover can be undone, for a while
  std::jthread housekeeper_;
};

}  // namespace anabranch
