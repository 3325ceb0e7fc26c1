#include "sql/stored/row_codec.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/coding.h"
#include "base/status.h"
#include "sql/value/utf8.h"

namespace anabranch {
namespace {

using boost::multiprecision::cpp_int;

enum ValueKind : uint64_t { kVarintValue = 0, kBytesValue = 1 };
constexpr uint64_t kNullTag = 0;  // column id 0, kVarintValue

absl::Status Corrupt(const Table& table, std::string_view what) {
  return SqlError(sqlstate::kDataCorrupted, fmt::format("a row of table \"{}\" is corrupt: {}", table.name, what));
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

std::string IntervalBytes(const Interval& value) {
  std::string bytes;
  PutVarint(&bytes, ZigZag(value.months));
  PutVarint(&bytes, ZigZag(value.days));
  PutVarint(&bytes, ZigZag(value.us));
  return bytes;
}

bool IntervalFromBytes(std::string_view bytes, Interval* value) {
  uint64_t months = 0, days = 0, us = 0;
  if (!TakeVarint(&bytes, &months) || !TakeVarint(&bytes, &days) || !TakeVarint(&bytes, &us)) return false;
  *value = {UnZigZag(us), static_cast<int32_t>(UnZigZag(days)), static_cast<int32_t>(UnZigZag(months))};
  return true;
}

template <typename Value>
std::string RawBytes(const Value& value) {
  std::string bytes(sizeof(value), '\0');
  std::memcpy(bytes.data(), &value, sizeof(value));
  return bytes;
}
template <typename Value>
bool FromRawBytes(std::string_view bytes, Datum* datum) {
  Value value;
  if (bytes.size() != sizeof(value)) return false;
  std::memcpy(&value, bytes.data(), sizeof(value));
  *datum = value;
  return true;
}

struct ColumnWriter {
  const Column& column;
  std::string* out;
  void Varint(int64_t value) const { Put(kVarintValue, ZigZag(value)); }
  void Raw(std::string_view bytes) const {
    Put(kBytesValue, bytes.size());
    out->append(bytes);
  }
  void Put(ValueKind kind, uint64_t number) const {
    char bytes[2 * kVarintBytesMax];
    char* const tag_end = EncodeVarint(bytes, uint64_t{column.id} << 1 | kind);
    out->append(bytes, EncodeVarint(tag_end, number) - bytes);
  }
  void operator()(const Null&) const {}
  void operator()(bool value) const { Varint(value ? 1 : 0); }
  void operator()(int64_t value) const { Varint(value); }
  void operator()(const std::string& value) const { Raw(value); }
  void operator()(const Numeric& value) const { Raw(NumericBytes(value)); }
  void operator()(TimestampTz value) const { Varint(value.us); }
  void operator()(const Interval& value) const { Raw(IntervalBytes(value)); }
  void operator()(float value) const { Raw(RawBytes(value)); }
  void operator()(double value) const { Raw(RawBytes(value)); }
  void operator()(const Bytes& value) const { Raw(value.bytes); }
  void operator()(Date value) const { Varint(value.days); }
  void operator()(LocalTimestamp value) const { Varint(value.us); }
  void operator()(const Uuid& value) const { Raw(RawBytes(value.bytes)); }
  void operator()(const Bpchar& value) const { Raw(column.modifier < 0 ? value.text : value.trimmed()); }
  void operator()(const Jsonb& value) const { Raw(value.text); }
  void operator()(const ObjectName& value) const { Varint(value.oid); }
  void operator()(const Array& value) const { Raw(ToText(Datum(value))); }
};

// char(n) with the blanks that are not stored.
Bpchar PaddedText(std::string_view text, int32_t modifier) {
  Bpchar padded{std::string(text)};
  if (modifier >= 0) padded.text.append(std::max<int64_t>(CharactersOf(modifier) - CharacterCount(text), 0), ' ');
  return padded;
}

bool FromBytes(const Column& column, std::string_view bytes, Datum* datum) {
  switch (column.type) {
    case SqlType::kText:
    case SqlType::kVarchar:
    case SqlType::kName:
    case SqlType::kChar:
    case SqlType::kJson:
      *datum = std::string(bytes);
      return true;
    case SqlType::kBpchar:
      *datum = PaddedText(bytes, column.modifier);
      return true;
    case SqlType::kJsonb:
      *datum = Jsonb{std::string(bytes)};
      return true;
    case SqlType::kBytea:
      *datum = Bytes{std::string(bytes)};
      return true;
    case SqlType::kFloat4:
      return FromRawBytes<float>(bytes, datum);
    case SqlType::kFloat8:
      return FromRawBytes<double>(bytes, datum);
    case SqlType::kUuid:
      return FromRawBytes<Uuid>(bytes, datum);
    case SqlType::kNumeric:
      return NumericFromBytes(bytes, &datum->emplace<Numeric>());
    case SqlType::kInterval:
      return IntervalFromBytes(bytes, &datum->emplace<Interval>());
    default:
      break;
  }
  if (!IsArray(column.type)) return false;
  absl::StatusOr<Datum> array = FromText(column.type, bytes);
  if (array.ok()) *datum = *std::move(array);
  return array.ok();
}

bool InValue(const Table& table, size_t position) {
  return !table.InPrimaryKey(static_cast<int>(position)) || !KeyPartHoldsValue(table.columns[position].type);
}

std::optional<size_t> PositionOf(const Table& table, uint64_t column_id) {
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (table.columns[i].id == column_id) return i;
  }
  return std::nullopt;
}

// One entry of a value.
struct ValueEntry {
  uint64_t tag = 0;
  uint64_t bits = 0;         // of a varint
  std::string_view bytes;    // else
  std::string_view encoded;  // all of it

