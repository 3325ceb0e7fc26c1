// WITH, UNION and its kind, VALUES, and what all queries share.
#include "base/status.h"
#include "sql/parse/tree.h"
#include "sql/query/query_planner.h"
#include "sql/query/relation_node.h"
#include "sql/value/error_field.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;
using SelectStmt = pg_query::SelectStmt;

}  // namespace

OrderKey KeyOf(const pg_query::SortBy& sort) {
  const SortDirection direction = DirectionOf(sort);
  OrderKey key;
  key.descending = direction.descending;
  key.nulls_first = direction.nulls_first;
  return key;
}

const std::string* SingleName(const Node& node) {
  const pg_query::ColumnRef& column = node.column_ref();
  if (!node.has_column_ref() || column.fields_size() != 1 || !column.fields(0).has_string()) return nullptr;
  return &StringOf(column.fields(0));
}

std::vector<ExpressionRef> ColumnsOf(const Query& query) {
  const std::vector<ColumnDescription>& columns = query.columns;
  std::vector<ExpressionRef> expressions;
  for (size_t i = 0; i < columns.size(); ++i) {
    // What is of unknown type is text until it is converted.
    const SqlType type = columns[i].type == SqlType::kUnknown ? SqlType::kText : columns[i].type;
    expressions.push_back(MakeColumn(type, static_cast<int>(i), columns[i].name));
    expressions.back()->modifier = columns[i].modifier;
    if (i < query.locations.size()) expressions.back()->location = query.locations[i];
  }
  return expressions;
}

bool AreColumnsInPlace(const std::vector<ExpressionRef>& expressions) {
  for (size_t i = 0; i < expressions.size(); ++i) {
    if (expressions[i]->kind != ExpressionKind::kColumn || expressions[i]->index != static_cast<int>(i)) return false;
  }
  return true;
}

absl::Status CannotLockWith(const SelectStmt& select, std::string_view what) {
  return SqlError(sqlstate::kFeatureNotSupported,
                  fmt::format("{} is not allowed with {}", LockingClauseName(select), what));
}

absl::StatusOr<Query> QueryPlanner::Plan() {
  binder_.Enter(&level_);
  const absl::Status status = PlanBody();
  binder_.Leave();
  RETURN_IF_ERROR(status);
  query_.captures = std::move(level_.captures);
  return std::move(query_);
}

absl::Status QueryPlanner::PlanBody() {
  if (select_.limit_option() == pg_query::LIMIT_OPTION_WITH_TIES) return UnsupportedError("WITH TIES");
  if (select_.has_with_clause()) RETURN_IF_ERROR(PlanWith());
  const bool locks = select_.locking_clause_size() > 0;
  if (select_.op() > pg_query::SETOP_NONE) {
    if (locks) return CannotLockWith(select_, "UNION/INTERSECT/EXCEPT");
    RETURN_IF_ERROR(PlanSetOperation());
    RETURN_IF_ERROR(PlanOutputOrder("invalid UNION/INTERSECT/EXCEPT ORDER BY clause"));
  } else if (select_.values_lists_size() > 0) {
    if (locks)
      return SqlError(sqlstate::kFeatureNotSupported,
                      fmt::format("{} cannot be applied to VALUES", LockingClauseName(select_)));
    RETURN_IF_ERROR(PlanValues());
    RETURN_IF_ERROR(PlanOutputOrder("ORDER BY of VALUES by anything but a column"));
  } else {
    RETURN_IF_ERROR(PlanSimple());
  }
  return assign_to_ != nullptr ? AssignColumns() : absl::OkStatus();
}

absl::Status QueryPlanner::PlanWith() {
  const pg_query::WithClause& with = select_.with_clause();
  if (with.recursive()) return UnsupportedError("WITH RECURSIVE");
  for (const Node& node : with.ctes()) {
    const pg_query::CommonTableExpr& expression = node.common_table_expr();
    if (level_.common_tables.contains(expression.ctename())) {
      return SqlError(sqlstate::kDuplicateAlias,
                      fmt::format("WITH query name \"{}\" specified more than once", expression.ctename()));
    }
    if (!expression.ctequery().has_select_stmt()) return UnsupportedError("a data-modifying statement in WITH");
    ASSIGN_OR_RETURN(Query query,
                     PlanQuery(expression.ctequery().select_stmt(), nullptr, UnknownColumns::kAsText, planning_));
    if (expression.aliascolnames_size() > static_cast<int>(query.columns.size())) {
      return SqlError(sqlstate::kInvalidColumnReference,
                      fmt::format("WITH query \"{}\" has {} columns available but {} columns specified",
                                  expression.ctename(), query.columns.size(), expression.aliascolnames_size()));
    }
    for (int i = 0; i < expression.aliascolnames_size(); ++i) {
      query.columns[i].name = StringOf(expression.aliascolnames(i));
    }
    auto table = std::make_shared<CommonTable>();
    table->name = expression.ctename();
    table->columns = std::move(query.columns);
    table->root = std::move(query.root);
    table->captures = std::move(query.captures);
    table->level = &level_;
    level_.common_tables[table->name] = std::move(table);
  }
  return absl::OkStatus();
}

