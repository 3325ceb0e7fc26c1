// Every type: text in and out as PostgreSQL 15 has them, key order, storage and the binary format.
#include "gtest/gtest.h"
#include "sql/stored/row_codec.h"
#include "sql/value/type_name.h"
#include "sql/wire/value.h"

#include "base/status.h"

namespace anabranch {
namespace {

using T = SqlType;

std::string TextOrState(T type, std::string_view text) {
  const absl::StatusOr<Datum> datum = FromText(type, text);
  return datum.ok() ? ToText(*datum) : SqlStateOf(datum.status());
}

struct TextCase {
  T type;
  std::string_view in;
  std::string_view out;  // or an SQLSTATE
};

// The outputs are those of PostgreSQL 15.
constexpr TextCase kTextCases[] = {
    {T::kInt2, "-32768", "-32768"},
    {T::kInt2, "32768", "22003"},
    {T::kOid, "4294967295", "4294967295"},
    {T::kOid, "-1", "4294967295"},
    {T::kFloat8, "0.1", "0.1"},
    {T::kFloat8, "1e15", "1e+15"},
    {T::kFloat8, "123456789012345", "123456789012345"},
    {T::kFloat8, "0.0001", "0.0001"},
    {T::kFloat8, "0.00001", "1e-05"},
    {T::kFloat8, "1e400", "22003"},
    {T::kFloat8, "-0", "-0"},
    {T::kFloat8, " nan ", "NaN"},
    {T::kFloat8, "-infinity", "-Infinity"},
    {T::kFloat8, "1.7976931348623157e308", "1.7976931348623157e+308"},
    {T::kFloat8, "5e-324", "5e-324"},
    {T::kFloat8, "1x", "22P02"},
    {T::kFloat4, "1234567", "1.234567e+06"},
    {T::kFloat4, "123456", "123456"},
    {T::kFloat4, "0.1", "0.1"},
    {T::kFloat4, "1e39", "22003"},
    {T::kBytea, "\\xDEADbeef", "\\xdeadbeef"},
    {T::kBytea, "a\\\\b\\000", "\\x615c6200"},
    {T::kBytea, "\\xabc", "22023"},
    {T::kUuid, "A0EEBC99-9C0B4EF8-BB6D6BB9-BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
    {T::kUuid, "{a0eebc999c0b4ef8bb6d6bb9bd380a11}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
    {T::kUuid, "a0eebc99", "22P02"},
    {T::kDate, "2026-02-28", "2026-02-28"},
    {T::kDate, "20260228", "2026-02-28"},
    {T::kDate, "January 8, 1999", "1999-01-08"},
    {T::kDate, "8-Jan-1999", "1999-01-08"},
    {T::kDate, "1/8/1999", "1999-01-08"},
    {T::kDate, "0044-03-15 BC", "0044-03-15 BC"},
    {T::kDate, "infinity", "infinity"},
    {T::kDate, "2026-02-29", "22008"},
    {T::kDate, "2026-13-01", "22008"},
    {T::kDate, "soon", "22007"},
    {T::kTimestamp, "2026-11-23 09:46:00.5", "2026-11-23 09:46:00.5"},
    {T::kTimestamp, "2026-11-23T09:46", "2026-11-23 09:46:00"},
    {T::kTimestamp, "2026-11-23 24:00:00", "2026-11-24 00:00:00"},
    {T::kTimestamp, "2026-11-23 25:00:00", "22008"},
    {T::kTimestamp, "-infinity", "-infinity"},
    {T::kTimestampTz, "2026-11-23 09:46:00 America/New_York", "2026-11-23 14:46:00+00"},
    {T::kTimestampTz, "2026-11-23 09:46:00-05:30", "2026-11-23 15:16:00+00"},
    {T::kTimestampTz, "Nov 23 09:46:00 2026 PST", "2026-11-23 17:46:00+00"},
    {T::kTimestampTz, "2026-11-23 11:46 PM", "2026-11-23 23:46:00+00"},
    {T::kTimestampTz, "2026-11-23 09:46:00 Nowhere/City", "22023"},
    {T::kInterval, "1 year 2 mons -3 days 04:05:06.7", "1 year 2 mons -3 days +04:05:06.7"},
    {T::kInterval, "1.5 months", "1 mon 15 days"},
    {T::kInterval, "1.5 days", "1 day 12:00:00"},
    {T::kInterval, "P1Y2M3DT4H5M6S", "1 year 2 mons 3 days 04:05:06"},
    {T::kInterval, "1-2", "1 year 2 mons"},
    {T::kInterval, "3 4:05:06", "3 days 04:05:06"},
    {T::kInterval, "2 hours ago", "-02:00:00"},
    {T::kInterval, "90", "00:01:30"},
    {T::kInterval, "soon", "22007"},
    {T::kJson, " {\"b\":1,  \"a\":[true,null]}", " {\"b\":1,  \"a\":[true,null]}"},
    {T::kJson, "{'a':1}", "22P02"},
    {T::kJsonb, " {\"bb\":1.50,  \"a\":[true,null], \"a\":\"\\u00e9\\n\"}", "{\"a\": \"\xC3\xA9\\n\", \"bb\": 1.50}"},
    {T::kJsonb, "1e2", "100"},
    {T::kJsonb, "[1,]", "22P02"},
    {T::kTextArray, "{a,\"b c\",NULL,\"null\",\"\"}", "{a,\"b c\",NULL,\"null\",\"\"}"},
    {T::kInt4Array, "{ 1 , 2 }", "{1,2}"},
    {T::kInt4Array, "1,2", "22P02"},
    {T::kInt2Vector, "1 2 3", "1 2 3"},
    {T::kRegtype, "varchar", "character varying"},
    {T::kChar, "ab", "a"},
};

TEST(Types, TextAsPostgresHasIt) {
  for (const TextCase& c : kTextCases) EXPECT_EQ(TextOrState(c.type, c.in), c.out) << TypeName(c.type) << " " << c.in;
}

// Ascending; of the other types too.
const std::vector<std::pair<T, std::vector<std::string_view>>>& Ordered() {
  static const std::vector<std::pair<T, std::vector<std::string_view>>> kOrdered = {
      {T::kFloat8, {"-Infinity", "-1e300", "-1.5", "-1e-300", "0", "1e-300", "1", "1.5", "1e300", "Infinity", "NaN"}},
      {T::kFloat4, {"-Infinity", "-2", "-1", "0", "1", "2", "Infinity", "NaN"}},
      {T::kDate, {"-infinity", "0044-03-15 BC", "1969-12-31", "1970-01-01", "2026-01-01", "infinity"}},
      {T::kTimestamp, {"-infinity", "1969-12-31 23:59:59", "1970-01-01", "2026-01-01 00:00:00.000001", "infinity"}},
      {T::kUuid, {"00000000-0000-0000-0000-000000000001", "ffffffff-ffff-ffff-ffff-ffffffffffff"}},
      {T::kBytea, {"", "\\x00", "\\x0000", "\\x0001", "\\x01", "\\xff", "\\xffff"}},
      {T::kBpchar, {"", "a  ", "ab", "b "}},
      {T::kInterval,
       {"-1 mon", "-1 day", "-1 sec", "00:00:00", "1 sec", "23:59:59", "1 day", "29 days", "1 mon", "31 days"}},
      {T::kTextArray, {"{}", "{a}", "{a,b}", "{a,NULL}", "{b}"}},
      {T::kInt2, {"-32768", "-1", "0", "1", "32767"}},
  };
  return kOrdered;
}

TEST(Types, KeysOrderAsValuesAndNoneIsTheBeginningOfAnother) {
  for (const auto& [type, texts] : Ordered()) {
    for (size_t i = 0; i + 1 < texts.size(); ++i) {
      const Datum a = *FromText(type, texts[i]);
      const Datum b = *FromText(type, texts[i + 1]);
      std::string a_key, b_key;
      EncodeKeyPart(a, &a_key);
      EncodeKeyPart(b, &b_key);
      EXPECT_TRUE(Compare(a, b) < 0) << TypeName(type) << " " << texts[i];
      EXPECT_LT(a_key, b_key) << TypeName(type) << " " << texts[i] << " and " << texts[i + 1];
      EXPECT_FALSE(b_key.starts_with(a_key)) << TypeName(type) << " " << texts[i];
      EXPECT_NE(b_key.front(), '\xFF') << "FF is for null";
      std::string_view rest = a_key;
      Datum taken;
      EXPECT_TRUE(TakeKeyPart(type, &rest, &taken) && rest.empty()) << TypeName(type);
      if (KeyPartHoldsValue(type)) {
        EXPECT_EQ(ToText(taken), ToText(a));
      }
    }
  }
}

TEST(Types, EqualValuesShareAKey) {
  const auto key = [](T type, std::string_view text) {
    std::string part;
    EncodeKeyPart(*FromText(type, text), &part);
    return part;
  };
  EXPECT_EQ(key(T::kBpchar, "a"), key(T::kBpchar, "a   "));
  EXPECT_EQ(key(T::kFloat8, "0"), key(T::kFloat8, "-0"));
  EXPECT_EQ(key(T::kInterval, "1 mon"), key(T::kInterval, "29 days 24:00:00"));
  EXPECT_EQ(key(T::kJsonb, "{\"a\": 1.0}"), key(T::kJsonb, "{\"a\": 1.00}"));
  EXPECT_TRUE(Compare(*FromText(T::kJsonb, "[1.0]"), *FromText(T::kJsonb, "[1.00]")) == 0);
}

TEST(Types, StoredAndSentInBinaryTheyComeBack) {
  for (const TextCase& c : kTextCases) {
    const absl::StatusOr<Datum> value = FromText(c.type, c.in);
    if (!value.ok() || c.type == T::kInt2Vector || c.type == T::kRegtype) continue;
    std::string bytes;
    AppendBinary(*value, c.type, &bytes);
    const absl::StatusOr<Datum> received = FromBinary(c.type, bytes);
    ASSERT_TRUE(received.ok()) << TypeName(c.type) << " " << c.in << " " << received.status();
    EXPECT_EQ(ToText(*received), c.out) << TypeName(c.type);

    Table table{.id = 100, .name = "t"};
    table.columns = {{.id = 1, .name = "a", .type = c.type}, {.id = 2, .name = "b", .type = c.type}};
    if (CheckKeyType(c.type).ok()) table.primary_key = {0};
    const Row row = {*value, *value};
    Row decoded(2);
    const std::string key = table.primary_key.empty() ? EncodeHiddenRowKey(table, 7) : EncodeRowKey(table, row);
    ASSERT_TRUE(DecodeRow(table, key, EncodeRowValue(table, row), &decoded).ok()) << TypeName(c.type);
    for (const Datum& datum : decoded) EXPECT_EQ(ToText(datum), c.out) << TypeName(c.type);
  }
}

TEST(Types, BinaryIsPostgresBinary) {
  const auto binary = [](T type, std::string_view text) {
    std::string bytes;
    AppendBinary(*FromText(type, text), type, &bytes);
    std::string hex;
    for (const char c : bytes) hex += fmt::format("{:02x}", static_cast<uint8_t>(c));
    return hex;
  };
  EXPECT_EQ(binary(T::kInt2, "-2"), "fffe");
  EXPECT_EQ(binary(T::kInt4, "1"), "00000001");
  EXPECT_EQ(binary(T::kFloat8, "1"), "3ff0000000000000");
  EXPECT_EQ(binary(T::kDate, "2000-01-02"), "00000001");
  EXPECT_EQ(binary(T::kTimestamp, "2000-01-01 00:00:01"), "00000000000f4240");
  EXPECT_EQ(binary(T::kInterval, "1 mon 2 days 00:00:01"), "00000000000f42400000000200000001");
  EXPECT_EQ(binary(T::kNumeric, "12345.678"),
            "00030001000000030001"
            "0929"
            "1a7c");
  EXPECT_EQ(binary(T::kNumeric, "-0.0001"), "0001ffff400000040001");
  EXPECT_EQ(binary(T::kNumeric, "0.00"), "0000000000000002");
  EXPECT_EQ(binary(T::kJsonb, "1"), "0131");
  EXPECT_EQ(binary(T::kInt4Array, "{1,NULL}"),
            "000000010000000100000017000000020000000100000004"
            "00000001"
            "ffffffff");
}

TEST(Types, TruncatedBinaryIsRefused) {
  for (const T type : {T::kInt2, T::kInt4, T::kInt8, T::kFloat4, T::kFloat8, T::kDate, T::kTimestamp, T::kUuid, T::kNumeric,
                       T::kInterval, T::kInt4Array, T::kBool}) {
    EXPECT_EQ(SqlStateOf(FromBinary(type, std::string_view("\0", type == T::kBool ? 0 : 1)).status()), "22P03")
        << TypeName(type);
  }
}

TEST(Types, NamesAreResolvedAndPrinted) {
  const auto printed = [](std::string_view text) {
    const absl::StatusOr<ColumnType> type = ResolveTypeText(text);
    return type.ok() ? FormatType(*type) : SqlStateOf(type.status());
  };
  EXPECT_EQ(printed("int4"), "integer");
  EXPECT_EQ(printed("character varying(10)"), "character varying(10)");
  EXPECT_EQ(printed("numeric(10,2)"), "numeric(10,2)");
  EXPECT_EQ(printed("double precision"), "double precision");
  EXPECT_EQ(printed("text[]"), "text[]");
  EXPECT_EQ(printed("bpchar"), "bpchar");
  EXPECT_EQ(printed("char(3)"), "character(3)");
  EXPECT_EQ(printed("money"), "0A000");
  EXPECT_EQ(printed("nothing"), "42704");
  for (const T type : AllTypes()) EXPECT_EQ(TypeOfOid(static_cast<uint32_t>(type)), type);
}

}  // namespace
}  // namespace anabranch
