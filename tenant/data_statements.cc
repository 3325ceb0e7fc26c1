// The statements that make or change whole histories in this store: FROM CLONE OF, RESET DATA.
#include "base/status.h"
#include "base/system_time.h"
#include "tenant/replication/clone.h"
#include "tenant/replication/reader.h"
#include "tenant/replication/reset.h"
#include "tenant/virtual_clusters_impl.h"

namespace anabranch {

// Takes no turn on the original: what it decides by is checked again in the write that publishes.
absl::Status VirtualClustersImpl::CreateFromClone(const std::string& name, CreateOptions options,
                                                  const VirtualClusterSpec& original,
                                                  const std::optional<std::string>& as_of, std::stop_token stop) {
  RETURN_IF_ERROR(CheckName(name));
  std::lock_guard creating(creating_);
  ASSIGN_OR_RETURN(const std::optional<TenantId> exists, FindTenant(store_, name));
  if (exists) return options.if_not_exists ? absl::OkStatus() : TenantExists(name);
  RETURN_IF_ERROR(CheckRoom(store_, 1));
  ASSIGN_OR_RETURN(const TenantId id, Locate(original));
  if (id == kSystemTenantId) {
    return SqlError(sqlstate::kInvalidParameterValue, "cannot clone tenant \"1\", ID assigned to system tenant");
  }
  ASSIGN_OR_RETURN(const catalog::TenantRecord record, LoadTenant(store_, id));
  if (IsReader(record)) return RefuseReader(store_, record, "clone");
  KeyspaceState state;  // a standby without its files holds nothing
  KeyspaceRef keyspace;
  if (!record.incarnation().empty()) {
    ASSIGN_OR_RETURN(keyspace, store_->FindKeyspace(IncarnationId(record.incarnation())));
    state = *keyspace->state();
  }
  ASSIGN_OR_RETURN(CloneWindow window, WindowToClone(record, state, store_->visible()));
  Timestamp at = window.newest;
  if (as_of) {
    ASSIGN_OR_RETURN(at, ResolveSystemTime(*as_of, SourceNow(record, *RuntimeOf(record))));
    if (!state.ingesting && at > window.newest && at.ns <= store_->clock()->WallNs()) {
      RETURN_IF_ERROR(store_->WaitVisible(at, stop));  // R2
      window.newest = at;
    }
  }
  RETURN_IF_ERROR(CheckInWindow(record, window, at));
  // The clone says that it has all up to there (R10).
  if (!state.ingesting) RETURN_IF_ERROR(store_->WaitReadable(keyspace, at, std::move(stop)));
  ASSIGN_OR_RETURN(const PublishedClone clone, PublishClone(store_, record, window, at, name));
  if (!clone.keyspace->state()->hidden.empty()) RuntimeOf(clone.record)->sweeper.Start(clone.keyspace);
  return absl::OkStatus();
}

absl::StatusOr<Timestamp> VirtualClustersImpl::ResetData(const VirtualClusterSpec& spec, const std::string& expression,
                                                         const std::string& user, std::stop_token stop) {
  ASSIGN_OR_RETURN(const Statement statement, Begin(spec, "reset data of"));
  const catalog::TenantRecord& record = statement.record;
  RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kResetData, record.name(), StateOf(record), ModeOf(record)));
  ASSIGN_OR_RETURN(const Timestamp target, ResolveSystemTime(expression, store_->visible()));
  if (target.ns <= store_->clock()->WallNs()) RETURN_IF_ERROR(store_->WaitVisible(target, std::move(stop)));  // R2
  ASSIGN_OR_RETURN(const KeyspaceRef keyspace, store_->FindKeyspace(IncarnationId(record.incarnation())));
  RETURN_IF_ERROR(JudgeReset(record, *keyspace->state(), store_->visible(), target));
  const StreamSource::Closing closing(&source_, statement.runtime->id);
  ASSIGN_OR_RETURN(PublishedReset reset, PublishReset(store_, statement.runtime->id, target, user));
  EndReader(reset.ended_reader);
  ConcludeFailover(*statement.runtime, reset.keyspace->incarnation());
  return target;
}

}  // namespace anabranch
