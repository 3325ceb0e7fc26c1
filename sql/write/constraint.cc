#include "sql/write/constraint.h"

#include <algorithm>

#include "base/status.h"
#include "sql/expression/stored_expression.h"
#include "sql/parse/tree.h"
#include "sql/query/bind.h"
#include "sql/query/relation.h"
#include "sql/value/error_field.h"

namespace anabranch {
namespace {

constexpr size_t kDetailValueBytesMax = 64;  // PostgreSQL's, of one value in "Failing row contains"

std::string FailingRow(const Table& table, const Row& row, const TimeZone& zone) {
  std::string text;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    std::string value = IsNull(row[i]) ? "null" : ToText(row[i], zone);
    if (value.size() > kDetailValueBytesMax) value.replace(kDetailValueBytesMax, std::string::npos, "...");
    text += (i == 0 ? "" : ", ") + value;
  }
  return fmt::format("Failing row contains ({}).", text);
}

absl::Status InTable(absl::Status status, const Table& table) {
  status = WithField(std::move(status), ErrorField::kSchema, "public");
  return WithField(std::move(status), ErrorField::kTable, table.name);
}

absl::Status NotNullViolation(const Table& table, size_t position, const Row& row, const TimeZone& zone) {
  const std::string& column = table.columns[position].name;
  absl::Status status = SqlError(
      sqlstate::kNotNullViolation,
      fmt::format("null value in column \"{}\" of relation \"{}\" violates not-null constraint", column, table.name));
  status = WithField(InTable(std::move(status), table), ErrorField::kColumn, column);
  return WithDetail(std::move(status), FailingRow(table, row, zone));
}

bool IsVolatile(const Expression& expression) {
  if (expression.kind == ExpressionKind::kCall && expression.function->volatility == Volatility::kVolatile) return true;
  return std::any_of(expression.arguments.begin(), expression.arguments.end(),
                     [](const ExpressionRef& argument) { return IsVolatile(*argument); });
}

// nextval('s'), without a look at privileges.
absl::StatusOr<ExpressionRef> BindIdentity(const pg_query::Node& nextval, const Column& column, Binder* binder) {
  std::vector<ExpressionRef> arguments;
  ASSIGN_OR_RETURN(arguments.emplace_back(), binder->Bind(nextval.func_call().args(0)));
  ASSIGN_OR_RETURN(ExpressionRef call, binder->BindCall(kIdentityFunction, std::move(arguments), false));
  return binder->Assign(std::move(call), column);
}

}  // namespace

absl::StatusOr<ExpressionRef> BindCheck(const Table& table, std::string_view sql) {
  ASSIGN_OR_RETURN(const ParsedExpression parsed, ParsedExpression::Parse(sql));
  return BindCheck(table, parsed.node(), UtcZone());
}

absl::StatusOr<ExpressionRef> BindCheck(const Table& table, const pg_query::Node& condition, const TimeZone& zone) {
  Binder binder({});
  binder.set_zone(zone);
  const Scope scope = TableScope(table, "");
  binder.set_scope(&scope);
  return binder.BindClause(condition, SqlType::kBool, "check constraints");
}

absl::StatusOr<TableRulesRef> TableRules::Bind(TableRef table) {
  auto rules = std::make_shared<TableRules>();
  for (const Column& column : table->columns) {
    rules->defaults_.emplace_back();
    if (column.default_expression.empty() || column.default_value) continue;
    ASSIGN_OR_RETURN(ParsedExpression parsed, ParsedExpression::Parse(column.default_expression));
    StripRegclass(parsed.mutable_node());
    Binder binder({});
    ASSIGN_OR_RETURN(rules->defaults_.back(), column.identity != 0
                                                  ? BindIdentity(parsed.node(), column, &binder)
                                                  : binder.BindAssignment(parsed.node(), column, "DEFAULT expressions"));
    if (IsVolatile(*rules->defaults_.back())) rules->volatile_defaults_ = true;
  }
  for (const Check& check : table->checks) {
    ASSIGN_OR_RETURN(ExpressionRef condition, BindCheck(*table, check.expression));
    rules->checks_.push_back(std::move(condition));
  }
  rules->table_ = std::move(table);
  return TableRulesRef(std::move(rules));
}

absl::StatusOr<Datum> TableRules::Default(int position, const EvaluationContext& context) const {
  const ExpressionRef& expression = defaults_[position];
  if (!expression) return table_->columns[position].default_value.value_or(Null{});
  return Evaluate(*expression, {}, context);
}

absl::Status TableRules::Verify(const Row& row, const EvaluationContext& context) const {
  for (size_t i = 0; i < table_->columns.size(); ++i) {
    if (table_->columns[i].not_null && IsNull(row[i])) return NotNullViolation(*table_, i, row, context.zone());
  }
  for (size_t i = 0; i < checks_.size(); ++i) {
    ASSIGN_OR_RETURN(const Datum holds, Evaluate(*checks_[i], row, context));
    // Unknown is good enough for a check.
    if (!IsNull(holds) && !std::get<bool>(holds))
      return CheckViolation(*table_, table_->checks[i].name, row, context.zone());
  }
  return absl::OkStatus();
}

std::string KeyText(const Table& table, const std::vector<int>& columns, const Row& row, const TimeZone& zone) {
  std::string names, values;
  for (const int position : columns) {
    names += (names.empty() ? "" : ", ") + table.columns[position].name;
    values += (values.empty() ? "" : ", ") + (IsNull(row[position]) ? "null" : ToText(row[position], zone));
  }
  return fmt::format("Key ({})=({})", names, values);
}

absl::Status UniqueViolation(const Table& table, const std::string& constraint, const std::vector<int>& columns,
                             const Row& row, const TimeZone& zone) {
  absl::Status status = SqlError(sqlstate::kUniqueViolation,
                                 fmt::format("duplicate key value violates unique constraint \"{}\"", constraint));
  status = WithField(InTable(std::move(status), table), ErrorField::kConstraint, constraint);
  return WithDetail(std::move(status), KeyText(table, columns, row, zone) + " already exists.");
}

absl::Status CheckViolation(const Table& table, const std::string& constraint, const Row& row, const TimeZone& zone) {
  absl::Status status =
      SqlError(sqlstate::kCheckViolation,
               fmt::format("new row for relation \"{}\" violates check constraint \"{}\"", table.name, constraint));
  status = WithField(InTable(std::move(status), table), ErrorField::kConstraint, constraint);
  return WithDetail(std::move(status), FailingRow(table, row, zone));
}

}  // namespace anabranch
