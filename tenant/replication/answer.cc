#include "tenant/replication/answer.h"

#include <algorithm>

#include "base/status.h"
#include "tenant/catalog/catalog.h"
#include "tenant/catalog/cluster_settings.h"
#include "tenant/catalog/farewells.h"
#include "tenant/catalog/limits.h"
#include "tenant/replication/lost_writes.h"

namespace anabranch {
namespace {

absl::Status Malformed(std::string_view what) {
  return SqlError(sqlstate::kProtocolViolation, fmt::format("the answer of the source has {}", what));
}

absl::Status CheckStream(const wire::OpenRequest& request, const wire::OpenResponse& response) {
  if (request.explain()) return absl::OkStatus();
  const bool asked_for = request.stream_id() == 0 || response.stream_id() == request.stream_id();
  return response.stream_id() != 0 && asked_for ? absl::OkStatus() : Malformed("another stream than was asked for");
}

// The common point of both histories, which the source has computed from what we sent.
absl::Status CheckStart(const wire::OpenRequest& request, const wire::OpenResponse& response) {
  if (request.ancestry().empty()) {
    const bool copied = !response.has_manifest() || response.manifest().copied_from() == response.start_at();
    return copied ? absl::OkStatus() : Malformed("a start that is not that of its files");
  }
  if (response.has_manifest()) return Malformed("files of an initial copy, which was not asked for");
  const absl::StatusOr<Timestamp> common =
      CommonPoint(FromWire(response.ancestry()), FromWire(request.ancestry()), {request.frontier()});
  if (!common.ok() || common->ns != response.start_at()) return Malformed("a start where the histories do not part");
  const bool goes_on = request.stream_id() == 0 || response.start_at() == request.frontier();
  return goes_on ? absl::OkStatus() : Malformed("a start before what is here");
}

bool Names(const catalog::TenantRecord& record, StreamId stream) {
  const catalog::BeforeFailover& failover = record.before_failover();
  const uint64_t named[] = {record.replication().stream_id(), record.before_failback().replication().stream_id(),
                            failover.replication().stream_id(), failover.before_failback().replication().stream_id()};
  return std::find(std::begin(named), std::end(named), stream.value()) != std::end(named);
}

}  // namespace

absl::Status CheckAnswer(const wire::OpenRequest& request, const wire::OpenResponse& response) {
  if (!IsHexId(response.source_cluster_id(), kClusterIdHexDigits)) return Malformed("an id that no cluster has");
  if (!CheckName(response.source_tenant()).ok() || response.source_tenant_id() == 0) {
    return Malformed("a name or an id that no virtual cluster has");
  }
  RETURN_IF_ERROR(JudgeAncestry(FromWire(response.ancestry())));
  const uint64_t window_ns = response.expiration_window_ns();
  if (window_ns != 0 && !CheckExpirationWindow(window_ns).ok()) return Malformed("an expiration window out of range");
  RETURN_IF_ERROR(CheckStream(request, response));
  return CheckStart(request, response);
}

absl::Status CheckNewStream(Store* store, StreamId stream) {
  const auto is_it = [&](const auto& record) { return record.stream_id() == stream.value(); };
  ASSIGN_OR_RETURN(const std::vector<catalog::FarewellRecord> farewells, LoadFarewells(store));
  bool used = std::any_of(farewells.begin(), farewells.end(), is_it);
  ASSIGN_OR_RETURN(const std::vector<catalog::TenantRecord> records, LoadTenants(store));
  for (const catalog::TenantRecord& record : records) {
    ASSIGN_OR_RETURN(const std::vector<catalog::LedgerRecord> ledgers, LoadLedgers(store, TenantId(record.id())));
    used = used || Names(record, stream) || std::any_of(ledgers.begin(), ledgers.end(), is_it);
  }
  if (!used) return absl::OkStatus();
  return Malformed(fmt::format("stream {}, which is not new", StreamText(stream)));
}

}  // namespace anabranch
