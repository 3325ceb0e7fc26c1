#include "tenant/source/judge.h"

#include <utility>

#include "base/status.h"
#include "tenant/catalog/cluster_settings.h"
#include "tenant/catalog/limits.h"
#include "tenant/catalog/stream_state.h"

namespace anabranch {
namespace {

absl::Status Malformed(std::string_view what) {
  return SqlError(sqlstate::kInvalidParameterValue, fmt::format("the request of the standby has {}", what));
}

absl::Status NotOwner(const catalog::StreamRecord& record, const StreamUser& user, std::string hint) {
  return SqlError(sqlstate::kInsufficientPrivilege,
                  fmt::format("user {} does not own stream {}", user.name, StreamText(StreamId(record.stream_id()))),
                  std::move(hint));
}

bool IsOwner(const catalog::StreamRecord& record, const StreamUser& user) {
  return !record.owner().empty() && record.owner() == user.name;
}

bool MayTakeOver(const catalog::StreamRecord& record, const StreamUser& user) {
  return record.owner().empty() || record.owner() == user.name || user.admin;
}

}  // namespace

absl::Status CheckServes(const catalog::TenantRecord& tenant) {
  return CheckAllowed(LifecycleAction::kServeStream, tenant.name(), StateOf(tenant), ModeOf(tenant));
}

absl::Status CheckRequest(const wire::OpenRequest& request) {
  if (!IsHexId(request.destination_cluster_id(), kClusterIdHexDigits)) return Malformed("an id that no cluster has");
  RETURN_IF_ERROR(CheckName(request.destination_tenant()));
  if (!request.source_tenant().empty()) RETURN_IF_ERROR(CheckName(request.source_tenant()));
  if (request.key().size() > kOpenKeyBytesMax) return Malformed("a key that is too long");
  if (!request.ancestry().empty() && !JudgeAncestry(FromWire(request.ancestry())).ok()) {
    return Malformed("a history that no virtual cluster has");
  }
  if (request.expiration_window_ns() == 0) return absl::OkStatus();
  return CheckExpirationWindow(request.expiration_window_ns());
}

absl::Status CheckMayOpen(const catalog::StreamRecord& record, const StreamUser& user, const wire::OpenRequest& request) {
  const bool same_destination = record.destination_cluster_id() == request.destination_cluster_id();
  if (!same_destination || !IsOpen(StateOf(record))) {
    return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                    fmt::format("replication stream {} is not a running stream to this standby",
                                StreamText(StreamId(record.stream_id()))));
  }
  if (MayTakeOver(record, user)) return absl::OkStatus();
  return NotOwner(
      record, user,
      "Give the user who began the stream in the connection string, or one who has admin: such a user takes it over.");
}

absl::Status CheckOwner(const catalog::StreamRecord& record, const StreamUser& user, const std::string& destination) {
  if (!destination.empty() && destination != record.destination_cluster_id()) {
    return SqlError(sqlstate::kInsufficientPrivilege,
                    fmt::format("stream {} is of another standby", StreamText(StreamId(record.stream_id()))));
  }
  if (IsOwner(record, user)) return absl::OkStatus();
  return NotOwner(record, user, "Open the stream as the user who began it, or as one who has admin.");
}

absl::Status CheckMayReplace(const catalog::StreamRecord& promised, const StreamUser& user) {
  if (MayTakeOver(promised, user)) return absl::OkStatus();
  return NotOwner(promised, user,
                  "The destination was promised that one before: ask as the user who began it, or as one who has admin.");
}

absl::Status CheckMayFinish(const catalog::StreamRecord& record, const StreamUser& user,
                            const wire::FinishRequest& request) {
  const bool same_destination = request.destination_cluster_id() == record.destination_cluster_id();
  if (!user.admin || !same_destination) RETURN_IF_ERROR(CheckOwner(record, user, request.destination_cluster_id()));
  if (request.opening() == 0 || request.opening() == record.openings()) return absl::OkStatus();
  return SqlError(sqlstate::kObjectInUse,
                  fmt::format("stream {} was opened again since", StreamText(StreamId(record.stream_id()))));
}

}  // namespace anabranch
