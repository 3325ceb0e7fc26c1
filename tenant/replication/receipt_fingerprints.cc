#include "tenant/replication/receipt_fingerprints.h"

#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "storage/mvcc/fingerprint.h"
#include "tenant/catalog/catalog.h"
#include "tenant/catalog/receipts.h"

namespace anabranch {
namespace {

absl::Status CheckSameHistory(Store* store, const catalog::FailoverReceipt& receipt) {
  ASSIGN_OR_RETURN(const catalog::TenantRecord record, LoadTenant(store, TenantId(receipt.tenant_id())));
  const Ancestry ancestry = FromWire(record.ancestry());
  if (!ancestry.empty() && ancestry.back().branch.value() == receipt.branch_id()) return absl::OkStatus();
  return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                  fmt::format("the history of virtual cluster \"{}\" was changed since", record.name()));
}

// Judged after it, too: what is changed meanwhile may have been in it.
absl::StatusOr<uint64_t> FingerprintOf(Store* store, const catalog::FailoverReceipt& receipt, std::stop_token stop) {
  RETURN_IF_ERROR(CheckSameHistory(store, receipt));
  ASSIGN_OR_RETURN(const catalog::TenantRecord record, LoadTenant(store, TenantId(receipt.tenant_id())));
  ASSIGN_OR_RETURN(const KeyspaceRef keyspace, store->FindKeyspace(IncarnationId(record.incarnation())));
  ASSIGN_OR_RETURN(const Fingerprint fingerprint,
                   ComputeFingerprint(store, keyspace, std::nullopt, {receipt.target()}, std::move(stop)));
  RETURN_IF_ERROR(CheckSameHistory(store, receipt));
  return fingerprint.digest;
}

}  // namespace

ReceiptFingerprints::ReceiptFingerprints(Store* store)
    : store_(store), thread_([this](std::stop_token stop) { Run(std::move(stop)); }) {}

ReceiptFingerprints::~ReceiptFingerprints() {
  thread_.request_stop();
  thread_.join();
}

void ReceiptFingerprints::Compute() {
  {
    std::lock_guard lock(mutex_);
    wanted_ = true;
  }
  changed_.notify_one();
}

absl::Status ReceiptFingerprints::ComputeAll(std::stop_token stop) {
  ASSIGN_OR_RETURN(const std::vector<catalog::FailoverReceipt> receipts, LoadReceipts(store_));
  for (const catalog::FailoverReceipt& receipt : receipts) {
    if (!receipt.fingerprint_wanted()) continue;
    const absl::StatusOr<uint64_t> fingerprint = FingerprintOf(store_, receipt, stop);
    if (stop.stop_requested()) return absl::OkStatus();
    if (!fingerprint.ok()) {
      Log(LogLevel::kWarning, "failover.fingerprint_given_up", "vc={} target={} error=\"{}\"", receipt.virtual_cluster(),
          FormatHlc({receipt.target()}), MessageOf(fingerprint.status()));
    }
    RETURN_IF_ERROR(store_->UpdateMeta([&](MetaUpdate& update) {
      return ChangeReceipt(update, receipt.number(), [&](catalog::FailoverReceipt& now) {
        now.set_fingerprint_wanted(false);
        if (fingerprint.ok()) now.set_fingerprint(*fingerprint);
      });
    }));
  }
  return absl::OkStatus();
}

void ReceiptFingerprints::Run(std::stop_token stop) {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [this] { return wanted_; })) return;
      wanted_ = false;
    }
    if (const absl::Status status = ComputeAll(stop); !status.ok()) {
      Log(LogLevel::kWarning, "failover.fingerprint_failed", "error=\"{}\"", MessageOf(status));
    }
  }
}

}  // namespace anabranch
