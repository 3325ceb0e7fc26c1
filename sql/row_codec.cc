#include "sql/row_codec.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "base/coding.h"
#include "base/status.h"

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

enum ValueKind : uint64_t { kVarintValue = 0, kBytesValue = 1 };
constexpr uint64_t kNullTag = 0;  // column id 0, kVarintValue

absl::Status Corrupt(const Table& table, std::string_view what) {
  return SqlError(sqlstate::kDataCorrupted, fmt::format("a row of table \"{}\" is corrupt: {}", table.name, what));
}

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

uint64_t ZigZag(int64_t value) { return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63); }
int64_t UnZigZag(uint64_t value) { return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1); }

std::string NumericBytes(const Numeric& value) {
  std::string bytes;
  PutVarint(&bytes, ZigZag(value.scale));
  bytes.push_back(value.unscaled < 0 ? 1 : 0);
  if (value.unscaled != 0) export_bits(cpp_int(abs(value.unscaled)), std::back_inserter(bytes), 8);
  return bytes;
}

bool NumericFromBytes(std::string_view bytes, Numeric* value) {
  uint64_t scale = 0;
  if (!TakeVarint(&bytes, &scale) || bytes.empty()) return false;
  const bool negative = bytes.front() != 0;
  bytes.remove_prefix(1);
  value->scale = static_cast<int>(UnZigZag(scale));
  value->unscaled = 0;
  if (value->scale < 0 || value->scale > kNumericDigitsMax) return false;
  if (!bytes.empty()) {
    const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
    import_bits(value->unscaled, data, data + bytes.size(), 8);
  }
  if (negative) value->unscaled = -value->unscaled;
  return true;
}

void PutTag(uint32_t column_id, ValueKind kind, std::string* value) {
  PutVarint(value, static_cast<uint64_t>(column_id) << 1 | kind);
}

void PutColumn(uint32_t id, const Datum& datum, std::string* out) {
  if (const int64_t* integer = std::get_if<int64_t>(&datum)) {
    PutTag(id, kVarintValue, out);
    PutVarint(out, ZigZag(*integer));
  } else if (const bool* boolean = std::get_if<bool>(&datum)) {
    PutTag(id, kVarintValue, out);
    PutVarint(out, ZigZag(*boolean ? 1 : 0));
  } else if (const TimestampTz* time = std::get_if<TimestampTz>(&datum)) {
    PutTag(id, kVarintValue, out);
    PutVarint(out, ZigZag(time->us));
  } else if (const std::string* text = std::get_if<std::string>(&datum)) {
    PutTag(id, kBytesValue, out);
    PutLengthPrefixed(out, *text);
  } else if (const Numeric* numeric = std::get_if<Numeric>(&datum)) {
    PutTag(id, kBytesValue, out);
    PutLengthPrefixed(out, NumericBytes(*numeric));
  }
}

bool FromVarint(SqlType type, int64_t value, Datum* datum) {
  switch (type) {
    case SqlType::kBool:
      *datum = value != 0;
      return true;
    case SqlType::kInt4:
    case SqlType::kInt8:
      *datum = value;
      return true;
    case SqlType::kTimestampTz:
      *datum = TimestampTz{value};
      return true;
    default:
      return false;
  }
}

bool FromBytes(SqlType type, std::string_view bytes, Datum* datum) {
  if (type == SqlType::kText) {
    *datum = std::string(bytes);
    return true;
  }
  Numeric numeric;
  if (type != SqlType::kNumeric || !NumericFromBytes(bytes, &numeric)) return false;
  *datum = std::move(numeric);
  return true;
}

bool InValue(const Table& table, size_t position) {
  return table.columns[position].type == SqlType::kNumeric ||
         std::find(table.primary_key.begin(), table.primary_key.end(), static_cast<int>(position)) ==
             table.primary_key.end();
}

