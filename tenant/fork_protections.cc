// How long the history from a failover, or a reset, on is kept for others (TenantRecord: failover_protected_until_ns,
// reset_protected_until_ns).
//
// That counts while this node runs, by its monotonic clock, as the silence of streams does (tenant/source/source.h). The
// ends are moments of the wall clock, so they move with whatever it does beyond that: a time in which the node was down, a
// step.
#include <charconv>
#include <cstdlib>

#include "base/status.h"
#include "storage/protection.h"
#include "tenant/catalog/limits.h"
#include "tenant/virtual_clusters_impl.h"

namespace anabranch {
namespace {

absl::StatusOr<uint64_t> ParseMoment(const std::string& text) {
  uint64_t moment_ns = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), moment_ns);
  if (error == std::errc() && rest == text.data() + text.size()) return moment_ns;
  return SqlError(sqlstate::kDataCorrupted, fmt::format("catalog record {} does not decode", kLastRoundKey));
}

void MoveEnds(int64_t by_ns, catalog::TenantRecord& record) {
  const auto moved = [by_ns](uint64_t until_ns) { return until_ns == 0 ? 0 : until_ns + static_cast<uint64_t>(by_ns); };
  const auto move_kept = [&](catalog::BeforeFailback* kept) {
    kept->set_failover_protected_until_ns(moved(kept->failover_protected_until_ns()));
  };
  record.set_failover_protected_until_ns(moved(record.failover_protected_until_ns()));
  record.set_reset_protected_until_ns(moved(record.reset_protected_until_ns()));
  if (record.has_before_failback()) move_kept(record.mutable_before_failback());
  if (record.before_failover().has_before_failback())
    move_kept(record.mutable_before_failover()->mutable_before_failback());
}

}  // namespace

absl::StatusOr<uint64_t> VirtualClustersImpl::MoveForkProtections() {
  const uint64_t wall_ns = store_->clock()->WallNs();
  const uint64_t monotonic_ns = store_->clock()->MonotonicNs();
  const uint64_t ran_ns = last_round_ns_ == 0 ? 0 : monotonic_ns - last_round_ns_;
  ASSIGN_OR_RETURN(const std::optional<std::string> noted, store_->GetMeta(kLastRoundKey));
  uint64_t expected_ns = wall_ns;  // of the wall clock
  if (noted) {
    ASSIGN_OR_RETURN(expected_ns, ParseMoment(*noted));
    expected_ns += ran_ns;
  }
  const auto moved_ns = static_cast<int64_t>(wall_ns - expected_ns);
  const bool moves = std::abs(moved_ns) >= kClockStepNs;
  ASSIGN_OR_RETURN(const std::vector<catalog::TenantRecord> records, LoadTenants(store_));
  RETURN_IF_ERROR(store_->UpdateMeta([&](MetaUpdate& update) -> absl::Status {
    update.Put(kLastRoundKey, fmt::format("{}", moves ? wall_ns : expected_ns));
    for (size_t i = 0; moves && i < records.size(); ++i) {
      const TenantId id(records[i].id());
      ASSIGN_OR_RETURN(const std::optional<std::string> there, update.GetBefore(TenantKey(id)));
      if (!there) continue;
      ASSIGN_OR_RETURN(catalog::TenantRecord now, LoadTenant(update, id));
      MoveEnds(moved_ns, now);
      PutTenant(update, now);
    }
    return absl::OkStatus();
  }));
  last_round_ns_ = monotonic_ns;
  return wall_ns;
}

absl::Status VirtualClustersImpl::ReleaseForkProtections() {
  ASSIGN_OR_RETURN(const uint64_t now_ns, MoveForkProtections());
  ASSIGN_OR_RETURN(const std::vector<catalog::TenantRecord> records, LoadTenants(store_));
  const auto is_due = [now_ns](uint64_t until_ns) { return until_ns != 0 && until_ns < now_ns; };
  absl::Status status;
  for (const catalog::TenantRecord& record : records) {
    // A failover that can be undone keeps what its undo relies on.
    if (record.has_before_failover()) continue;
    if (!is_due(record.failover_protected_until_ns()) && !is_due(record.reset_protected_until_ns())) continue;
    status.Update(UpdateTenant(store_, TenantId(record.id()), [&](MetaUpdate& update, catalog::TenantRecord& now) {
      if (now.has_before_failover()) return absl::OkStatus();
      const IncarnationId incarnation(now.incarnation());
      if (is_due(now.failover_protected_until_ns())) {
        Unprotect(update, incarnation, kFailoverHolder);
        now.clear_failover_protected_until_ns();
      }
      if (is_due(now.reset_protected_until_ns())) {
        Unprotect(update, incarnation, kResetHolder);
        now.clear_reset_protected_until_ns();
      }
      return absl::OkStatus();
    }));
  }
  return status;
}

}  // namespace anabranch
