// Opening: what a new store must have, and what a crash left to be finished.
#include "base/log.h"
#include "base/status.h"
#include "tenant/catalog/limits.h"
#include "tenant/replication/lost_writes.h"
#include "tenant/replication/reader.h"
#include "tenant/virtual_clusters_impl.h"

namespace anabranch {
namespace {

constexpr std::string_view kMainTenantName = "main";

}  // namespace

absl::StatusOr<std::unique_ptr<VirtualClusters>> VirtualClusters::Open(Options options) {
  auto result = std::make_unique<VirtualClustersImpl>(std::move(options));
  RETURN_IF_ERROR(result->Start());
  return std::unique_ptr<VirtualClusters>(std::move(result));
}

VirtualClustersImpl::VirtualClustersImpl(Options options)
    : options_(std::move(options)),
      store_(options_.store),
      connections_(fmt::format("{}/connections", options_.store->dir())),
      farewells_(options_.store, &connections_),
      fingerprints_(options_.store),
      source_({.store = options_.store,
               .feed = options_.feed,
               .wait_swept = [this](TenantId id, std::stop_token stop) -> absl::Status {
                 ASSIGN_OR_RETURN(const catalog::TenantRecord record, LoadTenant(store_, id));
                 const std::shared_ptr<TenantRuntime> runtime = RuntimeOf(record);
                 RETURN_IF_ERROR(SettleFailover(*runtime, kReplicatedFrom));
                 return runtime->sweeper.WaitIdle(std::move(stop), kSweepWaitMs);
               },
               .settled =
                   [this](const catalog::TenantRecord& record) {
                     ConcludeFailover(*RuntimeOf(record), IncarnationId(record.incarnation()));
                   }}),
      collector_({.store = options_.store}) {}

VirtualClustersImpl::~VirtualClustersImpl() {
  collector_.Stop();
  housekeeper_.request_stop();
  if (housekeeper_.joinable()) housekeeper_.join();
  source_.EndAll();
  // All are told to stop before the first one is waited for.
  for (const auto& [id, runtime] : runtimes_) {
    if (runtime->job != nullptr) runtime->job->RequestStop();
  }
  for (const auto& [id, runtime] : runtimes_) runtime->job.reset();
  for (const auto& [id, runtime] : runtimes_) runtime->sweeper.Stop();
}

absl::Status VirtualClustersImpl::Start() {
  ASSIGN_OR_RETURN(std::vector<catalog::TenantRecord> records, LoadTenants(store_));
  if (records.empty()) {
    RETURN_IF_ERROR(Bootstrap());
    ASSIGN_OR_RETURN(records, LoadTenants(store_));
  }
  RETURN_IF_ERROR(connections_.Recover());
  RETURN_IF_ERROR(SetLiveFeedBytes());
  RETURN_IF_ERROR(source_.Recover());
  RETURN_IF_ERROR(RemoveStrayLedgers(store_));
  for (const catalog::TenantRecord& record : records) RETURN_IF_ERROR(Recover(record));
  farewells_.SayJournaled();
  fingerprints_.Compute();
  collector_.Start();
  housekeeper_ = std::jthread([this](std::stop_token stop) { HouseKeep(std::move(stop)); });
  return absl::OkStatus();
}

// One meta write makes all of it: a crash before it leaves a store that is still new.
absl::Status VirtualClustersImpl::Bootstrap() {
  std::vector<std::string> names = {std::string(kSystemTenantName)};
  if (options_.virtualization != Virtualization::kVirtualizedEmpty) names.emplace_back(kMainTenantName);
  uint64_t next_id = kSystemTenantId.value();
  std::vector<std::pair<KeyspaceRef, catalog::TenantRecord>> tenants;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const KeyspaceRef keyspace, store_->CreateKeyspace());
    catalog::TenantRecord record;
    record.set_id(next_id++);
    record.set_name(name);
    SetState(record, DataState::kReady);
    SetMode(record, ServiceMode::kShared);
    record.set_incarnation(keyspace->incarnation().value());
    ToWire({{BranchId(store_->random()->NextHex(kBranchHexDigits)), kTimestampZero}}, record.mutable_ancestry());
    tenants.emplace_back(keyspace, std::move(record));
  }
  RETURN_IF_ERROR(store_->UpdateMeta([&](MetaUpdate& update) -> absl::Status {
    for (const auto& [keyspace, record] : tenants) {
      update.Stage(keyspace).Publish();
      update.Put(TenantNameKey(record.name()), fmt::format("{}", record.id()));
      PutTenant(update, record);
    }
    update.Put(kTenantCounterKey, fmt::format("{}", next_id - 1));
    const std::string target = fmt::format("{}{}", kSettingPrefix, DefinitionOf(ClusterSetting::kDefaultTarget).name);
    if (names.back() == kMainTenantName) update.Put(target, names.back());
    return absl::OkStatus();
  }));
  Log(LogLevel::kInfo, "catalog.created", "cluster={} main={}", store_->cluster_id().value(),
      names.back() == kMainTenantName);
  return absl::OkStatus();
}

