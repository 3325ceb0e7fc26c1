// COMPLETE REPLICATION and UNDO COMPLETE REPLICATION, what follows a failover, and SHOW FAILOVERS.
#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "base/status.h"
#include "base/system_time.h"
#include "fmt/ranges.h"
#include "tenant/catalog/limits.h"
#include "tenant/replication/lost_writes.h"
#include "tenant/replication/undo_failover.h"
#include "tenant/virtual_clusters_impl.h"

namespace anabranch {
namespace {

constexpr uint64_t kNsPerMs = 1'000'000;

std::string PhasesOf(const catalog::FailoverReceipt& receipt) {
  std::vector<std::string> phases;
  const auto add = [&](std::string_view name, uint64_t ns) {
    phases.push_back(fmt::format("{} {:.3f} s", name, static_cast<double>(ns) / 1e9));
  };
  if (receipt.pending_ns() != 0) add("pending", receipt.pending_ns());
  if (receipt.publish_ns() != 0) add("publish", receipt.publish_ns());
  if (receipt.sweep_began_at_ns() != 0 && receipt.swept_at_ns() != 0) {
    add("sweep", receipt.swept_at_ns() - std::min(receipt.swept_at_ns(), receipt.sweep_began_at_ns()));
  }
  if (receipt.undone()) phases.emplace_back("undone");
  return fmt::format("{}", fmt::join(phases, ", "));
}

std::string StatementOf(const catalog::FailoverReceipt& receipt) {
  switch (receipt.statement()) {
    case catalog::FailoverReceipt::CANCEL:
      return "CANCEL REPLICATION";
    case catalog::FailoverReceipt::UNDO:
      return "UNDO COMPLETE REPLICATION";
    case catalog::FailoverReceipt::RESET:
      return "RESET DATA";
    default:
      return "COMPLETE REPLICATION";
  }
}

FailoverInfo RowOf(const catalog::FailoverReceipt& receipt) {
  FailoverInfo info;
  info.virtual_cluster = receipt.virtual_cluster();
  info.user_name = receipt.user_name();
  info.completed_at = {receipt.completed_at_ns()};
  info.target = {receipt.target()};
  info.phases = PhasesOf(receipt);
  info.statement = StatementOf(receipt);
  if (receipt.frontier() != 0) info.frontier = Timestamp{receipt.frontier()};
  if (receipt.lost_upto() != 0) info.lost_upto = Timestamp{receipt.lost_upto()};
  if (receipt.has_fingerprint()) info.fingerprint = receipt.fingerprint();
  const bool counted = receipt.sweep_began_at_ns() != 0 || receipt.swept_at_ns() != 0;
  if (counted || receipt.undone()) info.versions_undone = receipt.versions_undone();
  return info;
}

}  // namespace

absl::StatusOr<Timestamp> VirtualClustersImpl::CompleteReplication(const VirtualClusterSpec& spec,
                                                                   const FailoverTarget& target,
                                                                   const CompleteOptions& options, std::stop_token stop) {
  ASSIGN_OR_RETURN(Statement statement, Begin(spec, "complete replication of"));
  const catalog::TenantRecord& record = statement.record;
  RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kComplete, record.name(), StateOf(record), ModeOf(record)));
  const Timestamp source_now = SourceNow(record, *statement.runtime);
  std::optional<Timestamp> at;
  if (const auto* time = std::get_if<ToSystemTime>(&target)) {
    ASSIGN_OR_RETURN(at, ResolveSystemTime(time->expression, source_now));
  } else if (statement.runtime->job != nullptr) {
    statement.runtime->job->DrainSource(kDrainBudgetMs, stop);
  }
  ASSIGN_OR_RETURN(const FailoverPlan plan, JudgeFailover(record, FrontierOf(record), at));
  if (plan.reached) return CompleteNow(std::move(statement), at, options);
  RETURN_IF_ERROR(CompleteLater(std::move(statement), plan.at, options, /*wait=*/plan.at <= source_now, std::move(stop)));
  return plan.at;
}

// Needs neither the source nor the job.
absl::StatusOr<Timestamp> VirtualClustersImpl::CompleteNow(Statement statement, std::optional<Timestamp> target,
                                                           const CompleteOptions& options) {
  ASSIGN_OR_RETURN(const uint64_t undo_window_ns, ReadDurationNs(store_, ClusterSetting::kUndoWindow));
  ASSIGN_OR_RETURN(
      const PublishedFailover published,
      PublishFailover(store_, statement.runtime->id, target,
                      {.user = options.user, .undo_window_ns = undo_window_ns, .fingerprint = options.fingerprint}));
  if (statement.runtime->job != nullptr)
    statement.runtime->job->RequestStop();  // fenced already; joined when something needs it gone
  AfterFailover(*statement.runtime, published);
  return published.at;
}

absl::Status VirtualClustersImpl::CompleteLater(Statement statement, Timestamp target, const CompleteOptions& options,
                                                bool wait, std::stop_token stop) {
  const std::shared_ptr<TenantRuntime> runtime = statement.runtime;
  RETURN_IF_ERROR(JournalTarget(store_, runtime->id, target, options));
  Log(LogLevel::kInfo, "failover.pending", "vc={} target={}", statement.record.name(), FormatHlc(target));
  if (runtime->job == nullptr || !runtime->job->SetTarget(target)) StartJob(*runtime);
  if (wait) runtime->job->DrainSource(kDrainBudgetMs, stop);  // an idle source is in no hurry
  statement.turn.unlock();                                    // another COMPLETE may replace the target
  return wait ? WaitFailedOver(*runtime, target, std::move(stop)) : absl::OkStatus();
}

