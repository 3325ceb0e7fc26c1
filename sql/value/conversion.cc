#include "sql/value/conversion.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/status.h"
#include "fmt/format.h"
#include "sql/value/datetime.h"
#include "sql/value/float_text.h"
#include "sql/value/json_text.h"
#include "sql/value/time_zone.h"

namespace anabranch {
namespace {

using T = SqlType;

bool IsFloat(T type) { return type == T::kFloat4 || type == T::kFloat8; }
bool IsNumber(T type) { return IsInteger(type) || IsFloat(type) || type == T::kNumeric; }
bool IsString(T type) { return TypeCategory(type) == 'S'; }
// Text without trailing blanks that do not count.
bool IsPlainText(T type) { return type == T::kText || type == T::kVarchar || type == T::kName; }

// Of numbers, from the narrowest to what everything becomes implicitly.
int NumberRank(T type) {
  switch (type) {
    case T::kInt2:
      return 0;
    case T::kInt4:
      return 1;
    case T::kInt8:
      return 2;
    case T::kNumeric:
      return 3;
    case T::kFloat4:
      return 4;
    default:
      return 5;
  }
}

bool IsDateLike(T type) { return type == T::kDate || type == T::kTimestamp || type == T::kTimestampTz; }
int DateRank(T type) { return type == T::kDate ? 0 : type == T::kTimestamp ? 1 : 2; }

// What PostgreSQL's pg_cast says of two different types: the loosest conversion that does it. nullopt: it has no row.
std::optional<Conversion> Listed(T from, T to) {
  constexpr auto kImplicit = Conversion::kImplicit;
  constexpr auto kAssignment = Conversion::kAssignment;
  constexpr auto kExplicit = Conversion::kExplicit;
  if (IsNumber(from) && IsNumber(to)) return NumberRank(from) < NumberRank(to) ? kImplicit : kAssignment;
  if (IsDateLike(from) && IsDateLike(to)) return DateRank(from) < DateRank(to) ? kImplicit : kAssignment;
  if (IsString(from) && IsString(to)) return from == T::kName && to != T::kText ? kAssignment : kImplicit;
  if (IsInteger(from) && (to == T::kOid || IsObjectName(to))) return kImplicit;
  if (from == T::kOid && IsObjectName(to)) return kImplicit;
  if (IsObjectName(from) && to == T::kOid) return kImplicit;
  if ((IsObjectName(from) || from == T::kOid) && (to == T::kInt4 || to == T::kInt8)) return kAssignment;
  if ((from == T::kText || from == T::kVarchar) && to == T::kRegclass) return kImplicit;
  if (from == T::kChar && to == T::kText) return kImplicit;
  if (to == T::kChar && (from == T::kText || from == T::kVarchar || from == T::kBpchar)) return kAssignment;
  if ((from == T::kJson && to == T::kJsonb) || (from == T::kJsonb && to == T::kJson)) return kAssignment;
  if ((from == T::kBool && to == T::kInt4) || (from == T::kInt4 && to == T::kBool)) return kExplicit;
  if ((from == T::kChar && to == T::kInt4) || (from == T::kInt4 && to == T::kChar)) return kExplicit;
  if (from == T::kJsonb && (to == T::kBool || IsNumber(to))) return kExplicit;
  return std::nullopt;
}

absl::Status OutOfRange(T type) {
  return SqlError(sqlstate::kNumericValueOutOfRange,
                  fmt::format("{} out of range", type == T::kOid ? "OID" : TypeName(type)));
}

absl::StatusOr<Datum> FitInteger(int64_t value, T to) {
  const bool fits = to == T::kInt8 || (to == T::kInt4 && value == static_cast<int32_t>(value)) ||
                    (to == T::kInt2 && value == static_cast<int16_t>(value)) ||
                    (to == T::kOid && value >= INT32_MIN && value <= UINT32_MAX);
  if (!fits) return OutOfRange(to);
  return Datum(to == T::kOid ? int64_t{static_cast<uint32_t>(value)} : value);
}

absl::StatusOr<Datum> IntegerFrom(const Datum& value, T to) {
  if (const int64_t* integer = std::get_if<int64_t>(&value)) return FitInteger(*integer, to);
  if (const bool* boolean = std::get_if<bool>(&value)) return Datum(int64_t{*boolean ? 1 : 0});
  if (const ObjectName* name = std::get_if<ObjectName>(&value)) return FitInteger(name->oid, to);
  if (const Numeric* numeric = std::get_if<Numeric>(&value)) {
    const absl::StatusOr<int64_t> rounded = ToInt64(*numeric);
    if (!rounded.ok()) return OutOfRange(to);
    return FitInteger(*rounded, to);
  }
  const double number =
      std::rint(std::holds_alternative<float>(value) ? double{std::get<float>(value)} : std::get<double>(value));
  constexpr double kInt8Limit = 9'223'372'036'854'775'808.0;
  if (!(number >= -kInt8Limit && number < kInt8Limit)) return OutOfRange(to);
  return FitInteger(static_cast<int64_t>(number), to);
}

absl::StatusOr<Datum> Float8From(const Datum& value) {
  if (const int64_t* integer = std::get_if<int64_t>(&value)) return Datum(static_cast<double>(*integer));
  if (const float* number = std::get_if<float>(&value)) return Datum(double{*number});
  ASSIGN_OR_RETURN(const double number, ParseDouble(ToText(value)));
  return Datum(number);
}

absl::StatusOr<Datum> Float4From(const Datum& value) {
  if (const int64_t* integer = std::get_if<int64_t>(&value)) return Datum(static_cast<float>(*integer));
  if (const double* number = std::get_if<double>(&value)) {
    const float narrow = static_cast<float>(*number);
    const char* problem = std::isinf(narrow) && !std::isinf(*number) ? "overflow"
                          : narrow == 0 && *number != 0              ? "underflow"
                                                                     : nullptr;
    if (problem != nullptr) {
      return SqlError(sqlstate::kNumericValueOutOfRange, fmt::format("value out of range: {}", problem));
    }
    return Datum(narrow);
  }
  ASSIGN_OR_RETURN(const float number, ParseFloat(ToText(value)));
  return Datum(number);
}

// As many digits as every value of the type has.
absl::StatusOr<Datum> NumericFrom(const Datum& value) {
  if (const int64_t* integer = std::get_if<int64_t>(&value)) return Datum(Numeric::FromInt(*integer));
  const float* narrow = std::get_if<float>(&value);
  const double number = narrow != nullptr ? double{*narrow} : std::get<double>(value);
  if (!std::isfinite(number)) {
    return SqlError(sqlstate::kFeatureNotSupported, fmt::format("numeric {} is not supported", ToText(value)));
  }
  const int digits = narrow != nullptr ? std::numeric_limits<float>::digits10 : std::numeric_limits<double>::digits10;
  ASSIGN_OR_RETURN(Numeric numeric, ParseNumeric(fmt::format("{:.{}g}", number, digits)));
  return Datum(std::move(numeric));
}

std::string TextFrom(const Datum& value, const TimeZone& zone) {
  if (const bool* boolean = std::get_if<bool>(&value)) return *boolean ? "true" : "false";
  if (const Bpchar* padded = std::get_if<Bpchar>(&value)) return std::string(padded->trimmed());
  return ToText(value, zone);
}

absl::StatusOr<Datum> FromJson(const std::string& json, T to) {
  const std::string_view kind = JsonTypeOf(json);
  if (to == T::kBool ? kind != "boolean" : kind != "number") {
    return SqlError(sqlstate::kInvalidParameterValue, fmt::format("cannot cast jsonb {} to type {}", kind, TypeName(to)));
  }
  if (to == T::kBool) return Datum(json == "true");
  ASSIGN_OR_RETURN(Numeric number, ParseNumeric(json));
  return CastDatum(Datum(std::move(number)), T::kNumeric, to, UtcZone());
}

absl::StatusOr<Datum> DateFromUs(int64_t us) {
  if (IsInfinite(us)) return Datum(Date{us == kInfiniteUs ? kInfiniteDays : kMinusInfiniteDays});
  return Datum(Date{static_cast<int32_t>(FloorDivide(us, kDayUs))});
}

absl::StatusOr<Datum> TimeFrom(const Datum& value, T to, const TimeZone& zone) {
  if (const TimestampTz* at = std::get_if<TimestampTz>(&value)) {
    ASSIGN_OR_RETURN(const LocalTimestamp local, ToLocal(*at, zone));
    return to == T::kDate ? DateFromUs(local.us) : Datum(local);
  }
  LocalTimestamp local;
  if (const Date* date = std::get_if<Date>(&value)) {
    if (IsInfinite(*date)) {
      local.us = date->days == kInfiniteDays ? kInfiniteUs : kMinusInfiniteUs;
    } else {
      const absl::StatusOr<int64_t> midnight = TimestampUsFrom(static_cast<__int128>(date->days) * kDayUs);
      if (!midnight.ok()) return SqlError(sqlstate::kDatetimeFieldOverflow, "date out of range for timestamp");
      local.us = *midnight;
    }
  } else {
    local = std::get<LocalTimestamp>(value);
  }
  if (to == T::kDate) return DateFromUs(local.us);
  if (to == T::kTimestamp) return Datum(local);
  ASSIGN_OR_RETURN(const TimestampTz at, FromLocal(local, zone));
  return Datum(at);
}

absl::StatusOr<Datum> ObjectNameFrom(int64_t oid, T to) {
  ObjectName name{oid, ""};
  if (const std::optional<T> type = TypeOfOid(static_cast<uint32_t>(oid)); to == T::kRegtype && type) {
    name.name = TypeName(*type);
  }
  return Datum(std::move(name));
}

absl::StatusOr<Datum> CastArray(const Array& array, T from, T to, const TimeZone& zone) {
  std::vector<Datum> values;
  for (const Datum& value : array.items->values) {
    ASSIGN_OR_RETURN(values.emplace_back(), CastDatum(value, ElementType(from), ElementType(to), zone));
  }
  const bool to_vector = to == T::kInt2Vector || to == T::kOidVector;
  const bool from_zero = array.items->first_index() == 0;
  return Datum(MakeArray(std::move(values), to_vector   ? ArrayForm::kVector
                                            : from_zero ? ArrayForm::kFromZero
                                                        : ArrayForm::kPlain));
}

// Characters, and where in bytes the first `limit` of them end.
struct Measure {
  int characters = 0;
  size_t limit_end = 0;
};
Measure MeasureText(std::string_view text, int limit) {
  Measure measure{0, text.size()};
  for (size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<uint8_t>(text[i]) & 0xC0) == 0x80) continue;
    if (measure.characters++ == limit) measure.limit_end = i;
  }
  return measure;
}

