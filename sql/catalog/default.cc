// Defaults of columns as PostgreSQL prints them: ORMs read the type of a literal from its cast.
#include "base/status.h"
#include "sql/catalog/object.h"
#include "sql/expression/stored_expression.h"
#include "sql/parse/tree.h"

namespace anabranch {
namespace {

// 'x'::text.
std::string CastLiteral(std::string_view literal, SqlType type) {
  std::string quoted;
  for (const char c : literal) quoted += c == '\'' ? "''" : std::string(1, c);
  return fmt::format("'{}'::{}", quoted, type == SqlType::kBpchar ? "bpchar" : TypeName(type));
}

// A string that was written for a value of the type.
std::string StringDefault(const std::string& literal, SqlType type, const TimeZone& zone) {
  const absl::StatusOr<Datum> value = FromText(type, literal);
  if (!value.ok()) return CastLiteral(literal, SqlType::kText);
  const std::string text = ToText(*value, zone);
  if (type == SqlType::kBool) return text == "t" ? "true" : "false";
  const bool plain_number = TypeCategory(type) == 'N' && !text.empty() && text.front() >= '0' && text.front() <= '9';
  return plain_number ? text : CastLiteral(text, type);
}

// A constant, or a string cast to a type; null: it is something else.
const pg_query::A_Const* ConstantOf(const pg_query::Node& node) {
  if (node.has_a_const()) return &node.a_const();
  const bool cast_string = node.has_type_cast() && node.type_cast().arg().a_const().val_case() == pg_query::A_Const::kSval;
  return cast_string ? &node.type_cast().arg().a_const() : nullptr;
}

}  // namespace

std::string DefaultDefinition(const Column& column, const TimeZone& zone) {
  const std::string& sql = column.default_expression;
  const absl::StatusOr<ParsedExpression> parsed = ParsedExpression::Parse(sql);
  const pg_query::A_Const* constant = parsed.ok() ? ConstantOf(parsed->node()) : nullptr;
  if (constant == nullptr) return sql;
  switch (constant->val_case()) {
    case pg_query::A_Const::kSval:
      return StringDefault(constant->sval().sval(), column.type, zone);
    case pg_query::A_Const::kIval:
      return constant->ival().ival() < 0 ? CastLiteral(sql, SqlType::kInt4) : sql;
    case pg_query::A_Const::kFval: {
      const bool integer = FromText(SqlType::kInt8, sql).ok();
      return sql.starts_with('-') ? CastLiteral(sql, integer ? SqlType::kInt8 : SqlType::kNumeric) : sql;
    }
    default:
      return sql;
  }
}

}  // namespace anabranch
