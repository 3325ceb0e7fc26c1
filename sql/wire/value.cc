#include "sql/wire/value.h"

#include <algorithm>
#include <bit>

#include "base/status.h"
#include "fmt/format.h"
#include "sql/value/datetime.h"
#include "sql/value/type_name.h"

namespace anabranch {
namespace {

using boost::multiprecision::cpp_int;

constexpr int64_t kEpochDays = 10'957;  // from 1970 to 2000, where the wire counts from
constexpr int64_t kEpochUs = kEpochDays * kDayUs;
constexpr int kGroupDigits = 4;  // of a numeric on the wire
constexpr uint16_t kNegativeSign = 0x4000;
constexpr char kJsonbVersion = 1;

template <typename Integer>
void Put(Integer value, std::string* out) {
  const auto bits = static_cast<uint64_t>(value);
  for (int shift = 8 * (static_cast<int>(sizeof(Integer)) - 1); shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(bits >> shift));
  }
}

int64_t WireUs(int64_t us) { return IsInfinite(us) ? us : us - kEpochUs; }

// Groups of four digits on either side of the point, the first with the power of 10,000 it stands at.
void PutNumeric(const Numeric& value, std::string* out) {
  std::string digits = value.unscaled == 0 ? "" : cpp_int(abs(value.unscaled)).str();
  const size_t fraction = static_cast<size_t>(value.scale);
  if (digits.size() < fraction) digits.insert(0, fraction - digits.size(), '0');
  const size_t whole = digits.size() - fraction;
  digits.insert(0, (kGroupDigits - whole % kGroupDigits) % kGroupDigits, '0');
  digits.append((kGroupDigits - fraction % kGroupDigits) % kGroupDigits, '0');
  std::vector<int16_t> groups;
  for (size_t at = 0; at < digits.size(); at += kGroupDigits) {
    int16_t group = 0;
    for (size_t i = at; i < at + kGroupDigits; ++i) group = static_cast<int16_t>(group * 10 + (digits[i] - '0'));
    groups.push_back(group);
  }
  int weight = static_cast<int>((whole + kGroupDigits - 1) / kGroupDigits) - 1;
  const auto first = std::find_if(groups.begin(), groups.end(), [](int16_t group) { return group != 0; });
  weight -= static_cast<int>(first - groups.begin());
  groups.erase(groups.begin(), first);
  while (!groups.empty() && groups.back() == 0) groups.pop_back();
  Put(static_cast<uint16_t>(groups.size()), out);
  Put(static_cast<int16_t>(groups.empty() ? 0 : weight), out);
  Put(value.unscaled < 0 ? kNegativeSign : uint16_t{0}, out);
  Put(static_cast<uint16_t>(value.scale), out);
  for (const int16_t group : groups) Put(group, out);
}

void PutArray(const ArrayItems& array, SqlType type, std::string* out) {
  const SqlType element = ElementType(type);
  const bool any_null = std::any_of(array.values.begin(), array.values.end(), IsNull);
  Put(array.values.empty() ? int32_t{0} : int32_t{1}, out);
  Put(any_null ? int32_t{1} : int32_t{0}, out);
  Put(static_cast<uint32_t>(element), out);
  if (array.values.empty()) return;
  Put(static_cast<uint32_t>(array.values.size()), out);
  Put(int32_t{array.first_index()}, out);
  for (const Datum& value : array.values) {
    if (IsNull(value)) {
      Put(int32_t{-1}, out);
      continue;
    }
    std::string bytes;
    AppendBinary(value, element, &bytes);
    Put(static_cast<uint32_t>(bytes.size()), out);
    out->append(bytes);
  }
}

// What _pg_expandarray makes: an int2 and an int4.
void PutRecord(const ArrayItems& record, std::string* out) {
  static constexpr SqlType kFields[] = {SqlType::kInt2, SqlType::kInt4};
  Put(static_cast<uint32_t>(std::size(kFields)), out);
  for (size_t i = 0; i < std::size(kFields); ++i) {
    Put(static_cast<uint32_t>(kFields[i]), out);
    std::string bytes;
    AppendBinary(record.values[i], kFields[i], &bytes);
    Put(IsNull(record.values[i]) ? int32_t{-1} : static_cast<int32_t>(bytes.size()), out);
    out->append(bytes);
  }
}

struct BinaryWriter {
  SqlType type;
  std::string* out;
  void operator()(const Null&) const {}
  void operator()(bool value) const { out->push_back(value ? 1 : 0); }
  void operator()(int64_t value) const {
    switch (type) {
      case SqlType::kInt2:
        return Put(static_cast<int16_t>(value), out);
      case SqlType::kInt4:
      case SqlType::kOid:
      case SqlType::kXid:
        return Put(static_cast<uint32_t>(value), out);
      default:
        return Put(value, out);
    }
  }
  void operator()(const std::string& value) const {
    out->append(value);
    if (type == SqlType::kChar && value.empty()) out->push_back('\0');
  }
  void operator()(const Numeric& value) const { PutNumeric(value, out); }
  void operator()(TimestampTz value) const { Put(WireUs(value.us), out); }
  void operator()(LocalTimestamp value) const { Put(WireUs(value.us), out); }
  void operator()(Date value) const {
    Put(IsInfinite(value) ? value.days : static_cast<int32_t>(value.days - kEpochDays), out);
  }
  void operator()(const Interval& value) const {
    Put(value.us, out);
    Put(value.days, out);
    Put(value.months, out);
  }
  void operator()(float value) const { Put(std::bit_cast<uint32_t>(value), out); }
  void operator()(double value) const { Put(std::bit_cast<uint64_t>(value), out); }
  void operator()(const Bytes& value) const { out->append(value.bytes); }
  void operator()(const Uuid& value) const { out->append(value.bytes.begin(), value.bytes.end()); }
  void operator()(const Bpchar& value) const { out->append(value.text); }
  void operator()(const Jsonb& value) const {
    out->push_back(kJsonbVersion);
    out->append(value.text);
  }
  void operator()(const ObjectName& value) const { Put(static_cast<uint32_t>(value.oid), out); }
  void operator()(const Array& value) const {
    type == SqlType::kRecord ? PutRecord(*value.items, out) : PutArray(*value.items, type, out);
  }
};

absl::Status BadBinary(SqlType type) {
  return SqlError(sqlstate::kInvalidBinaryRepresentation,
                  fmt::format("incorrect binary data format for type {}", TypeName(type)));
}

// Takes big-endian values off the front; fails once and for all when there is too little.
class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  template <typename Integer>
  Integer Take() {
    if (in_.size() < sizeof(Integer)) {
      failed_ = true;
      return 0;
    }
    uint64_t bits = 0;
    for (size_t i = 0; i < sizeof(Integer); ++i) bits = bits << 8 | static_cast<uint8_t>(in_[i]);
    in_.remove_prefix(sizeof(Integer));
    return static_cast<Integer>(bits);
  }
  std::string_view TakeBytes(size_t count) {
    if (in_.size() < count) failed_ = true;
    const std::string_view taken = in_.substr(0, count);
    in_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view rest() const { return in_; }
  bool failed() const { return failed_; }
  bool done() const { return !failed_ && in_.empty(); }

 private:
  std::string_view in_;
  bool failed_ = false;
};

absl::StatusOr<Datum> NumericFrom(std::string_view bytes) {
  Reader reader(bytes);
  const int count = reader.Take<uint16_t>();
  const int weight = reader.Take<int16_t>();
  const uint16_t sign = reader.Take<uint16_t>();
  const int scale = reader.Take<uint16_t>();
  if (reader.failed()) return BadBinary(SqlType::kNumeric);
  if (sign != 0 && sign != kNegativeSign) {
    return SqlError(sqlstate::kFeatureNotSupported, "numeric NaN and Infinity are not supported");
  }
  Numeric value;
  for (int i = 0; i < count; ++i) {
    constexpr int kGroupMax = 9999;
    const int group = reader.Take<int16_t>();
    if (group < 0 || group > kGroupMax) return BadBinary(SqlType::kNumeric);
    value.unscaled = value.unscaled * (kGroupMax + 1) + group;
  }
  if (!reader.done() || std::abs(weight) > kNumericDigitsMax) return BadBinary(SqlType::kNumeric);
  // The last group stands at 10000^(weight - count + 1).
  const int exponent = (weight - count + 1) * kGroupDigits;
  if (exponent > 0) value.unscaled *= boost::multiprecision::pow(cpp_int(10), static_cast<unsigned>(exponent));
  if (exponent < 0) value.scale = -exponent;
  if (sign == kNegativeSign) value.unscaled = -value.unscaled;
  // Digits beyond the stated scale are cut off, as PostgreSQL does.
  if (value.scale > scale) {
    value.unscaled /= boost::multiprecision::pow(cpp_int(10), static_cast<unsigned>(value.scale - scale));
    value.scale = scale;
  }
  ASSIGN_OR_RETURN(value, Round(value, scale));
  return Datum(std::move(value));
}

absl::StatusOr<Datum> ArrayFrom(SqlType type, std::string_view bytes) {
  Reader reader(bytes);
  const auto dimensions = reader.Take<int32_t>();
  reader.Take<int32_t>();  // whether there are nulls
  const std::optional<SqlType> element = TypeOfOid(reader.Take<uint32_t>());
  if (reader.failed() || dimensions < 0 || element != ElementType(type)) return BadBinary(type);
  if (dimensions == 0) return Datum(MakeArray({}));
  if (dimensions > 1) {
    return SqlError(sqlstate::kFeatureNotSupported, "an array of more than one dimension is not supported");
  }
  const auto count = reader.Take<uint32_t>();
  reader.Take<int32_t>();  // the first index
  std::vector<Datum> values;
  for (uint32_t i = 0; i < count && !reader.failed(); ++i) {
    const auto size = reader.Take<int32_t>();
    values.emplace_back();
    if (size < 0) continue;
    const std::string_view item = reader.TakeBytes(static_cast<size_t>(size));
    if (reader.failed()) break;
    ASSIGN_OR_RETURN(values.back(), FromBinary(*element, item));
  }
  if (!reader.done()) return BadBinary(type);
  const bool vector = type == SqlType::kInt2Vector || type == SqlType::kOidVector;
  return Datum(MakeArray(std::move(values), vector ? ArrayForm::kVector : ArrayForm::kPlain));
}

absl::StatusOr<Datum> TimeFrom(SqlType type, int64_t wire_us) {
  int64_t us = wire_us;
  if (!IsInfinite(wire_us)) {
    ASSIGN_OR_RETURN(us, TimestampUsFrom(static_cast<__int128>(wire_us) + kEpochUs));
  }
  return type == SqlType::kTimestamp ? Datum(LocalTimestamp{us}) : Datum(TimestampTz{us});
}

absl::StatusOr<Datum> FixedFrom(SqlType type, std::string_view bytes) {
  Reader reader(bytes);
  switch (type) {
    case SqlType::kBool:
      return Datum(reader.Take<uint8_t>() != 0);
    case SqlType::kInt2:
      return Datum(int64_t{reader.Take<int16_t>()});
    case SqlType::kInt4:
      return Datum(int64_t{reader.Take<int32_t>()});
    case SqlType::kInt8:
      return Datum(reader.Take<int64_t>());
    case SqlType::kOid:
    case SqlType::kXid:
      return Datum(int64_t{reader.Take<uint32_t>()});
    case SqlType::kFloat4:
      return Datum(std::bit_cast<float>(reader.Take<uint32_t>()));
    case SqlType::kFloat8:
      return Datum(std::bit_cast<double>(reader.Take<uint64_t>()));
    case SqlType::kTimestamp:
    case SqlType::kTimestampTz:
      return TimeFrom(type, reader.Take<int64_t>());
    case SqlType::kDate: {
      const Date wire{reader.Take<int32_t>()};
      if (IsInfinite(wire)) return Datum(wire);
      ASSIGN_OR_RETURN(const Date date, DateFrom(wire.days + kEpochDays));
      return Datum(date);
    }
    case SqlType::kInterval: {
      Interval interval;
      interval.us = reader.Take<int64_t>();
      interval.days = reader.Take<int32_t>();
      interval.months = reader.Take<int32_t>();
      return Datum(interval);
    }
    case SqlType::kUuid: {
      Uuid uuid;
      std::copy_n(bytes.begin(), uuid.bytes.size(), uuid.bytes.begin());
      return Datum(uuid);
    }
    default:  // regclass and its kind
      return Datum(ObjectName{int64_t{reader.Take<uint32_t>()}, ""});
  }
}

}  // namespace

void AppendBinary(const Datum& datum, SqlType type, std::string* out) { std::visit(BinaryWriter{type, out}, datum); }

absl::StatusOr<Datum> FromBinary(SqlType type, std::string_view bytes) {
  switch (type) {
    case SqlType::kBytea:
      return Datum(Bytes{std::string(bytes)});
    case SqlType::kNumeric:
      return NumericFrom(bytes);
    case SqlType::kJsonb:
      if (!bytes.starts_with(kJsonbVersion)) return BadBinary(type);
      return FromText(type, bytes.substr(1));
    case SqlType::kChar:
    case SqlType::kVoid:
      return FromText(SqlType::kChar, bytes);
    default:
      break;
  }
  if (IsArray(type)) return ArrayFrom(type, bytes);
  const int16_t length = TypeLength(type);
  if (length <= 0 || type == SqlType::kName) return FromText(type, bytes);
  if (bytes.size() != static_cast<size_t>(length)) return BadBinary(type);
  return FixedFrom(type, bytes);
}

}  // namespace anabranch
