#include "sql/expression/text.h"

#include <cctype>

#include "sql/expression/aggregate.h"
#include "sql/expression/set_function.h"

namespace anabranch {
namespace {

std::string Quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "''" : std::string(1, c);
  return quoted + "'";
}

std::string ConstantText(const Expression& constant) {
  if (IsNull(constant.constant)) return "NULL";
  const std::string text = ToText(constant.constant);
  if (std::holds_alternative<int64_t>(constant.constant) || constant.type == SqlType::kNumeric) return text;
  if (constant.type == SqlType::kBool) return text == "t" ? "true" : "false";
  return fmt::format("{}::{}", Quoted(text), TypeName(constant.type));
}

std::string List(const std::vector<ExpressionRef>& expressions, size_t begin, size_t end, std::string_view separator) {
  std::string list;
  for (size_t i = begin; i < end; ++i) list += (i == begin ? "" : std::string(separator)) + ExpressionText(*expressions[i]);
  return list;
}
std::string List(const std::vector<ExpressionRef>& expressions, std::string_view separator) {
  return List(expressions, 0, expressions.size(), separator);
}

std::string CallText(const Expression& call) {
  const std::string_view name = call.function->name;
  if (std::isalpha(static_cast<unsigned char>(name[0])) || name[0] == '_') {
    return fmt::format("{}({})", name, List(call.arguments, ", "));
  }
  if (call.arguments.size() == 1) return fmt::format("({} {})", name, ExpressionText(*call.arguments[0]));
  return fmt::format("({} {} {})", ExpressionText(*call.arguments[0]), name, ExpressionText(*call.arguments[1]));
}

std::string AggregateText(const Expression& aggregate) {
  const size_t keys_end = aggregate.arguments.size() - (aggregate.filtered ? 1 : 0);
  const size_t arguments = keys_end - aggregate.order.size();
  std::string order = aggregate.order.empty() ? "" : " ORDER BY " + List(aggregate.arguments, arguments, keys_end, ", ");
  std::string text = fmt::format("{}({}{}{})", aggregate.aggregate->name, aggregate.distinct ? "DISTINCT " : "",
                                 arguments == 0 ? "*" : List(aggregate.arguments, 0, arguments, ", "), order);
  if (aggregate.filtered) text += fmt::format(" FILTER (WHERE {})", ExpressionText(*aggregate.arguments.back()));
  return text;
}

std::string CaseText(const Expression& expression) {
  std::string text = "CASE";
  size_t i = 0;
  for (; i + 1 < expression.arguments.size(); i += 2) {
    text += fmt::format(" WHEN {} THEN {}", ExpressionText(*expression.arguments[i]),
                        ExpressionText(*expression.arguments[i + 1]));
  }
  if (i < expression.arguments.size()) text += fmt::format(" ELSE {}", ExpressionText(*expression.arguments[i]));
  return text + " END";
}

}  // namespace

std::string ExpressionText(const Expression& e) {
  static constexpr std::string_view kCompare[] = {
      "=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"};
  static constexpr std::string_view kTruth[] = {"TRUE", "FALSE", "UNKNOWN"};
  const auto argument = [&](size_t i) { return ExpressionText(*e.arguments[i]); };
  switch (e.kind) {
    case ExpressionKind::kConstant:
      return ConstantText(e);
    case ExpressionKind::kParameter:
      return fmt::format("${}", e.index + 1);
    case ExpressionKind::kColumn:
    case ExpressionKind::kOuterColumn:
      return e.name;
    case ExpressionKind::kCall:
      return CallText(e);
    case ExpressionKind::kCompare:
      return fmt::format("({} {} {})", argument(0), kCompare[static_cast<int>(e.compare)], argument(1));
    case ExpressionKind::kAnd:
      return "(" + List(e.arguments, " AND ") + ")";
    case ExpressionKind::kOr:
      return "(" + List(e.arguments, " OR ") + ")";
    case ExpressionKind::kNot:
      return fmt::format("(NOT {})", argument(0));
    case ExpressionKind::kIsNull:
      return fmt::format("({} IS {}NULL)", argument(0), e.negated ? "NOT " : "");
    case ExpressionKind::kBooleanTest:
      return fmt::format("({} IS {}{})", argument(0), e.negated ? "NOT " : "", kTruth[static_cast<int>(e.truth)]);
    case ExpressionKind::kIn:
      return fmt::format("({} {} (ARRAY[{}]))", argument(0), e.negated ? "<> ALL" : "= ANY",
                         List(e.arguments, 1, e.arguments.size(), ", "));
    case ExpressionKind::kCase:
      return CaseText(e);
    case ExpressionKind::kCoalesce:
      return "COALESCE(" + List(e.arguments, ", ") + ")";
    case ExpressionKind::kGreatest:
      return "GREATEST(" + List(e.arguments, ", ") + ")";
    case ExpressionKind::kLeast:
      return "LEAST(" + List(e.arguments, ", ") + ")";
    case ExpressionKind::kArray:
      return "ARRAY[" + List(e.arguments, ", ") + "]";
    case ExpressionKind::kAnyItem:
      return fmt::format("({} {} ANY ({}))", argument(0), kCompare[static_cast<int>(e.compare)], argument(1));
    case ExpressionKind::kAllItems:
      return fmt::format("({} {} ALL ({}))", argument(0), kCompare[static_cast<int>(e.compare)], argument(1));
    case ExpressionKind::kCast:
      return fmt::format("({})::{}", argument(0), TypeName(e.type));
    case ExpressionKind::kSubquery:
      return "(SubPlan)";
    case ExpressionKind::kAggregate:
      return AggregateText(e);
    case ExpressionKind::kSet:
      return fmt::format("{}({})", SetFunctionName(e.set), List(e.arguments, ", "));
    case ExpressionKind::kRowNumber:
      return "row_number() OVER (?)";
    default:
      return "?";
  }
}

}  // namespace anabranch