// Cuts to the limit; returns the characters left.
absl::StatusOr<int> FitText(std::string* text, ColumnType type, Conversion conversion) {
  const int limit = CharactersOf(type.modifier);
  const Measure measure = MeasureText(*text, limit);
  if (measure.characters <= limit) return measure.characters;
  if (conversion != Conversion::kExplicit && text->find_first_not_of(' ', measure.limit_end) != std::string::npos) {
    return SqlError(sqlstate::kStringDataRightTruncation, fmt::format("value too long for type {}", FormatType(type)));
  }
  text->resize(measure.limit_end);
  return limit;
}

absl::StatusOr<Datum> FitNumeric(const Numeric& value, NumericType type) {
  ASSIGN_OR_RETURN(Numeric rounded, Round(value, type.scale));
  const std::string digits = boost::multiprecision::cpp_int(abs(rounded.unscaled)).str();
  if (static_cast<int>(digits.size()) > type.precision && rounded.unscaled != 0) {
    return SqlError(sqlstate::kNumericValueOutOfRange, "numeric field overflow",
                    fmt::format("A field with precision {}, scale {} must round to an absolute value less than 10^{}.",
                                type.precision, type.scale, type.precision - type.scale));
  }
  return Datum(std::move(rounded));
}

}  // namespace