// A past moment that the stream has yet to reach.
absl::Status VirtualClustersImpl::WaitFailedOver(TenantRuntime& runtime, Timestamp target, std::stop_token stop) {
  std::unique_lock lock(runtime.mutex);
  while (!stop.stop_requested()) {
    ASSIGN_OR_RETURN(const catalog::TenantRecord now, LoadTenant(store_, runtime.id));
    if (StateOf(now) == DataState::kReady && now.failover_time() == target.ns) return absl::OkStatus();
    const std::string error = runtime.progress->last_error();
    if (StateOf(now) != DataState::kPendingFailover) {
      return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                      fmt::format("failover of virtual cluster \"{}\" to {} did not take place: its state is {}{}{}",
                                  now.name(), FormatHlc(target), ToString(StateOf(now)), error.empty() ? "" : ": ", error));
    }
    if (now.replication().cutover() != target.ns) {
      return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                      fmt::format("failover of virtual cluster \"{}\" to {} was replaced by one to {}", now.name(),
                                  FormatHlc(target), FormatHlc({now.replication().cutover()})));
    }
    runtime.failed_over.wait_for(lock, stop, std::chrono::milliseconds(kReachCheckMs), [] { return false; });
  }
  return absl::CancelledError("stopped while waiting for the failover; it stays pending");
}

// On a statement's thread or on the job's.
void VirtualClustersImpl::AfterFailover(TenantRuntime& runtime, const PublishedFailover& published) {
  NotePublication(store_, published.receipt, published.publish_ns);
  fingerprints_.Compute();
  if (published.can_be_undone) {
    std::lock_guard lock(housekeeping_);
    window_opened_ = true;
    housekeeping_due_.notify_all();
  } else {
    ConcludeFailover(runtime, published.keyspace->incarnation());
  }
  {
    std::lock_guard lock(runtime.mutex);
    runtime.failed_over.notify_all();
  }
  EndReader(published.ended_reader);
}

void VirtualClustersImpl::ConcludeFailover(TenantRuntime& runtime, const IncarnationId& incarnation) {
  // Not found: it is being dropped.
  if (auto keyspace = store_->FindKeyspace(incarnation); keyspace.ok()) runtime.sweeper.Start(*std::move(keyspace));
  farewells_.SayJournaled();
}

absl::Status VirtualClustersImpl::SettleFailover(TenantRuntime& runtime, std::string_view why, uint64_t due_ns) {
  ASSIGN_OR_RETURN(const catalog::TenantRecord record, LoadTenant(store_, runtime.id));
  if (!record.has_before_failover()) return absl::OkStatus();
  bool ended = false;
  RETURN_IF_ERROR(UpdateTenant(store_, runtime.id, [&](MetaUpdate& update, catalog::TenantRecord& now) {
    if (now.before_failover().undo_until_ns() <= due_ns) ended = EndUndo(update, now, why);
    return absl::OkStatus();
  }));
  if (ended) ConcludeFailover(runtime, IncarnationId(record.incarnation()));
  return absl::OkStatus();
}

// *next_ms: when to come again at the latest, if that is sooner. The first error; the others are not kept waiting.
absl::Status VirtualClustersImpl::EndUndoWindows(uint64_t* next_ms) {
  ASSIGN_OR_RETURN(const std::vector<catalog::TenantRecord> records, LoadTenants(store_));
  const uint64_t now_ns = store_->clock()->WallNs();
  absl::Status status;
  for (const catalog::TenantRecord& record : records) {
    if (!record.has_before_failover()) continue;
    const uint64_t until_ns = record.before_failover().undo_until_ns();
    if (until_ns > now_ns) {
      *next_ms = std::min(*next_ms, (until_ns - now_ns) / kNsPerMs + 1);
    } else {
      status.Update(SettleFailover(*RuntimeOf(record), "physical_replication.failover.undo_window has passed", now_ns));
    }
  }
  return status;
}

absl::Status VirtualClustersImpl::UndoCompleteReplication(const VirtualClusterSpec& spec, const std::string& user) {
  ASSIGN_OR_RETURN(const Statement statement, Begin(spec, "undo the failover of"));
  const catalog::TenantRecord& record = statement.record;
  RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kUndoComplete, record.name(), StateOf(record), ModeOf(record)));
  statement.runtime->job.reset();  // of before the failover: it has nothing more to do
  RETURN_IF_ERROR(UndoFailover(store_, statement.runtime->id, user));
  statement.runtime->progress->SetError("");
  return absl::OkStatus();
}

absl::Status VirtualClustersImpl::ReadLostWrites(const VirtualClusterSpec& spec, const LostWriteVisitor& visitor,
                                                 std::stop_token stop) {
  ASSIGN_OR_RETURN(const TenantId id, Locate(spec));
  ASSIGN_OR_RETURN(const catalog::TenantRecord record, LoadTenant(store_, id));
  return VisitLostWrites(store_, record, visitor, std::move(stop));
}

absl::StatusOr<std::vector<FailoverInfo>> VirtualClustersImpl::ShowFailovers() {
  ASSIGN_OR_RETURN(const std::vector<catalog::FailoverReceipt> receipts, LoadReceipts(store_));
  std::vector<FailoverInfo> rows;
  for (auto receipt = receipts.rbegin(); receipt != receipts.rend(); ++receipt) {
    rows.push_back(RowOf(*receipt));
  }
  return rows;
}

}  // namespace anabranch
