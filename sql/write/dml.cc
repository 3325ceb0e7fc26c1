#include "sql/write/dml.h"

#include <algorithm>
#include <set>

#include "base/status.h"
#include "sql/parse/tree.h"
#include "sql/value/error_field.h"

namespace anabranch {

using Node = pg_query::Node;

absl::Status UndefinedColumn(const Table& table, std::string_view column) {
  return SqlError(sqlstate::kUndefinedColumn,
                  fmt::format("column \"{}\" of relation \"{}\" does not exist", column, table.name));
}

absl::StatusOr<std::vector<int>> NamedColumns(const Table& table, const std::vector<std::string>& names) {
  std::vector<int> positions;
  if (names.empty()) {
    for (size_t i = 0; i < table.columns.size(); ++i) positions.push_back(static_cast<int>(i));
    return positions;
  }
  for (const std::string& name : names) {
    const std::optional<int> position = table.FindColumn(name);
    if (!position) return UndefinedColumn(table, name);
    if (std::find(positions.begin(), positions.end(), *position) != positions.end()) {
      return SqlError(sqlstate::kDuplicateColumn, fmt::format("column \"{}\" specified more than once", name));
    }
    positions.push_back(*position);
  }
  return positions;
}

absl::StatusOr<Returning> PlanReturning(const google::protobuf::RepeatedPtrField<Node>& targets, const Scope& scope,
                                        const Planning& planning) {
  Returning returning;
  planning.binder->set_scope(&scope);
  for (const Node& node : targets) {
    const pg_query::ResTarget& target = node.res_target();
    const pg_query::ColumnRef& column = target.val().column_ref();
    const bool star = column.fields_size() > 0 && column.fields(column.fields_size() - 1).has_a_star();
    if (star && column.fields_size() == 1) {
      for (size_t i = 0; i < scope.columns.size(); ++i) {
        if (scope.columns[i].hidden) continue;
        const ScopeColumn& known = scope.columns[i];
        returning.columns.push_back({.name = known.name, .type = known.type, .modifier = known.modifier});
        returning.targets.push_back(MakeColumn(known.type, static_cast<int>(i), known.name));
      }
      continue;
    }
    ASSIGN_OR_RETURN(ExpressionRef bound, planning.binder->BindKnown(target.val()));
    RETURN_IF_ERROR(RefuseAggregates(*bound, "RETURNING"));
    returning.columns.push_back({.name = target.name().empty() ? ResultName(target.val()) : target.name(),
                                 .type = bound->type,
                                 .modifier = ModifierOf(*bound)});
    returning.targets.push_back(std::move(bound));
  }
  planning.binder->set_scope(nullptr);
  return returning;
}

absl::Status ReturnRow(const Returning& returning, const Row& row, const Execution& execution,
                       const RowConsumer& returned) {
  if (returning.columns.empty()) return absl::OkStatus();
  Row values;
  for (const ExpressionRef& target : returning.targets) {
    ASSIGN_OR_RETURN(Datum value, Evaluate(*target, row, execution.evaluation));
    values.push_back(std::move(value));
  }
  return returned(values);
}

absl::StatusOr<std::vector<std::pair<int, ExpressionRef>>> PlanAssignments(
    const google::protobuf::RepeatedPtrField<Node>& targets, const Table& table, const Planning& planning) {
  std::vector<std::pair<int, ExpressionRef>> assignments;
  std::set<int> assigned;
  for (const Node& node : targets) {
    const pg_query::ResTarget& target = node.res_target();
    const std::optional<int> position = table.FindColumn(target.name());
    if (!position) return WithLocation(UndefinedColumn(table, target.name()), target.location());
    if (!assigned.insert(*position).second) {
      return WithLocation(
          SqlError(sqlstate::kSyntaxError, fmt::format("multiple assignments to same column \"{}\"", target.name())),
          target.location());
    }
    const Column& column = table.columns[*position];
    ExpressionRef value;
    if (!target.val().has_set_to_default()) {
      if (column.identity == 'a') {
        return SqlError(sqlstate::kGeneratedAlways,
                        fmt::format("column \"{}\" can only be updated to DEFAULT", column.name));
      }
      ASSIGN_OR_RETURN(value, planning.binder->BindAssignment(target.val(), column, "UPDATE"));
    }
    assignments.emplace_back(*position, std::move(value));
  }
  return assignments;
}

absl::Status Assign(const std::vector<std::pair<int, ExpressionRef>>& assignments, const TableRules& rules, const Row& from,
                    const Execution& execution, Row* row) {
  for (const auto& [position, expression] : assignments) {
    if (expression) {
      ASSIGN_OR_RETURN((*row)[position], Evaluate(*expression, from, execution.evaluation));
    } else {
      ASSIGN_OR_RETURN((*row)[position], rules.Default(position, execution.evaluation));
    }
  }
  return absl::OkStatus();
}

}  // namespace anabranch
