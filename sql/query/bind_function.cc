// Binder: which function a call means, by PostgreSQL's rules.
#include <algorithm>

#include "base/status.h"
#include "sql/catalog/function_table.h"
#include "sql/catalog/relation.h"
#include "sql/expression/aggregate.h"
#include "sql/expression/set_function.h"
#include "sql/expression/stored_expression.h"
#include "sql/parse/tree.h"
#include "sql/query/bind.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;
using Candidates = std::vector<const ScalarFunction*>;
using Types = std::vector<SqlType>;

std::string TypeList(const std::vector<ExpressionRef>& arguments) {
  std::string list;
  for (const ExpressionRef& argument : arguments) {
    if (!list.empty()) list += ", ";
    list += TypeName(argument->type);
  }
  return list;
}

absl::Status NoFunction(std::string_view name, const std::vector<ExpressionRef>& arguments, bool is_operator) {
  if (!is_operator) {
    return SqlError(sqlstate::kUndefinedFunction, fmt::format("function {}({}) does not exist", name, TypeList(arguments)),
                    "No function matches the given name and argument types. You might need to add explicit type casts.");
  }
  const std::string_view hint =
      "No operator matches the given name and argument types. You might need to add explicit type casts.";
  if (arguments.size() == 1) {
    return SqlError(sqlstate::kUndefinedFunction,
                    fmt::format("operator does not exist: {} {}", name, TypeName(arguments[0]->type)), std::string(hint));
  }
  return SqlError(
      sqlstate::kUndefinedFunction,
      fmt::format("operator does not exist: {} {} {}", TypeName(arguments[0]->type), name, TypeName(arguments[1]->type)),
      std::string(hint));
}

absl::Status NotUnique(std::string_view name, const std::vector<ExpressionRef>& arguments, bool is_operator) {
  if (!is_operator) {
    return SqlError(sqlstate::kAmbiguousFunction, fmt::format("function {}({}) is not unique", name, TypeList(arguments)),
                    "Could not choose a best candidate function. You might need to add explicit type casts.");
  }
  const std::string left = arguments.size() == 1 ? "" : fmt::format("{} ", TypeName(arguments[0]->type));
  return SqlError(sqlstate::kAmbiguousFunction,
                  fmt::format("operator is not unique: {}{} {}", left, name, TypeName(arguments.back()->type)),
                  "Could not choose a best candidate operator. You might need to add explicit type casts.");
}

// The declared type of an argument; of a variadic one its element's.
SqlType DeclaredType(const ScalarFunction& function, size_t index) {
  if (!function.variadic || index + 1 < function.arguments.size()) return function.arguments[index];
  const SqlType last = function.arguments.back();
  return last == kAnyArrayType ? kAnyType : ElementType(last);
}

bool TakesCount(const ScalarFunction& function, size_t count) {
  return function.variadic ? count + 1 >= function.arguments.size() : count == function.arguments.size();
}

bool Takes(SqlType declared, SqlType from) {
  if (declared == kAnyType) return true;
  if (declared == kAnyArrayType) return IsArray(from) || from == SqlType::kUnknown;
  return from == SqlType::kUnknown || CanConvert(from, declared, Conversion::kImplicit);
}

template <typename Predicate>
void KeepIfAny(Candidates* candidates, const Predicate& predicate) {
  Candidates kept;
  std::copy_if(candidates->begin(), candidates->end(), std::back_inserter(kept), predicate);
  if (!kept.empty()) *candidates = std::move(kept);
}

// Keeps those with the highest score.
template <typename Score>
void KeepBest(Candidates* candidates, const Score& score) {
  int best = 0;
  for (const ScalarFunction* candidate : *candidates) best = std::max(best, score(*candidate));
  KeepIfAny(candidates, [&](const ScalarFunction* candidate) { return score(*candidate) == best; });
}

bool IsExact(const ScalarFunction& function, const Types& types) {
  for (size_t i = 0; i < types.size(); ++i) {
    if (DeclaredType(function, i) != types[i]) return false;
  }
  return true;
}

