#include "sql/value/datum.h"

#include <cmath>

#include "fmt/format.h"
#include "sql/value/datetime.h"
#include "sql/value/float_text.h"
#include "sql/value/json_text.h"

namespace anabranch {
namespace {

std::strong_ordering CompareFloats(double a, double b) {
  // NaN equals itself and is above all.
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) <=> std::isnan(b);
  return a < b ? std::strong_ordering::less : a > b ? std::strong_ordering::greater : std::strong_ordering::equal;
}

void AppendUuid(const Uuid& uuid, std::string* out) {
  for (size_t i = 0; i < uuid.bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out->push_back('-');
    fmt::format_to(std::back_inserter(*out), "{:02x}", uuid.bytes[i]);
  }
}

void AppendHex(std::string_view bytes, std::string* out) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  out->append("\\x");
  for (const char c : bytes) {
    out->push_back(kDigits[static_cast<uint8_t>(c) >> 4]);
    out->push_back(kDigits[static_cast<uint8_t>(c) & 15]);
  }
}

bool NeedsQuotes(std::string_view item) {
  if (item.empty() || item.find_first_of("{}\",\\ \t\n\r\v\f") != std::string_view::npos) return true;
  constexpr std::string_view kNullWord = "null";
  if (item.size() != kNullWord.size()) return false;
  for (size_t i = 0; i < item.size(); ++i) {
    if ((item[i] | 0x20) != kNullWord[i]) return false;
  }
  return true;
}

void AppendArray(const ArrayItems& array, const TimeZone& zone, std::string* out) {
  const bool vector = array.form == ArrayForm::kVector;
  const bool record = array.form == ArrayForm::kRecord;
  if (array.form == ArrayForm::kFromZero && !array.values.empty()) {
    fmt::format_to(std::back_inserter(*out), "[0:{}]=", array.values.size() - 1);
  }
  if (!vector) out->push_back(record ? '(' : '{');
  for (size_t i = 0; i < array.values.size(); ++i) {
    if (i > 0) out->push_back(vector ? ' ' : ',');
    if (IsNull(array.values[i])) {
      if (!record) out->append("NULL");
      continue;
    }
    const std::string item = ToText(array.values[i], zone);
    if (vector || !NeedsQuotes(item)) {
      out->append(item);
      continue;
    }
    out->push_back('"');
    for (const char c : item) {
      if (c == '"' || c == '\\') out->push_back('\\');
      out->push_back(c);
    }
    out->push_back('"');
  }
  if (!vector) out->push_back(record ? ')' : '}');
}

struct TextAppender {
  const TimeZone& zone;
  std::string* out;
  void operator()(const Null&) const {}
  void operator()(bool value) const { out->push_back(value ? 't' : 'f'); }
  void operator()(int64_t value) const {
    const fmt::format_int text(value);
    out->append(text.data(), text.size());
  }
  void operator()(const std::string& value) const { out->append(value); }
  void operator()(const Numeric& value) const { out->append(ToText(value)); }
  void operator()(TimestampTz value) const { AppendTimestampTz(value, zone, out); }
  void operator()(const Interval& value) const { AppendInterval(value, out); }
  void operator()(float value) const { AppendFloat(value, out); }
  void operator()(double value) const { AppendFloat(value, out); }
  void operator()(const Bytes& value) const { AppendHex(value.bytes, out); }
  void operator()(Date value) const { AppendDate(value, out); }
  void operator()(LocalTimestamp value) const { AppendLocalTimestamp(value, out); }
  void operator()(const Uuid& value) const { AppendUuid(value, out); }
  void operator()(const Bpchar& value) const { out->append(value.text); }
  void operator()(const Jsonb& value) const { out->append(value.text); }
  void operator()(const ObjectName& value) const {
    value.name.empty() ? out->append(value.oid == 0 ? "-" : fmt::format_int(value.oid).str()) : out->append(value.name);
  }
  void operator()(const Array& value) const { AppendArray(*value.items, zone, out); }
};

__int128 SpanUs(const Interval& interval) {
  const int64_t days = int64_t{interval.months} * kDaysPerMonth + interval.days;
  return static_cast<__int128>(days) * kDayUs + interval.us;
}

}  // namespace

std::strong_ordering operator<=>(const Interval& a, const Interval& b) { return SpanUs(a) <=> SpanUs(b); }

std::string_view Bpchar::trimmed() const {
  const size_t last = text.find_last_not_of(' ');
  return std::string_view(text).substr(0, last == std::string::npos ? 0 : last + 1);
}

std::strong_ordering operator<=>(const Jsonb& a, const Jsonb& b) {
  if (a.text == b.text) return std::strong_ordering::equal;
  return CompareJson(a.text, b.text);
}

std::strong_ordering operator<=>(const Array& a, const Array& b) {
  const std::vector<Datum>& left = a.items->values;
  const std::vector<Datum>& right = b.items->values;
  for (size_t i = 0; i < left.size() && i < right.size(); ++i) {
    if (const std::strong_ordering order = Compare(left[i], right[i]); order != 0) return order;
  }
  return left.size() <=> right.size();
}

Array MakeArray(std::vector<Datum> values, ArrayForm form) {
  return {std::make_shared<const ArrayItems>(ArrayItems{std::move(values), form})};
}

void AppendText(const Datum& datum, const TimeZone& zone, std::string* out) { std::visit(TextAppender{zone, out}, datum); }

std::string ToText(const Datum& datum, const TimeZone& zone) {
  std::string text;
  AppendText(datum, zone, &text);
  return text;
}

std::strong_ordering Compare(const Datum& a, const Datum& b) {
  if (IsNull(a) || IsNull(b)) return IsNull(a) <=> IsNull(b);
  if (const int64_t* left = std::get_if<int64_t>(&a)) return *left <=> std::get<int64_t>(b);
  if (const std::string* left = std::get_if<std::string>(&a)) return left->compare(std::get<std::string>(b)) <=> 0;
  return std::visit(
      [&b](const auto& left) -> std::strong_ordering {
        using Value = std::decay_t<decltype(left)>;
        const Value& right = std::get<Value>(b);
        if constexpr (std::is_floating_point_v<Value>) {
          return CompareFloats(left, right);
        } else {
          return left <=> right;
        }
      },
      a);
}

}  // namespace anabranch
