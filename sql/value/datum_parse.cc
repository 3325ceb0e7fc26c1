// Values from their text form.
#include <charconv>

#include "base/status.h"
#include "fmt/format.h"
#include "sql/value/datetime.h"
#include "sql/value/datum.h"
#include "sql/value/float_text.h"
#include "sql/value/json_text.h"
#include "sql/value/type_name.h"

namespace anabranch {
namespace {

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text;
}

absl::Status SyntaxError(SqlType type, std::string_view text) {
  return SqlError(sqlstate::kInvalidTextRepresentation,
                  fmt::format("invalid input syntax for type {}: \"{}\"", TypeName(type), text));
}

bool InRange(SqlType type, int64_t value) {
  switch (type) {
    case SqlType::kInt2:
      return value == static_cast<int16_t>(value);
    case SqlType::kInt4:
      return value == static_cast<int32_t>(value);
    case SqlType::kOid:
    case SqlType::kXid:
      return value >= INT32_MIN && value <= UINT32_MAX;
    default:
      return true;
  }
}

absl::StatusOr<Datum> ParseInteger(SqlType type, std::string_view text) {
  std::string_view digits = Trim(text);
  if (digits.size() > 1 && digits.front() == '+' && digits[1] != '-') digits.remove_prefix(1);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (end != digits.data() + digits.size() || error == std::errc::invalid_argument) return SyntaxError(type, text);
  if (error != std::errc() || !InRange(type, value)) {
    return SqlError(sqlstate::kNumericValueOutOfRange,
                    fmt::format("value \"{}\" is out of range for type {}", text, TypeName(type)));
  }
  if (type == SqlType::kOid || type == SqlType::kXid) value = static_cast<uint32_t>(value);
  return Datum(value);
}

// Any unique beginning of true, false, yes, no; on, off, 1, 0.
absl::StatusOr<Datum> ParseBool(std::string_view text) {
  std::string word(Trim(text));
  for (char& c : word) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  const auto begins = [&](std::string_view whole) { return !word.empty() && whole.substr(0, word.size()) == word; };
  if (begins("true") || begins("yes") || word == "on" || word == "1") return Datum(true);
  if (begins("false") || begins("no") || word == "of" || word == "off" || word == "0") return Datum(false);
  return SyntaxError(SqlType::kBool, text);
}

// Length of the well-formed UTF-8 sequence at the front, 0 if there is none. REQUIRES: not empty
size_t Utf8SequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; };
  const auto follows = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const uint8_t first = byte(0);
  if (first == 0) return 0;
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (first == 0xE0 && byte(1) < 0xA0) return 0;   // overlong
    if (first == 0xED && byte(1) >= 0xA0) return 0;  // surrogate
    return follows(1) && follows(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    if (first == 0xF4 && byte(1) >= 0x90) return 0;
    return follows(1) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

absl::StatusOr<std::string> ParseText(std::string_view text) {
  for (std::string_view rest = text; !rest.empty();) {
    const size_t length = Utf8SequenceLength(rest);
    if (length == 0) {
      return SqlError(
          sqlstate::kCharacterNotInRepertoire,
          fmt::format("invalid byte sequence for encoding \"UTF8\": 0x{:02x}", static_cast<uint8_t>(rest.front())));
    }
    rest.remove_prefix(length);
  }
  return std::string(text);
}

// At most kIdentifierBytesMax bytes of whole characters.
std::string NameFrom(std::string text) {
  if (text.size() <= kIdentifierBytesMax) return text;
  size_t end = kIdentifierBytesMax;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
  return text;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

absl::StatusOr<Datum> ParseHexBytes(std::string_view digits) {
  Bytes bytes;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (IsSpace(digits[i])) continue;
    const int high = HexDigit(digits[i]);
    if (high < 0) {
      return SqlError(sqlstate::kInvalidParameterValue, fmt::format("invalid hexadecimal digit: \"{}\"", digits[i]));
    }
    if (++i == digits.size()) {
      return SqlError(sqlstate::kInvalidParameterValue, "invalid hexadecimal data: odd number of digits");
    }
    const int low = HexDigit(digits[i]);
    if (low < 0) {
      return SqlError(sqlstate::kInvalidParameterValue, fmt::format("invalid hexadecimal digit: \"{}\"", digits[i]));
    }
    bytes.bytes.push_back(static_cast<char>(high << 4 | low));
  }
  return Datum(std::move(bytes));
}

absl::StatusOr<Datum> ParseBytes(std::string_view text) {
  if (text.starts_with("\\x")) return ParseHexBytes(text.substr(2));
  Bytes bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes.bytes.push_back(text[i]);
    } else if (i + 1 < text.size() && text[i + 1] == '\\') {
      bytes.bytes.push_back('\\');
      ++i;
    } else {
      int value = 0;
      const bool octal = i + 3 < text.size() && text[i + 1] <= '3' &&
                         text.substr(i + 1, 3).find_first_not_of("01234567") == std::string_view::npos;
      if (!octal) return SqlError(sqlstate::kInvalidTextRepresentation, "invalid input syntax for type bytea");
      for (int digit = 1; digit <= 3; ++digit) value = value * 8 + (text[i + digit] - '0');
      bytes.bytes.push_back(static_cast<char>(value));
      i += 3;
    }
  }
  return Datum(std::move(bytes));
}