  uint64_t column_id() const { return tag >> 1; }
  bool is_bytes() const { return (tag & 1) == kBytesValue; }
};

absl::Status TakeEntry(const Table& table, std::string_view* value, ValueEntry* entry) {
  const std::string_view before = *value;
  if (!TakeVarint(value, &entry->tag)) return Corrupt(table, "bad tag");
  const bool whole = entry->is_bytes() ? TakeLengthPrefixed(value, &entry->bytes) : TakeVarint(value, &entry->bits);
  if (!whole) return Corrupt(table, "cut short");
  entry->encoded = before.substr(0, before.size() - value->size());
  return absl::OkStatus();
}

// Whether the entry's column is at *position or after it; then *position is the column's. Ids ascend in both.
bool FindColumn(const Table& table, const ValueEntry& entry, size_t* position) {
  while (*position < table.columns.size() && table.columns[*position].id < entry.column_id()) ++*position;
  return *position < table.columns.size() && table.columns[*position].id == entry.column_id();
}

absl::Status DecodeEntry(const Table& table, const ValueEntry& entry, size_t position, Row* row) {
  const Column& column = table.columns[position];
  Datum* datum = &(*row)[position];
  const bool decoded =
      entry.is_bytes() ? FromBytes(column, entry.bytes, datum) : IntegerDatum(column.type, UnZigZag(entry.bits), datum);
  if (decoded) return absl::OkStatus();
  return Corrupt(table, fmt::format("column \"{}\" holds another type", column.name));
}

absl::Status DecodeValue(const Table& table, std::string_view value, Row* row) {
  size_t position = 0;
  ValueEntry entry;
  while (!value.empty()) {
    RETURN_IF_ERROR(TakeEntry(table, &value, &entry));
    if (entry.tag == kNullTag) {
      if (const std::optional<size_t> null = PositionOf(table, entry.bits)) (*row)[*null] = Null{};
    } else if (FindColumn(table, entry, &position)) {  // else a column dropped since
      RETURN_IF_ERROR(DecodeEntry(table, entry, position, row));
    }
  }
  return absl::OkStatus();
}

}  // namespace

bool IntegerDatum(SqlType type, int64_t value, Datum* datum) {
  switch (type) {
    case SqlType::kBool:
      *datum = value != 0;
      return true;
    case SqlType::kInt2:
    case SqlType::kInt4:
    case SqlType::kInt8:
    case SqlType::kOid:
      *datum = value;
      return true;
    case SqlType::kTimestampTz:
      *datum = TimestampTz{value};
      return true;
    case SqlType::kTimestamp:
      *datum = LocalTimestamp{value};
      return true;
    case SqlType::kDate:
      *datum = Date{static_cast<int32_t>(value)};
      return true;
    default:
      return false;
  }
}

std::string EncodeRowKey(const Table& table, const Row& row) {
  std::string key = TablePrefix(table.id);
  for (const int position : table.primary_key) EncodeKeyPart(row[position], &key);
  return key;
}

std::string EncodeHiddenRowKey(const Table& table, uint64_t row_id) {
  std::string key = TablePrefix(table.id);
  EncodeKeyPart(Datum(static_cast<int64_t>(row_id)), &key);
  return key;
}

std::string EncodeRowValue(const Table& table, const Row& row) {
  std::string value;
  AppendRowValue(table, row, &value);
  return value;
}

void AppendRowValue(const Table& table, const Row& row, std::string* value) {
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (!IsNull(row[i]) || !table.columns[i].missing_value) continue;
    PutVarint(value, kNullTag);
    PutVarint(value, table.columns[i].id);
  }
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (!IsNull(row[i]) && InValue(table, i)) std::visit(ColumnWriter{table.columns[i], value}, row[i]);
  }
}

absl::Status SplitRowValue(const Table& table, std::string_view value, Row* row, std::string* rest) {
  for (const int position : table.primary_key) (*row)[position] = Null{};
  size_t position = 0;
  ValueEntry entry;
  while (!value.empty()) {
    RETURN_IF_ERROR(TakeEntry(table, &value, &entry));
    if (!FindColumn(table, entry, &position)) continue;
    if (table.InPrimaryKey(static_cast<int>(position))) RETURN_IF_ERROR(DecodeEntry(table, entry, position, row));
    if (InValue(table, position)) rest->append(entry.encoded);
  }
  return absl::OkStatus();
}

absl::Status DecodeRow(const Table& table, std::string_view key, std::string_view value, Row* row) {
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (table.columns[i].missing_value) {
      (*row)[i] = *table.columns[i].missing_value;
    } else {
      (*row)[i] = Null{};
    }
  }
  const std::string prefix = TablePrefix(table.id);
  if (key.substr(0, prefix.size()) != prefix) return Corrupt(table, "its key is another table's");
  key.remove_prefix(prefix.size());
  for (const int position : table.primary_key) {
    if (!TakeKeyPart(table.columns[position].type, &key, &(*row)[position])) return Corrupt(table, "bad key");
  }
  return DecodeValue(table, value, row);
}

}  // namespace anabranch
