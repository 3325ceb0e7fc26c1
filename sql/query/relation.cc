#include "sql/query/relation.h"

#include <algorithm>

#include "base/status.h"
#include "sql/control/executor.h"
#include "sql/expression/set_function.h"
#include "sql/parse/statement.h"
#include "sql/parse/tree.h"
#include "sql/query/catalog_node.h"
#include "sql/query/relation_node.h"
#include "sql/query/select.h"
#include "sql/query/set_node.h"
#include "sql/value/error_field.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;

std::vector<ScopeColumn> ColumnsOf(const std::vector<ColumnDescription>& columns) {
  std::vector<ScopeColumn> result;
  for (const ColumnDescription& column : columns)
    result.push_back({.relation = {}, .name = column.name, .type = column.type, .modifier = column.modifier});
  return result;
}

void CollectSlots(const Expression& expression, std::vector<int>* slots) {
  if (expression.kind == ExpressionKind::kColumn) slots->push_back(expression.index);
  for (const ExpressionRef& argument : expression.arguments) CollectSlots(*argument, slots);
}

std::vector<int> SlotsOf(const std::vector<ExpressionRef>& expressions) {
  std::vector<int> slots;
  for (const ExpressionRef& expression : expressions) CollectSlots(*expression, &slots);
  return slots;
}

std::vector<ScopeColumn> TableColumns(const Table& table) {
  std::vector<ScopeColumn> columns;
  for (const Column& column : table.columns)
    columns.push_back({.relation = {}, .name = column.name, .type = column.type, .modifier = column.modifier});
  columns.push_back({.relation = {}, .name = std::string(kVersionColumn), .type = SqlType::kNumeric, .hidden = true});
  return columns;
}

const FromItem* TableIn(const FromItem& item, int slot) {
  if (!item.slots.Holds(slot)) return nullptr;
  if (!item.is_join()) return item.table ? &item : nullptr;
  const FromItem* const left = TableIn(*item.left, slot);
  return left != nullptr ? left : TableIn(*item.right, slot);
}

// The column of that name that a join by USING or NATURAL takes from one side.
absl::StatusOr<size_t> JoinColumn(const Scope& scope, size_t begin, size_t end, const std::string& name,
                                  std::string_view side) {
  size_t found = end;
  for (size_t i = begin; i < end; ++i) {
    const ScopeColumn& column = scope.columns[i];
    if (column.name != name || column.hidden || column.merged) continue;
    if (found != end) {
      return SqlError(sqlstate::kAmbiguousColumn,
                      fmt::format("common column name \"{}\" appears more than once in {} table", name, side));
    }
    found = i;
  }
  if (found != end) return found;
  return SqlError(sqlstate::kUndefinedColumn,
                  fmt::format("column \"{}\" specified in USING clause does not exist in {} table", name, side));
}

// LATERAL: an inner join's items may be put after what they need, wherever it is; an outer join is done as it is written.
absl::Status CheckNeeds(FromItem* join) {
  for (const FromItem* side : {join->left.get(), join->right.get()}) {
    for (const int slot : side->needs) {
      if (!join->slots.Holds(slot)) join->needs.push_back(slot);
    }
  }
  if (join->kind == JoinKind::kInner) return absl::OkStatus();
  const bool nested = join->right->is_join() && !join->right->needs.empty();
  const bool full = join->kind == JoinKind::kFull && !join->right->needs.empty();
  if (join->needs.empty() && !nested && !full) return absl::OkStatus();
  return UnsupportedError("LATERAL beyond an outer join");
}

}  // namespace

Scope TableScope(const Table& table, std::string_view alias) {
  Scope scope{.columns = TableColumns(table)};
  for (size_t i = 0; i < scope.columns.size(); ++i) {
    scope.columns[i].relation = alias.empty() ? table.name : std::string(alias);
    scope.columns[i].slot = static_cast<int>(i);
  }
  return scope;
}

absl::Status FromClause::Add(const Node& node) {
  ASSIGN_OR_RETURN(FromItemRef item, Plan(node));
  items_.push_back(std::move(item));
  return absl::OkStatus();
}

const FromItem* FromClause::TableAt(int slot) const {
  for (const FromItemRef& item : items_) {
    if (const FromItem* const found = TableIn(*item, slot)) return found;
  }
  return nullptr;
}