absl::StatusOr<Datum> ParseUuid(std::string_view text) {
  std::string_view in = text;
  const bool braces = in.starts_with('{');
  if (braces) in.remove_prefix(1);
  Uuid uuid;
  for (size_t i = 0; i < uuid.bytes.size(); ++i) {
    if (in.size() < 2 || HexDigit(in[0]) < 0 || HexDigit(in[1]) < 0) return SyntaxError(SqlType::kUuid, text);
    uuid.bytes[i] = static_cast<uint8_t>(HexDigit(in[0]) << 4 | HexDigit(in[1]));
    in.remove_prefix(2);
    if (i % 2 == 1 && i + 1 < uuid.bytes.size() && in.starts_with('-')) in.remove_prefix(1);
  }
  if (in != (braces ? "}" : "")) return SyntaxError(SqlType::kUuid, text);
  return Datum(uuid);
}

class ArrayParser {
 public:
  ArrayParser(SqlType element, std::string_view text, const TimeZone& zone)
      : element_(element), text_(text), zone_(zone), in_(Trim(text)) {}

  absl::StatusOr<Datum> Parse() {
    if (in_.empty() || in_.front() == '[') return in_.empty() ? Malformed() : Unsupported();
    if (!Take('{')) return Malformed();
    std::vector<Datum> values;
    SkipSpace();
    if (Take('}')) return in_.empty() ? absl::StatusOr<Datum>(MakeArray({})) : Malformed();
    do {
      SkipSpace();
      if (!in_.empty() && in_.front() == '{') return Unsupported();
      RETURN_IF_ERROR(Item(&values));
      SkipSpace();
    } while (Take(','));
    if (!Take('}') || !in_.empty()) return Malformed();
    return Datum(MakeArray(std::move(values)));
  }

 private:
  absl::Status Malformed() const {
    return SqlError(sqlstate::kInvalidTextRepresentation, fmt::format("malformed array literal: \"{}\"", text_));
  }
  static absl::Status Unsupported() {
    return SqlError(sqlstate::kFeatureNotSupported, "an array of more than one dimension is not supported");
  }
  void SkipSpace() {
    while (!in_.empty() && IsSpace(in_.front())) in_.remove_prefix(1);
  }
  bool Take(char c) {
    if (in_.empty() || in_.front() != c) return false;
    in_.remove_prefix(1);
    return true;
  }

  absl::Status Item(std::vector<Datum>* values) {
    std::string item;
    bool quoted = false;
    size_t kept = 0;  // blanks after this are not part of it
    while (!in_.empty() && (quoted || (in_.front() != ',' && in_.front() != '}'))) {
      const char c = in_.front();
      in_.remove_prefix(1);
      if (c == '"') {
        if (!quoted && kept > 0 && !was_quoted_) return Malformed();
        quoted = !quoted;
        was_quoted_ = true;
        kept = item.size();
      } else if (c == '\\') {
        if (in_.empty()) return Malformed();
        item.push_back(in_.front());
        in_.remove_prefix(1);
        kept = item.size();
      } else if (!quoted && c == '{') {
        return Malformed();
      } else {
        item.push_back(c);
        if (quoted || !IsSpace(c)) kept = item.size();
      }
    }
    if (in_.empty() || quoted) return Malformed();
    const bool literal = std::exchange(was_quoted_, false);
    item.resize(kept);
    if (!literal && item.empty()) return Malformed();
    const bool null = !literal && item.size() == 4 && (item[0] | 0x20) == 'n' && (item[1] | 0x20) == 'u' &&
                      (item[2] | 0x20) == 'l' && (item[3] | 0x20) == 'l';
    values->emplace_back();
    if (null) return absl::OkStatus();
    ASSIGN_OR_RETURN(values->back(), FromText(element_, item, zone_));
    return absl::OkStatus();
  }

  const SqlType element_;
  const std::string_view text_;
  const TimeZone& zone_;
  std::string_view in_;
  bool was_quoted_ = false;
};

