// The parts of keys (sql/stored/row_codec.h).
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "base/status.h"
#include "sql/stored/row_codec.h"
#include "sql/value/datetime.h"
#include "sql/value/json_text.h"

namespace anabranch {
namespace {

using boost::multiprecision::cpp_int;

constexpr char kFalsePart = 1;
constexpr char kTruePart = 2;
constexpr char kNegativePart = 1;
constexpr char kZeroPart = 2;
constexpr char kPositivePart = 3;
constexpr char kDigitsEnd = 1;
constexpr uint8_t kPositiveTag = 0x80;
constexpr uint8_t kNegativeTag = 0x7F;
// In front of parts that might begin with FF, which is for null.
constexpr char kRawPart = 1;
constexpr char kArrayEnd = 1;
constexpr char kArrayValue = 2;
constexpr char kArrayNull = 3;

void PutBigEndian(uint64_t value, int bytes, std::string* out) {
  for (int i = bytes - 1; i >= 0; --i) out->push_back(static_cast<char>(value >> (8 * i)));
}

int SignificantBytes(uint64_t value) {
  int bytes = 0;
  for (; value != 0; value >>= 8) ++bytes;
  return bytes;
}

void PutIntegerPart(int64_t value, std::string* key) {
  if (value >= 0) {
    const int bytes = SignificantBytes(static_cast<uint64_t>(value));
    key->push_back(static_cast<char>(kPositiveTag + bytes));
    PutBigEndian(static_cast<uint64_t>(value), bytes, key);
    return;
  }
  const int bytes = SignificantBytes(~static_cast<uint64_t>(value));
  key->push_back(static_cast<char>(kNegativeTag - bytes));
  PutBigEndian(static_cast<uint64_t>(value), bytes, key);  // two's complement is the inverse of ~value
}

bool TakeIntegerPart(std::string_view* in, int64_t* value) {
  if (in->empty()) return false;
  const uint8_t tag = static_cast<uint8_t>(in->front());
  const bool negative = tag <= kNegativeTag;
  const int bytes = negative ? kNegativeTag - tag : tag - kPositiveTag;
  if (bytes > 8 || in->size() < static_cast<size_t>(bytes) + 1) return false;
  uint64_t bits = negative ? UINT64_MAX : 0;
  for (int i = 1; i <= bytes; ++i) bits = bits << 8 | static_cast<uint8_t>((*in)[i]);
  *value = static_cast<int64_t>(bits);
  in->remove_prefix(bytes + 1);
  return true;
}

void PutTextPart(std::string_view text, std::string* key) {
  for (const char c : text) {
    key->push_back(c);
    if (c == 0) key->push_back('\xFF');
  }
  key->append({'\0', '\x01'});
}

bool TakeTextPart(std::string_view* in, std::string* text) {
  text->clear();
  for (size_t i = 0; i + 1 < in->size(); ++i) {
    if ((*in)[i] != 0) {
      text->push_back((*in)[i]);
      continue;
    }
    if ((*in)[i + 1] == '\x01') {
      in->remove_prefix(i + 2);
      return true;
    }
    if ((*in)[i + 1] != '\xFF') return false;
    text->push_back('\0');
    ++i;
  }
  return false;
}

void PutNumericPart(const Numeric& value, std::string* key) {
  if (value.unscaled == 0) {
    key->push_back(kZeroPart);
    return;
  }
  std::string digits = cpp_int(abs(value.unscaled)).str();
  const int64_t exponent = static_cast<int64_t>(digits.size()) - value.scale;  // 0.digits * 10^exponent
  digits.erase(digits.find_last_not_of('0') + 1);
  std::string magnitude;
  PutIntegerPart(exponent, &magnitude);
  for (const char digit : digits) magnitude.push_back(static_cast<char>(digit - '0' + 2));
  magnitude.push_back(kDigitsEnd);
  const bool negative = value.unscaled < 0;
  key->push_back(negative ? kNegativePart : kPositivePart);
  for (const char c : magnitude) key->push_back(static_cast<char>(negative ? ~c : c));
}

bool SkipNumericPart(std::string_view* in) {
  if (in->empty()) return false;
  const char sign = in->front();
  in->remove_prefix(1);
  if (sign == kZeroPart) return true;
  if (sign != kNegativePart && sign != kPositivePart) return false;
  const uint8_t flip = sign == kNegativePart ? 0xFF : 0;
  if (in->empty()) return false;
  const uint8_t tag = static_cast<uint8_t>(in->front()) ^ flip;
  const size_t exponent_bytes = 1 + (tag <= kNegativeTag ? kNegativeTag - tag : tag - kPositiveTag);
  if (in->size() < exponent_bytes) return false;
  in->remove_prefix(exponent_bytes);
  const size_t end = in->find(static_cast<char>(static_cast<uint8_t>(kDigitsEnd) ^ flip));
  if (end == std::string_view::npos) return false;
  in->remove_prefix(end + 1);
  return true;
}

// The bits of a number so that they order as the numbers do: of a positive one with the sign set, of a negative one
// inverted.
template <typename Bits, typename Float>
void PutFloatPart(Float value, std::string* key) {
  constexpr Bits kSign = Bits{1} << (8 * sizeof(Bits) - 1);
  if (std::isnan(value)) value = std::numeric_limits<Float>::quiet_NaN();
  if (value == 0) value = 0;  // minus zero
  const Bits bits = std::bit_cast<Bits>(value);
  key->push_back(kRawPart);
  PutBigEndian((bits & kSign) != 0 ? static_cast<Bits>(~bits) : (bits | kSign), sizeof(Bits), key);
}

// What it compares by: whole days, then the time of the last one.
void PutIntervalPart(const Interval& value, std::string* key) {
  const int64_t days = FloorDivide(value.us, kDayUs);
  PutIntegerPart(int64_t{value.months} * kDaysPerMonth + value.days + days, key);
  PutIntegerPart(value.us - days * kDayUs, key);
}

void PutArrayPart(const ArrayItems& array, std::string* key) {
  for (const Datum& value : array.values) {
    key->push_back(IsNull(value) ? kArrayNull : kArrayValue);
    if (!IsNull(value)) EncodeKeyPart(value, key);
  }
  key->push_back(kArrayEnd);
}

struct KeyPartWriter {
  std::string* key;
  void operator()(const Null&) const { CHECK(false, "null has no key part"); }
  void operator()(bool value) const { key->push_back(value ? kTruePart : kFalsePart); }
  void operator()(int64_t value) const { PutIntegerPart(value, key); }
  void operator()(const std::string& value) const { PutTextPart(value, key); }
  void operator()(const Numeric& value) const { PutNumericPart(value, key); }
  void operator()(TimestampTz value) const { PutIntegerPart(value.us, key); }
  void operator()(const Interval& value) const { PutIntervalPart(value, key); }
  void operator()(float value) const { PutFloatPart<uint32_t>(value, key); }
  void operator()(double value) const { PutFloatPart<uint64_t>(value, key); }
  void operator()(const Bytes& value) const {
    key->push_back(kRawPart);
    PutTextPart(value.bytes, key);
  }
  void operator()(Date value) const { PutIntegerPart(value.days, key); }
  void operator()(LocalTimestamp value) const { PutIntegerPart(value.us, key); }
  void operator()(const Uuid& value) const {
    key->push_back(kRawPart);
    key->append(value.bytes.begin(), value.bytes.end());
  }
  void operator()(const Bpchar& value) const { PutTextPart(value.trimmed(), key); }
  void operator()(const Jsonb& value) const { PutTextPart(JsonEqualityText(value.text), key); }
  void operator()(const ObjectName& value) const { PutIntegerPart(value.oid, key); }
  void operator()(const Array& value) const { PutArrayPart(*value.items, key); }
};

bool SkipBytes(size_t count, std::string_view* in) {
  if (in->size() < count) return false;
  in->remove_prefix(count);
  return true;
}

bool SkipArrayPart(SqlType element, std::string_view* in) {
  Datum skipped;
  while (!in->empty()) {
    const char kind = in->front();
    in->remove_prefix(1);
    if (kind == kArrayEnd) return true;
    if (kind == kArrayNull) continue;
    if (kind != kArrayValue || !TakeKeyPart(element, in, &skipped)) return false;
  }
  return false;
}

bool TakeRawPart(SqlType type, std::string_view* in, Datum* datum) {
  if (in->empty() || in->front() != kRawPart) return false;
  in->remove_prefix(1);
  if (type == SqlType::kBytea) {
    Bytes bytes;
    if (!TakeTextPart(in, &bytes.bytes)) return false;
    *datum = std::move(bytes);
    return true;
  }
  if (type != SqlType::kUuid) return SkipBytes(type == SqlType::kFloat4 ? sizeof(float) : sizeof(double), in);
  Uuid uuid;
  if (in->size() < uuid.bytes.size()) return false;
  std::copy_n(in->begin(), uuid.bytes.size(), uuid.bytes.begin());
  *datum = uuid;
  return SkipBytes(uuid.bytes.size(), in);
}

}  // namespace

bool KeyPartHoldsValue(SqlType type) {
  switch (type) {
    case SqlType::kNumeric:  // its scale
    case SqlType::kBpchar:   // its blanks
    case SqlType::kFloat4:   // the sign of zero
    case SqlType::kFloat8:
    case SqlType::kInterval:  // 30 days or a month
      return false;
    default:
      return !IsArray(type);
  }
}

absl::Status CheckKeyType(SqlType type) {
  if (type == SqlType::kJson) {
    return SqlError(
        sqlstate::kUndefinedObject,
        fmt::format("data type {} has no default operator class for access method \"btree\"", TypeName(type)),
        "You must specify an operator class for the index or define a default operator class for the data type.");
  }
  if (type == SqlType::kJsonb) {
    return SqlError(sqlstate::kFeatureNotSupported, "a key or index column of type jsonb is not supported");
  }
  return absl::OkStatus();
}

bool TakeKeyPart(SqlType type, std::string_view* in, Datum* datum) {
  int64_t integer = 0;
  std::string text;
  switch (type) {
    case SqlType::kBool:
      if (in->empty()) return false;
      *datum = in->front() == kTruePart;
      in->remove_prefix(1);
      return true;
    case SqlType::kText:
    case SqlType::kVarchar:
    case SqlType::kName:
    case SqlType::kChar:
      if (!TakeTextPart(in, &text)) return false;
      *datum = std::move(text);
      return true;
    case SqlType::kBpchar:
      return TakeTextPart(in, &text);
    case SqlType::kNumeric:
      return SkipNumericPart(in);
    case SqlType::kBytea:
    case SqlType::kUuid:
    case SqlType::kFloat4:
    case SqlType::kFloat8:
      return TakeRawPart(type, in, datum);
    case SqlType::kInterval:
      return TakeIntegerPart(in, &integer) && TakeIntegerPart(in, &integer);
    default:
      if (IsArray(type)) return SkipArrayPart(ElementType(type), in);
      return TakeIntegerPart(in, &integer) && IntegerDatum(type, integer, datum);
  }
}

std::string TablePrefix(uint64_t table_id) {
  std::string prefix;
  if (table_id < 0xF0) {
    prefix.push_back(static_cast<char>(table_id));
    return prefix;
  }
  const int bytes = SignificantBytes(table_id);
  prefix.push_back(static_cast<char>(0xF0 + bytes));
  PutBigEndian(table_id, bytes, &prefix);
  return prefix;
}

void EncodeKeyPart(const Datum& value, std::string* key) {
  if (const int64_t* integer = std::get_if<int64_t>(&value)) return PutIntegerPart(*integer, key);
  std::visit(KeyPartWriter{key}, value);
}

std::string PrefixEnd(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xFF') prefix.pop_back();
  if (!prefix.empty()) ++prefix.back();
  return prefix;
}

}  // namespace anabranch
