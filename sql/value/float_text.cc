#include "sql/value/float_text.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "base/status.h"
#include "fmt/format.h"

namespace anabranch {
namespace {

// Fixed notation is used for decimal exponents -4 .. below this.
template <typename Float>
constexpr int kFixedExponentMax = std::numeric_limits<Float>::digits10;

template <typename Float>
struct Wider;
template <>
struct Wider<float> {
  using Type = double;
};
template <>
struct Wider<double> {
  using Type = long double;
};

// Whether the text is a number exactly between the value and one of its neighbours. Only whole numbers can be: others have
// more digits there.
template <typename Float>
bool IsHalfway(std::string_view text, Float value) {
  using Wide = typename Wider<Float>::Type;
  constexpr Float kOneApart = 2 / std::numeric_limits<Float>::epsilon();
  if (std::abs(value) < kOneApart) return false;
  Wide number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  constexpr Float kInfinity = std::numeric_limits<Float>::infinity();
  const auto middle = [&](Float to) { return (Wide{value} + Wide{std::nextafter(value, to)}) / 2; };
  return number == middle(kInfinity) || number == middle(-kInfinity);
}

template <typename Float>
void Append(Float value, std::string* out) {
  if (std::isnan(value)) return void(out->append("NaN"));
  if (std::isinf(value)) return void(out->append(value < 0 ? "-Infinity" : "Infinity"));
  char buffer[64];
  const char* end = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific).ptr;
  std::string_view text(buffer, static_cast<size_t>(end - buffer));
  // What reads back only because ties go to even is not good enough for PostgreSQL.
  while (IsHalfway(text, value)) {
    const size_t point = text.find('.');
    const size_t decimals = point == std::string_view::npos ? 0 : text.find('e') - point - 1;
    end =
        std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific, static_cast<int>(decimals) + 1)
            .ptr;
    text = std::string_view(buffer, static_cast<size_t>(end - buffer));
  }
  if (text.front() == '-') {
    out->push_back('-');
    text.remove_prefix(1);
  }
  const size_t e = text.find('e');
  int exponent = 0;
  const char* exponent_begin = text.data() + e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(exponent_begin, text.data() + text.size(), exponent);
  constexpr int kFixedExponentMin = -4;
  if (exponent < kFixedExponentMin || exponent >= kFixedExponentMax<Float>) return void(out->append(text));
  std::string digits(1, text.front());
  if (e > 2) digits.append(text.substr(2, e - 2));
  if (exponent < 0) {
    out->append("0.").append(static_cast<size_t>(-exponent - 1), '0').append(digits);
    return;
  }
  const size_t whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) {
    out->append(digits).append(whole - digits.size(), '0');
  } else {
    out->append(digits, 0, whole).append(".").append(digits, whole);
  }
}

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

template <typename Float>
absl::StatusOr<Float> Parse(std::string_view text, std::string_view type) {
  std::string_view in = text;
  while (!in.empty() && IsSpace(in.front())) in.remove_prefix(1);
  while (!in.empty() && IsSpace(in.back())) in.remove_suffix(1);
  if (in.size() > 1 && in.front() == '+' && in[1] != '-') in.remove_prefix(1);
  Float value = 0;
  const auto [end, error] = std::from_chars(in.data(), in.data() + in.size(), value);
  if (error == std::errc::invalid_argument || end != in.data() + in.size() || in.back() == ')') {
    return SqlError(sqlstate::kInvalidTextRepresentation,
                    fmt::format("invalid input syntax for type {}: \"{}\"", type, text));
  }
  if (error != std::errc()) {
    return SqlError(sqlstate::kNumericValueOutOfRange, fmt::format("\"{}\" is out of range for type {}", text, type));
  }
  return std::isnan(value) ? std::numeric_limits<Float>::quiet_NaN() : value;
}

}  // namespace

void AppendFloat(double value, std::string* out) { Append(value, out); }
void AppendFloat(float value, std::string* out) { Append(value, out); }
absl::StatusOr<double> ParseDouble(std::string_view text) { return Parse<double>(text, "double precision"); }
absl::StatusOr<float> ParseFloat(std::string_view text) { return Parse<float>(text, "real"); }

}  // namespace anabranch
