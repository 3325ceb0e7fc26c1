// Binder: what has a query or an aggregation in it.
#include <algorithm>

#include "base/status.h"
#include "sql/expression/aggregate.h"
#include "sql/parse/tree.h"
#include "sql/query/bind.h"
#include "sql/query/execution.h"
#include "sql/query/select.h"
#include "sql/query/statement_run.h"
#include "sql/value/error_field.h"

namespace anabranch {
namespace {

// What an argument of unknown type is taken to be; kUnknown: nothing more than another.
SqlType TypeOfUnknown(AggregateKind kind) {
  switch (kind) {
    case AggregateKind::kBoolAnd:
    case AggregateKind::kBoolOr:
      return SqlType::kBool;
    case AggregateKind::kSum:
    case AggregateKind::kAverage:
      return SqlType::kUnknown;
    default:
      return SqlType::kText;
  }
}

absl::Status NotUnique(std::string_view aggregate) {
  return SqlError(sqlstate::kAmbiguousFunction, fmt::format("function {}(unknown) is not unique", aggregate),
                  "Could not choose a best candidate function. You might need to add explicit type casts.");
}

std::string ArgumentTypes(const std::vector<ExpressionRef>& arguments) {
  std::string list;
  for (const ExpressionRef& argument : arguments)
    list += (list.empty() ? "" : ", ") + std::string(TypeName(argument->type));
  return list;
}

}  // namespace

SortDirection DirectionOf(const pg_query::SortBy& sort) {
  const bool descending = sort.sortby_dir() == pg_query::SORTBY_DESC;
  return {.descending = descending,
          .nulls_first = sort.sortby_nulls() == pg_query::SORTBY_NULLS_FIRST ||
                         (sort.sortby_nulls() != pg_query::SORTBY_NULLS_LAST && descending)};
}

absl::StatusOr<ExpressionRef> Binder::BindSubquery(const pg_query::SubLink& node) {
  if (planning_ == nullptr) return UnsupportedError("a subquery here");
  if (node.testexpr().has_row_expr()) return UnsupportedError("a subquery compared with a row");
  auto subquery = std::make_shared<Subquery>();
  switch (node.sub_link_type()) {
    case pg_query::EXISTS_SUBLINK:
      subquery->kind = Subquery::Kind::kExists;
      break;
    case pg_query::EXPR_SUBLINK:
      break;
    case pg_query::ANY_SUBLINK:
      subquery->kind = Subquery::Kind::kAny;
      break;
    case pg_query::ALL_SUBLINK:
      subquery->kind = Subquery::Kind::kAll;
      break;
    case pg_query::ARRAY_SUBLINK:
      subquery->kind = Subquery::Kind::kArray;
      break;
    default:
      return UnsupportedError("this kind of subquery");
  }
  ExpressionRef expression = MakeExpression(ExpressionKind::kSubquery, SqlType::kBool);
  ExpressionRef value;
  if (subquery->values() > 0) {
    ASSIGN_OR_RETURN(value, Bind(node.testexpr()));
  }
  ASSIGN_OR_RETURN(Query query, PlanQuery(node.subselect().select_stmt(), nullptr, UnknownColumns::kAsText, *planning_));
  if (subquery->kind != Subquery::Kind::kExists && query.columns.size() != 1) {
    return SqlError(sqlstate::kSyntaxError,
                    subquery->values() == 0 ? "subquery must return only one column" : "subquery has too many columns");
  }
  if (subquery->kind == Subquery::Kind::kScalar) {
    expression->type = query.columns[0].type;
    expression->modifier = query.columns[0].modifier;
  }
  if (subquery->kind == Subquery::Kind::kArray) {
    expression->type = ArrayTypeOf(query.columns[0].type);
    if (expression->type == SqlType::kUnknown) {
      return UnsupportedError(fmt::format("an array of {}", TypeName(query.columns[0].type)));
    }
  }
  if (value) {
    const std::string name = node.oper_name_size() == 0 ? "=" : StringOf(node.oper_name(node.oper_name_size() - 1));
    const SqlType type = query.columns[0].type;
    if (value->type == SqlType::kUnknown) {
      ASSIGN_OR_RETURN(value, Convert(std::move(value), type, Conversion::kImplicit));
    }
    ASSIGN_OR_RETURN(subquery->test, BindBinary(name, MakeColumn(value->type, 0, ""), MakeColumn(type, 1, "")));
    if (subquery->test->type != SqlType::kBool) {
      return SqlError(sqlstate::kDatatypeMismatch, "op ANY/ALL requires operator to yield boolean");
    }
    expression->arguments.push_back(std::move(value));
  }
  for (ExpressionRef& capture : query.captures) expression->arguments.push_back(std::move(capture));
  subquery->plan = std::move(query.root);
  expression->subquery = std::move(subquery);
  return expression;
}

// DISTINCT gives its values in their order, as PostgreSQL does it. ORDER BY of what no order changes has no effect.
absl::Status Binder::BindAggregateOrder(const pg_query::FuncCall& node, Expression* aggregate) {
  std::vector<ExpressionRef> keys;
  std::vector<SortDirection> order;
  for (const pg_query::Node& item : node.agg_order()) {
    ASSIGN_OR_RETURN(keys.emplace_back(), BindKnown(item.sort_by().node()));
    order.push_back(DirectionOf(item.sort_by()));
    if (!aggregate->distinct || *keys.back() == *aggregate->arguments.front()) continue;
    return SqlError(sqlstate::kInvalidColumnReference,
                    "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list");
  }
  if (!KeepsValues(aggregate->aggregate->kind) || aggregate->arguments.empty()) return absl::OkStatus();
  if (aggregate->distinct && keys.empty()) {
    keys.push_back(Clone(*aggregate->arguments.front()));
    order.emplace_back();
  }
  aggregate->order = std::move(order);
  for (ExpressionRef& key : keys) aggregate->arguments.push_back(std::move(key));
  return absl::OkStatus();
}

absl::StatusOr<ExpressionRef> Binder::BindAggregate(const AggregateFunction& aggregate, const pg_query::FuncCall& node) {
  ExpressionRef expression = MakeExpression(ExpressionKind::kAggregate, SqlType::kInt8);
  expression->aggregate = &aggregate;
  expression->distinct = node.agg_distinct();
  const WithoutSets none_within(level_);
  const absl::Status bound = [&]() -> absl::Status {
    for (const pg_query::Node& argument : node.args()) {
      ASSIGN_OR_RETURN(ExpressionRef value, Bind(argument));
      if (value->type == SqlType::kUnknown) {
        const SqlType type = TypeOfUnknown(aggregate.kind);
        if (type == SqlType::kUnknown) return NotUnique(aggregate.name);
        ASSIGN_OR_RETURN(value, Convert(std::move(value), type, Conversion::kImplicit));
      } else if (aggregate.kind == AggregateKind::kStringAgg && TypeCategory(value->type) == 'S') {
        ASSIGN_OR_RETURN(value, Convert(std::move(value), SqlType::kText, Conversion::kImplicit));
      }
      expression->arguments.push_back(std::move(value));
    }
    RETURN_IF_ERROR(BindAggregateOrder(node, expression.get()));
    if (!node.has_agg_filter()) return absl::OkStatus();
    expression->filtered = true;
    ASSIGN_OR_RETURN(ExpressionRef condition, BindClause(node.agg_filter(), SqlType::kBool, "FILTER"));
    expression->arguments.push_back(std::move(condition));
    return absl::OkStatus();
  }();
  RETURN_IF_ERROR(bound);
  if (Contains(*expression, ExpressionKind::kOuterColumn) && !Contains(*expression, ExpressionKind::kColumn)) {
    return UnsupportedError("an aggregate of an outer query's columns in a subquery");
  }
  const int expected = aggregate.kind == AggregateKind::kStringAgg ? 2 : 1;
  const bool counts_rows = node.agg_star() && aggregate.kind == AggregateKind::kCount;
  const std::optional<SqlType> result = counts_rows ? std::optional(SqlType::kInt8)
                                        : node.args_size() == expected
                                            ? AggregateResult(aggregate.kind, expression->arguments[0]->type)
                                            : std::nullopt;
  if (!result) {
    expression->arguments.resize(node.args_size());
    if (aggregate.kind == AggregateKind::kArrayAgg && node.args_size() == 1) {
      return UnsupportedError(fmt::format("array_agg of {}", TypeName(expression->arguments[0]->type)));
    }
    return SqlError(sqlstate::kUndefinedFunction,
                    fmt::format("function {}({}) does not exist", aggregate.name, ArgumentTypes(expression->arguments)),
                    "No function matches the given name and argument types. You might need to add explicit type casts.");
  }
  for (const ExpressionRef& argument : expression->arguments) {
    const Expression* const nested = FindAggregateIn(*argument);
    if (nested == nullptr) continue;
    return WithLocation(SqlError(sqlstate::kGroupingError, "aggregate function calls cannot be nested"), nested->location);
  }
  expression->type = *result;
  return expression;
}

}  // namespace anabranch
