#include "sql/value/numeric.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/status.h"
#include "fmt/format.h"

namespace anabranch {
namespace {

using boost::multiprecision::cpp_int;

// PostgreSQL's choice of a quotient's scale (numeric.c: select_div_scale): at least this many significant digits.
constexpr int kQuotientDigitsMin = 16;
constexpr int kDigitsPerGroup = 4;  // it reasons in base 10,000

cpp_int PowerOf10(int exponent) {
  static const std::array<cpp_int, 64> kSmall = [] {
    std::array<cpp_int, 64> powers;
    powers[0] = 1;
    for (size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
    return powers;
  }();
  if (exponent < static_cast<int>(kSmall.size())) return kSmall[exponent];
  return boost::multiprecision::pow(cpp_int(10), exponent);
}

absl::Status OutOfRange() { return SqlError(sqlstate::kNumericValueOutOfRange, "value overflows numeric format"); }

absl::StatusOr<Numeric> Bounded(cpp_int unscaled, int scale) {
  static const cpp_int kLimit = PowerOf10(kNumericDigitsMax);
  if (scale > kNumericDigitsMax || unscaled >= kLimit || unscaled <= -kLimit) return OutOfRange();
  return Numeric{std::move(unscaled), scale};
}

// Rounds half away from zero. REQUIRES: divisor > 0
cpp_int DivideRounded(const cpp_int& value, const cpp_int& divisor) {
  cpp_int quotient, remainder;
  divide_qr(value, divisor, quotient, remainder);
  if (abs(remainder) * 2 >= divisor) quotient += value < 0 ? -1 : 1;
  return quotient;
}

// Both unscaled values at the larger of the two scales.
struct Aligned {
  cpp_int a;
  cpp_int b;
  int scale;
};
Aligned Align(const Numeric& a, const Numeric& b) {
  if (a.scale < b.scale) return {a.unscaled * PowerOf10(b.scale - a.scale), b.unscaled, b.scale};
  if (a.scale > b.scale) return {a.unscaled, b.unscaled * PowerOf10(a.scale - b.scale), a.scale};
  return {a.unscaled, b.unscaled, a.scale};
}

// A value's first base-10,000 digit and the power of 10,000 it stands at.
struct Leading {
  int weight = 0;
  int digit = 0;
};
Leading LeadingOf(const Numeric& value) {
  if (value.unscaled == 0) return {};
  const std::string digits = cpp_int(abs(value.unscaled)).str();
  const int exponent = static_cast<int>(digits.size()) - 1 - value.scale;
  const int weight = exponent >= 0 ? exponent / kDigitsPerGroup : -((-exponent + kDigitsPerGroup - 1) / kDigitsPerGroup);
  int digit = 0;
  for (int i = 0; i <= exponent - weight * kDigitsPerGroup; ++i) {
    digit = digit * 10 + (i < static_cast<int>(digits.size()) ? digits[i] - '0' : 0);
  }
  return {weight, digit};
}

absl::Status SyntaxError(std::string_view text) {
  return SqlError(sqlstate::kInvalidTextRepresentation, fmt::format("invalid input syntax for type numeric: \"{}\"", text));
}

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// NaN and Infinity in any case: PostgreSQL has them.
bool IsNotFinite(std::string_view word) {
  std::string lower(word);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return lower == "nan" || lower == "infinity" || lower == "inf";
}

// "e10" at the front of `rest`, which must be all of it. False: malformed. Saturates far outside the legal range.
bool TakeExponent(std::string_view rest, int* exponent) {
  *exponent = 0;
  if (rest.empty()) return true;
  if (rest.front() != 'e' && rest.front() != 'E') return false;
  rest.remove_prefix(1);
  const bool negative = !rest.empty() && rest.front() == '-';
  if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) rest.remove_prefix(1);
  if (rest.empty() || rest.find_first_not_of("0123456789") != std::string_view::npos) return false;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), *exponent);
  if (error != std::errc() || *exponent > 100'000) *exponent = 100'000;
  if (negative) *exponent = -*exponent;
  return true;
}

}  // namespace

std::strong_ordering operator<=>(const Numeric& a, const Numeric& b) {
  if (a.scale == b.scale) {
    const int order = a.unscaled.compare(b.unscaled);
    return order <=> 0;
  }
  const Aligned aligned = Align(a, b);
  return aligned.a.compare(aligned.b) <=> 0;
}

std::string ToText(const Numeric& value) {
  std::string digits = cpp_int(abs(value.unscaled)).str();
  if (value.scale > 0) {
    const size_t scale = static_cast<size_t>(value.scale);
    if (digits.size() <= scale) digits.insert(0, scale + 1 - digits.size(), '0');
    digits.insert(digits.size() - scale, ".");
  }
  return value.unscaled < 0 ? "-" + digits : digits;
}