absl::Status QueryPlanner::PlanSetOperation() {
  const std::string_view name = select_.op() == pg_query::SETOP_UNION       ? "UNION"
                                : select_.op() == pg_query::SETOP_INTERSECT ? "INTERSECT"
                                                                            : "EXCEPT";
  ASSIGN_OR_RETURN(Query left, PlanQuery(select_.larg(), nullptr, UnknownColumns::kKeep, planning_));
  ASSIGN_OR_RETURN(Query right, PlanQuery(select_.rarg(), nullptr, UnknownColumns::kKeep, planning_));
  if (left.columns.size() != right.columns.size()) {
    return SqlError(sqlstate::kSyntaxError, fmt::format("each {} query must have the same number of columns", name));
  }
  std::vector<ExpressionRef> values[2] = {ColumnsOf(left), ColumnsOf(right)};
  query_.columns = left.columns;
  query_.locations = left.locations;
  for (size_t i = 0; i < left.columns.size(); ++i) {
    SqlType& type = query_.columns[i].type;
    const SqlType types[2] = {left.columns[i].type, right.columns[i].type};
    const bool alike = types[0] == types[1] && left.columns[i].modifier == right.columns[i].modifier;
    if (!alike) query_.columns[i].modifier = kNoModifier;
    for (int side = 0; side < 2; ++side) {
      if (types[side] != SqlType::kUnknown) continue;
      type = types[1 - side] == SqlType::kUnknown ? SqlType::kText : types[1 - side];
      const ExpressionRef& parameter = (side == 0 ? left : right).unknown_parameters[i];
      if (parameter) {
        ASSIGN_OR_RETURN(values[side][i], binder_.Convert(Clone(*parameter), type, Conversion::kImplicit));
      } else {
        values[side][i] = CastText(std::move(values[side][i]), type);
      }
    }
    if (types[0] == SqlType::kUnknown || types[1] == SqlType::kUnknown) continue;
    ASSIGN_OR_RETURN(type, binder_.Unify({&values[0][i], &values[1][i]}, name));
  }
  PlanRef roots[2] = {Embed(std::move(left), std::move(values[0])), Embed(std::move(right), std::move(values[1]))};
  const SetOperation operation = select_.op() == pg_query::SETOP_UNION       ? SetOperation::kUnion
                                 : select_.op() == pg_query::SETOP_INTERSECT ? SetOperation::kIntersect
                                                                             : SetOperation::kExcept;
  query_.root = std::make_unique<SetOperationNode>(operation, select_.all(), std::move(roots[0]), std::move(roots[1]));
  if (operation == SetOperation::kUnion && !select_.all()) MakeDistinct(query_.columns.size());
  return absl::OkStatus();
}

ExpressionRef QueryPlanner::CastText(ExpressionRef value, SqlType type) {
  if (type == SqlType::kText) return value;
  ExpressionRef cast = MakeExpression(ExpressionKind::kCast, type);
  cast->arguments.push_back(std::move(value));
  return cast;
}

PlanRef QueryPlanner::Embed(Query query, std::vector<ExpressionRef> values) {
  const Slots slots{0, static_cast<int>(query.columns.size())};
  PlanRef root = std::move(query.root);
  if (!query.captures.empty()) {
    root = std::make_unique<QueryNode>(std::move(root), std::move(query.captures), "*SELECT*", slots);
  }
  if (AreColumnsInPlace(values)) return root;
  return std::make_unique<ProjectNode>(std::move(root), std::move(values));
}

