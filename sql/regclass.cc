#include "sql/regclass.h"

#include "base/status.h"

namespace anabranch {

// The system catalogs have the two directions as functions; the value is made of what both say.
absl::StatusOr<ExpressionRef> ConvertToRegclass(Binder& binder, ExpressionRef expression, Conversion conversion) {
  const SqlType from = expression->type;
  const bool is_name = from == SqlType::kUnknown || TypeCategory(from) == 'S';
  ASSIGN_OR_RETURN(expression, binder.Convert(std::move(expression), is_name ? SqlType::kText : SqlType::kOid, conversion));
  if (!expression) return expression;
  const auto call = [&](std::string_view function, ExpressionRef argument) {
    std::vector<ExpressionRef> arguments;
    arguments.push_back(std::move(argument));
    return binder.BindCall(function, std::move(arguments), false);
  };
  if (is_name) {
    ASSIGN_OR_RETURN(expression, call("regclassin", std::move(expression)));
  }
  ASSIGN_OR_RETURN(ExpressionRef name, call("regclassout", Clone(*expression)));
  std::vector<ExpressionRef> parts;
  parts.push_back(std::move(expression));
  parts.push_back(std::move(name));
  return binder.BindCall("regclassof", std::move(parts), false);
}

}  // namespace anabranch