absl::StatusOr<Numeric> ParseNumeric(std::string_view text) {
  std::string_view in = text;
  while (!in.empty() && IsSpace(in.front())) in.remove_prefix(1);
  while (!in.empty() && IsSpace(in.back())) in.remove_suffix(1);
  const bool negative = !in.empty() && in.front() == '-';
  if (!in.empty() && (in.front() == '-' || in.front() == '+')) in.remove_prefix(1);
  const bool is_word = !in.empty() && (in.front() < '0' || in.front() > '9') && in.front() != '.';
  if (is_word && IsNotFinite(in)) {
    return SqlError(sqlstate::kFeatureNotSupported, fmt::format("numeric {} is not supported", in));
  }
  std::string digits;
  int scale = 0;
  bool point = false;
  size_t used = 0;
  for (; used < in.size(); ++used) {
    if (in[used] == '.' && !point) {
      point = true;
    } else if (in[used] >= '0' && in[used] <= '9') {
      digits += in[used];
      scale += point ? 1 : 0;
    } else {
      break;
    }
  }
  int exponent = 0;
  if (digits.empty() || !TakeExponent(in.substr(used), &exponent)) return SyntaxError(text);
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
  scale -= exponent;
  if (scale < 0 && digits != "0") {
    if (-scale > kNumericDigitsMax) return OutOfRange();
    digits.append(static_cast<size_t>(-scale), '0');
  }
  scale = std::max(scale, 0);
  if (scale > kNumericDigitsMax || static_cast<int>(digits.size()) > kNumericDigitsMax) return OutOfRange();
  cpp_int unscaled(digits);
  return Bounded(negative ? cpp_int(-unscaled) : std::move(unscaled), scale);
}

absl::StatusOr<Numeric> Add(const Numeric& a, const Numeric& b) {
  const Aligned aligned = Align(a, b);
  return Bounded(aligned.a + aligned.b, aligned.scale);
}

absl::StatusOr<Numeric> Subtract(const Numeric& a, const Numeric& b) {
  const Aligned aligned = Align(a, b);
  return Bounded(aligned.a - aligned.b, aligned.scale);
}

absl::StatusOr<Numeric> Multiply(const Numeric& a, const Numeric& b) {
  return Bounded(a.unscaled * b.unscaled, a.scale + b.scale);
}

absl::StatusOr<Numeric> Divide(const Numeric& a, const Numeric& b) {
  if (b.unscaled == 0) return SqlError(sqlstate::kDivisionByZero, "division by zero");
  const Leading dividend = LeadingOf(a);
  const Leading divisor = LeadingOf(b);
  int weight = dividend.weight - divisor.weight;
  if (dividend.digit <= divisor.digit) --weight;
  int scale = std::max({kQuotientDigitsMin - weight * kDigitsPerGroup, a.scale, b.scale, 0});
  scale = std::min(scale, kNumericDigitsMax);
  // a/b at `scale` digits: (a.unscaled * 10^(scale + b.scale - a.scale)) / b.unscaled, the exponent kept non-negative.
  cpp_int numerator = a.unscaled;
  cpp_int denominator = abs(b.unscaled);
  const int shift = scale + b.scale - a.scale;
  if (shift >= 0) {
    numerator *= PowerOf10(shift);
  } else {
    denominator *= PowerOf10(-shift);
  }
  if (b.unscaled < 0) numerator = -numerator;
  return Bounded(DivideRounded(numerator, denominator), scale);
}

absl::StatusOr<Numeric> Modulo(const Numeric& a, const Numeric& b) {
  if (b.unscaled == 0) return SqlError(sqlstate::kDivisionByZero, "division by zero");
  const Aligned aligned = Align(a, b);
  return Bounded(aligned.a % aligned.b, aligned.scale);
}

absl::StatusOr<Numeric> Round(const Numeric& value, int scale) {
  scale = std::clamp(scale, -2 * kNumericDigitsMax, kNumericDigitsMax);
  if (scale >= value.scale) return Bounded(value.unscaled * PowerOf10(scale - value.scale), scale);
  cpp_int rounded = DivideRounded(value.unscaled, PowerOf10(value.scale - scale));
  if (scale < 0) return Bounded(rounded * PowerOf10(-scale), 0);
  return Bounded(std::move(rounded), scale);
}

absl::StatusOr<int64_t> ToInt64(const Numeric& value) {
  static const cpp_int kMin = std::numeric_limits<int64_t>::min();
  static const cpp_int kMax = std::numeric_limits<int64_t>::max();
  ASSIGN_OR_RETURN(const Numeric rounded, Round(value, 0));
  if (rounded.unscaled < kMin || rounded.unscaled > kMax) {
    return SqlError(sqlstate::kNumericValueOutOfRange, "bigint out of range");
  }
  return static_cast<int64_t>(rounded.unscaled);
}

Numeric HlcNumeric(Timestamp ts) {
  constexpr int kDigits = 10;
  constexpr uint64_t kUnit = 10'000'000'000;
  return {cpp_int(ts.ns) * kUnit, kDigits};
}

}  // namespace anabranch
