#include "sql/function.h"

#include <unordered_map>

#include "base/status.h"
#include "sql/function_catalog.h"
#include "sql/sequence.h"
#include "sql/session.h"
#include "sql/settings.h"

namespace anabranch {
namespace {

using boost::multiprecision::cpp_int;
using Result = absl::StatusOr<Datum>;
using Context = EvaluationContext;

constexpr SqlType kBool = SqlType::kBool;
constexpr SqlType kInt4 = SqlType::kInt4;
constexpr SqlType kInt8 = SqlType::kInt8;
constexpr SqlType kText = SqlType::kText;
constexpr SqlType kNumeric = SqlType::kNumeric;
constexpr SqlType kTimestampTz = SqlType::kTimestampTz;

int64_t Int(const Datum& datum) { return std::get<int64_t>(datum); }
const std::string& Text(const Datum& datum) { return std::get<std::string>(datum); }
const Numeric& Num(const Datum& datum) { return std::get<Numeric>(datum); }

absl::Status DivisionByZero() { return SqlError(sqlstate::kDivisionByZero, "division by zero"); }

// --- Integers. All arithmetic is in 128 bits, where nothing of two int8 overflows. ---
template <SqlType kType>
Result FitInteger(__int128 value) {
  const auto narrow = kType == kInt4 ? static_cast<int64_t>(static_cast<int32_t>(value)) : static_cast<int64_t>(value);
  if (narrow == value) return Datum(narrow);
  return SqlError(sqlstate::kNumericValueOutOfRange, kType == kInt4 ? "integer out of range" : "bigint out of range");
}
template <SqlType kType>
Result AddIntegers(const Datum* a, const Context&) {
  return FitInteger<kType>(static_cast<__int128>(Int(a[0])) + Int(a[1]));
}
template <SqlType kType>
Result SubtractIntegers(const Datum* a, const Context&) {
  return FitInteger<kType>(static_cast<__int128>(Int(a[0])) - Int(a[1]));
}
template <SqlType kType>
Result MultiplyIntegers(const Datum* a, const Context&) {
  return FitInteger<kType>(static_cast<__int128>(Int(a[0])) * Int(a[1]));
}
template <SqlType kType>
Result DivideIntegers(const Datum* a, const Context&) {
  if (Int(a[1]) == 0) return DivisionByZero();
  return FitInteger<kType>(static_cast<__int128>(Int(a[0])) / Int(a[1]));
}
template <SqlType kType>
Result ModuloIntegers(const Datum* a, const Context&) {
  if (Int(a[1]) == 0) return DivisionByZero();
  return FitInteger<kType>(static_cast<__int128>(Int(a[0])) % Int(a[1]));
}
template <SqlType kType>
Result NegateInteger(const Datum* a, const Context&) {
  return FitInteger<kType>(-static_cast<__int128>(Int(a[0])));
}
template <SqlType kType>
Result AbsInteger(const Datum* a, const Context&) {
  const __int128 value = Int(a[0]);
  return FitInteger<kType>(value < 0 ? -value : value);
}
Result Same(const Datum* a, const Context&) { return a[0]; }

// --- Numeric ---
using NumericOperation = absl::StatusOr<Numeric> (*)(const Numeric&, const Numeric&);
template <NumericOperation kOperation>
Result OnNumerics(const Datum* a, const Context&) {
  ASSIGN_OR_RETURN(Numeric result, kOperation(Num(a[0]), Num(a[1])));
  return Datum(std::move(result));
}
Result NegateNumeric(const Datum* a, const Context&) { return Datum(Numeric{-Num(a[0]).unscaled, Num(a[0]).scale}); }
Result AbsNumeric(const Datum* a, const Context&) { return Datum(Numeric{abs(Num(a[0]).unscaled), Num(a[0]).scale}); }
Result RoundNumeric(const Datum* a, const Context&) {
  ASSIGN_OR_RETURN(Numeric result, Round(Num(a[0]), 0));
  return Datum(std::move(result));
}
Result RoundNumericTo(const Datum* a, const Context&) {
  ASSIGN_OR_RETURN(Numeric result, Round(Num(a[0]), static_cast<int>(Int(a[1]))));
  return Datum(std::move(result));
}

// The whole part, then one more in the direction wanted if anything was cut off.
Numeric Whole(const Numeric& value, int direction) {
  const cpp_int unit = boost::multiprecision::pow(cpp_int(10), value.scale);
  cpp_int whole = value.unscaled / unit;
  if (whole * unit != value.unscaled && (value.unscaled > 0) == (direction > 0)) whole += direction;
  return {std::move(whole), 0};
}
Result Floor(const Datum* a, const Context&) { return Datum(Whole(Num(a[0]), -1)); }
Result Ceiling(const Datum* a, const Context&) { return Datum(Whole(Num(a[0]), 1)); }

// --- Text ---
size_t CharacterLength(std::string_view text, size_t at) {
  size_t length = 1;
  while (at + length < text.size() && (static_cast<uint8_t>(text[at + length]) & 0xC0) == 0x80) ++length;
  return length;
}
Result Length(const Datum* a, const Context&) {
  int64_t count = 0;
  for (const char c : Text(a[0])) count += (static_cast<uint8_t>(c) & 0xC0) == 0x80 ? 0 : 1;
  return Datum(count);
}
std::string Lowered(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return text;
}
Result Lower(const Datum* a, const Context&) { return Datum(Lowered(Text(a[0]))); }
Result Upper(const Datum* a, const Context&) {
  std::string text = Text(a[0]);
  for (char& c : text) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return Datum(std::move(text));
}
Result Concatenate(const Datum* a, const Context&) { return Datum(Text(a[0]) + Text(a[1])); }
Result Repeat(const Datum* a, const Context&) {
  const std::string& unit = Text(a[0]);
  const size_t count = Int(a[1]) < 0 ? 0 : static_cast<size_t>(Int(a[1]));
  if (!unit.empty() && count > kValueBytesMax / unit.size()) {
    return SqlError(sqlstate::kProgramLimitExceeded,
                    fmt::format("the result of repeat() exceeds the limit of {} bytes", kValueBytesMax));
  }
  std::string text;
  text.reserve(unit.size() * count);
  for (size_t i = 0; i < count; ++i) text += unit;
  return Datum(std::move(text));
}

// Greedy with one point to come back to: the last %.
absl::StatusOr<bool> MatchesLike(std::string_view text, std::string_view pattern) {
  size_t t = 0, p = 0;
  size_t back_t = 0, back_p = std::string_view::npos;
  while (true) {
    bool matches = false;
    if (p < pattern.size() && pattern[p] == '%') {
      back_p = ++p;
      back_t = t;
      continue;
    }
    if (p == pattern.size()) {
      if (t == text.size()) return true;
    } else if (pattern[p] == '\\' && p + 1 == pattern.size()) {
      return SqlError("22025", "LIKE pattern must not end with escape character");
    } else if (t < text.size() && pattern[p] == '_') {
      t += CharacterLength(text, t);
      ++p;
      matches = true;
    } else if (t < text.size()) {
      const size_t literal = pattern[p] == '\\' ? p + 1 : p;
      matches = pattern[literal] == text[t];
      if (matches) {
        ++t;
        p = literal + 1;
      }
    }
    if (matches) continue;
    if (back_p == std::string_view::npos || back_t >= text.size()) return false;
    back_t += CharacterLength(text, back_t);
    t = back_t;
    p = back_p;
  }
}
template <bool kNegated, bool kIgnoreCase>
Result Like(const Datum* a, const Context&) {
  absl::StatusOr<bool> matches =
      kIgnoreCase ? MatchesLike(Lowered(Text(a[0])), Lowered(Text(a[1]))) : MatchesLike(Text(a[0]), Text(a[1]));
  if (!matches.ok()) return std::move(matches).status();
  return Datum(*matches != kNegated);
}

// --- The statement and its session ---
Result TransactionTime(const Datum*, const Context& context) { return Datum(context.transaction_time); }
Result StatementTime(const Datum*, const Context& context) { return Datum(context.statement_time); }
Result ClockTime(const Datum*, const Context& context) {
  return Datum(TimestampTz{static_cast<int64_t>(context.session->transaction.store->clock()->WallNs() / 1000)});
}
Result LogicalTime(const Datum*, const Context& context) { return Datum(HlcNumeric(context.snapshot)); }
Result VersionText(const Datum*, const Context&) { return Datum(std::string(kVersionText)); }
Result CurrentDatabase(const Datum*, const Context&) { return Datum(std::string(kDatabaseName)); }
Result CurrentUser(const Datum*, const Context& context) { return Datum(context.session->user); }
Result CurrentSchema(const Datum*, const Context&) { return Datum(std::string("public")); }
Result IsInRecovery(const Datum*, const Context&) { return Datum(false); }
Result CurrentSetting(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(std::string value, context.settings->Get(Text(a[0])));
  return Datum(std::move(value));
}
Result NextValue(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const int64_t value, context.sequences->Next(Text(a[0])));
  return Datum(value);
}
Result CurrentValue(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const int64_t value, context.sequences->Current(Text(a[0])));
  return Datum(value);
}
Result LastValue(const Datum*, const Context& context) {
  ASSIGN_OR_RETURN(const int64_t value, context.sequences->Last());
  return Datum(value);
}
Result SetValue(const Datum* a, const Context& context) {
  RETURN_IF_ERROR(context.sequences->Set(Text(a[0]), Int(a[1]), true));
  return a[1];
}
Result SetValueCalled(const Datum* a, const Context& context) {
  RETURN_IF_ERROR(context.sequences->Set(Text(a[0]), Int(a[1]), std::get<bool>(a[2])));
  return a[1];
}
// PostgreSQL's is a double; this one has as many digits.
Result RandomNumber(const Datum*, const Context& context) {
  constexpr int kDigits = 15;
  constexpr uint64_t kUnit = 1'000'000'000'000'000;
  return Datum(Numeric{context.session->transaction.store->random()->Next() % kUnit, kDigits});
}