std::optional<size_t> PositionOf(const Table& table, uint64_t column_id) {
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (table.columns[i].id == column_id) return i;
  }
  return std::nullopt;
}

absl::Status DecodeValue(const Table& table, std::string_view value, Row* row) {
  size_t position = 0;  // of the next column that may come: ids ascend in both
  while (!value.empty()) {
    uint64_t tag = 0;
    uint64_t bits = 0;
    std::string_view bytes;
    if (!TakeVarint(&value, &tag)) return Corrupt(table, "bad tag");
    const bool is_bytes = (tag & 1) == kBytesValue;
    if (is_bytes ? !TakeLengthPrefixed(&value, &bytes) : !TakeVarint(&value, &bits)) return Corrupt(table, "cut short");
    if (tag == kNullTag) {
      if (const std::optional<size_t> null = PositionOf(table, bits)) (*row)[*null] = Null{};
      continue;
    }
    while (position < table.columns.size() && table.columns[position].id < tag >> 1) ++position;
    if (position == table.columns.size() || table.columns[position].id != tag >> 1) continue;  // a column dropped since
    const SqlType type = table.columns[position].type;
    Datum* datum = &(*row)[position];
    if (is_bytes ? !FromBytes(type, bytes, datum) : !FromVarint(type, UnZigZag(bits), datum)) {
      return Corrupt(table, fmt::format("column \"{}\" holds another type", table.columns[position].name));
    }
  }
  return absl::OkStatus();
}

}  // namespace

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
      if (!TakeTextPart(in, &text)) return false;
      *datum = std::move(text);
      return true;
    case SqlType::kNumeric:
      return SkipNumericPart(in);  // the value has it
    default:
      return TakeIntegerPart(in, &integer) && FromVarint(type, integer, datum);
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
  if (const std::string* text = std::get_if<std::string>(&value)) return PutTextPart(*text, key);
  if (const bool* boolean = std::get_if<bool>(&value)) return key->push_back(*boolean ? kTruePart : kFalsePart);
  if (const TimestampTz* time = std::get_if<TimestampTz>(&value)) return PutIntegerPart(time->us, key);
  const Numeric* numeric = std::get_if<Numeric>(&value);
  CHECK(numeric != nullptr, "a key part must be a value of a column type");
  PutNumericPart(*numeric, key);
}

std::string PrefixEnd(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xFF') prefix.pop_back();
  if (!prefix.empty()) ++prefix.back();
  return prefix;
}

std::string EncodeRowKey(const Table& table, const Row& row) {
  std::string key = TablePrefix(table.id);
  for (const int position : table.primary_key) EncodeKeyPart(row[position], &key);
  return key;
}

std::string EncodeHiddenRowKey(const Table& table, uint64_t row_id) {
  std::string key = TablePrefix(table.id);
  PutIntegerPart(static_cast<int64_t>(row_id), &key);
  return key;
}

std::string EncodeRowValue(const Table& table, const Row& row) {
  std::string value;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (!IsNull(row[i]) || !table.columns[i].missing_value) continue;
    PutVarint(&value, kNullTag);
    PutVarint(&value, table.columns[i].id);
  }
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (!IsNull(row[i]) && InValue(table, i)) PutColumn(table.columns[i].id, row[i], &value);
  }
  return value;
}

absl::Status DecodeRow(const Table& table, std::string_view key, std::string_view value, Row* row) {
  for (size_t i = 0; i < table.columns.size(); ++i) (*row)[i] = table.columns[i].missing_value.value_or(Null{});
  const std::string prefix = TablePrefix(table.id);
  if (key.substr(0, prefix.size()) != prefix) return Corrupt(table, "its key is another table's");
  key.remove_prefix(prefix.size());
  for (const int position : table.primary_key) {
    if (!TakeKeyPart(table.columns[position].type, &key, &(*row)[position])) return Corrupt(table, "bad key");
  }
  return DecodeValue(table, value, row);
}

}  // namespace anabranch