absl::StatusOr<FromItemRef> FromClause::Plan(const Node& node) { return WithLocation(PlanItem(node), LocationOf(node)); }

absl::StatusOr<FromItemRef> FromClause::PlanItem(const Node& node) {
  switch (node.node_case()) {
    case Node::kRangeVar:
      return PlanTable(node.range_var());
    case Node::kRangeSubselect:
      return PlanSubquery(node.range_subselect());
    case Node::kRangeFunction:
      return PlanFunction(node.range_function());
    case Node::kJoinExpr:
      return PlanJoin(node.join_expr());
    default:
      return UnsupportedError("this kind of item in FROM");
  }
}

absl::StatusOr<FromItemRef> FromClause::PlanTable(const pg_query::RangeVar& range) {
  if (planning_.bracket != nullptr && range.relname() == kBracketRelation) return PlanBracket(range);
  if (range.schemaname().empty()) {
    for (QueryLevel* level = binder_.level(); level != nullptr; level = level->outer) {
      const auto found = level->common_tables.find(range.relname());
      if (found != level->common_tables.end()) return PlanCommonTable(found->second, range);
    }
  }
  if (const CatalogRelation* catalog = FindCatalogRelation(range.schemaname(), range.relname())) {
    return PlanCatalog(*catalog, range);
  }
  if (IsCatalogSchema(range.schemaname())) {
    return SqlError(sqlstate::kUndefinedTable,
                    fmt::format("relation \"{}.{}\" does not exist", range.schemaname(), range.relname()));
  }
  ASSIGN_OR_RETURN(const std::string name, RelationName(range));
  auto item = std::make_unique<FromItem>();
  ASSIGN_OR_RETURN(item->table, planning_.tables->Get(*planning_.transaction, name));
  binder_.NoteTable(item->table);
  RETURN_IF_ERROR(AddColumns(range.alias(), item->table->name, TableColumns(*item->table), item.get()));
  return item;
}

absl::StatusOr<FromItemRef> FromClause::PlanCatalog(const CatalogRelation& catalog, const pg_query::RangeVar& range) {
  if (!range.inh()) return UnsupportedError("ONLY");
  std::vector<ScopeColumn> columns;
  for (const CatalogColumn& column : catalog.columns)
    columns.push_back({.relation = {}, .name = column.name, .type = column.type});
  auto item = std::make_unique<FromItem>();
  RETURN_IF_ERROR(AddColumns(range.alias(), catalog.name, std::move(columns), item.get()));
  item->node = std::make_unique<CatalogNode>(&catalog, item->alias, item->slots);
  return item;
}

absl::StatusOr<FromItemRef> FromClause::PlanBracket(const pg_query::RangeVar& range) {
  if (planning_.system == nullptr) return NotInSystem();
  auto item = std::make_unique<FromItem>();
  RETURN_IF_ERROR(AddColumns(range.alias(), "", ColumnsOf(planning_.system->Describe(*planning_.bracket)), item.get()));
  item->node = std::make_unique<SystemNode>(planning_.system, planning_.bracket, item->slots);
  return item;
}

absl::StatusOr<FromItemRef> FromClause::PlanCommonTable(const std::shared_ptr<CommonTable>& table,
                                                        const pg_query::RangeVar& range) {
  if (!table->captures.empty() && table->level != binder_.level()) {
    return UnsupportedError("a WITH query that uses an outer query's columns, in a subquery");
  }
  ++table->uses;
  auto item = std::make_unique<FromItem>();
  RETURN_IF_ERROR(AddColumns(range.alias(), table->name, ColumnsOf(table->columns), item.get()));
  std::vector<ExpressionRef> captures;
  for (const ExpressionRef& capture : table->captures) captures.push_back(Clone(*capture));
  item->node = std::make_unique<CommonTableNode>(table, std::move(captures), item->alias, item->slots);
  return item;
}

