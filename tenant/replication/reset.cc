#include "tenant/replication/reset.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "base/status.h"
#include "storage/protection.h"
#include "tenant/catalog/cluster_settings.h"
#include "tenant/catalog/limits.h"
#include "tenant/catalog/receipts.h"
#include "tenant/replication/lost_writes.h"
#include "tenant/replication/reader.h"
#include "tenant/replication/undo_failover.h"

namespace anabranch {
namespace {

catalog::FailoverReceipt ReceiptOf(const catalog::TenantRecord& record, const std::string& user, Timestamp target,
                                   Timestamp newest, uint64_t now_ns) {
  catalog::FailoverReceipt receipt;
  receipt.set_statement(catalog::FailoverReceipt::RESET);
  receipt.set_tenant_id(record.id());
  receipt.set_virtual_cluster(record.name());
  receipt.set_user_name(user);
  receipt.set_completed_at_ns(now_ns);
  receipt.set_target(target.ns);
  if (newest > target) receipt.set_lost_upto(newest.ns);
  return receipt;
}

}  // namespace

absl::Status JudgeReset(const catalog::TenantRecord& record, const KeyspaceState& state, Timestamp visible,
                        Timestamp target) {
  RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kResetData, record.name(), StateOf(record), ModeOf(record)));
  if (state.floor <= target && target <= visible) return absl::OkStatus();
  return SqlError(sqlstate::kInvalidParameterValue,
                  target > visible
                      ? fmt::format("cannot reset data of virtual cluster \"{}\" to {}: it is in the future", record.name(),
                                    FormatHlc(target))
                      : fmt::format("cannot reset data of virtual cluster \"{}\" to {}: history is retained since {}",
                                    record.name(), FormatHlc(target), FormatHlc(state.floor)),
                  fmt::format("Give a time from {} to {}.", FormatHlc(state.floor), FormatHlc(visible)));
}

absl::StatusOr<PublishedReset> PublishReset(Store* store, TenantId tenant, Timestamp target, const std::string& user) {
  ASSIGN_OR_RETURN(const catalog::TenantRecord before, LoadTenant(store, tenant));
  const IncarnationId incarnation(before.incarnation());
  ASSIGN_OR_RETURN(const KeyspaceRef keyspace, store->FindKeyspace(incarnation));
  PublishedReset result{.keyspace = keyspace};
  ASSIGN_OR_RETURN(const std::vector<catalog::LedgerRecord> ledgers, LoadLedgers(store, tenant));
  const BranchId branch(store->random()->NextHex(kBranchHexDigits));
  Failpoint("reset.before_publish");
  RETURN_IF_ERROR(UpdateTenant(store, tenant, [&](MetaUpdate& update, catalog::TenantRecord& record) -> absl::Status {
    RETURN_IF_ERROR(JudgeReset(record, *update.Before(keyspace), update.visible(), target));
    if (record.incarnation() != incarnation.value()) {
      return SqlError(sqlstate::kObjectInUse, fmt::format("virtual cluster \"{}\" changed meanwhile", record.name()));
    }
    const uint64_t now_ns = store->clock()->WallNs();
    update.Stage(keyspace).BumpEpoch();  // R4
    const Timestamp newest = update.Stage(keyspace).Hide(target);
    EndUndo(update, record, "its data were reset");
    ASSIGN_OR_RETURN(result.ended_reader, DropReader(update, record, keyspace));
    RETURN_IF_ERROR(EndLedgersAbove(update, incarnation, target, ledgers));
    ASSIGN_OR_RETURN(const uint64_t receipt, AddReceipt(update, ReceiptOf(record, user, target, newest, now_ns)));
    record.set_failover_receipt(receipt);
    ToWire(Fork(FromWire(record.ancestry()), branch, target), record.mutable_ancestry());  // R10
    Protect(update, incarnation, kResetHolder, target);
    ASSIGN_OR_RETURN(const uint64_t protected_for_ns, ReadDurationNs(update, ClusterSetting::kExpirationWindow));
    record.set_reset_protected_until_ns(now_ns + protected_for_ns);
    return absl::OkStatus();
  }));
  RemoveFiles(store, tenant);
  Log(LogLevel::kInfo, "reset.published", "vc={} at={} branch={}", before.name(), FormatHlc(target), branch.value());
  return result;
}

}  // namespace anabranch