// What unknown arguments are most likely: a string if any candidate takes one, else the one category all agree on.
void JudgeUnknowns(const Types& types, Candidates* candidates) {
  for (size_t i = 0; i < types.size() && candidates->size() > 1; ++i) {
    if (types[i] != SqlType::kUnknown) continue;
    const auto category = [i](const ScalarFunction* f) { return TypeCategory(DeclaredType(*f, i)); };
    const bool any_string =
        std::any_of(candidates->begin(), candidates->end(), [&](const ScalarFunction* f) { return category(f) == 'S'; });
    const char wanted = any_string ? 'S' : category(candidates->front());
    const bool agreed = any_string || std::all_of(candidates->begin(), candidates->end(),
                                                  [&](const ScalarFunction* f) { return category(f) == wanted; });
    if (!agreed) continue;
    KeepIfAny(candidates, [&](const ScalarFunction* f) { return category(f) == wanted; });
    KeepIfAny(candidates, [&](const ScalarFunction* f) { return IsPreferred(DeclaredType(*f, i)); });
  }
}

// PostgreSQL's func_select_candidate. Empty: none takes these; more than one: it cannot say.
Candidates Choose(Candidates candidates, const Types& types, bool is_operator) {
  std::erase_if(candidates, [&](const ScalarFunction* function) {
    if (!TakesCount(*function, types.size())) return true;
    for (size_t i = 0; i < types.size(); ++i) {
      if (!Takes(DeclaredType(*function, i), types[i])) return true;
    }
    return false;
  });
  const auto exact = [&](const Types& wanted) {
    return std::find_if(candidates.begin(), candidates.end(), [&](const ScalarFunction* f) { return IsExact(*f, wanted); });
  };
  if (const auto found = exact(types); found != candidates.end()) return {*found};
  const auto known = std::find_if(types.begin(), types.end(), [](SqlType type) { return type != SqlType::kUnknown; });
  if (is_operator && types.size() == 2 && known != types.end()) {
    // An unknown operand is taken to be of the other's type.
    Types same = types;
    std::replace(same.begin(), same.end(), SqlType::kUnknown, *known);
    if (const auto found = exact(same); found != candidates.end()) return {*found};
  }
  if (candidates.size() <= 1) return candidates;
  const auto exact_matches = [&](const ScalarFunction& f) {
    int count = 0;
    for (size_t i = 0; i < types.size(); ++i) count += DeclaredType(f, i) == types[i] ? 1 : 0;
    return count;
  };
  const auto preferred_matches = [&](const ScalarFunction& f) {
    int count = 0;
    for (size_t i = 0; i < types.size(); ++i) {
      if (types[i] == SqlType::kUnknown) continue;
      const SqlType declared = DeclaredType(f, i);
      count += declared == types[i] || (IsPreferred(declared) && TypeCategory(declared) == TypeCategory(types[i])) ? 1 : 0;
    }
    return count;
  };
  KeepBest(&candidates, exact_matches);
  KeepBest(&candidates, preferred_matches);
  JudgeUnknowns(types, &candidates);
  const bool one_known_type = known != types.end() && std::all_of(types.begin(), types.end(), [&](SqlType t) {
                                return t == SqlType::kUnknown || t == *known;
                              });
  if (candidates.size() > 1 && one_known_type) {
    KeepIfAny(&candidates, [&](const ScalarFunction* f) {
      for (size_t i = 0; i < types.size(); ++i) {
        if (types[i] == SqlType::kUnknown && !Takes(DeclaredType(*f, i), *known)) return false;
      }
      return true;
    });
  }
  return candidates;
}

}  // namespace

absl::StatusOr<ExpressionRef> Binder::BindCall(std::string_view name, std::vector<ExpressionRef> arguments,
                                               bool is_operator) {
  const Candidates& named = FunctionsNamed(name);
  if (is_operator && named.empty()) return UnsupportedError(fmt::format("operator {}", name));
  Types types;
  for (const ExpressionRef& argument : arguments) types.push_back(argument->type);
  const Candidates chosen = Choose(named, types, is_operator);
  if (chosen.empty()) return NoFunction(name, arguments, is_operator);
  if (chosen.size() > 1) return NotUnique(name, arguments, is_operator);
  return MakeCall(*chosen.front(), std::move(arguments));
}