absl::Status VirtualClustersImpl::Recover(const catalog::TenantRecord& record) {
  const std::shared_ptr<TenantRuntime> runtime = RuntimeOf(record);
  const DataState state = StateOf(record);
  if (state == DataState::kDropping) return FinishDrop(record);
  if (ModeOf(record) == ServiceMode::kStopping) {
    RETURN_IF_ERROR(UpdateTenant(store_, runtime->id, [](MetaUpdate&, catalog::TenantRecord& now) {
      SetMode(now, ServiceMode::kNone);
      return absl::OkStatus();
    }));
  }
  if (IsReader(record)) return absl::OkStatus();  // it holds nothing of its own
  if (ModeOf(record) == ServiceMode::kShared) RETURN_IF_ERROR(Serve(record));
  if (IsReplicating(state)) {
    runtime->progress->SetOffset(record.replication().source_clock_offset_ns());
    runtime->progress->SetError(record.replication().last_error());
    if (state != DataState::kPaused && state != DataState::kError) StartJob(*runtime);
  }
  if (state == DataState::kReady) {
    ASSIGN_OR_RETURN(KeyspaceRef keyspace, store_->FindKeyspace(IncarnationId(record.incarnation())));
    // What can still be undone waits for the housekeeper.
    const bool unswept = !keyspace->state()->hidden.empty() || record.failover_receipt() != 0;
    if (unswept && !record.has_before_failover()) runtime->sweeper.Start(std::move(keyspace));
  }
  return absl::OkStatus();
}

void VirtualClustersImpl::HouseKeep(std::stop_token stop) {
  while (!stop.stop_requested()) {
    uint64_t wait_ms = kHousekeepingMs;
    const absl::StatusOr<uint64_t> kept_bytes = ReadInteger(store_, ClusterSetting::kLostWritesBytesMax);
    // What fails keeps none of the others waiting.
    const std::pair<const char*, absl::Status> tasks[] = {
        {"end undo windows", EndUndoWindows(&wait_ms)},
        {"expire streams", source_.ExpireSilent()},
        {"trim ledgers", kept_bytes.ok() ? TrimLedgers(store_, *kept_bytes) : kept_bytes.status()},
        {"release protections", ReleaseForkProtections()},
        {"finish drops", FinishDrops()},
    };
    for (const auto& [task, status] : tasks) {
      if (status.ok()) continue;
      Log(LogLevel::kWarning, "catalog.housekeeping_failed", "task=\"{}\" error=\"{}\"", task, MessageOf(status));
    }
    farewells_.SayJournaled();
    fingerprints_.Compute();
    std::unique_lock lock(housekeeping_);
    housekeeping_due_.wait_for(lock, stop, std::chrono::milliseconds(wait_ms), [this] { return window_opened_; });
    window_opened_ = false;
  }
}

// What failed in a DROP, which leaves its turn to us.
absl::Status VirtualClustersImpl::FinishDrops() {
  ASSIGN_OR_RETURN(const std::vector<catalog::TenantRecord> records, LoadTenants(store_));
  absl::Status status;
  for (const catalog::TenantRecord& record : records) {
    if (StateOf(record) != DataState::kDropping) continue;
    const std::shared_ptr<TenantRuntime> runtime = RuntimeOf(record);
    const std::unique_lock turn(runtime->statements, std::try_to_lock);
    if (turn.owns_lock()) status.Update(FinishDrop(record));
  }
  return status;
}

}  // namespace anabranch