absl::StatusOr<FromItemRef> FromClause::PlanSubquery(const pg_query::RangeSubselect& range) {
  if (!range.has_alias()) {
    return SqlError(sqlstate::kSyntaxError, "subquery in FROM must have an alias",
                    "For example, FROM (SELECT ...) [AS] foo.");
  }
  binder_.set_scope(range.lateral() ? &scope_ : nullptr);
  absl::StatusOr<Query> query = PlanQuery(range.subquery().select_stmt(), nullptr, UnknownColumns::kAsText, planning_);
  binder_.set_scope(nullptr);
  RETURN_IF_ERROR(query.status());
  auto item = std::make_unique<FromItem>();
  item->needs = SlotsOf(query->captures);
  RETURN_IF_ERROR(AddColumns(range.alias(), "", ColumnsOf(query->columns), item.get()));
  item->node = std::make_unique<QueryNode>(std::move(query->root), std::move(query->captures), item->alias, item->slots);
  return item;
}

// A set, or a function of one value: then it is a set of that.
absl::StatusOr<FromItemRef> FromClause::PlanFunction(const pg_query::RangeFunction& range) {
  if (range.functions_size() != 1) return UnsupportedError("ROWS FROM");
  // A list of the call and its column definitions.
  const Node& call = range.functions(0).list().items(0);
  if (!call.has_func_call()) return UnsupportedError("this kind of function in FROM");
  const std::string& name = StringOf(call.func_call().funcname(call.func_call().funcname_size() - 1));
  if (name == "unnest" && call.func_call().args_size() > 1) return UnsupportedError("unnest of several arrays");
  binder_.set_scope(&scope_);
  binder_.level()->sets_allowed = true;
  absl::StatusOr<ExpressionRef> value = binder_.BindClause(call, "functions in FROM");
  binder_.level()->sets_allowed = false;
  binder_.set_scope(nullptr);
  RETURN_IF_ERROR(value.status());
  auto item = std::make_unique<FromItem>();
  CollectSlots(**value, &item->needs);
  std::vector<ScopeColumn> columns;
  const std::string& alias = range.alias().aliasname();
  if ((*value)->type == SqlType::kRecord) {
    columns.push_back({.relation = {}, .name = std::string(kExpandedItem), .type = SqlType::kInt2});
    columns.push_back({.relation = {}, .name = std::string(kExpandedNumber), .type = SqlType::kInt4});
  } else {
    columns.push_back({.relation = {}, .name = alias.empty() ? name : alias, .type = (*value)->type});
  }
  if (range.ordinality()) columns.push_back({.relation = {}, .name = "ordinality", .type = SqlType::kInt8});
  RETURN_IF_ERROR(AddColumns(range.alias(), name, std::move(columns), item.get()));
  item->node = std::make_unique<SetNode>(*std::move(value), name, item->alias, item->slots);
  return item;
}

absl::StatusOr<FromItemRef> FromClause::PlanJoin(const pg_query::JoinExpr& join) {
  auto item = std::make_unique<FromItem>();
  const size_t begin = scope_.columns.size();
  ASSIGN_OR_RETURN(item->left, Plan(join.larg()));
  const size_t middle = scope_.columns.size();
  ASSIGN_OR_RETURN(item->right, Plan(join.rarg()));
  item->slots = {item->left->slots.begin, item->right->slots.end};
  const bool inner = join.jointype() == pg_query::JOIN_INNER;
  item->kind = inner ? JoinKind::kInner : join.jointype() == pg_query::JOIN_FULL ? JoinKind::kFull : JoinKind::kLeft;
  RETURN_IF_ERROR(CheckNeeds(item.get()));
  if (join.is_natural() || join.using_clause_size() > 0) {
    RETURN_IF_ERROR(MergeColumns(join, begin, middle, item.get()));
  } else if (join.has_quals()) {
    const Scope joined{.columns = {scope_.columns.begin() + static_cast<ptrdiff_t>(begin), scope_.columns.end()}};
    binder_.set_scope(&joined);
    absl::StatusOr<ExpressionRef> condition = binder_.BindClause(join.quals(), SqlType::kBool, "JOIN/ON");
    binder_.set_scope(nullptr);
    RETURN_IF_ERROR(condition.status());
    item->on.push_back(*std::move(condition));
  }
  // The row's slots do not depend on the sides, so a right join is a left one.
  if (join.jointype() == pg_query::JOIN_RIGHT) std::swap(item->left, item->right);
  if (join.has_alias()) RETURN_IF_ERROR(RenameJoin(join.alias(), begin));
  return item;
}