absl::StatusOr<ExpressionRef> Binder::MakeCall(const ScalarFunction& function, std::vector<ExpressionRef> arguments) {
  ExpressionRef call = MakeExpression(ExpressionKind::kCall, function.result);
  call->function = &function;
  const auto array = std::find_if(arguments.begin(), arguments.end(), [](const auto& a) { return IsArray(a->type); });
  const SqlType array_type = array == arguments.end() ? SqlType::kTextArray : (*array)->type;
  if (function.result == kAnyType) call->type = ElementType(array_type);
  if (function.result == kAnyArrayType) call->type = array_type;
  for (size_t i = 0; i < arguments.size(); ++i) {
    SqlType declared = DeclaredType(function, i);
    if (function.result == kAnyArrayType) declared = declared == kAnyType ? ElementType(array_type) : array_type;
    if (declared == kAnyType && arguments[i]->type == SqlType::kUnknown) declared = SqlType::kText;
    if (declared == kAnyArrayType && arguments[i]->type == SqlType::kUnknown) declared = SqlType::kTextArray;
    const bool as_it_is = declared == kAnyType || declared == kAnyArrayType ||
                          (arguments[i]->type != SqlType::kUnknown && HoldSameValues(arguments[i]->type, declared));
    if (!as_it_is) {
      const SqlType from = arguments[i]->type;
      ASSIGN_OR_RETURN(arguments[i], Convert(std::move(arguments[i]), declared, Conversion::kImplicit));
      if (!arguments[i]) {
        return SqlError(sqlstate::kUndefinedFunction, fmt::format("argument {} of {} must be type {}, not type {}", i + 1,
                                                                  function.name, TypeName(declared), TypeName(from)));
      }
    }
    call->arguments.push_back(std::move(arguments[i]));
  }
  if (!function.variadic) return call;
  const size_t fixed = function.arguments.size() - 1;
  const SqlType packed_type = function.arguments.back() == kAnyArrayType ? SqlType::kTextArray : function.arguments.back();
  ExpressionRef packed = MakeExpression(ExpressionKind::kArray, packed_type);
  for (size_t i = fixed; i < call->arguments.size(); ++i) packed->arguments.push_back(std::move(call->arguments[i]));
  call->arguments.resize(fixed);
  call->arguments.push_back(std::move(packed));
  return call;
}

absl::StatusOr<std::vector<ExpressionRef>> Binder::BindArguments(const pg_query::FuncCall& node) {
  std::vector<ExpressionRef> arguments;
  for (const Node& argument : node.args()) {
    ASSIGN_OR_RETURN(arguments.emplace_back(), Bind(argument));
  }
  return arguments;
}

absl::StatusOr<ExpressionRef> Binder::BindFunction(const pg_query::FuncCall& node) {
  const std::string& name = StringOf(node.funcname(node.funcname_size() - 1));
  if (const std::string& schema = StringOf(node.funcname(0)); node.funcname_size() > 1 && schema != "pg_catalog") {
    const bool known = schema == "public" || IsCatalogSchema(schema);
    if (!known) return SqlError(sqlstate::kInvalidSchemaName, fmt::format("schema \"{}\" does not exist", schema));
    const bool is_there = schema == "information_schema" && name == SetFunctionName(SetFunction::kExpandArray);
    if (!is_there) {
      ASSIGN_OR_RETURN(const std::vector<ExpressionRef> arguments, BindArguments(node));
      return NoFunction(fmt::format("{}.{}", schema, name), arguments, false);
    }
  }
  if (node.has_over()) return BindWindow(node);
  if (const AggregateFunction* aggregate = FindAggregate(name)) return BindAggregate(*aggregate, node);
  if (SetFunctionNamed(name)) {
    if (level_->sets_allowed) return BindSet(node);
    return SqlError(sqlstate::kFeatureNotSupported, "set-returning functions are not supported in this place");
  }
  if (node.agg_star()) {
    return SqlError(sqlstate::kWrongObjectType,
                    fmt::format("{}(*) specified, but {} is not an aggregate function", name, name));
  }
  ASSIGN_OR_RETURN(std::vector<ExpressionRef> arguments, BindArguments(node));
  if (name == kIdentityFunction) return NoFunction(name, arguments, false);
  if (name == "pg_typeof" && arguments.size() == 1) {
    const SqlType type = arguments[0]->type;
    return MakeConstant(SqlType::kRegtype, ObjectName{static_cast<int64_t>(type), std::string(TypeName(type))});
  }
  return BindCall(name, std::move(arguments), false);
}

}  // namespace anabranch
