#include "sql/value/json_text.h"

#include <algorithm>
#include <vector>

#include "base/status.h"
#include "fmt/format.h"
#include "sql/value/numeric.h"
#include "sql/value/utf8.h"

namespace anabranch {
namespace {

constexpr int kJsonDepthMax = 1000;

enum class JsonKind { kNull, kString, kNumber, kBoolean, kArray, kObject };

struct JsonValue {
  JsonKind kind = JsonKind::kNull;
  std::string_view source;        // as it was spelled
  std::string text;               // kString: unescaped; kNumber: as spelled; kBoolean: true or false
  std::vector<std::string> keys;  // kObject, of `items`
  std::vector<JsonValue> items;
};

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

absl::Status BadJson() { return SqlError(sqlstate::kInvalidTextRepresentation, "invalid input syntax for type json"); }

class JsonParser {
 public:
  // What escapes mean is checked only where they are decoded: json keeps them as they are.
  enum class Escapes { kKeep, kDecode };
  JsonParser(std::string_view text, Escapes escapes) : in_(text), decode_(escapes == Escapes::kDecode) {}

  absl::StatusOr<JsonValue> Parse() {
    ASSIGN_OR_RETURN(JsonValue value, Value(0));
    SkipSpace();
    if (!in_.empty()) return BadJson();
    return value;
  }

 private:
  void SkipSpace() {
    while (!in_.empty() && IsSpace(in_.front())) in_.remove_prefix(1);
  }
  bool Take(char c) {
    SkipSpace();
    if (in_.empty() || in_.front() != c) return false;
    in_.remove_prefix(1);
    return true;
  }

  absl::StatusOr<JsonValue> Value(int depth) {
    if (depth > kJsonDepthMax) return SqlError(sqlstate::kStatementTooComplex, "stack depth limit exceeded");
    SkipSpace();
    if (in_.empty()) return BadJson();
    const char* begin = in_.data();
    JsonValue value;
    if (Take('{')) {
      RETURN_IF_ERROR(Object(depth, &value));
    } else if (Take('[')) {
      RETURN_IF_ERROR(Items(depth, &value));
    } else if (in_.front() == '"') {
      value.kind = JsonKind::kString;
      ASSIGN_OR_RETURN(value.text, String());
    } else if (in_.front() == '-' || IsDigit(in_.front())) {
      RETURN_IF_ERROR(Number(&value));
    } else {
      RETURN_IF_ERROR(Word(&value));
    }
    value.source = std::string_view(begin, static_cast<size_t>(in_.data() - begin));
    return value;
  }

  absl::Status Object(int depth, JsonValue* value) {
    value->kind = JsonKind::kObject;
    if (Take('}')) return absl::OkStatus();
    do {
      SkipSpace();
      if (in_.empty() || in_.front() != '"') return BadJson();
      ASSIGN_OR_RETURN(value->keys.emplace_back(), String());
      if (!Take(':')) return BadJson();
      ASSIGN_OR_RETURN(value->items.emplace_back(), Value(depth + 1));
    } while (Take(','));
    return Take('}') ? absl::OkStatus() : BadJson();
  }

  absl::Status Items(int depth, JsonValue* value) {
    value->kind = JsonKind::kArray;
    if (Take(']')) return absl::OkStatus();
    do {
      ASSIGN_OR_RETURN(value->items.emplace_back(), Value(depth + 1));
    } while (Take(','));
    return Take(']') ? absl::OkStatus() : BadJson();
  }

  absl::Status Word(JsonValue* value) {
    for (const std::string_view word : {"null", "true", "false"}) {
      if (!in_.starts_with(word)) continue;
      in_.remove_prefix(word.size());
      value->kind = word == "null" ? JsonKind::kNull : JsonKind::kBoolean;
      value->text = word;
      return absl::OkStatus();
    }
    return BadJson();
  }

  bool TakeDigits() {
    const size_t digits = std::min(in_.find_first_not_of("0123456789"), in_.size());
    in_.remove_prefix(digits);
    return digits > 0;
  }

  absl::Status Number(JsonValue* value) {
    value->kind = JsonKind::kNumber;
    const char* begin = in_.data();
    if (in_.front() == '-') in_.remove_prefix(1);
    const bool leading_zero = in_.size() > 1 && in_[0] == '0' && IsDigit(in_[1]);
    if (leading_zero || !TakeDigits()) return BadJson();
    if (!in_.empty() && in_.front() == '.') {
      in_.remove_prefix(1);
      if (!TakeDigits()) return BadJson();
    }
    if (!in_.empty() && (in_.front() == 'e' || in_.front() == 'E')) {
      in_.remove_prefix(1);
      if (!in_.empty() && (in_.front() == '+' || in_.front() == '-')) in_.remove_prefix(1);
      if (!TakeDigits()) return BadJson();
    }
    value->text.assign(begin, static_cast<size_t>(in_.data() - begin));
    return absl::OkStatus();
  }

