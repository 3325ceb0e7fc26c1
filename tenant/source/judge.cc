#include "tenant/source/judge.h"

#include <utility>

#include "base/status.h"
#include "tenant/catalog/stream_state.h"

namespace anabranch {

absl::Status CheckServes(const catalog::TenantRecord& tenant) {
  return CheckAllowed(LifecycleAction::kServeStream, tenant.name(), StateOf(tenant), ModeOf(tenant));
}

absl::Status NotOwner(const catalog::StreamRecord& record, const StreamUser& user, std::string hint) {
  return SqlError(sqlstate::kInsufficientPrivilege,
                  fmt::format("user {} does not own stream {}", user.name, StreamText(StreamId(record.stream_id()))),
                  std::move(hint));
}

absl::Status CheckOwner(const catalog::StreamRecord& record, const StreamUser& user, const std::string& destination) {
  if (!destination.empty() && destination != record.destination_cluster_id()) {
    return SqlError(sqlstate::kInsufficientPrivilege,
                    fmt::format("stream {} is of another standby", StreamText(StreamId(record.stream_id()))));
  }
  const bool unowned = record.owner().empty() && !destination.empty();
  return unowned || record.owner() == user.name
             ? absl::OkStatus()
             : NotOwner(record, user, "Open the stream as the user who began it, or as one who has admin.");
}

}  // namespace anabranch
