#include "tenant/catalog/farewells.h"

#include <algorithm>

#include "base/status.h"
#include "fmt/format.h"
#include "tenant/catalog/catalog.h"

namespace anabranch {
namespace {

constexpr std::string_view kFarewellPrefix = "farewell/";

std::string FarewellKey(uint64_t stream) { return fmt::format("{}{}", kFarewellPrefix, StreamText(StreamId(stream))); }

}  // namespace

void JournalFarewell(MetaUpdate& update, const catalog::Replication& replication, Ending ending) {
  catalog::FarewellRecord record;
  record.set_stream_id(replication.stream_id());
  record.set_uri(replication.uri());
  record.set_promoted(ending == Ending::kPromoted);
  record.set_journaled_at_ns(update.visible().ns);
  record.set_source_cluster_id(replication.source_cluster_id());
  record.set_source_expiration_window_ns(replication.source_expiration_window_ns());
  update.Put(FarewellKey(record.stream_id()), record.SerializeAsString());
}

absl::StatusOr<std::vector<catalog::FarewellRecord>> LoadFarewells(Store* store) {
  ASSIGN_OR_RETURN(const auto entries, store->ScanMeta(kFarewellPrefix));
  std::vector<catalog::FarewellRecord> result;
  for (const auto& [key, bytes] : entries) {
    if (result.emplace_back().ParseFromString(bytes)) continue;
    return SqlError(sqlstate::kDataCorrupted, fmt::format("catalog record {} does not decode", key));
  }
  std::sort(result.begin(), result.end(),
            [](const auto& a, const auto& b) { return a.journaled_at_ns() < b.journaled_at_ns(); });
  return result;
}

absl::Status ForgetFarewell(Store* store, const catalog::FarewellRecord& record) {
  const std::string key = FarewellKey(record.stream_id());
  return store->UpdateMeta([&](MetaUpdate& update) -> absl::Status {
    ASSIGN_OR_RETURN(const std::optional<std::string> there, update.GetBefore(key));
    if (there && *there == record.SerializeAsString()) update.Delete(key);
    return absl::OkStatus();
  });
}

}  // namespace anabranch
