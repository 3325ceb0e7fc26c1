// Arithmetic of whole numbers and numerics.
#include <algorithm>

#include "sql/expression/function_family.h"

namespace anabranch {
namespace {

using boost::multiprecision::cpp_int;
using Result = FunctionResult;
using Context = EvaluationContext;
using T = SqlType;

constexpr int BitsOf(T type) { return type == T::kInt2 ? 16 : type == T::kInt4 ? 32 : 64; }

// --- Integers. All arithmetic is in 128 bits, where nothing of two int8 overflows. ---
template <T kType>
Result FitInteger(__int128 value) {
  const auto narrow = kType == T::kInt2   ? static_cast<int64_t>(static_cast<int16_t>(value))
                      : kType == T::kInt4 ? static_cast<int64_t>(static_cast<int32_t>(value))
                                          : static_cast<int64_t>(value);
  if (narrow == value) return Datum(narrow);
  return SqlError(sqlstate::kNumericValueOutOfRange, fmt::format("{} out of range", TypeName(kType)));
}
template <T kType>
Result AddIntegers(const Datum* a, const Context&) {
  return FitInteger<kType>(static_cast<__int128>(IntOf(a[0])) + IntOf(a[1]));
}
template <T kType>
Result SubtractIntegers(const Datum* a, const Context&) {
  return FitInteger<kType>(static_cast<__int128>(IntOf(a[0])) - IntOf(a[1]));
}
template <T kType>
Result MultiplyIntegers(const Datum* a, const Context&) {
  return FitInteger<kType>(static_cast<__int128>(IntOf(a[0])) * IntOf(a[1]));
}
template <T kType>
Result DivideIntegers(const Datum* a, const Context&) {
  if (IntOf(a[1]) == 0) return DivisionByZero();
  return FitInteger<kType>(static_cast<__int128>(IntOf(a[0])) / IntOf(a[1]));
}
template <T kType>
Result ModuloIntegers(const Datum* a, const Context&) {
  if (IntOf(a[1]) == 0) return DivisionByZero();
  return FitInteger<kType>(static_cast<__int128>(IntOf(a[0])) % IntOf(a[1]));
}
template <T kType>
Result NegateInteger(const Datum* a, const Context&) {
  return FitInteger<kType>(-static_cast<__int128>(IntOf(a[0])));
}
template <T kType>
Result AbsInteger(const Datum* a, const Context&) {
  const __int128 value = IntOf(a[0]);
  return FitInteger<kType>(value < 0 ? -value : value);
}
Result AndBits(const Datum* a, const Context&) { return Datum(IntOf(a[0]) & IntOf(a[1])); }
Result OrBits(const Datum* a, const Context&) { return Datum(IntOf(a[0]) | IntOf(a[1])); }
Result XorBits(const Datum* a, const Context&) { return Datum(IntOf(a[0]) ^ IntOf(a[1])); }
Result NotBits(const Datum* a, const Context&) { return Datum(~IntOf(a[0])); }
// As the processor shifts an int of that width, or a wider one for int2.
template <T kType>
Result ShiftLeft(const Datum* a, const Context&) {
  const int count = static_cast<int>(IntOf(a[1]) & (kType == T::kInt8 ? 63 : 31));
  const uint64_t shifted = static_cast<uint64_t>(IntOf(a[0])) << count;
  if constexpr (BitsOf(kType) == 16) return Datum(int64_t{static_cast<int16_t>(shifted)});
  if constexpr (BitsOf(kType) == 32) return Datum(int64_t{static_cast<int32_t>(shifted)});
  return Datum(static_cast<int64_t>(shifted));
}
template <T kType>
Result ShiftRight(const Datum* a, const Context&) {
  return Datum(IntOf(a[0]) >> static_cast<int>(IntOf(a[1]) & (kType == T::kInt8 ? 63 : 31)));
}
Result Same(const Datum* a, const Context&) { return a[0]; }
template <T kType>
Result GreatestCommonDivisor(const Datum* a, const Context&) {
  __int128 x = IntOf(a[0]), y = IntOf(a[1]);
  while (y != 0) {
    x %= y;
    std::swap(x, y);
  }
  return FitInteger<kType>(x < 0 ? -x : x);
}

// --- Numeric ---
using NumericOperation = absl::StatusOr<Numeric> (*)(const Numeric&, const Numeric&);
template <NumericOperation kOperation>
Result OnNumerics(const Datum* a, const Context&) {
  ASSIGN_OR_RETURN(Numeric result, kOperation(NumericOf(a[0]), NumericOf(a[1])));
  return Datum(std::move(result));
}
Result NegateNumeric(const Datum* a, const Context&) {
  return Datum(Numeric{-NumericOf(a[0]).unscaled, NumericOf(a[0]).scale});
}
Result AbsNumeric(const Datum* a, const Context&) {
  return Datum(Numeric{abs(NumericOf(a[0]).unscaled), NumericOf(a[0]).scale});
}
Result SignNumeric(const Datum* a, const Context&) { return Datum(Numeric{NumericOf(a[0]).unscaled.sign(), 0}); }
Result ScaleOf(const Datum* a, const Context&) { return Datum(int64_t{NumericOf(a[0]).scale}); }
Result RoundNumeric(const Datum* a, const Context&) {
  ASSIGN_OR_RETURN(Numeric result, Round(NumericOf(a[0]), 0));
  return Datum(std::move(result));
}
Result RoundNumericTo(const Datum* a, const Context&) {
  ASSIGN_OR_RETURN(Numeric result, Round(NumericOf(a[0]), static_cast<int>(IntOf(a[1]))));
  return Datum(std::move(result));
}

// The whole part, then one more in the direction wanted if anything was cut off.
Numeric Whole(const Numeric& value, int direction) {
  const cpp_int unit = boost::multiprecision::pow(cpp_int(10), value.scale);
  cpp_int whole = value.unscaled / unit;
  if (whole * unit != value.unscaled && (value.unscaled > 0) == (direction > 0)) whole += direction;
  return {std::move(whole), 0};
}
Result FloorNumeric(const Datum* a, const Context&) { return Datum(Whole(NumericOf(a[0]), -1)); }
Result CeilingNumeric(const Datum* a, const Context&) { return Datum(Whole(NumericOf(a[0]), 1)); }

Result TruncateNumericTo(const Datum* a, const Context&) {
  const Numeric& value = NumericOf(a[0]);
  const int digits = static_cast<int>(std::clamp<int64_t>(IntOf(a[1]), -kNumericDigitsMax, kNumericDigitsMax));
  if (digits >= value.scale) return RoundNumericTo(a, Context());
  const cpp_int unit = boost::multiprecision::pow(cpp_int(10), value.scale - digits);
  cpp_int kept = value.unscaled / unit;
  if (digits >= 0) return Datum(Numeric{std::move(kept), digits});
  return Datum(Numeric{kept * boost::multiprecision::pow(cpp_int(10), -digits), 0});
}
Result TruncateNumeric(const Datum* a, const Context& context) {
  const Datum arguments[] = {a[0], Datum(int64_t{0})};
  return TruncateNumericTo(arguments, context);
}
Result DivideWhole(const Datum* a, const Context&) {
  const Numeric& x = NumericOf(a[0]);
  const Numeric& y = NumericOf(a[1]);
  if (y.unscaled == 0) return DivisionByZero();
  const int scale = std::max(x.scale, y.scale);
  const auto at_scale = [scale](const Numeric& n) {
    return cpp_int(n.unscaled * boost::multiprecision::pow(cpp_int(10), scale - n.scale));
  };
  return Datum(Numeric{at_scale(x) / at_scale(y), 0});
}

template <T kType>
void AddIntegerOperators(FunctionList* all) {
  all->insert(all->end(), {
                              {"+", {kType, kType}, kType, AddIntegers<kType>},
                              {"-", {kType, kType}, kType, SubtractIntegers<kType>},
                              {"*", {kType, kType}, kType, MultiplyIntegers<kType>},
                              {"/", {kType, kType}, kType, DivideIntegers<kType>},
                              {"%", {kType, kType}, kType, ModuloIntegers<kType>},
                              {"mod", {kType, kType}, kType, ModuloIntegers<kType>},
                              {"-", {kType}, kType, NegateInteger<kType>},
                              {"+", {kType}, kType, Same},
                              {"@", {kType}, kType, AbsInteger<kType>},
                              {"abs", {kType}, kType, AbsInteger<kType>},
                              {"&", {kType, kType}, kType, AndBits},
                              {"|", {kType, kType}, kType, OrBits},
                              {"#", {kType, kType}, kType, XorBits},
                              {"~", {kType}, kType, NotBits},
                              {"<<", {kType, T::kInt4}, kType, ShiftLeft<kType>},
                              {">>", {kType, T::kInt4}, kType, ShiftRight<kType>},
                          });
}

// int2 with int4 and so on: of the wider type.
template <T kWide>
void AddMixedOperators(T narrow, FunctionList* all) {
  for (const auto& [left, right] : {std::pair{narrow, kWide}, std::pair{kWide, narrow}}) {
    all->insert(all->end(), {
                                {"+", {left, right}, kWide, AddIntegers<kWide>},
                                {"-", {left, right}, kWide, SubtractIntegers<kWide>},
                                {"*", {left, right}, kWide, MultiplyIntegers<kWide>},
                                {"/", {left, right}, kWide, DivideIntegers<kWide>},
                            });
  }
}

}  // namespace

FunctionList NumberFunctions() {
  FunctionList all;
  AddIntegerOperators<T::kInt2>(&all);
  AddIntegerOperators<T::kInt4>(&all);
  AddIntegerOperators<T::kInt8>(&all);
  AddMixedOperators<T::kInt4>(T::kInt2, &all);
  AddMixedOperators<T::kInt8>(T::kInt2, &all);
  AddMixedOperators<T::kInt8>(T::kInt4, &all);
  constexpr T kNumeric = T::kNumeric;
  all.insert(all.end(), {
                            {"gcd", {T::kInt4, T::kInt4}, T::kInt4, GreatestCommonDivisor<T::kInt4>},
                            {"gcd", {T::kInt8, T::kInt8}, T::kInt8, GreatestCommonDivisor<T::kInt8>},
                            {"+", {kNumeric, kNumeric}, kNumeric, OnNumerics<Add>},
                            {"-", {kNumeric, kNumeric}, kNumeric, OnNumerics<Subtract>},
                            {"*", {kNumeric, kNumeric}, kNumeric, OnNumerics<Multiply>},
                            {"/", {kNumeric, kNumeric}, kNumeric, OnNumerics<Divide>},
                            {"%", {kNumeric, kNumeric}, kNumeric, OnNumerics<Modulo>},
                            {"mod", {kNumeric, kNumeric}, kNumeric, OnNumerics<Modulo>},
                            {"div", {kNumeric, kNumeric}, kNumeric, DivideWhole},
                            {"-", {kNumeric}, kNumeric, NegateNumeric},
                            {"+", {kNumeric}, kNumeric, Same},
                            {"@", {kNumeric}, kNumeric, AbsNumeric},
                            {"abs", {kNumeric}, kNumeric, AbsNumeric},
                            {"sign", {kNumeric}, kNumeric, SignNumeric},
                            {"scale", {kNumeric}, T::kInt4, ScaleOf},
                            {"round", {kNumeric}, kNumeric, RoundNumeric},
                            {"round", {kNumeric, T::kInt4}, kNumeric, RoundNumericTo},
                            {"trunc", {kNumeric}, kNumeric, TruncateNumeric},
                            {"trunc", {kNumeric, T::kInt4}, kNumeric, TruncateNumericTo},
                            {"floor", {kNumeric}, kNumeric, FloorNumeric},
                            {"ceil", {kNumeric}, kNumeric, CeilingNumeric},
                            {"ceiling", {kNumeric}, kNumeric, CeilingNumeric},
                        });
  return all;
}

}  // namespace anabranch
