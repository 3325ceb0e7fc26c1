// EXPLAIN of the statements that cannot be taken back easily. Each asks the functions that decide the statement itself, and
// changes nothing.
#include <algorithm>

#include "base/status.h"
#include "base/system_time.h"
#include "tenant/catalog/limits.h"
#include "tenant/replication/estimate.h"
#include "tenant/replication/failback.h"
#include "tenant/replication/lost_writes.h"
#include "tenant/replication/open_request.h"
#include "tenant/replication/reader.h"
#include "tenant/replication/reset.h"
#include "tenant/replication/undo_failover.h"
#include "tenant/virtual_clusters_impl.h"

namespace anabranch {
namespace {

using Explanation = VirtualClusters::Explanation;

std::string SecondsText(uint64_t from_ns, uint64_t to_ns) {
  return fmt::format("{:.3f}", to_ns > from_ns ? static_cast<double>(to_ns - from_ns) / 1e9 : 0.0);
}

void AddVerdict(std::string verdict, Explanation* rows) { rows->emplace_back("verdict", std::move(verdict)); }

Explanation Refused(const absl::Status& why) {
  Explanation rows;
  AddVerdict(fmt::format("refused: {} ({})", MessageOf(why), SqlStateOf(why)), &rows);
  if (const std::string hint = HintOf(why); !hint.empty()) rows.emplace_back("hint", hint);
  return rows;
}

void AddRange(std::string_view what, const RangeEstimate& range, Explanation* rows) {
  rows->emplace_back(fmt::format("transactions to {}", what), CountText(range.transactions, range));
  rows->emplace_back(fmt::format("versions to {}", what), CountText(range.versions, range));
  rows->emplace_back(fmt::format("bytes to {}", what),
                     range.versions == 0 ? "0" : fmt::format("{} {}", range.at_least ? "at least" : "about", range.bytes));
}

// An error that concerns the statement is explained; that something cannot be found, reached or read is an error.
bool IsRefusal(const absl::Status& status) {
  const std::string state = SqlStateOf(status);
  return !status.ok() && !absl::IsCancelled(status) && WasRefused(status) && !state.starts_with("08") &&
         state != sqlstate::kDataCorrupted && state != sqlstate::kDiskFull && state != sqlstate::kUndefinedObject;
}

}  // namespace

absl::StatusOr<Explanation> VirtualClustersImpl::ExplainComplete(const VirtualClusterSpec& spec,
                                                                 const FailoverTarget& target, std::stop_token stop) {
  ASSIGN_OR_RETURN(const TenantId id, LocateFor(spec, "complete replication of"));
  ASSIGN_OR_RETURN(const catalog::TenantRecord record, LoadTenant(store_, id));
  if (IsReader(record)) return Refused(RefuseReader(store_, record, "complete replication of"));
  const Timestamp source_now = SourceNow(record, *RuntimeOf(record));
  std::optional<Timestamp> at;
  if (const auto* time = std::get_if<ToSystemTime>(&target)) {
    ASSIGN_OR_RETURN(at, ResolveSystemTime(time->expression, source_now));
  }
  const Timestamp frontier = FrontierOf(record);
  const absl::StatusOr<FailoverPlan> plan = JudgeFailover(record, frontier, at);
  if (!plan.ok()) return Refused(plan.status());
  const auto keyspace = store_->FindKeyspace(IncarnationId(record.incarnation()));
  if (keyspace.ok()) {
    if (const absl::Status kept = CheckKept(plan->at, *(*keyspace)->state()); !kept.ok()) return Refused(kept);
  }
  Explanation rows;
  AddVerdict(plan->reached            ? "constant time"
             : plan->at <= source_now ? "waits until the stream has reached the target, then constant time"
                                      : "pending until the target, then constant time",
             &rows);
  rows.emplace_back("target", FormatHlc(plan->at));
  const catalog::Replication& replication = record.replication();
  if (const auto replicated = ReplicatedTime(replication, frontier)) {
    rows.emplace_back("replicated_time", FormatHlc(*replicated));
    rows.emplace_back("seconds before replicated_time", SecondsText(plan->at.ns, replicated->ns));
  }
  // What the source acknowledged after the target, as far as this node's idea of its clock goes.
  rows.emplace_back("seconds lost", SecondsText(plan->at.ns, source_now.ns));
  RangeEstimate range;
  if (keyspace.ok()) {
    ASSIGN_OR_RETURN(range, EstimateRange(store_, *keyspace, plan->at, ChangeFilter::kAll, std::move(stop)));
  }
  AddRange("sweep", range, &rows);
  rows.emplace_back("bytes to fetch", plan->reached ? "0" : "what the source commits until the target");
  rows.emplace_back("retention left, seconds", SecondsText(RetainedTime(replication, frontier).ns, plan->at.ns));
  ASSIGN_OR_RETURN(const uint64_t undo_setting_ns, ReadDurationNs(store_, ClusterSetting::kUndoWindow));
  const uint64_t undo_window_ns = UndoWindowNs(replication, frontier, store_->clock()->WallNs(), undo_setting_ns);
  rows.emplace_back("can be undone for, seconds", SecondsText(0, undo_window_ns));
  return rows;
}

absl::StatusOr<Explanation> VirtualClustersImpl::ExplainStartReplication(const VirtualClusterSpec& spec,
                                                                         const VirtualClusterSpec& source,
                                                                         const std::string& address,
                                                                         ReplicationOptions replication,
                                                                         std::stop_token stop) {
  ASSIGN_OR_RETURN(const TenantId id, LocateFor(spec, "start replication of"));
  ASSIGN_OR_RETURN(const catalog::TenantRecord record, LoadTenant(store_, id));
  if (IsReader(record)) return Refused(RefuseReader(store_, record, "start replication of"));
  const absl::Status allowed =
      CheckAllowed(LifecycleAction::kStartReplication, record.name(), StateOf(record), ModeOf(record));
  if (!allowed.ok()) return Refused(allowed);
  wire::OpenRequest request = FailbackHandshake(store_, record, source);
  request.set_explain(true);
  ASSIGN_OR_RETURN(const std::string uri, NormalizeAddress(address));
  const absl::StatusOr<wire::OpenResponse> response = Handshake(uri, request, stop);
  if (IsRefusal(response.status())) return Refused(response.status());
  RETURN_IF_ERROR(response.status());
  const absl::Status judged = JudgeAnswer(store_, record, *response);
  if (IsRefusal(judged)) return Refused(judged);
  RETURN_IF_ERROR(judged);

  const Timestamp point{response->start_at()};
  ASSIGN_OR_RETURN(const KeyspaceRef keyspace, store_->FindKeyspace(IncarnationId(record.incarnation())));
  const std::shared_ptr<const KeyspaceState> state = keyspace->state();
  ASSIGN_OR_RETURN(const RangeEstimate undo, EstimateRange(store_, keyspace, point, ChangeFilter::kVisible, stop));
  ASSIGN_OR_RETURN(const uint64_t lost_writes_bytes_max, ReadInteger(store_, ClusterSetting::kLostWritesBytesMax));
  if (!undo.at_least && undo.bytes > lost_writes_bytes_max) {
    return Refused(SqlError(
        sqlstate::kConfigurationLimitExceeded,
        fmt::format("what would be undone takes about {} bytes, and {} are kept", undo.bytes, lost_writes_bytes_max),
        fmt::format("Raise the cluster setting {}.", kLostWritesSetting)));
  }
  Explanation rows;
  AddVerdict(undo.versions == 0 ? "catch-up only" : "undo + catch-up", &rows);
  rows.emplace_back("target", FormatHlc(point));
  rows.emplace_back("seconds undone", SecondsText(point.ns, undo.newest.ns));
  AddRange("undo", undo, &rows);
  AddRange("fetch", FromWire(response->to_fetch()), &rows);
  if (!state->hidden.empty()) {
    rows.emplace_back("before that", "what the last failover hid is swept, which then can no longer be undone");
  }
  rows.emplace_back("retention left, seconds", SecondsText(state->floor.ns, point.ns));
  ASSIGN_OR_RETURN(uint64_t retention_ns, ReadDurationNs(store_, ClusterSetting::kDefaultRetention));
  retention_ns = replication.retention_ns.value_or(retention_ns);
  rows.emplace_back("undone writes are kept for, seconds", SecondsText(0, retention_ns));
  return rows;
}

absl::StatusOr<Explanation> VirtualClustersImpl::ExplainReset(const VirtualClusterSpec& spec, const std::string& expression,
                                                              std::stop_token stop) {
  ASSIGN_OR_RETURN(const TenantId id, LocateFor(spec, "reset data of"));
  ASSIGN_OR_RETURN(const catalog::TenantRecord record, LoadTenant(store_, id));
  const Timestamp now = store_->visible();
  ASSIGN_OR_RETURN(const Timestamp target, ResolveSystemTime(expression, now));
  const absl::Status allowed = CheckAllowed(LifecycleAction::kResetData, record.name(), StateOf(record), ModeOf(record));
  if (!allowed.ok()) return Refused(allowed);
  ASSIGN_OR_RETURN(const KeyspaceRef keyspace, store_->FindKeyspace(IncarnationId(record.incarnation())));
  const std::shared_ptr<const KeyspaceState> state = keyspace->state();
  if (const absl::Status judged = JudgeReset(record, *state, now, target); !judged.ok()) return Refused(judged);
  Explanation rows;
  AddVerdict("constant time", &rows);
  rows.emplace_back("target", FormatHlc(target));
  rows.emplace_back("seconds undone", SecondsText(target.ns, now.ns));
  ASSIGN_OR_RETURN(const RangeEstimate range, EstimateRange(store_, keyspace, target, ChangeFilter::kAll, std::move(stop)));
  AddRange("sweep", range, &rows);
  ASSIGN_OR_RETURN(const std::vector<ReplicationStreamInfo> streams, source_.Streams());
  const auto follows = [&](const ReplicationStreamInfo& stream) {
    return stream.tenant == id && stream.state != "finished";
  };
  rows.emplace_back("standbys that are judged anew",
                    fmt::format("{}", std::count_if(streams.begin(), streams.end(), follows)));
  rows.emplace_back("retention left, seconds", SecondsText(state->floor.ns, target.ns));
  return rows;
}

absl::StatusOr<Explanation> VirtualClustersImpl::ExplainDrop(const VirtualClusterSpec& spec, std::stop_token stop) {
  ASSIGN_OR_RETURN(const TenantId id, LocateFor(spec, "drop"));
  ASSIGN_OR_RETURN(const catalog::TenantRecord record, LoadTenant(store_, id));
  const absl::Status allowed = CheckAllowed(LifecycleAction::kDrop, record.name(), StateOf(record), ModeOf(record));
  if (!allowed.ok()) return Refused(allowed);
  Explanation rows;
  AddVerdict("constant time", &rows);
  rows.emplace_back("data_state", std::string(ToString(StateOf(record))));
  if (IsReplicating(StateOf(record))) rows.emplace_back("stream", "ends; the source releases its history");
  uint64_t standbys = 0;
  ASSIGN_OR_RETURN(const std::vector<catalog::StreamRecord> streams, LoadStreams(store_));
  for (const catalog::StreamRecord& stream : streams) {
    if (stream.tenant_id() == id.value() && !stream.finished()) ++standbys;
  }
  rows.emplace_back("standbys that lose their source", fmt::format("{}", standbys));
  if (const auto keyspace = store_->FindKeyspace(IncarnationId(record.incarnation())); keyspace.ok()) {
    const Timestamp floor = (*keyspace)->state()->floor;
    ASSIGN_OR_RETURN(const RangeEstimate range, EstimateRange(store_, *keyspace, floor, ChangeFilter::kAll, stop));
    rows.emplace_back("history since", FormatHlc(floor));
    AddRange("lose", range, &rows);
  }
  uint64_t kept_bytes = 0;
  ASSIGN_OR_RETURN(const std::vector<catalog::LedgerRecord> ledgers, LoadLedgers(store_, id));
  for (const catalog::LedgerRecord& ledger : ledgers) kept_bytes += ledger.removed() ? 0 : ledger.bytes();
  rows.emplace_back("bytes of lost writes that go, too", fmt::format("{}", kept_bytes));
  return rows;
}

}  // namespace anabranch