bool CanConvert(SqlType from, SqlType to, Conversion conversion) {
  if (from == to) return true;
  if (TypeCategory(from) == 'P' || TypeCategory(to) == 'P') return false;
  if (const std::optional<Conversion> listed = Listed(from, to)) return *listed <= conversion;
  if (IsArray(from) && IsArray(to)) return CanConvert(ElementType(from), ElementType(to), conversion);
  if (conversion == Conversion::kImplicit) return false;
  if (IsString(to)) return true;
  return conversion == Conversion::kExplicit && IsString(from);
}

bool HoldSameValues(SqlType a, SqlType b) {
  return a == b || (IsInteger(a) && IsInteger(b)) || (IsPlainText(a) && IsPlainText(b)) ||
         (IsArray(a) && IsArray(b) && HoldSameValues(ElementType(a), ElementType(b)));
}

std::optional<SqlType> CommonType(SqlType a, SqlType b) {
  if (a == b || b == T::kUnknown) return a;
  if (a == T::kUnknown) return b;
  if (TypeCategory(a) != TypeCategory(b)) return std::nullopt;
  if (!IsPreferred(a) && CanConvert(a, b, Conversion::kImplicit) && !CanConvert(b, a, Conversion::kImplicit)) return b;
  if (!CanConvert(b, a, Conversion::kImplicit)) return std::nullopt;
  return a;
}

