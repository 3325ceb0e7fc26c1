// The room expression/: bound expressions, their evaluation, and the functions that need no catalog. May use the rooms
// before it.
//
// Bound expressions and their evaluation: types are known, names are positions, three-valued logic.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/stored/descriptor.h"
#include "sql/value/conversion.h"
#include "sql/value/datum.h"

namespace anabranch {

struct SessionContext;
class SequenceSession;
class Settings;
class Catalog;
struct AggregateFunction;
enum class SetFunction;
struct Expression;
struct Subquery;
struct EvaluationContext;

// Runs the subqueries of expressions. `row` and `context` are what the expression around it is evaluated with.
class SubqueryRunner {
 public:
  virtual ~SubqueryRunner() = default;
  virtual absl::StatusOr<Datum> Run(const Expression& subquery, const Row& row, const EvaluationContext& context) = 0;
};

// What set_config() does. Implemented by the session.
class SettingChanger {
 public:
  virtual ~SettingChanger() = default;
  // No value: what RESET comes back to. Returns what it is then. `local`: until the transaction ends.
  virtual absl::StatusOr<std::string> SetConfig(const std::string& name, const std::optional<std::string>& value,
                                                bool local) = 0;
};

// What an expression may ask of the statement it is part of.
struct EvaluationContext {
  const TimeZone& zone() const;  // of the session, as it is set now; UTC without settings

  const Row* parameters = nullptr;
  Timestamp snapshot;
  TimestampTz transaction_time;
  TimestampTz statement_time;
  const SessionContext* session = nullptr;
  const Settings* settings = nullptr;
  SettingChanger* config = nullptr;  // of the session: changes its settings
  Catalog* catalog = nullptr;
  SequenceSession* sequences = nullptr;
  std::stop_token stop = {};
  const Row* outer = nullptr;            // kOuterColumn: what the query around this one gave it
  SubqueryRunner* subqueries = nullptr;  // kSubquery
};

inline constexpr int kArgumentsMax = 7;
// `arguments` has as many as the function declares; what a variadic one is given beyond them is an Array in the last.
// Called with nulls only if not strict.
using FunctionBody = absl::StatusOr<Datum> (*)(const Datum* arguments, const EvaluationContext& context);

enum class Volatility {
  kImmutable,  // the same result for the same arguments always
  kStable,     // within a statement
  kVolatile,   // never to be relied on
};

// A function or an operator on values ("+").
struct ScalarFunction {
  std::string_view name;
  std::vector<SqlType> arguments;
  SqlType result;
  FunctionBody body;
  Volatility volatility = Volatility::kImmutable;
  bool strict = true;     // null if any argument is
  bool variadic = false;  // the last argument stands for any number of them, none included, of that array's elements
};

// Pseudo types of arguments: taken as they are. A result of kAnyType is an item of the first array among the arguments, one
// of kAnyArrayType is an array like it.
inline constexpr SqlType kAnyType{2276};
inline constexpr SqlType kAnyArrayType{2277};

enum class ExpressionKind {
  kConstant,
  kParameter,
  kColumn,
  kOuterColumn,  // of EvaluationContext::outer
  kCall,
  kCompare,
  kAnd,
  kOr,
  kNot,
  kIsNull,
  kBooleanTest,
  kIn,    // arguments[0] IN the others
  kCase,  // condition, result, condition, result ..., and the ELSE result if their number is odd
  kCoalesce,
  kGreatest,
  kLeast,
  kArray,    // of the arguments
  kAnyItem,  // arguments[0] <compare> any item of the array arguments[1]
  kAllItems,
  kCast,
  kSubquery,   // arguments: see Subquery
  kAggregate,  // never evaluated: the planner puts a column in its place
  kSet,        // a set of values, see sql/expression/set_function.h: neither
  kRowNumber,  // row_number() over what its arguments say, see sql/query/window_node.h: neither
};

enum class CompareOperator { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual, kDistinct, kNotDistinct };
enum class TruthValue { kTrue, kFalse, kUnknown };
struct SortDirection {
  bool descending = false;
  bool nulls_first = false;
  std::strong_ordering Compare(const Datum& a, const Datum& b) const;
  friend bool operator==(const SortDirection&, const SortDirection&) = default;
};

struct Expression {
  ExpressionKind kind = ExpressionKind::kConstant;
  SqlType type = SqlType::kUnknown;
  Datum constant;                                     // kConstant
  int index = 0;                                      // kParameter (from 0), columns; kRowNumber: of PARTITION BY
  CompareOperator compare = CompareOperator::kEqual;  // kCompare, kAnyItem, kAllItems
  TruthValue truth = TruthValue::kTrue;               // kBooleanTest
  bool negated = false;                               // kIsNull, kBooleanTest, kIn
  const ScalarFunction* function = nullptr;           // kCall
  const AggregateFunction* aggregate = nullptr;       // kAggregate; no argument: count(*)
  bool distinct = false;                              // kAggregate
  std::vector<SortDirection> order;                   // kAggregate, kRowNumber: of ORDER BY, whose arguments come last
  bool filtered = false;                              // kAggregate: the last argument is the condition of FILTER
  SetFunction set{};                                  // kSet
  std::shared_ptr<const Subquery> subquery;           // kSubquery
  int32_t modifier = kNoModifier;                     // of the type: kCast, kConstant, kSubquery, columns
  Conversion conversion = Conversion::kExplicit;      // kCast: what the modifier is enforced for
  std::string name;                                   // kColumn, kOuterColumn: for messages
  int location = -1;                                  // where it begins in the text, for messages
  std::vector<std::unique_ptr<Expression>> arguments;
};
using ExpressionRef = std::unique_ptr<Expression>;

ExpressionRef MakeExpression(ExpressionKind kind, SqlType type);
ExpressionRef MakeConstant(SqlType type, Datum value);
ExpressionRef MakeColumn(SqlType type, int index, std::string name);
ExpressionRef Clone(const Expression& expression);  // subqueries are shared

absl::StatusOr<Datum> Evaluate(const Expression& expression, const Row& row, const EvaluationContext& context);
// Whether a condition holds; null does not.
absl::StatusOr<bool> Holds(const Expression& condition, const Row& row, const EvaluationContext& context);

// The modifier that the values of an expression are known to fit.
int32_t ModifierOf(const Expression& expression);

bool operator==(const Expression& a, const Expression& b);
bool Contains(const Expression& expression, ExpressionKind kind);  // itself or anywhere below, subqueries left out
// No column and nothing volatile in it: the same value for each row of a statement.
bool IsFixed(const Expression& expression);
// No parameter, no column, no function that depends on more than its arguments.
bool IsImmutable(const Expression& expression);

}  // namespace anabranch