template <SqlType kType>
void AddIntegerOperators(std::vector<ScalarFunction>* all) {
  all->insert(all->end(), {
                              {"+", {kType, kType}, kType, AddIntegers<kType>},
                              {"-", {kType, kType}, kType, SubtractIntegers<kType>},
                              {"*", {kType, kType}, kType, MultiplyIntegers<kType>},
                              {"/", {kType, kType}, kType, DivideIntegers<kType>},
                              {"%", {kType, kType}, kType, ModuloIntegers<kType>},
                              {"mod", {kType, kType}, kType, ModuloIntegers<kType>},
                              {"-", {kType}, kType, NegateInteger<kType>},
                              {"+", {kType}, kType, Same},
                              {"abs", {kType}, kType, AbsInteger<kType>},
                          });
}

std::vector<ScalarFunction> AllFunctions() {
  std::vector<ScalarFunction> all;
  AddIntegerOperators<kInt4>(&all);
  AddIntegerOperators<kInt8>(&all);
  all.insert(all.end(), {
                            {"+", {kNumeric, kNumeric}, kNumeric, OnNumerics<Add>},
                            {"-", {kNumeric, kNumeric}, kNumeric, OnNumerics<Subtract>},
                            {"*", {kNumeric, kNumeric}, kNumeric, OnNumerics<Multiply>},
                            {"/", {kNumeric, kNumeric}, kNumeric, OnNumerics<Divide>},
                            {"%", {kNumeric, kNumeric}, kNumeric, OnNumerics<Modulo>},
                            {"mod", {kNumeric, kNumeric}, kNumeric, OnNumerics<Modulo>},
                            {"-", {kNumeric}, kNumeric, NegateNumeric},
                            {"+", {kNumeric}, kNumeric, Same},
                            {"abs", {kNumeric}, kNumeric, AbsNumeric},
                            {"round", {kNumeric}, kNumeric, RoundNumeric},
                            {"round", {kNumeric, kInt4}, kNumeric, RoundNumericTo},
                            {"floor", {kNumeric}, kNumeric, Floor},
                            {"ceil", {kNumeric}, kNumeric, Ceiling},
                            {"ceiling", {kNumeric}, kNumeric, Ceiling},
                            {"length", {kText}, kInt4, Length},
                            {"char_length", {kText}, kInt4, Length},
                            {"lower", {kText}, kText, Lower},
                            {"upper", {kText}, kText, Upper},
                            {"repeat", {kText, kInt4}, kText, Repeat},
                            {"||", {kText, kText}, kText, Concatenate},
                            {"~~", {kText, kText}, kBool, Like<false, false>},
                            {"!~~", {kText, kText}, kBool, Like<true, false>},
                            {"~~*", {kText, kText}, kBool, Like<false, true>},
                            {"!~~*", {kText, kText}, kBool, Like<true, true>},
                            {"now", {}, kTimestampTz, TransactionTime, Volatility::kStable},
                            {"transaction_timestamp", {}, kTimestampTz, TransactionTime, Volatility::kStable},
                            {"statement_timestamp", {}, kTimestampTz, StatementTime, Volatility::kStable},
                            {"clock_timestamp", {}, kTimestampTz, ClockTime, Volatility::kVolatile},
                            {"cluster_logical_timestamp", {}, kNumeric, LogicalTime, Volatility::kStable},
                            {"version", {}, kText, VersionText, Volatility::kStable},
                            {"current_database", {}, kText, CurrentDatabase, Volatility::kStable},
                            {"current_user", {}, kText, CurrentUser, Volatility::kStable},
                            {"current_schema", {}, kText, CurrentSchema, Volatility::kStable},
                            {"current_setting", {kText}, kText, CurrentSetting, Volatility::kStable},
                            {"pg_is_in_recovery", {}, kBool, IsInRecovery, Volatility::kStable},
                            {"nextval", {kText}, kInt8, NextValue, Volatility::kVolatile},
                            {"currval", {kText}, kInt8, CurrentValue, Volatility::kVolatile},
                            {"lastval", {}, kInt8, LastValue, Volatility::kVolatile},
                            {"setval", {kText, kInt8}, kInt8, SetValue, Volatility::kVolatile},
                            {"setval", {kText, kInt8, kBool}, kInt8, SetValueCalled, Volatility::kVolatile},
                            {"random", {}, kNumeric, RandomNumber, Volatility::kVolatile},
                        });
  const std::vector<ScalarFunction> catalog = CatalogFunctions();
  all.insert(all.end(), catalog.begin(), catalog.end());
  return all;
}

}  // namespace

const std::vector<const ScalarFunction*>& FunctionsNamed(std::string_view name) {
  static const std::vector<ScalarFunction> kAll = AllFunctions();
  static const auto kByName = [] {
    std::unordered_map<std::string_view, std::vector<const ScalarFunction*>> by_name;
    for (const ScalarFunction& function : kAll) by_name[function.name].push_back(&function);
    return by_name;
  }();
  static const std::vector<const ScalarFunction*> kNone;
  const auto found = kByName.find(name);
  return found == kByName.end() ? kNone : found->second;
}

Numeric HlcNumeric(Timestamp ts) {
  constexpr int kDigits = 10;
  constexpr uint64_t kUnit = 10'000'000'000;
  return {cpp_int(ts.ns) * kUnit, kDigits};
}

}  // namespace anabranch