absl::Status QueryPlanner::PlanValues() {
  std::vector<std::vector<ExpressionRef>> rows;
  for (const Node& list : select_.values_lists()) {
    std::vector<ExpressionRef>& row = rows.emplace_back();
    for (const Node& item : list.list().items()) {
      ASSIGN_OR_RETURN(ExpressionRef value, binder_.Bind(item));
      RETURN_IF_ERROR(RefuseAggregates(*value, "VALUES"));
      row.push_back(std::move(value));
    }
    if (row.size() != rows[0].size()) {
      return SqlError(sqlstate::kSyntaxError, "VALUES lists must all be the same length");
    }
  }
  for (size_t i = 0; i < rows[0].size(); ++i) {
    std::vector<ExpressionRef*> column;
    for (std::vector<ExpressionRef>& row : rows) column.push_back(&row[i]);
    ASSIGN_OR_RETURN(const SqlType type, binder_.Unify(std::move(column), "VALUES"));
    query_.columns.push_back({.name = fmt::format("column{}", i + 1), .type = type});
    query_.locations.push_back(rows[0][i]->location);
  }
  query_.root = std::make_unique<ValuesNode>(std::move(rows));
  return absl::OkStatus();
}

absl::Status QueryPlanner::PlanOutputOrder(const std::string& otherwise) {
  RETURN_IF_ERROR(PlanCounts());
  std::vector<SortColumn> columns;
  for (const Node& node : select_.sort_clause()) {
    const OrderKey key = KeyOf(node.sort_by());
    ASSIGN_OR_RETURN(int target, Ordinal(node.sort_by().node(), "ORDER BY"));
    const std::string* name = SingleName(node.sort_by().node());
    for (size_t i = 0; name != nullptr && i < query_.columns.size() && target < 0; ++i) {
      if (query_.columns[i].name == *name) target = static_cast<int>(i);
    }
    if (target < 0 && name != nullptr) {
      return WithLocation(SqlError(sqlstate::kUndefinedColumn, fmt::format("column \"{}\" does not exist", *name)),
                          LocationOf(node.sort_by().node()));
    }
    if (target < 0) return UnsupportedError(otherwise);
    columns.push_back({.column = target,
                       .descending = key.descending,
                       .nulls_first = key.nulls_first,
                       .text = query_.columns[target].name});
  }
  if (!columns.empty()) query_.root = std::make_unique<SortNode>(std::move(query_.root), std::move(columns), counts_);
  if (counts_ != nullptr) query_.root = std::make_unique<LimitNode>(std::move(query_.root), counts_);
  return absl::OkStatus();
}

absl::Status QueryPlanner::PlanCounts() {
  LimitCounts counts;
  if (select_.has_limit_count() && !select_.limit_count().a_const().isnull()) {
    ASSIGN_OR_RETURN(counts.limit, BindCount(select_.limit_count(), "LIMIT"));
  }
  if (select_.has_limit_offset()) {
    ASSIGN_OR_RETURN(counts.offset, BindCount(select_.limit_offset(), "OFFSET"));
  }
  if (counts.limit || counts.offset) counts_ = std::make_shared<const LimitCounts>(std::move(counts));
  return absl::OkStatus();
}

absl::StatusOr<ExpressionRef> QueryPlanner::BindCount(const Node& node, std::string_view what) {
  binder_.set_scope(nullptr);
  return binder_.BindClause(node, SqlType::kInt8, what);
}

absl::StatusOr<int> QueryPlanner::Ordinal(const Node& node, std::string_view clause) const {
  if (!node.has_a_const()) return -1;
  if (node.a_const().val_case() != pg_query::A_Const::kIval) {
    return WithLocation(SqlError(sqlstate::kSyntaxError, fmt::format("non-integer constant in {}", clause)),
                        LocationOf(node));
  }
  const int ordinal = node.a_const().ival().ival();
  if (ordinal < 1 || ordinal > static_cast<int>(query_.columns.size())) {
    return WithLocation(
        SqlError(sqlstate::kInvalidColumnReference, fmt::format("{} position {} is not in select list", clause, ordinal)),
        LocationOf(node));
  }
  return ordinal - 1;
}

absl::Status QueryPlanner::AssignColumns() {
  RETURN_IF_ERROR(CheckAssignedCount(query_.columns.size()));
  std::vector<ExpressionRef> values = ColumnsOf(query_);
  for (size_t i = 0; i < values.size(); ++i) {
    ASSIGN_OR_RETURN(values[i], binder_.Assign(std::move(values[i]), *(*assign_to_)[i]));
  }
  if (!AreColumnsInPlace(values)) query_.root = std::make_unique<ProjectNode>(std::move(query_.root), std::move(values));
  return absl::OkStatus();
}

absl::StatusOr<Query> PlanQuery(const SelectStmt& select, const std::vector<const Column*>* assign_to,
                                UnknownColumns unknown, const Planning& planning) {
  return QueryPlanner(select, assign_to, unknown, planning).Plan();
}

}  // namespace anabranch
