#include "tenant/replication/undo_failover.h"

#include <algorithm>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/quote.h"
#include "base/status.h"
#include "storage/protection.h"
#include "tenant/catalog/farewells.h"
#include "tenant/catalog/limits.h"
#include "tenant/catalog/receipts.h"
#include "tenant/replication/failover.h"
#include "tenant/replication/reader.h"

namespace anabranch {
namespace {

absl::Status CannotUndo(const catalog::TenantRecord& record, std::string_view why) {
  return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                  fmt::format("cannot undo the failover of virtual cluster \"{}\": {}", record.name(), why),
                  fmt::format("To make it a standby again, stop its service and use ALTER VIRTUAL CLUSTER {} START "
                              "REPLICATION OF ... ON ...: what it has of its own is undone then.",
                              QuotedIdentifier(record.name())));
}

// A failback keeps the ancestry and replication that it replaced; a virtual cluster that was never promoted has neither.
std::string WhyNot(const catalog::TenantRecord& record) {
  if (!record.undo_ended().empty()) return fmt::format("it can no longer be undone: {}", record.undo_ended());
  if (record.failover_time() == 0) return "it was not promoted";
  return "it was promoted by another statement than COMPLETE REPLICATION, or where "
         "physical_replication.failover.undo_window is 0, or when its source might have forgotten it";
}

// It follows again; or, if the failover ended it, there is another one. No reason not to undo: its name, or its place, may
// be taken.
absl::Status BringBackReader(Store* store, MetaUpdate& update, catalog::TenantRecord& record, Timestamp frontier) {
  if (record.reader() != 0 || !record.before_failover().dropped_reader()) return OpenReader(update, record);
  const bool replicated = ReplicatedTime(record.before_failover().replication(), frontier).has_value();
  absl::Status added = CheckRoom(store, 1);
  if (added.ok()) added = AddReader(update, record, replicated ? ReaderStart::kServing : ReaderStart::kAdded);
  const std::string state = SqlStateOf(added);
  if (state != sqlstate::kDuplicateObject && state != sqlstate::kProgramLimitExceeded) return added;
  Log(LogLevel::kWarning, "failover.reader_not_restored", "vc={} error=\"{}\"", record.name(), MessageOf(added));
  return absl::OkStatus();
}

}  // namespace

uint64_t UndoWindowNs(const catalog::Replication& replication, Timestamp frontier, uint64_t now_ns, uint64_t setting_ns) {
  const uint64_t source_ns = replication.source_expiration_window_ns();
  if (source_ns == 0) return setting_ns;
  const uint64_t source_now_ns = now_ns + static_cast<uint64_t>(replication.source_clock_offset_ns());
  const uint64_t since_frontier_ns = source_now_ns - std::min(source_now_ns, frontier.ns);
  // The source was asked when the replication was made, too.
  const uint64_t since_made_ns = now_ns - std::min(now_ns, replication.created_at_ns());
  const uint64_t silent_ns = std::min(since_frontier_ns, since_made_ns);
  return std::min(setting_ns, source_ns - std::min(source_ns, silent_ns));
}

void KeepForUndo(MetaUpdate& update, const FailoverToUndo& failover, uint64_t undo_until_ns,
                 catalog::TenantRecord& record) {
  catalog::BeforeFailover before;
  *before.mutable_ancestry() = record.ancestry();
  *before.mutable_replication() = record.replication();
  if (record.has_before_failback()) {
    const catalog::BeforeFailback& failback = record.before_failback();
    *before.mutable_before_failback() = failback;
    // A CANCEL after the undo puts that protection back.
    if (failback.failover_protected_until_ns() != 0 && failback.failover_time() < failover.at.ns) {
      Protect(update, IncarnationId(record.incarnation()), kFailoverHolder, {failback.failover_time()});
    }
  }
  before.set_frontier(failover.frontier.ns);
  before.set_newest(failover.newest.ns);
  before.set_undo_until_ns(undo_until_ns);
  before.set_branch_id(failover.branch.value());
  *record.mutable_before_failover() = std::move(before);
}

absl::StatusOr<bool> IsKeptForUndo(MetaUpdate& update, TenantId tenant) {
  ASSIGN_OR_RETURN(const catalog::TenantRecord record, LoadTenant(update, tenant));
  return record.has_before_failover();
}

