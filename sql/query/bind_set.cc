// Binder: functions that return sets, row numbers, and what takes parts out of arrays and records.
#include <algorithm>

#include "base/status.h"
#include "sql/expression/set_function.h"
#include "sql/parse/tree.h"
#include "sql/query/bind.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;
using Arguments = std::vector<ExpressionRef>;

absl::Status NoSetFunction(SetFunction function, const Arguments& arguments) {
  std::string list;
  for (const ExpressionRef& argument : arguments)
    list += (list.empty() ? "" : ", ") + std::string(TypeName(argument->type));
  return SqlError(sqlstate::kUndefinedFunction,
                  fmt::format("function {}({}) does not exist", SetFunctionName(function), list),
                  "No function matches the given name and argument types. You might need to add explicit type casts.");
}

}  // namespace

// The widest type of the bounds.
absl::StatusOr<SqlType> Binder::SettleSeries(Arguments* bounds) {
  if (bounds->size() < 2 || bounds->size() > 3) return NoSetFunction(SetFunction::kSeries, *bounds);
  const auto all = [&](auto holds) {
    return std::all_of(bounds->begin(), bounds->end(), [&](const ExpressionRef& bound) { return holds(bound->type); });
  };
  const auto any = [&](SqlType type) { return !all([&](SqlType other) { return other != type; }); };
  if (any(SqlType::kDate) || any(SqlType::kTimestamp) || any(SqlType::kTimestampTz)) {
    const bool local = any(SqlType::kTimestamp) && !any(SqlType::kTimestampTz);
    return SettleTimeSeries(local ? SqlType::kTimestamp : SqlType::kTimestampTz, bounds);
  }
  for (const ExpressionRef& bound : *bounds) {
    if (bound->type == SqlType::kUnknown || IsInteger(bound->type)) continue;
    return UnsupportedError(fmt::format("generate_series of {}", TypeName(bound->type)));
  }
  const bool narrow = all([](SqlType type) { return type == SqlType::kInt4 || type == SqlType::kInt2; });
  const SqlType type = narrow ? SqlType::kInt4 : SqlType::kInt8;
  for (ExpressionRef& bound : *bounds) {
    ASSIGN_OR_RETURN(bound, Convert(std::move(bound), type, Conversion::kImplicit));
  }
  return type;
}

absl::StatusOr<SqlType> Binder::SettleTimeSeries(SqlType type, Arguments* bounds) {
  if (bounds->size() != 3) return NoSetFunction(SetFunction::kSeries, *bounds);
  for (size_t i = 0; i < bounds->size(); ++i) {
    const SqlType to = i == 2 ? SqlType::kInterval : type;
    const SqlType from = (*bounds)[i]->type;
    if (from != SqlType::kUnknown && !CanConvert(from, to, Conversion::kImplicit)) {
      return NoSetFunction(SetFunction::kSeries, *bounds);
    }
    ASSIGN_OR_RETURN((*bounds)[i], Convert(std::move((*bounds)[i]), to, Conversion::kImplicit));
  }
  return type;
}

absl::StatusOr<SqlType> Binder::SettleSet(SetFunction function, Arguments* arguments) {
  if (function == SetFunction::kSeries) return SettleSeries(arguments);
  const size_t arguments_max = function == SetFunction::kSubscripts ? 3 : 1;
  if (arguments->empty() || arguments->size() > arguments_max || !IsArray(arguments->front()->type)) {
    return NoSetFunction(function, *arguments);
  }
  const SqlType array = arguments->front()->type;
  switch (function) {
    case SetFunction::kUnnest:
      return ElementType(array);
    case SetFunction::kExpandArray:
      // Field selection must know what the fields are, and asks for the type alone.
      if (ElementType(array) == SqlType::kInt2) return SqlType::kRecord;
      return UnsupportedError(fmt::format("_pg_expandarray of {}", TypeName(array)));
    default:
      break;
  }
  if (arguments->size() < 2) return NoSetFunction(function, *arguments);
  for (size_t i = 1; i < arguments->size(); ++i) {
    ASSIGN_OR_RETURN((*arguments)[i],
                     Convert(std::move((*arguments)[i]), i == 1 ? SqlType::kInt4 : SqlType::kBool, Conversion::kImplicit));
    if (!(*arguments)[i]) return NoSetFunction(function, *arguments);
  }
  return SqlType::kInt4;
}

