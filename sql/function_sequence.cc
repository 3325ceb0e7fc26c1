// nextval, currval, setval, lastval.
#include "sql/function_family.h"
#include "sql/sequence.h"

namespace anabranch {
namespace {

using Result = FunctionResult;
using Context = EvaluationContext;
using T = SqlType;

Result NextValue(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const int64_t value, context.sequences->Next(TextOf(a[0])));
  return Datum(value);
}

Result CurrentValue(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const int64_t value, context.sequences->Current(TextOf(a[0])));
  return Datum(value);
}

Result LastValue(const Datum*, const Context& context) {
  ASSIGN_OR_RETURN(const int64_t value, context.sequences->Last());
  return Datum(value);
}

Result SetValue(const Datum* a, const Context& context) {
  RETURN_IF_ERROR(context.sequences->Set(TextOf(a[0]), IntOf(a[1]), true));
  return a[1];
}

Result SetValueCalled(const Datum* a, const Context& context) {
  RETURN_IF_ERROR(context.sequences->Set(TextOf(a[0]), IntOf(a[1]), std::get<bool>(a[2])));
  return a[1];
}

}  // namespace

FunctionList SequenceFunctions() {
  constexpr auto kVolatile = Volatility::kVolatile;
  return {
      {"nextval", {T::kText}, T::kInt8, NextValue, kVolatile},
      {"currval", {T::kText}, T::kInt8, CurrentValue, kVolatile},
      {"lastval", {}, T::kInt8, LastValue, kVolatile},
      {"setval", {T::kText, T::kInt8}, T::kInt8, SetValue, kVolatile},
      {"setval", {T::kText, T::kInt8, T::kBool}, T::kInt8, SetValueCalled, kVolatile},
  };
}

}  // namespace anabranch
