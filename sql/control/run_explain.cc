// EXPLAIN in front of the statements that cannot be taken back easily.
#include "base/status.h"
#include "fmt/format.h"
#include "sql/control/run.h"
#include "tenant/virtual_clusters.h"

namespace anabranch {
namespace {

using Explanation = absl::StatusOr<VirtualClusters::Explanation>;

template <typename Shape>
Explanation ExplainOne(const Shape&, const Running& running) {
  return NotSupportedYet(InfoOf(running.statement).name);
}

Explanation ExplainOne(const DropVirtualCluster& drop, const Running& running) {
  return running.clusters.ExplainDrop(drop.target, running.stop);
}

Explanation ExplainOne(const AlterVirtualCluster& alter, const Running& running) {
  return std::visit([&](const auto& action) { return ExplainAction(alter.target, action, running); }, alter.action);
}

}  // namespace

Explanation ExplainAction(const VirtualClusterSpec& target, const CompleteReplication& complete, const Running& running) {
  return running.clusters.ExplainComplete(target, complete.to, running.stop);
}

Explanation ExplainAction(const VirtualClusterSpec& target, const ResetData& reset, const Running& running) {
  return running.clusters.ExplainReset(target, reset.to, running.stop);
}

Columns ColumnsOf(const ExplainSystemStatement&) { return {{"property", SqlType::kText}, {"value", SqlType::kText}}; }

CommandTag RunStatement(const ExplainSystemStatement& explain, const Running& running) {
  ASSIGN_OR_RETURN(const VirtualClusters::Explanation rows,
                   std::visit([&](const auto& shape) { return ExplainOne(shape, running); },
                              static_cast<const SystemStatement::variant&>(*explain.statement)));
  RETURN_IF_ERROR(running.sink.Columns(ColumnsOf(explain)));
  for (const auto& [property, value] : rows) RETURN_IF_ERROR(running.sink.AddRow({property, value}));
  return std::string("EXPLAIN");
}

}  // namespace anabranch
