// The room value/: SQL values: types, text forms, arithmetic, conversions, time zones; what errors and results are made of.
// Knows no keyspace, no statement. May use nothing of sql/.
//
// SQL values and types.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/value/numeric.h"

namespace anabranch {

inline constexpr size_t kIdentifierBytesMax = 63;  // of a name; what is longer is cut off

// With PostgreSQL's type oids, which is what clients see.
enum class SqlType : uint32_t {
  kBool = 16,
  kBytea = 17,
  kChar = 18,  // "char": one byte, of the system catalogs
  kName = 19,
  kInt8 = 20,
  kInt2 = 21,
  kInt2Vector = 22,
  kInt4 = 23,
  kRegproc = 24,
  kText = 25,
  kOid = 26,
  kXid = 28,
  kOidVector = 30,
  kJson = 114,
  kNodeTree = 194,  // pg_node_tree: a stored expression, here its SQL
  kFloat4 = 700,
  kFloat8 = 701,
  kUnknown = 705,  // an untyped literal or parameter, until it is bound
  kBoolArray = 1000,
  kCharArray = 1002,
  kNameArray = 1003,
  kInt2Array = 1005,
  kInt4Array = 1007,
  kTextArray = 1009,
  kBpcharArray = 1014,
  kVarcharArray = 1015,
  kInt8Array = 1016,
  kFloat4Array = 1021,
  kFloat8Array = 1022,
  kOidArray = 1028,
  kAclItem = 1033,
  kAclItemArray = 1034,
  kBpchar = 1042,
  kVarchar = 1043,
  kDate = 1082,
  kTimestamp = 1114,
  kTimestampArray = 1115,
  kDateArray = 1182,
  kTimestampTz = 1184,
  kTimestampTzArray = 1185,
  kInterval = 1186,
  kNumericArray = 1231,
  kNumeric = 1700,
  kRegclass = 2205,
  kRegtype = 2206,
  kRegclassArray = 2210,
  kRegtypeArray = 2211,
  kRecord = 2249,
  kVoid = 2278,  // what a function returns that returns nothing
  kUuid = 2950,
  kUuidArray = 2951,
  kJsonb = 3802,
  kRegnamespace = 4089,
  kRegrole = 4096,
};

// Microseconds since 1970 UTC. Distinct from int64_t, so a Datum knows what it holds. The extreme values are -infinity and
// infinity, also of the two types below.
struct TimestampTz {
  int64_t us = 0;
  friend auto operator<=>(const TimestampTz&, const TimestampTz&) = default;
};
// timestamp without time zone: what a calendar and a clock show, as if they showed UTC.
struct LocalTimestamp {
  int64_t us = 0;
  friend auto operator<=>(const LocalTimestamp&, const LocalTimestamp&) = default;
};
struct Date {
  int32_t days = 0;  // since 1970-01-01
  friend auto operator<=>(const Date&, const Date&) = default;
};

// The three parts never carry into each other; they compare as if a month had 30 days and a day 24 hours.
struct Interval {
  int64_t us = 0;
  int32_t days = 0;
  int32_t months = 0;
  friend std::strong_ordering operator<=>(const Interval& a, const Interval& b);
  friend bool operator==(const Interval& a, const Interval& b) { return (a <=> b) == 0; }
};

struct Bytes {
  std::string bytes;
  friend std::strong_ordering operator<=>(const Bytes& a, const Bytes& b) { return a.bytes.compare(b.bytes) <=> 0; }
  friend bool operator==(const Bytes&, const Bytes&) = default;
};

struct Uuid {
  std::array<uint8_t, 16> bytes = {};
  friend auto operator<=>(const Uuid&, const Uuid&) = default;
};

// char(n): blanks at the end are kept and do not count.
struct Bpchar {
  std::string text;
  std::string_view trimmed() const;
  friend std::strong_ordering operator<=>(const Bpchar& a, const Bpchar& b) {
    return a.trimmed().compare(b.trimmed()) <=> 0;
  }
  friend bool operator==(const Bpchar& a, const Bpchar& b) { return a.trimmed() == b.trimmed(); }
};

// The normal text form. Compares as PostgreSQL compares jsonb.
struct Jsonb {
  std::string text;
  friend std::strong_ordering operator<=>(const Jsonb& a, const Jsonb& b);
  friend bool operator==(const Jsonb& a, const Jsonb& b) { return (a <=> b) == 0; }
};

// regclass, regtype and their kind: an oid that prints as a name.
struct ObjectName {
  int64_t oid = 0;
  std::string name;  // empty: prints as the number
  friend auto operator<=>(const ObjectName& a, const ObjectName& b) { return a.oid <=> b.oid; }
  friend bool operator==(const ObjectName& a, const ObjectName& b) { return a.oid == b.oid; }
};

struct ArrayItems;
// One dimension. Shared, immutable, never null.
struct Array {
  std::shared_ptr<const ArrayItems> items;
  friend std::strong_ordering operator<=>(const Array& a, const Array& b);
  friend bool operator==(const Array& a, const Array& b) { return (a <=> b) == 0; }
};

struct Null {
  friend auto operator<=>(const Null&, const Null&) = default;
};

// The type says more than the alternative: int64_t holds int2, int4, int8, oid and xid; std::string text, varchar, name,
// "char", json, aclitem and pg_node_tree; Array also a record.
using Datum = std::variant<Null, bool, int64_t, std::string, Numeric, TimestampTz, Interval, float, double, Bytes, Date,
                           LocalTimestamp, Uuid, Bpchar, Jsonb, ObjectName, Array>;

enum class ArrayForm {
  kPlain,     // {1,2}
  kVector,    // 1 2: int2vector, oidvector; the first index is 0
  kFromZero,  // [0:1]={1,2}: what a vector becomes when it is cast to an array
  kRecord,    // (1,2): the fields of a row
};

struct ArrayItems {
  std::vector<Datum> values;
  ArrayForm form = ArrayForm::kPlain;

  int first_index() const { return form == ArrayForm::kVector || form == ArrayForm::kFromZero ? 0 : 1; }
};
Array MakeArray(std::vector<Datum> values, ArrayForm form = ArrayForm::kPlain);

class TimeZone;  // sql/value/time_zone.h
const TimeZone& UtcZone();

inline bool IsNull(const Datum& datum) { return datum.index() == 0; }

// "int4" -> "integer" as PostgreSQL's format_type prints it; used in messages. More of names in sql/value/type_name.h.
std::string_view TypeName(SqlType type);
int16_t TypeLength(SqlType type);  // typlen: -1 for variable

// Text format of the wire, timestamptz as clocks of `zone` show it: UTC for what is stored. REQUIRES: not null.
std::string ToText(const Datum& datum, const TimeZone& zone = UtcZone());
// The same, at the end of *out.
void AppendText(const Datum& datum, const TimeZone& zone, std::string* out);
// 22P02 / 22003 / 22007 / 22008 with PostgreSQL's texts; 0A000 for the regxxx types, whose names only a catalog knows.
// A timestamptz that says no zone is one of `zone`.
absl::StatusOr<Datum> FromText(SqlType type, std::string_view text, const TimeZone& zone = UtcZone());

// Total order within one type, nulls last (as PostgreSQL's ORDER BY ASC). REQUIRES: same type or null.
std::strong_ordering Compare(const Datum& a, const Datum& b);

using Row = std::vector<Datum>;

}  // namespace anabranch
