#include "tenant/catalog/receipts.h"

#include "base/log.h"
#include "base/status.h"
#include "fmt/format.h"
#include "tenant/catalog/catalog.h"

namespace anabranch {
namespace {

constexpr std::string_view kReceiptPrefix = "failover/";
constexpr std::string_view kReceiptCounterKey = "counter/failover";

std::string ReceiptKey(uint64_t number) { return fmt::format("{}{:020}", kReceiptPrefix, number); }

absl::StatusOr<catalog::FailoverReceipt> Decode(std::string_view key, const std::string& bytes) {
  catalog::FailoverReceipt receipt;
  if (receipt.ParseFromString(bytes)) return receipt;
  return SqlError(sqlstate::kDataCorrupted, fmt::format("catalog record {} does not decode", key));
}

void LogUnlessOk(const absl::Status& status) {
  if (!status.ok()) Log(LogLevel::kWarning, "failover.receipt_failed", "error=\"{}\"", MessageOf(status));
}

// Of the last failover of the virtual cluster, unless that is complete.
void NoteInLast(Store* store, TenantId tenant, const std::function<void(catalog::FailoverReceipt&)>& change,
                bool complete) {
  const absl::StatusOr<catalog::TenantRecord> before = LoadTenant(store, tenant);
  if (!before.ok() || before->failover_receipt() == 0) return;
  LogUnlessOk(UpdateTenant(store, tenant, [&](MetaUpdate& update, catalog::TenantRecord& record) -> absl::Status {
    if (record.failover_receipt() == 0 || record.has_before_failover()) return absl::OkStatus();
    RETURN_IF_ERROR(ChangeReceipt(update, record.failover_receipt(), change));
    if (complete) record.clear_failover_receipt();
    return absl::OkStatus();
  }));
}

}  // namespace

absl::StatusOr<uint64_t> AddReceipt(MetaUpdate& update, catalog::FailoverReceipt receipt) {
  ASSIGN_OR_RETURN(const std::optional<std::string> newest, update.GetBefore(kReceiptCounterKey));
  const uint64_t number = newest ? std::strtoull(newest->c_str(), nullptr, 10) + 1 : 1;
  receipt.set_number(number);
  update.Put(kReceiptCounterKey, fmt::format("{}", number));
  update.Put(ReceiptKey(number), receipt.SerializeAsString());
  if (number > kReceiptsKept) update.Delete(ReceiptKey(number - kReceiptsKept));
  return number;
}

absl::StatusOr<std::vector<catalog::FailoverReceipt>> LoadReceipts(Store* store) {
  ASSIGN_OR_RETURN(const auto entries, store->ScanMeta(kReceiptPrefix));
  std::vector<catalog::FailoverReceipt> result;
  for (const auto& [key, bytes] : entries) {
    ASSIGN_OR_RETURN(result.emplace_back(), Decode(key, bytes));
  }
  return result;
}

absl::Status ChangeReceipt(MetaUpdate& update, uint64_t number,
                           const std::function<void(catalog::FailoverReceipt&)>& change) {
  const std::string key = ReceiptKey(number);
  ASSIGN_OR_RETURN(const std::optional<std::string> bytes, update.GetBefore(key));
  if (!bytes) return absl::OkStatus();
  ASSIGN_OR_RETURN(catalog::FailoverReceipt receipt, Decode(key, *bytes));
  change(receipt);
  update.Put(key, receipt.SerializeAsString());
  return absl::OkStatus();
}

void NotePublication(Store* store, uint64_t number, uint64_t publish_ns) {
  LogUnlessOk(store->UpdateMeta([&](MetaUpdate& update) {
    return ChangeReceipt(update, number, [&](catalog::FailoverReceipt& receipt) { receipt.set_publish_ns(publish_ns); });
  }));
}

// A sweep that a restart interrupted counts what is left: the first count is the right one.
void NoteSweepBegun(Store* store, TenantId tenant, uint64_t versions) {
  const uint64_t now_ns = store->clock()->WallNs();
  const auto note = [&](catalog::FailoverReceipt& receipt) {
    if (receipt.sweep_began_at_ns() != 0) return;
    receipt.set_sweep_began_at_ns(now_ns);
    receipt.set_versions_undone(versions);
  };
  NoteInLast(store, tenant, note, /*complete=*/false);
}

void NoteSwept(Store* store, TenantId tenant) {
  const uint64_t now_ns = store->clock()->WallNs();
  const auto note = [&](catalog::FailoverReceipt& receipt) { receipt.set_swept_at_ns(now_ns); };
  NoteInLast(store, tenant, note, /*complete=*/true);
}

}  // namespace anabranch
