// nextval, currval, setval, lastval.
#include "sql/expression/function_family.h"
#include "sql/expression/stored_expression.h"
#include "sql/stored/sequence.h"

namespace anabranch {
namespace {

using Result = FunctionResult;
using Context = EvaluationContext;
using T = SqlType;

// What nextval('s') and nextval('s'::regclass) are given.
const std::string& NameOf(const Datum& datum) {
  const ObjectName* object = std::get_if<ObjectName>(&datum);
  return object != nullptr ? object->name : TextOf(datum);
}

template <SequenceSession::Caller kCaller>
Result NextValue(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const int64_t value, context.sequences->Next(NameOf(a[0]), kCaller));
  return Datum(value);
}

Result CurrentValue(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const int64_t value, context.sequences->Current(NameOf(a[0])));
  return Datum(value);
}

Result LastValue(const Datum*, const Context& context) {
  ASSIGN_OR_RETURN(const int64_t value, context.sequences->Last());
  return Datum(value);
}

Result SetValue(const Datum* a, const Context& context) {
  RETURN_IF_ERROR(context.sequences->Set(NameOf(a[0]), IntOf(a[1]), true));
  return a[1];
}

Result SetValueCalled(const Datum* a, const Context& context) {
  RETURN_IF_ERROR(context.sequences->Set(NameOf(a[0]), IntOf(a[1]), std::get<bool>(a[2])));
  return a[1];
}

}  // namespace

FunctionList SequenceFunctions() {
  constexpr auto kVolatile = Volatility::kVolatile;
  FunctionList all = {
      {"lastval", {}, T::kInt8, LastValue, kVolatile},
      {kIdentityFunction, {T::kText}, T::kInt8, NextValue<SequenceSession::Caller::kIdentityColumn>, kVolatile},
  };
  for (const T name : {T::kText, T::kRegclass}) {
    all.push_back({"nextval", {name}, T::kInt8, NextValue<SequenceSession::Caller::kUser>, kVolatile});
    all.push_back({"currval", {name}, T::kInt8, CurrentValue, kVolatile});
    all.push_back({"setval", {name, T::kInt8}, T::kInt8, SetValue, kVolatile});
    all.push_back({"setval", {name, T::kInt8, T::kBool}, T::kInt8, SetValueCalled, kVolatile});
  }
  return all;
}

}  // namespace anabranch