absl::StatusOr<Datum> ParseVector(SqlType element, std::string_view text) {
  std::vector<Datum> values;
  for (std::string_view rest = Trim(text); !rest.empty(); rest = Trim(rest)) {
    const size_t end = std::min(rest.find(' '), rest.size());
    ASSIGN_OR_RETURN(values.emplace_back(), ParseInteger(element, rest.substr(0, end)));
    rest.remove_prefix(end);
  }
  return Datum(MakeArray(std::move(values), ArrayForm::kVector));
}

absl::StatusOr<Datum> ParseRegtype(std::string_view text) {
  std::string_view trimmed = Trim(text);
  if (absl::StatusOr<Datum> oid = ParseInteger(SqlType::kOid, trimmed); oid.ok()) {
    const int64_t number = std::get<int64_t>(*oid);
    const std::optional<SqlType> type = TypeOfOid(static_cast<uint32_t>(number));
    return Datum(ObjectName{number, type ? FormatType({.type = *type}) : ""});
  }
  ASSIGN_OR_RETURN(const ColumnType type, ResolveTypeText(trimmed));
  return Datum(ObjectName{static_cast<int64_t>(type.type), std::string(TypeName(type.type))});
}

template <typename Value>
absl::StatusOr<Datum> AsDatum(absl::StatusOr<Value> value) {
  if (!value.ok()) return std::move(value).status();
  return Datum(*std::move(value));
}

absl::StatusOr<Datum> ParseOther(SqlType type, std::string_view text, const TimeZone& zone) {
  switch (type) {
    case SqlType::kInt2Vector:
    case SqlType::kOidVector:
      return ParseVector(ElementType(type), text);
    case SqlType::kRegtype:
      return ParseRegtype(text);
    case SqlType::kVoid:
      return Datum(std::string());
    case SqlType::kAclItem:
    case SqlType::kNodeTree:
    case SqlType::kRecord:
      return SqlError(sqlstate::kFeatureNotSupported, fmt::format("cannot accept a value of type {}", TypeName(type)));
    default:
      break;
  }
  if (const SqlType element = ElementType(type); element != SqlType::kUnknown)
    return ArrayParser(element, text, zone).Parse();
  // Only a number says what it means without a catalog.
  if (absl::StatusOr<Datum> oid = ParseInteger(SqlType::kOid, text); oid.ok()) {
    return Datum(ObjectName{std::get<int64_t>(*oid), ""});
  }
  return SqlError(sqlstate::kFeatureNotSupported, fmt::format("a name as {} is not supported here", TypeName(type)));
}

}  // namespace

absl::StatusOr<Datum> FromText(SqlType type, std::string_view text, const TimeZone& zone) {
  switch (type) {
    case SqlType::kBool:
      return ParseBool(text);
    case SqlType::kInt2:
    case SqlType::kInt4:
    case SqlType::kInt8:
    case SqlType::kOid:
    case SqlType::kXid:
      return ParseInteger(type, text);
    case SqlType::kText:
    case SqlType::kVarchar:
    case SqlType::kUnknown:
      return AsDatum(ParseText(text));
    case SqlType::kName: {
      ASSIGN_OR_RETURN(std::string name, ParseText(text));
      return Datum(NameFrom(std::move(name)));
    }
    case SqlType::kChar: {
      ASSIGN_OR_RETURN(std::string character, ParseText(text));
      character.resize(std::min<size_t>(character.size(), 1));
      return Datum(std::move(character));
    }
    case SqlType::kBpchar: {
      ASSIGN_OR_RETURN(std::string padded, ParseText(text));
      return Datum(Bpchar{std::move(padded)});
    }
    case SqlType::kNumeric:
      return AsDatum(ParseNumeric(text));
    case SqlType::kFloat4:
      return AsDatum(ParseFloat(text));
    case SqlType::kFloat8:
      return AsDatum(ParseDouble(text));
    case SqlType::kTimestampTz:
      return AsDatum(ParseTimestampTz(text, zone));
    case SqlType::kTimestamp:
      return AsDatum(ParseLocalTimestamp(text));
    case SqlType::kDate:
      return AsDatum(ParseDate(text));
    case SqlType::kInterval:
      return AsDatum(ParseInterval(text));
    case SqlType::kBytea:
      return ParseBytes(text);
    case SqlType::kUuid:
      return ParseUuid(text);
    case SqlType::kJson:
      RETURN_IF_ERROR(CheckJson(text));
      return AsDatum(ParseText(text));
    case SqlType::kJsonb: {
      RETURN_IF_ERROR(ParseText(text).status());
      ASSIGN_OR_RETURN(std::string normal, NormalizeJson(text));
      return Datum(Jsonb{std::move(normal)});
    }
    default:
      return ParseOther(type, text, zone);
  }
}

}  // namespace anabranch
