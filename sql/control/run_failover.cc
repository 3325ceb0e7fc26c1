// UNDO COMPLETE REPLICATION and SHOW FAILOVERS.
#include "base/status.h"
#include "fmt/format.h"
#include "sql/control/run.h"
#include "tenant/virtual_clusters.h"

namespace anabranch {

absl::Status RunAction(const VirtualClusterSpec& target, const UndoCompleteReplication&, const Running& running) {
  return running.clusters.UndoCompleteReplication(target, running.session.user);
}

Columns ColumnsOf(const ShowFailovers&) {
  return {{"virtual_cluster", SqlType::kText}, {"user_name", SqlType::kText},     {"completed_at", SqlType::kTimestampTz},
          {"target", SqlType::kNumeric},       {"frontier", SqlType::kNumeric},   {"versions_undone", SqlType::kInt8},
          {"phases", SqlType::kText},          {"lost_after", SqlType::kNumeric}, {"lost_upto", SqlType::kNumeric},
          {"statement", SqlType::kText},       {"fingerprint", SqlType::kInt8}};
}

CommandTag RunStatement(const ShowFailovers& show, const Running& running) {
  ASSIGN_OR_RETURN(const std::vector<FailoverInfo> failovers, running.clusters.ShowFailovers());
  RETURN_IF_ERROR(running.sink.Columns(ColumnsOf(show)));
  for (const FailoverInfo& info : failovers) {
    Row row = {info.virtual_cluster,
               info.user_name,
               TimestampTz{static_cast<int64_t>(info.completed_at.ns / 1000)},
               HlcNumeric(info.target),
               Null(),
               Null(),
               info.phases,
               Null(),
               Null(),
               info.statement,
               Null()};
    if (info.frontier) row[4] = HlcNumeric(*info.frontier);
    if (info.versions_undone) row[5] = static_cast<int64_t>(*info.versions_undone);
    if (info.lost_upto) {
      row[7] = HlcNumeric(info.target);
      row[8] = HlcNumeric(*info.lost_upto);
    }
    if (info.fingerprint) row[10] = static_cast<int64_t>(*info.fingerprint);
    RETURN_IF_ERROR(running.sink.AddRow(row));
  }
  return fmt::format("SHOW {}", failovers.size());
}

}  // namespace anabranch