std::optional<SqlType> ComparisonType(SqlType a, SqlType b) {
  if (a == T::kUnknown || b == T::kUnknown) {
    const T known = a == T::kUnknown ? b : a;
    return known == T::kUnknown || known == T::kVarchar ? T::kText : IsObjectName(known) ? T::kOid : known;
  }
  for (const T type : {a, b}) {
    if (type == T::kJson || type == T::kNodeTree || TypeCategory(type) == 'P') return std::nullopt;
  }
  if (IsObjectName(a) || IsObjectName(b)) {
    const bool numbers =
        (IsObjectName(a) || IsInteger(a) || a == T::kOid) && (IsObjectName(b) || IsInteger(b) || b == T::kOid);
    return numbers ? std::optional(T::kOid) : std::nullopt;
  }
  if (IsNumber(a) && IsNumber(b)) {
    if (a == b) return a;
    if (IsFloat(a) || IsFloat(b)) return T::kFloat8;
    return NumberRank(a) < NumberRank(b) ? b : a;
  }
  if (IsDateLike(a) && IsDateLike(b)) return DateRank(a) < DateRank(b) ? b : a;
  if (IsString(a) && IsString(b)) {
    const bool blanks =
        (a == T::kBpchar && b != T::kText && b != T::kName) || (b == T::kBpchar && a != T::kText && a != T::kName);
    return blanks ? T::kBpchar : T::kText;
  }
  if (a == b) return a;
  if ((a == T::kChar && IsString(b)) || (b == T::kChar && IsString(a))) return T::kText;
  if ((a == T::kOid && IsInteger(b)) || (b == T::kOid && IsInteger(a))) return T::kOid;
  if (IsArray(a) && IsArray(b) && HoldSameValues(a, b)) return a;
  return std::nullopt;
}

std::optional<SqlType> EqualityLeftType(SqlType left, SqlType right) {
  const bool as_it_is = (IsInteger(left) && IsInteger(right)) || (IsFloat(left) && IsNumber(right)) ||
                        (IsDateLike(left) && IsDateLike(right));
  if (as_it_is) return left;
  const std::optional<SqlType> type = ComparisonType(left, right);
  return type == T::kVarchar ? T::kText : type;
}