  absl::StatusOr<uint32_t> Hex4() {
    constexpr size_t kDigits = 4;
    if (in_.size() < kDigits) return BadJson();
    uint32_t code = 0;
    for (size_t i = 0; i < kDigits; ++i) {
      const char c = in_[i];
      const char lower = static_cast<char>(c | 0x20);
      if (!IsDigit(c) && (lower < 'a' || lower > 'f')) return BadJson();
      code = code << 4 | static_cast<uint32_t>(IsDigit(c) ? c - '0' : lower - 'a' + 10);
    }
    in_.remove_prefix(kDigits);
    return code;
  }

  absl::Status Unicode(std::string* out) {
    ASSIGN_OR_RETURN(uint32_t code, Hex4());
    if (!decode_) return absl::OkStatus();
    if (code == 0) return SqlError(sqlstate::kUntranslatableCharacter, "unsupported Unicode escape sequence");
    if (code >= 0xDC00 && code < 0xE000) return BadJson();
    if (code >= 0xD800 && code < 0xDC00) {
      if (!in_.starts_with("\\u")) return BadJson();
      in_.remove_prefix(2);
      ASSIGN_OR_RETURN(const uint32_t low, Hex4());
      if (low < 0xDC00 || low >= 0xE000) return BadJson();
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    AppendCharacter(code, out);
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> String() {
    in_.remove_prefix(1);
    std::string text;
    while (!in_.empty() && in_.front() != '"') {
      const char c = in_.front();
      in_.remove_prefix(1);
      if (static_cast<uint8_t>(c) < 0x20) return BadJson();
      if (c != '\\') {
        text.push_back(c);
        continue;
      }
      if (in_.empty()) return BadJson();
      const char escaped = in_.front();
      in_.remove_prefix(1);
      static constexpr std::string_view kFrom = "\"\\/bfnrt";
      static constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
      if (escaped == 'u') {
        RETURN_IF_ERROR(Unicode(&text));
      } else if (const size_t at = kFrom.find(escaped); at != std::string_view::npos) {
        text.push_back(kTo[at]);
      } else {
        return BadJson();
      }
    }
    if (in_.empty()) return BadJson();
    in_.remove_prefix(1);
    return text;
  }

  std::string_view in_;
  const bool decode_;
};

void AppendQuoted(std::string_view text, std::string* out) {
  out->push_back('"');
  for (const char c : text) {
    static constexpr std::string_view kFrom = "\"\\\b\f\n\r\t";
    static constexpr std::string_view kTo = "\"\\bfnrt";
    if (const size_t at = kFrom.find(c); at != std::string_view::npos) {
      out->push_back('\\');
      out->push_back(kTo[at]);
    } else if (static_cast<uint8_t>(c) < 0x20) {
      out->append(fmt::format("\\u{:04x}", static_cast<uint8_t>(c)));
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

bool KeyBefore(const std::string& a, const std::string& b) { return a.size() != b.size() ? a.size() < b.size() : a < b; }

enum class Zeros { kKeep, kDrop };  // after the last digit of a fraction that counts

absl::Status AppendNormal(const JsonValue& value, Zeros zeros, std::string* out) {
  switch (value.kind) {
    case JsonKind::kNull:
      out->append("null");
      break;
    case JsonKind::kBoolean:
      out->append(value.text);
      break;
    case JsonKind::kString:
      AppendQuoted(value.text, out);
      break;
    case JsonKind::kNumber: {
      ASSIGN_OR_RETURN(const Numeric number, ParseNumeric(value.text));
      std::string text = ToText(number);
      if (zeros == Zeros::kDrop && number.scale > 0) text.erase(text.find_last_not_of('0') + 1);
      if (text.back() == '.') text.pop_back();
      out->append(text);
      break;
    }
    case JsonKind::kArray:
      out->push_back('[');
      for (const JsonValue& item : value.items) {
        if (&item != &value.items.front()) out->append(", ");
        RETURN_IF_ERROR(AppendNormal(item, zeros, out));
      }
      out->push_back(']');
      break;
    case JsonKind::kObject: {
      std::vector<size_t> order(value.keys.size());
      for (size_t i = 0; i < order.size(); ++i) order[i] = i;
      std::stable_sort(order.begin(), order.end(),
                       [&](size_t a, size_t b) { return KeyBefore(value.keys[a], value.keys[b]); });
      out->push_back('{');
      bool first = true;
      for (size_t i = 0; i < order.size(); ++i) {
        if (i + 1 < order.size() && value.keys[order[i]] == value.keys[order[i + 1]]) continue;
        if (!first) out->append(", ");
        first = false;
        AppendQuoted(value.keys[order[i]], out);
        out->append(": ");
        RETURN_IF_ERROR(AppendNormal(value.items[order[i]], zeros, out));
      }
      out->push_back('}');
      break;
    }
  }
  return absl::OkStatus();
}

// null < string < number < boolean < array < object.
std::strong_ordering CompareValues(const JsonValue& a, const JsonValue& b) {
  if (a.kind != b.kind) return a.kind <=> b.kind;
  switch (a.kind) {
    case JsonKind::kNull:
      return std::strong_ordering::equal;
    case JsonKind::kString:
      return a.text.compare(b.text) <=> 0;
    case JsonKind::kBoolean:
      return (a.text == "true") <=> (b.text == "true");
    case JsonKind::kNumber:
      return *ParseNumeric(a.text) <=> *ParseNumeric(b.text);
    case JsonKind::kArray:
    case JsonKind::kObject:
      break;
  }
  if (a.items.size() != b.items.size()) return a.items.size() <=> b.items.size();
  for (size_t i = 0; i < a.items.size(); ++i) {
    if (!a.keys.empty() && a.keys[i] != b.keys[i]) return a.keys[i].compare(b.keys[i]) <=> 0;
    if (const std::strong_ordering order = CompareValues(a.items[i], b.items[i]); order != 0) return order;
  }
  return std::strong_ordering::equal;
}

}  // namespace

absl::Status CheckJson(std::string_view text) { return JsonParser(text, JsonParser::Escapes::kKeep).Parse().status(); }

absl::StatusOr<std::string> NormalizeJson(std::string_view text) {
  ASSIGN_OR_RETURN(const JsonValue value, JsonParser(text, JsonParser::Escapes::kDecode).Parse());
  std::string normal;
  RETURN_IF_ERROR(AppendNormal(value, Zeros::kKeep, &normal));
  return normal;
}

std::string JsonEqualityText(std::string_view text) {
  const absl::StatusOr<JsonValue> value = JsonParser(text, JsonParser::Escapes::kDecode).Parse();
  std::string reduced;
  if (!value.ok() || !AppendNormal(*value, Zeros::kDrop, &reduced).ok()) return std::string(text);
  return reduced;
}

std::strong_ordering CompareJson(std::string_view a, std::string_view b) {
  const absl::StatusOr<JsonValue> left = JsonParser(a, JsonParser::Escapes::kDecode).Parse();
  const absl::StatusOr<JsonValue> right = JsonParser(b, JsonParser::Escapes::kDecode).Parse();
  if (!left.ok() || !right.ok()) return a.compare(b) <=> 0;
  return CompareValues(*left, *right);
}

std::optional<std::string> JsonMember(std::string_view text, const JsonStep& step, JsonForm form) {
  const absl::StatusOr<JsonValue> value = JsonParser(text, JsonParser::Escapes::kDecode).Parse();
  if (!value.ok()) return std::nullopt;
  const JsonValue* member = nullptr;
  if (const std::string* key = std::get_if<std::string>(&step)) {
    for (size_t i = 0; i < value->keys.size(); ++i) {
      if (value->keys[i] == *key) member = &value->items[i];
    }
  } else if (value->kind == JsonKind::kArray) {
    const int64_t size = static_cast<int64_t>(value->items.size());
    const int64_t index = std::get<int64_t>(step) < 0 ? std::get<int64_t>(step) + size : std::get<int64_t>(step);
    if (index >= 0 && index < size) member = &value->items[static_cast<size_t>(index)];
  }
  if (member == nullptr) return std::nullopt;
  if (form == JsonForm::kJson) return std::string(member->source);
  if (member->kind == JsonKind::kNull) return std::nullopt;
  return member->kind == JsonKind::kString ? member->text : std::string(member->source);
}

std::string_view JsonTypeOf(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  switch (text.empty() ? 'n' : text.front()) {
    case '{':
      return "object";
    case '[':
      return "array";
    case '"':
      return "string";
    case 't':
    case 'f':
      return "boolean";
    case 'n':
      return "null";
    default:
      return "number";
  }
}

std::string JsonQuoted(std::string_view text) {
  std::string quoted;
  AppendQuoted(text, &quoted);
  return quoted;
}

}  // namespace anabranch
