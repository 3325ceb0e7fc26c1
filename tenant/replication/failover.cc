#include "tenant/replication/failover.h"

#include <algorithm>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/quote.h"
#include "base/status.h"
#include "storage/protection.h"
#include "tenant/catalog/cluster_settings.h"
#include "tenant/catalog/farewells.h"
#include "tenant/catalog/limits.h"
#include "tenant/catalog/receipts.h"
#include "tenant/replication/reader.h"
#include "tenant/replication/undo_failover.h"

namespace anabranch {
namespace {

std::string Window(Timestamp retained, std::optional<Timestamp> replicated) {
  return fmt::format("The failover window is from retained_time {} to replicated_time {}, or a time in the future.",
                     FormatHlc(retained), replicated ? FormatHlc(*replicated) : "(none yet)");
}

// For who asks for LATEST when nothing has come.
std::string HowToHaveMore(const catalog::TenantRecord& record) {
  if (const uint64_t diverged_at = record.replication().diverged_at(); diverged_at != 0) {
    return fmt::format(
        "Wait until SHOW VIRTUAL CLUSTER ... WITH REPLICATION STATUS shows a replicated_time. If the source is lost: ALTER "
        "VIRTUAL CLUSTER {0} CANCEL REPLICATION, or COMPLETE REPLICATION TO SYSTEM TIME '{1}', where the histories parted.",
        QuotedIdentifier(record.name()), FormatHlc({diverged_at}));
  }
  return "Wait until SHOW VIRTUAL CLUSTER ... WITH REPLICATION STATUS shows a replicated_time, or give a time in the "
         "future.";
}

// A pending failover is of whoever asked for it, whoever carries it out.
catalog::FailoverReceipt ReceiptOf(const catalog::TenantRecord& record, const FailoverOrder& order, Timestamp at,
                                   Timestamp frontier, Timestamp newest, uint64_t now_ns) {
  const catalog::Replication& replication = record.replication();
  catalog::FailoverReceipt receipt;
  receipt.set_statement(order.statement);
  receipt.set_tenant_id(record.id());
  receipt.set_virtual_cluster(record.name());
  const bool was_pending = replication.cutover() == at.ns && !replication.cutover_user().empty();
  receipt.set_user_name(was_pending && order.user.empty() ? replication.cutover_user() : order.user);
  if (was_pending && now_ns > replication.cutover_asked_at_ns()) {
    receipt.set_pending_ns(now_ns - replication.cutover_asked_at_ns());
  }
  const bool reached_target = replication.cutover() == at.ns;
  receipt.set_fingerprint_wanted(order.fingerprint || (reached_target && replication.cutover_fingerprint()));
  receipt.set_completed_at_ns(now_ns);
  receipt.set_target(at.ns);
  receipt.set_frontier(ReplicatedTime(replication, frontier).value_or(kTimestampZero).ns);
  if (newest > at) receipt.set_lost_upto(newest.ns);
  return receipt;
}

}  // namespace

void ForgetTarget(catalog::Replication* replication) {
  replication->clear_cutover();
  replication->clear_cutover_user();
  replication->clear_cutover_asked_at_ns();
  replication->clear_cutover_fingerprint();
  replication->clear_last_error();
}

std::optional<Timestamp> ReplicatedTime(const catalog::Replication& replication, Timestamp frontier) {
  const bool consistent = !frontier.IsZero() && frontier.ns >= replication.first_frontier();
  if (!consistent || frontier.ns <= replication.diverged_at()) return std::nullopt;
  return frontier;
}

bool IsReached(const catalog::Replication& replication, Timestamp frontier, Timestamp target) {
  if (replication.diverged_at() != 0 && target.ns == replication.diverged_at()) return true;
  const std::optional<Timestamp> replicated = ReplicatedTime(replication, frontier);
  return replicated && target <= *replicated;
}

std::string WayToReady(const catalog::TenantRecord& record, Timestamp frontier) {
  if (!IsReplicating(StateOf(record))) return "";
  const std::string name = QuotedIdentifier(record.name());
  if (ReplicatedTime(record.replication(), frontier)) {
    return fmt::format("ALTER VIRTUAL CLUSTER {} COMPLETE REPLICATION TO LATEST", name);
  }
  if (record.replication().diverged_at() != 0) return fmt::format("ALTER VIRTUAL CLUSTER {} CANCEL REPLICATION", name);
  return fmt::format("DROP VIRTUAL CLUSTER {}", name);
}

Timestamp RetainedTime(const catalog::Replication& replication, Timestamp frontier) {
  const uint64_t retention = replication.retention_ns();
  uint64_t retained = std::max(
      {replication.start_at(), replication.retained_at_least(), frontier.ns > retention ? frontier.ns - retention : 0});
  if (replication.cutover() != 0) retained = std::min(retained, replication.cutover());
  return {retained};
}

absl::Status CheckKept(Timestamp at, const KeyspaceState& state) {
  if (at >= state.floor) return absl::OkStatus();
  return SqlError(sqlstate::kInvalidParameterValue, fmt::format("history at {} was garbage collected", FormatHlc(at)));
}

absl::StatusOr<FailoverPlan> JudgeFailover(const catalog::TenantRecord& record, Timestamp frontier,
                                           std::optional<Timestamp> target) {
  RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kComplete, record.name(), StateOf(record), ModeOf(record)));
  const catalog::Replication& replication = record.replication();
  const std::optional<Timestamp> replicated = ReplicatedTime(replication, frontier);
  if (!target) {
    if (replicated) return FailoverPlan{.at = *replicated, .reached = true, .latest = true};
    return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                    fmt::format("replicated tenant \"{}\" ({}) has not replicated any data yet; cannot cut over to LATEST",
                                record.name(), record.id()),
                    HowToHaveMore(record));
  }
  const Timestamp start_at{replication.start_at()};
  const Timestamp retained = RetainedTime(replication, frontier);
  if (*target < start_at) {
    return SqlError(
        sqlstate::kInvalidParameterValue,
        fmt::format("cutover time {} is before the replication start time {}", FormatHlc(*target), FormatHlc(start_at)),
        Window(retained, replicated));
  }
  if (*target < retained) {
    return SqlError(
        sqlstate::kInvalidParameterValue,
        fmt::format("cutover time {} is before earliest safe cutover time {}", FormatHlc(*target), FormatHlc(retained)),
        Window(retained, replicated));
  }
  return FailoverPlan{.at = *target, .reached = IsReached(replication, frontier, *target)};
}

