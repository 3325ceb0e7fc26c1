#include "tenant/replication/open_request.h"

#include <optional>
#include <variant>

#include "base/status.h"
#include "fmt/format.h"
#include "stream/frame.h"

namespace anabranch {
namespace {

wire::OpenRequest RequestOf(Store* store, const std::string& name) {
  wire::OpenRequest request;
  request.set_protocol_version(kProtocolVersion);
  request.set_clock_ns(store->visible().ns);
  request.set_destination_cluster_id(store->cluster_id().value());
  request.set_destination_tenant(name);
  return request;
}

void NameSource(const VirtualClusterSpec& source, wire::OpenRequest* request) {
  if (const auto* id = std::get_if<TenantId>(&source)) {
    request->set_source_tenant_id(id->value());
  } else {
    request->set_source_tenant(std::get<std::string>(source));
  }
}

}  // namespace

absl::StatusOr<wire::OpenRequest> CopyHandshake(Store* store, const std::string& name, const VirtualClusterSpec& source) {
  wire::OpenRequest request = RequestOf(store, name);
  NameSource(source, &request);
  ASSIGN_OR_RETURN(const std::optional<std::string> newest_id, store->GetMeta(kTenantCounterKey));
  request.set_key(fmt::format("{}/{}", name, newest_id.value_or("")));
  return request;
}

wire::OpenRequest FailbackHandshake(Store* store, const catalog::TenantRecord& record, const VirtualClusterSpec& source) {
  wire::OpenRequest request = RequestOf(store, record.name());
  NameSource(source, &request);
  request.set_destination_tenant_id(record.id());
  *request.mutable_ancestry() = record.ancestry();
  request.set_frontier(store->visible().ns);  // all of its own history, up to now
  return request;
}

wire::OpenRequest ReopenRequest(Store* store, const catalog::TenantRecord& record, Timestamp frontier) {
  wire::OpenRequest request = RequestOf(store, record.name());
  request.set_source_tenant(record.replication().source_tenant());
  request.set_stream_id(record.replication().stream_id());
  *request.mutable_ancestry() = record.ancestry();
  request.set_frontier(frontier.ns);
  request.set_reverting(record.replication().phase() == catalog::Replication::REVERTING);
  return request;
}

}  // namespace anabranch