absl::Status FromClause::MergeColumns(const pg_query::JoinExpr& join, size_t begin, size_t middle, FromItem* item) {
  if (join.has_join_using_alias()) return UnsupportedError("an alias of USING");
  std::vector<std::string> names;
  for (const Node& name : join.using_clause()) names.push_back(StringOf(name));
  for (size_t i = begin; i < middle && join.is_natural(); ++i) {
    const ScopeColumn& left = scope_.columns[i];
    const bool common =
        std::any_of(scope_.columns.begin() + static_cast<ptrdiff_t>(middle), scope_.columns.end(),
                    [&](const ScopeColumn& right) { return right.name == left.name && !right.hidden && !right.merged; });
    if (common && !left.hidden && !left.merged) names.push_back(left.name);
  }
  std::vector<ScopeColumn> merged;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const size_t left, JoinColumn(scope_, begin, middle, name, "left"));
    ASSIGN_OR_RETURN(const size_t right, JoinColumn(scope_, middle, scope_.columns.size(), name, "right"));
    ScopeColumn sides[2] = {scope_.columns[left], scope_.columns[right]};
    ASSIGN_OR_RETURN(ExpressionRef condition,
                     binder_.Compare(CompareOperator::kEqual, binder_.UseColumn(sides[0]), binder_.UseColumn(sides[1])));
    ExpressionRef values[2] = {binder_.UseColumn(sides[0]), binder_.UseColumn(sides[1])};
    ASSIGN_OR_RETURN(const SqlType type, binder_.Unify({&values[0], &values[1]}, "JOIN/USING"));
    ExpressionRef value;
    if (join.jointype() == pg_query::JOIN_FULL) {
      value = MakeExpression(ExpressionKind::kCoalesce, type);
      for (ExpressionRef& side : values) value->arguments.push_back(std::move(side));
    } else {
      value = std::move(values[join.jointype() == pg_query::JOIN_RIGHT ? 1 : 0]);
    }
    const int32_t modifier = ModifierOf(*value);
    merged.push_back({.relation = {}, .name = name, .type = value->type, .modifier = modifier, .value = std::move(value)});
    scope_.columns[left].merged = scope_.columns[right].merged = true;
    item->on.push_back(std::move(condition));
  }
  scope_.columns.insert(scope_.columns.begin() + static_cast<ptrdiff_t>(begin), merged.begin(), merged.end());
  return absl::OkStatus();
}

// The alias of a join hides the names of its sides.
absl::Status FromClause::RenameJoin(const pg_query::Alias& alias, size_t begin) {
  std::vector<ScopeColumn> columns(scope_.columns.begin() + static_cast<ptrdiff_t>(begin), scope_.columns.end());
  scope_.columns.resize(begin);
  std::erase_if(columns, [](const ScopeColumn& column) { return column.merged || column.hidden; });
  int renamed = 0;
  for (ScopeColumn& column : columns) {
    column.relation = alias.aliasname();
    if (renamed < alias.colnames_size()) column.name = StringOf(alias.colnames(renamed++));
    scope_.columns.push_back(std::move(column));
  }
  return absl::OkStatus();
}

absl::Status FromClause::AddColumns(const pg_query::Alias& alias, const std::string& name, std::vector<ScopeColumn> columns,
                                    FromItem* item) {
  item->alias = alias.aliasname().empty() ? name : alias.aliasname();
  const bool known = std::any_of(scope_.columns.begin(), scope_.columns.end(),
                                 [&](const ScopeColumn& column) { return column.relation == item->alias; });
  if (known && !item->alias.empty()) {
    return SqlError(sqlstate::kDuplicateAlias, fmt::format("table name \"{}\" specified more than once", item->alias));
  }
  const auto visible = std::count_if(columns.begin(), columns.end(), [](const ScopeColumn& c) { return !c.hidden; });
  if (alias.colnames_size() > visible) {
    return SqlError(sqlstate::kInvalidColumnReference,
                    fmt::format("table \"{}\" has {} columns available but {} columns specified", item->alias, visible,
                                alias.colnames_size()));
  }
  item->slots.begin = width_;
  int renamed = 0;
  for (ScopeColumn& column : columns) {
    column.relation = item->alias;
    column.slot = width_++;
    if (!column.hidden && renamed < alias.colnames_size()) column.name = StringOf(alias.colnames(renamed++));
    scope_.columns.push_back(std::move(column));
  }
  item->slots.end = width_;
  return absl::OkStatus();
}

}  // namespace anabranch