absl::StatusOr<PublishedFailover> PublishFailover(Store* store, TenantId tenant, std::optional<Timestamp> target,
                                                  const FailoverOrder& order) {
  const auto judge = [&](const catalog::TenantRecord& record, Timestamp frontier) {
    return JudgeFailover(record, frontier, target);
  };
  return PublishFailover(store, tenant, judge, order);
}

absl::StatusOr<PublishedFailover> PublishFailover(Store* store, TenantId tenant, const FailoverJudge& judge,
                                                  const FailoverOrder& order) {
  const uint64_t began_ns = store->clock()->MonotonicNs();
  ASSIGN_OR_RETURN(const catalog::TenantRecord before, LoadTenant(store, tenant));
  PublishedFailover result{.tenant = tenant, .at = {}, .keyspace = nullptr};
  const IncarnationId incarnation(before.incarnation());
  if (!before.incarnation().empty()) {
    ASSIGN_OR_RETURN(result.keyspace, store->FindKeyspace(incarnation));
  }
  const BranchId branch(store->random()->NextHex(kBranchHexDigits));
  Failpoint("failover.before_publish");
  RETURN_IF_ERROR(UpdateTenant(store, tenant, [&](MetaUpdate& update, catalog::TenantRecord& record) -> absl::Status {
    // Nothing between here and the write can move the frontier: T is pinned before it is judged (R8).
    const Timestamp frontier = result.keyspace == nullptr ? kTimestampZero : update.Before(result.keyspace)->frontier;
    ASSIGN_OR_RETURN(const FailoverPlan plan, judge(record, frontier));
    if (!plan.reached || result.keyspace == nullptr || record.incarnation() != incarnation.value()) {
      return absl::OutOfRangeError("the failover target is not reached");
    }
    RETURN_IF_ERROR(CheckKept(plan.at, *update.Before(result.keyspace)));
    ASSIGN_OR_RETURN(const uint64_t protected_for_ns, ReadDurationNs(update, ClusterSetting::kExpirationWindow));
    result.at = plan.at;
    const uint64_t now_ns = store->clock()->WallNs();
    update.Stage(result.keyspace).BumpEpoch();  // R4: U below is final
    const Timestamp newest = update.Stage(result.keyspace).Hide(plan.at);
    update.Stage(result.keyspace).SetIngesting(false, plan.at);
    Protect(update, incarnation, kFailoverHolder, plan.at);
    const uint64_t undo_window_ns = UndoWindowNs(record.replication(), frontier, now_ns, order.undo_window_ns);
    result.can_be_undone = undo_window_ns != 0;
    if (result.can_be_undone) {
      KeepForUndo(update, {.at = plan.at, .frontier = frontier, .newest = newest, .branch = branch},
                  now_ns + undo_window_ns, record);
    } else {
      Unprotect(update, incarnation, kRetentionHolder);
      JournalFarewell(update, record.replication(), Ending::kPromoted);
    }
    if (plan.latest) {
      RETURN_IF_ERROR(FreezeReader(update, record, plan.at));
    } else {
      ASSIGN_OR_RETURN(result.ended_reader, DropReader(update, record, result.keyspace));
      if (result.can_be_undone) record.mutable_before_failover()->set_dropped_reader(result.ended_reader.value() != 0);
    }
    catalog::FailoverReceipt receipt = ReceiptOf(record, order, plan.at, frontier, newest, now_ns);
    receipt.set_branch_id(branch.value());
    ASSIGN_OR_RETURN(result.receipt, AddReceipt(update, std::move(receipt)));
    record.set_failover_receipt(result.receipt);
    ToWire(Fork(FromWire(record.ancestry()), branch, plan.at), record.mutable_ancestry());  // R10
    SetState(record, DataState::kReady);
    SetMode(record, ServiceMode::kNone);
    record.set_failover_time(plan.at.ns);
    record.set_failover_protected_until_ns(now_ns + protected_for_ns);
    record.clear_before_failback();
    record.clear_undo_ended();
    record.mutable_replication()->set_phase(catalog::Replication::DONE);
    ForgetTarget(record.mutable_replication());
    record.mutable_replication()->set_finished_at_ns(now_ns);
    return absl::OkStatus();
  }));
  Failpoint("failover.published");
  result.publish_ns = store->clock()->MonotonicNs() - began_ns;
  Log(LogLevel::kInfo, "failover.published", "vc={} at={} branch={}", before.name(), FormatHlc(result.at), branch.value());
  return result;
}

absl::Status JournalTarget(Store* store, TenantId tenant, Timestamp target, const CompleteOptions& options) {
  return UpdateTenant(store, tenant, [&](MetaUpdate&, catalog::TenantRecord& record) -> absl::Status {
    RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kComplete, record.name(), StateOf(record), ModeOf(record)));
    record.mutable_replication()->set_cutover(target.ns);
    record.mutable_replication()->set_cutover_user(options.user);
    record.mutable_replication()->set_cutover_fingerprint(options.fingerprint);
    record.mutable_replication()->set_cutover_asked_at_ns(store->clock()->WallNs());
    SetState(record, DataState::kPendingFailover);
    return absl::OkStatus();
  });
}

}  // namespace anabranch