absl::StatusOr<ExpressionRef> Binder::BindSet(const pg_query::FuncCall& node) {
  const std::optional<SetFunction> function = SetFunctionNamed(StringOf(node.funcname(node.funcname_size() - 1)));
  const WithoutSets none_within(level_);
  ExpressionRef set = MakeExpression(ExpressionKind::kSet, SqlType::kUnknown);
  set->set = *function;
  ASSIGN_OR_RETURN(set->arguments, BindArguments(node));
  ASSIGN_OR_RETURN(set->type, SettleSet(*function, &set->arguments));
  return set;
}

absl::StatusOr<ExpressionRef> Binder::BindWindow(const pg_query::FuncCall& node) {
  const pg_query::WindowDef& window = node.over();
  const bool row_number = StringOf(node.funcname(node.funcname_size() - 1)) == "row_number" && node.args_size() == 0;
  if (!row_number || !level_->sets_allowed || node.has_agg_filter()) return UnsupportedError("a window function");
  const WithoutSets none_within(level_);
  ExpressionRef number = MakeExpression(ExpressionKind::kRowNumber, SqlType::kInt8);
  number->index = window.partition_clause_size();
  for (const Node& key : window.partition_clause()) {
    ASSIGN_OR_RETURN(number->arguments.emplace_back(), BindKnown(key));
  }
  for (const Node& key : window.order_clause()) {
    ASSIGN_OR_RETURN(number->arguments.emplace_back(), BindKnown(key.sort_by().node()));
    number->order.push_back(DirectionOf(key.sort_by()));
  }
  return number;
}

absl::StatusOr<ExpressionRef> Binder::BindIndirection(const pg_query::A_Indirection& node) {
  ASSIGN_OR_RETURN(ExpressionRef value, Bind(node.arg()));
  for (const Node& step : node.indirection()) {
    if (step.has_string()) {
      ASSIGN_OR_RETURN(value, BindField(std::move(value), StringOf(step)));
      continue;
    }
    if (!step.has_a_indices()) return UnsupportedError("a row expanded by *");
    if (step.a_indices().is_slice()) return UnsupportedError("a slice of an array");
    if (!IsArray(value->type)) {
      return SqlError(
          sqlstate::kDatatypeMismatch,
          fmt::format("cannot subscript type {} because it does not support subscripting", TypeName(value->type)));
    }
    Arguments arguments;
    arguments.push_back(std::move(value));
    ASSIGN_OR_RETURN(arguments.emplace_back(), Bind(step.a_indices().uidx()));
    ASSIGN_OR_RETURN(arguments[1], Convert(std::move(arguments[1]), SqlType::kInt4, Conversion::kAssignment));
    if (!arguments[1]) return SqlError(sqlstate::kDatatypeMismatch, "array subscript must have type integer");
    ASSIGN_OR_RETURN(value, BindCall("array_subscript", std::move(arguments), false));
  }
  return value;
}

// Records come from _pg_expandarray alone.
absl::StatusOr<ExpressionRef> Binder::BindField(ExpressionRef record, const std::string& name) {
  if (record->type != SqlType::kRecord) {
    return SqlError(
        sqlstate::kWrongObjectType,
        fmt::format("column notation .{} applied to type {}, which is not a composite type", name, TypeName(record->type)));
  }
  if (name != kExpandedItem && name != kExpandedNumber) {
    return SqlError(sqlstate::kUndefinedColumn, fmt::format("could not identify column \"{}\" in record data type", name));
  }
  Arguments arguments;
  arguments.push_back(std::move(record));
  return BindCall(name == kExpandedItem ? "record_item" : "record_number", std::move(arguments), false);
}

}  // namespace anabranch