absl::Status JudgeUndo(const catalog::TenantRecord& record, const KeyspaceState& state, uint64_t now_ns) {
  RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kUndoComplete, record.name(), StateOf(record), ModeOf(record)));
  if (!record.has_before_failover()) return CannotUndo(record, WhyNot(record));
  if (record.before_failover().undo_until_ns() <= now_ns) {
    return CannotUndo(record, "it can no longer be undone: physical_replication.failover.undo_window has passed");
  }
  if (record.ancestry().rbegin()->branch_id() != record.before_failover().branch_id()) {
    return CannotUndo(record, "it can no longer be undone: its history was changed");
  }
  if (state.newest.ns > record.before_failover().newest()) {
    return CannotUndo(record, "it can no longer be undone: it was written to");
  }
  const Timestamp newest{record.before_failover().newest()};
  if (newest.ns > record.failover_time() && !state.IsHidden(newest)) {
    return CannotUndo(record, "it can no longer be undone: what it hid is swept");
  }
  return absl::OkStatus();
}

absl::Status UndoFailover(Store* store, TenantId tenant, const std::string& user) {
  ASSIGN_OR_RETURN(const catalog::TenantRecord found, LoadTenant(store, tenant));
  const IncarnationId incarnation(found.incarnation());
  ASSIGN_OR_RETURN(const KeyspaceRef keyspace, store->FindKeyspace(incarnation));
  Timestamp frontier;
  Failpoint("undo_failover.before_write");
  RETURN_IF_ERROR(UpdateTenant(store, tenant, [&](MetaUpdate& update, catalog::TenantRecord& record) -> absl::Status {
    const uint64_t now_ns = store->clock()->WallNs();
    RETURN_IF_ERROR(JudgeUndo(record, *update.Before(keyspace), now_ns));
    const catalog::BeforeFailover before = record.before_failover();
    frontier = {before.frontier()};
    update.Stage(keyspace).BumpEpoch();
    update.Stage(keyspace).Unhide({record.failover_time()});
    update.Stage(keyspace).SetIngesting(true, frontier);
    Unprotect(update, incarnation, kFailoverHolder);
    RETURN_IF_ERROR(BringBackReader(store, update, record, frontier));

    catalog::FailoverReceipt receipt;
    receipt.set_statement(catalog::FailoverReceipt::UNDO);
    receipt.set_tenant_id(record.id());
    receipt.set_virtual_cluster(record.name());
    receipt.set_user_name(user);
    receipt.set_completed_at_ns(now_ns);
    receipt.set_target(record.failover_time());
    receipt.set_frontier(frontier.ns);
    receipt.set_swept_at_ns(now_ns);  // there is nothing to sweep
    RETURN_IF_ERROR(ChangeReceipt(update, record.failover_receipt(),
                                  [](catalog::FailoverReceipt& undone) { undone.set_undone(true); }));
    RETURN_IF_ERROR(AddReceipt(update, std::move(receipt)).status());

    *record.mutable_ancestry() = before.ancestry();
    *record.mutable_replication() = before.replication();
    ForgetTarget(record.mutable_replication());
    if (before.has_before_failback()) *record.mutable_before_failback() = before.before_failback();
    record.clear_failover_time();
    record.clear_failover_protected_until_ns();
    record.clear_failover_receipt();
    record.clear_before_failover();
    SetState(record, DataState::kPaused);
    return absl::OkStatus();
  }));
  Failpoint("undo_failover.written");
  Log(LogLevel::kInfo, "failover.undone", "vc={} replicated={} user={}", found.name(), FormatHlc(frontier), user);
  return absl::OkStatus();
}

bool EndUndo(MetaUpdate& update, catalog::TenantRecord& record, std::string_view why) {
  if (!record.has_before_failover()) return false;
  const IncarnationId incarnation(record.incarnation());
  Unprotect(update, incarnation, kRetentionHolder);
  Protect(update, incarnation, kFailoverHolder, {record.failover_time()});
  JournalFarewell(update, record.replication(), Ending::kPromoted);
  record.clear_before_failover();
  record.set_undo_ended(std::string(why));
  return true;
}

}  // namespace anabranch
