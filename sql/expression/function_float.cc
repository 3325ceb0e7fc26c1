// Floating point: arithmetic, powers, logarithms, trigonometry.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "sql/expression/function_family.h"
#include "sql/stored/session_context.h"

namespace anabranch {
namespace {

using Result = FunctionResult;
using Context = EvaluationContext;
using T = SqlType;

absl::Status Overflow() { return SqlError(sqlstate::kNumericValueOutOfRange, "value out of range: overflow"); }
absl::Status Underflow() { return SqlError(sqlstate::kNumericValueOutOfRange, "value out of range: underflow"); }

// An infinity that no argument was is an error.
template <typename Float>
Result Checked(Float result, bool infinite_argument, bool may_be_zero) {
  if (std::isinf(result) && !infinite_argument) return Overflow();
  if (result == 0 && !may_be_zero) return Underflow();
  return Datum(result);
}

template <typename Float>
struct Arithmetic {
  static Float Of(const Datum& datum) { return std::get<Float>(datum); }
  static bool Infinite(const Datum* a) { return std::isinf(Of(a[0])) || std::isinf(Of(a[1])); }
  static Result Add(const Datum* a, const Context&) { return Checked<Float>(Of(a[0]) + Of(a[1]), Infinite(a), true); }
  static Result Subtract(const Datum* a, const Context&) { return Checked<Float>(Of(a[0]) - Of(a[1]), Infinite(a), true); }
  static Result Multiply(const Datum* a, const Context&) {
    return Checked<Float>(Of(a[0]) * Of(a[1]), Infinite(a), Of(a[0]) == 0 || Of(a[1]) == 0);
  }
  static Result Divide(const Datum* a, const Context&) {
    if (Of(a[1]) == 0 && !std::isnan(Of(a[0]))) return DivisionByZero();
    return Checked<Float>(Of(a[0]) / Of(a[1]), std::isinf(Of(a[0])), Of(a[0]) == 0 || std::isinf(Of(a[1])));
  }
  static Result Negate(const Datum* a, const Context&) { return Datum(-Of(a[0])); }
  static Result Abs(const Datum* a, const Context&) { return Datum(std::abs(Of(a[0]))); }
  static Result Same(const Datum* a, const Context&) { return a[0]; }
};

template <typename Float>
void AddArithmetic(T type, FunctionList* all) {
  using A = Arithmetic<Float>;
  all->insert(all->end(), {
                              {"+", {type, type}, type, A::Add},
                              {"-", {type, type}, type, A::Subtract},
                              {"*", {type, type}, type, A::Multiply},
                              {"/", {type, type}, type, A::Divide},
                              {"-", {type}, type, A::Negate},
                              {"+", {type}, type, A::Same},
                              {"@", {type}, type, A::Abs},
                              {"abs", {type}, type, A::Abs},
                          });
}

// Of a float4 and a float8.
template <FunctionBody kOperation>
Result Widened(const Datum* a, const Context& context) {
  Datum both[2];
  for (int i = 0; i < 2; ++i) {
    const float* narrow = std::get_if<float>(&a[i]);
    both[i] = narrow == nullptr ? a[i] : Datum(double{*narrow});
  }
  return kOperation(both, context);
}

void AddMixedArithmetic(T left, T right, FunctionList* all) {
  using A = Arithmetic<double>;
  all->insert(all->end(), {
                              {"+", {left, right}, T::kFloat8, Widened<A::Add>},
                              {"-", {left, right}, T::kFloat8, Widened<A::Subtract>},
                              {"*", {left, right}, T::kFloat8, Widened<A::Multiply>},
                              {"/", {left, right}, T::kFloat8, Widened<A::Divide>},
                          });
}

template <double (*kFunction)(double)>
Result Apply(const Datum* a, const Context&) {
  return Datum(kFunction(DoubleOf(a[0])));
}
template <double (*kFunction)(double)>
Result ApplyFinite(const Datum* a, const Context&) {
  if (std::isinf(DoubleOf(a[0]))) {
    return SqlError(sqlstate::kNumericValueOutOfRange, "input is out of range");
  }
  return Datum(kFunction(DoubleOf(a[0])));
}
template <double (*kFunction)(double)>
Result ApplyUnit(const Datum* a, const Context&) {
  if (std::abs(DoubleOf(a[0])) > 1) return SqlError(sqlstate::kNumericValueOutOfRange, "input is out of range");
  return Datum(kFunction(DoubleOf(a[0])));
}
double Sign(double value) { return value > 0 ? 1 : value < 0 ? -1 : 0; }
double Degrees(double value) { return value * (180.0 / std::numbers::pi); }
double Radians(double value) { return value * (std::numbers::pi / 180.0); }
double Cotangent(double value) { return 1.0 / std::tan(value); }

Result ArcTangent2(const Datum* a, const Context&) { return Datum(std::atan2(DoubleOf(a[0]), DoubleOf(a[1]))); }
Result Pi(const Datum*, const Context&) { return Datum(std::numbers::pi); }

Result SquareRoot(const Datum* a, const Context&) {
  if (DoubleOf(a[0]) < 0)
    return SqlError(sqlstate::kInvalidArgumentForPowerFunction, "cannot take square root of a negative number");
  return Datum(std::sqrt(DoubleOf(a[0])));
}
absl::Status CheckLogarithm(double value) {
  if (value == 0) return SqlError(sqlstate::kInvalidArgumentForLogarithm, "cannot take logarithm of zero");
  if (value < 0) return SqlError(sqlstate::kInvalidArgumentForLogarithm, "cannot take logarithm of a negative number");
  return absl::OkStatus();
}
Result NaturalLogarithm(const Datum* a, const Context&) {
  RETURN_IF_ERROR(CheckLogarithm(DoubleOf(a[0])));
  return Datum(std::log(DoubleOf(a[0])));
}
Result Logarithm10(const Datum* a, const Context&) {
  RETURN_IF_ERROR(CheckLogarithm(DoubleOf(a[0])));
  return Datum(std::log10(DoubleOf(a[0])));
}
Result Exponential(const Datum* a, const Context&) {
  return Checked(std::exp(DoubleOf(a[0])), std::isinf(DoubleOf(a[0])), std::isinf(DoubleOf(a[0])));
}
Result Power(const Datum* a, const Context&) {
  const double base = DoubleOf(a[0]);
  const double exponent = DoubleOf(a[1]);
  if (base == 0 && exponent < 0)
    return SqlError(sqlstate::kInvalidArgumentForPowerFunction, "zero raised to a negative power is undefined");
  if (base < 0 && std::isfinite(base) && std::isfinite(exponent) && std::floor(exponent) != exponent) {
    return SqlError(sqlstate::kInvalidArgumentForPowerFunction,
                    "a negative number raised to a non-integer power yields a complex result");
  }
  const bool infinite = std::isinf(base) || std::isinf(exponent);
  return Checked(std::pow(base, exponent), infinite, infinite || base == 0);
}

// PostgreSQL's scales of numeric results: as many digits as make 16 significant ones, at least those of the argument.
constexpr int kSignificantDigits = 16;

// A whole power of a numeric is exact, cut to that scale.
Result NumericPower(const Datum* a, const Context&) {
  const Numeric& base = NumericOf(a[0]);
  const Numeric& exponent = NumericOf(a[1]);
  ASSIGN_OR_RETURN(const Numeric whole, Round(exponent, 0));
  const bool negative = whole.unscaled < 0;
  constexpr int kExponentMax = 4096;
  if (base.unscaled == 0 && negative)
    return SqlError(sqlstate::kInvalidArgumentForPowerFunction, "zero raised to a negative power is undefined");
  if (!(whole == exponent) || abs(whole.unscaled) > kExponentMax) {
    if (base.unscaled < 0 && !(whole == exponent)) {
      return SqlError(sqlstate::kInvalidArgumentForPowerFunction,
                      "a negative number raised to a non-integer power yields a complex result");
    }
    return SqlError(sqlstate::kFeatureNotSupported, "this power of a numeric is not supported",
                    "Cast to double precision.");
  }
  const int count = static_cast<int>(abs(whole.unscaled));
  Numeric power = Numeric::FromInt(1);
  power.unscaled = boost::multiprecision::pow(base.unscaled, static_cast<unsigned>(count));
  power.scale = base.scale * count;
  const std::string digits = boost::multiprecision::cpp_int(abs(power.unscaled)).str();
  const int weight = (negative ? -1 : 1) * (static_cast<int>(digits.size()) - power.scale - 1);
  const int scale =
      std::clamp(std::max({kSignificantDigits - weight, base.scale, exponent.scale, 0}), 0, kNumericDigitsMax);
  if (!negative) {
    ASSIGN_OR_RETURN(power, Round(power, scale));
    return Datum(std::move(power));
  }
  // 1 / power with digits to spare.
  boost::multiprecision::cpp_int one =
      boost::multiprecision::pow(boost::multiprecision::cpp_int(10), power.scale + scale + 1);
  ASSIGN_OR_RETURN(power, Round(Numeric{one / power.unscaled, scale + 1}, scale));
  return Datum(std::move(power));
}

Result NumericSquareRoot(const Datum* a, const Context&) {
  const Numeric& value = NumericOf(a[0]);
  if (value.unscaled < 0)
    return SqlError(sqlstate::kInvalidArgumentForPowerFunction, "cannot take square root of a negative number");
  const int digits = static_cast<int>(value.unscaled.str().size()) - value.scale;  // before the point
  // As PostgreSQL reckons the weight of the root, in groups of four digits.
  const int groups = digits > 0 ? (digits + 3) / 4 - 1 : -((-digits + 4) / 4);
  const int weight = groups >= 0 ? groups * 4 / 2 + 1 : 1 - (1 - groups * 4) / 2;
  const int scale = std::clamp(std::max({kSignificantDigits - weight, value.scale, 0}), 0, kNumericDigitsMax);
  const int extra = scale + 1;
  boost::multiprecision::cpp_int scaled = value.unscaled;
  const int shift = 2 * extra - value.scale;
  if (shift >= 0) {
    scaled *= boost::multiprecision::pow(boost::multiprecision::cpp_int(10), shift);
  } else {
    scaled /= boost::multiprecision::pow(boost::multiprecision::cpp_int(10), -shift);
  }
  ASSIGN_OR_RETURN(Numeric root, Round(Numeric{boost::multiprecision::sqrt(scaled), extra}, scale));
  return Datum(std::move(root));
}

Result RandomNumber(const Datum*, const Context& context) {
  constexpr int kMantissaBits = 53;
  const uint64_t bits = context.session->transaction.store->random()->Next() >> (64 - kMantissaBits);
  return Datum(std::ldexp(static_cast<double>(bits), -kMantissaBits));
}

}  // namespace

FunctionList FloatFunctions() {
  constexpr T kDouble = T::kFloat8;
  FunctionList all;
  AddArithmetic<double>(kDouble, &all);
  AddArithmetic<float>(T::kFloat4, &all);
  // PostgreSQL has these, and they are why a float4 and an integer or numeric make a float8.
  AddMixedArithmetic(T::kFloat4, kDouble, &all);
  AddMixedArithmetic(kDouble, T::kFloat4, &all);
  all.insert(all.end(), {
                            {"round", {kDouble}, kDouble, Apply<std::rint>},
                            {"floor", {kDouble}, kDouble, Apply<std::floor>},
                            {"ceil", {kDouble}, kDouble, Apply<std::ceil>},
                            {"ceiling", {kDouble}, kDouble, Apply<std::ceil>},
                            {"trunc", {kDouble}, kDouble, Apply<std::trunc>},
                            {"sign", {kDouble}, kDouble, Apply<Sign>},
                            {"sqrt", {kDouble}, kDouble, SquareRoot},
                            {"sqrt", {T::kNumeric}, T::kNumeric, NumericSquareRoot},
                            {"|/", {kDouble}, kDouble, SquareRoot},
                            {"cbrt", {kDouble}, kDouble, Apply<std::cbrt>},
                            {"||/", {kDouble}, kDouble, Apply<std::cbrt>},
                            {"exp", {kDouble}, kDouble, Exponential},
                            {"ln", {kDouble}, kDouble, NaturalLogarithm},
                            {"log", {kDouble}, kDouble, Logarithm10},
                            {"log10", {kDouble}, kDouble, Logarithm10},
                            {"power", {kDouble, kDouble}, kDouble, Power},
                            {"pow", {kDouble, kDouble}, kDouble, Power},
                            {"^", {kDouble, kDouble}, kDouble, Power},
                            {"power", {T::kNumeric, T::kNumeric}, T::kNumeric, NumericPower},
                            {"pow", {T::kNumeric, T::kNumeric}, T::kNumeric, NumericPower},
                            {"^", {T::kNumeric, T::kNumeric}, T::kNumeric, NumericPower},
                            {"sin", {kDouble}, kDouble, ApplyFinite<std::sin>},
                            {"cos", {kDouble}, kDouble, ApplyFinite<std::cos>},
                            {"tan", {kDouble}, kDouble, ApplyFinite<std::tan>},
                            {"cot", {kDouble}, kDouble, ApplyFinite<Cotangent>},
                            {"asin", {kDouble}, kDouble, ApplyUnit<std::asin>},
                            {"acos", {kDouble}, kDouble, ApplyUnit<std::acos>},
                            {"atan", {kDouble}, kDouble, Apply<std::atan>},
                            {"atan2", {kDouble, kDouble}, kDouble, ArcTangent2},
                            {"degrees", {kDouble}, kDouble, Apply<Degrees>},
                            {"radians", {kDouble}, kDouble, Apply<Radians>},
                            {"pi", {}, kDouble, Pi},
                            {"random", {}, kDouble, RandomNumber, Volatility::kVolatile},
                        });
  return all;
}

}  // namespace anabranch