bool DependsOnZone(SqlType from, SqlType to) {
  const auto zoned = [](T type) { return type == T::kTimestampTz || type == T::kTimestampTzArray; };
  return zoned(from) != zoned(to);
}

absl::StatusOr<Datum> CastDatum(Datum value, SqlType from, SqlType to, const TimeZone& zone) {
  if (IsNull(value) || from == to) return value;
  if (IsArray(from) && IsArray(to)) return CastArray(std::get<Array>(value), from, to, zone);
  if (const Jsonb* json = std::get_if<Jsonb>(&value); json != nullptr && (to == T::kBool || IsNumber(to))) {
    return FromJson(json->text, to);
  }
  if (from == T::kChar && to == T::kInt4) {
    const std::string& character = std::get<std::string>(value);
    return Datum(int64_t{character.empty() ? int8_t{0} : static_cast<int8_t>(character[0])});
  }
  switch (to) {
    case T::kText:
    case T::kVarchar:
    case T::kUnknown:
      if (std::holds_alternative<std::string>(value)) return value;
      return Datum(TextFrom(value, zone));
    case T::kName:
    case T::kJson:
      return FromText(to, TextFrom(value, zone), zone);
    case T::kChar:
      if (from == T::kInt4) return Datum(std::string(1, static_cast<char>(std::get<int64_t>(value))));
      return FromText(to, TextFrom(value, zone), zone);
    case T::kBpchar:
      return Datum(Bpchar{TextFrom(value, zone)});
    default:
      break;
  }
  if (IsString(from) || from == T::kJson || from == T::kUnknown) return FromText(to, TextFrom(value, zone), zone);
  switch (to) {
    case T::kInt2:
    case T::kInt4:
    case T::kInt8:
    case T::kOid:
      return IntegerFrom(value, to);
    case T::kNumeric:
      return NumericFrom(value);
    case T::kFloat4:
      return Float4From(value);
    case T::kFloat8:
      return Float8From(value);
    case T::kBool:
      return Datum(std::get<int64_t>(value) != 0);
    case T::kDate:
    case T::kTimestamp:
    case T::kTimestampTz:
      return TimeFrom(value, to, zone);
    default:
      if (IsObjectName(to)) {
        return ObjectNameFrom(
            std::holds_alternative<int64_t>(value) ? std::get<int64_t>(value) : std::get<ObjectName>(value).oid, to);
      }
      return SqlError(sqlstate::kInternalError, fmt::format("no cast from {} to {}", TypeName(from), TypeName(to)));
  }
}

absl::StatusOr<Datum> FitModifier(Datum value, ColumnType type, Conversion conversion) {
  if (type.modifier < 0 || IsNull(value)) return value;
  switch (type.type) {
    case T::kVarchar: {
      std::string& text = std::get<std::string>(value);
      if (text.size() > static_cast<size_t>(CharactersOf(type.modifier))) {
        RETURN_IF_ERROR(FitText(&text, type, conversion).status());
      }
      return value;
    }
    case T::kBpchar: {
      std::string& text = std::get<Bpchar>(value).text;
      ASSIGN_OR_RETURN(const int characters, FitText(&text, type, conversion));
      text.append(static_cast<size_t>(CharactersOf(type.modifier) - characters), ' ');
      return value;
    }
    case T::kNumeric:
      return FitNumeric(std::get<Numeric>(value), NumericTypeOf(type.modifier));
    case T::kTimestamp:
      return Datum(LocalTimestamp{RoundUs(std::get<LocalTimestamp>(value).us, type.modifier)});
    case T::kTimestampTz:
      return Datum(TimestampTz{RoundUs(std::get<TimestampTz>(value).us, type.modifier)});
    default:
      return value;
  }
}

}  // namespace anabranch
