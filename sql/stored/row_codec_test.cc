#include "sql/stored/row_codec.h"

#include <algorithm>

#include "base/status.h"
#include "gtest/gtest.h"

namespace anabranch {
namespace {

std::string Part(const Datum& value) {
  std::string key;
  EncodeKeyPart(value, &key);
  return key;
}

Datum N(std::string_view text) { return *ParseNumeric(text); }
Datum T(std::string text) { return text; }

// `values` in ascending order: their parts must be too, and none the beginning of another.
void ExpectOrder(const std::vector<Datum>& values) {
  for (size_t i = 0; i + 1 < values.size(); ++i) {
    const std::string a = Part(values[i]);
    const std::string b = Part(values[i + 1]);
    EXPECT_LT(a, b) << ToText(values[i]) << " and " << ToText(values[i + 1]);
    EXPECT_NE(b.substr(0, a.size()), a) << ToText(values[i]) << " and " << ToText(values[i + 1]);
  }
}

TEST(KeyPart, BytesOrderAsValues) {
  std::vector<Datum> integers;
  for (const int64_t value :
       {INT64_MIN, INT64_MIN + 1, int64_t{-65537}, int64_t{-65536}, int64_t{-257}, int64_t{-256}, int64_t{-2}, int64_t{-1},
        int64_t{0}, int64_t{1}, int64_t{255}, int64_t{256}, int64_t{65535}, INT64_MAX}) {
    integers.emplace_back(value);
  }
  ExpectOrder(integers);
  ExpectOrder({Datum(false), Datum(true)});
  ExpectOrder({T(""), T(std::string("\0", 1)), T(std::string("\0\x01", 2)), T("\x01"), T("a"), T(std::string("a\0", 2)),
               T("ab"), T("b"), T("\xFF")});
  ExpectOrder({N("-1000.5"), N("-1000"), N("-10"), N("-9.99"), N("-0.001"), N("-0.0009"), N("0"), N("0.0009"), N("0.001"),
               N("0.01"), N("1"), N("1.0001"), N("1.1"), N("9"), N("10"), N("10.5"), N("99"), N("100"), N("1e300")});
  ExpectOrder({Datum(TimestampTz{-1}), Datum(TimestampTz{0}), Datum(TimestampTz{1'700'000'000'000'000})});
}

TEST(KeyPart, EqualNumericsShareAKey) {
  EXPECT_EQ(Part(N("1.50")), Part(N("1.5")));
  EXPECT_EQ(Part(N("0.00")), Part(N("0")));
  EXPECT_EQ(Part(N("100")), Part(N("100.0")));
}

TEST(KeyPart, PrefixEnds) {
  EXPECT_EQ(PrefixEnd("ab"), "ac");
  EXPECT_EQ(PrefixEnd("a\xFF\xFF"), "b");
  EXPECT_EQ(PrefixEnd("\xFF"), "");
  for (const uint64_t id : {1ull, 100ull, 239ull, 240ull, 255ull, 256ull, 1ull << 40}) {
    EXPECT_LT(TablePrefix(id), TablePrefix(id + 1));
    EXPECT_LE(PrefixEnd(TablePrefix(id)), TablePrefix(id + 1));
  }
}

Table MakeTable(std::vector<SqlType> types, std::vector<int> primary_key) {
  Table table{.id = 100, .name = "t"};
  for (const SqlType type : types) {
    const uint32_t id = table.next_column_id++;
    table.columns.push_back({.id = id, .name = fmt::format("c{}", id), .type = type});
  }
  table.primary_key = std::move(primary_key);
  return table;
}

Row RoundTrip(const Table& table, const Row& row) {
  Row decoded(table.columns.size());
  const absl::Status status = DecodeRow(table, EncodeRowKey(table, row), EncodeRowValue(table, row), &decoded);
  EXPECT_TRUE(status.ok()) << status;
  return decoded;
}

TEST(RowCodec, EveryTypeAsKeyAndAsValue) {
  const std::vector<SqlType> types = {SqlType::kBool, SqlType::kInt4,        SqlType::kInt8,
                                      SqlType::kText, SqlType::kTimestampTz, SqlType::kNumeric};
  const Row row = {true, int64_t{-7}, INT64_MIN, std::string("a\0b", 3), TimestampTz{-5}, N("-12.340")};
  for (const std::vector<int>& key : {std::vector<int>{1}, {5, 3, 0}, {0, 1, 2, 3, 4, 5}}) {
    const Row decoded = RoundTrip(MakeTable(types, key), row);
    for (size_t i = 0; i < row.size(); ++i) EXPECT_EQ(ToText(decoded[i]), ToText(row[i])) << i;
  }
}

TEST(RowCodec, NullsAreAbsent) {
  const Table table = MakeTable({SqlType::kInt4, SqlType::kText, SqlType::kNumeric}, {0});
  const Row row = {int64_t{1}, Null{}, Null{}};
  EXPECT_EQ(EncodeRowValue(table, row), "");
  const Row decoded = RoundTrip(table, row);
  EXPECT_TRUE(IsNull(decoded[1]) && IsNull(decoded[2]));
}

TEST(RowCodec, HugeNumericKeepsItsDigits) {
  const Table table = MakeTable({SqlType::kInt4, SqlType::kNumeric}, {0});
  const std::string digits = fmt::format("{}.{}", std::string(900, '7'), std::string(99, '3'));
  EXPECT_EQ(ToText(RoundTrip(table, {int64_t{1}, N(digits)})[1]), digits);
}

TEST(RowCodec, AColumnAddedLaterIsNullAndOneDroppedIsSkipped) {
  Table table = MakeTable({SqlType::kInt4, SqlType::kText, SqlType::kInt8}, {0});
  const Row row = {int64_t{1}, std::string("x"), int64_t{5}};
  const std::string value = EncodeRowValue(table, row);
  const std::string key = EncodeRowKey(table, row);
  table.columns.erase(table.columns.begin() + 1);
  table.columns.push_back({.id = 9, .name = "new", .type = SqlType::kText});
  Row decoded(3);
  ASSERT_TRUE(DecodeRow(table, key, value, &decoded).ok());
  EXPECT_EQ(ToText(decoded[1]), "5");
  EXPECT_TRUE(IsNull(decoded[2]));
}

TEST(RowCodec, BlanksOfCharAreNotStored) {
  Table table = MakeTable({SqlType::kInt4, SqlType::kBpchar, SqlType::kBpchar}, {0});
  table.columns[1].modifier = 5 + 4;  // char(5); the other is bpchar, of any length
  for (const char* text : {"     ", "a    ", " b   ", "\u00e4b   ", "12345"}) {
    const Row row = {int64_t{1}, Bpchar{text}, Bpchar{text}};
    const Row decoded = RoundTrip(table, row);
    EXPECT_EQ(ToText(decoded[1]), text);
    EXPECT_EQ(ToText(decoded[2]), text);
  }
  const Row row = {int64_t{1}, Bpchar{"a    "}, Null{}};
  EXPECT_EQ(EncodeRowValue(table, row),
            "\x05\x01"
            "a");
  table.columns[1].modifier = 7 + 4;  // since it was written
  EXPECT_EQ(ToText(RoundTrip(table, row)[1]), "a      ");
}

TEST(RowCodec, SplitsWhatAKeyTakesOffTheValue) {
  Table table = MakeTable({SqlType::kBool, SqlType::kInt4, SqlType::kText, SqlType::kText, SqlType::kNumeric}, {});
  Row row = {true, int64_t{-7}, Null{}, std::string("text"), N("-12.340")};
  const std::string value = EncodeRowValue(table, row);
  table.columns.erase(table.columns.begin());  // a column dropped since
  row.erase(row.begin());
  for (const std::vector<int>& key : {std::vector<int>{0}, {2, 0}, {3}, {3, 2}, {1}}) {
    table.primary_key = key;
    Row split(row.size());
    std::string rest;
    ASSERT_TRUE(SplitRowValue(table, value, &split, &rest).ok());
    for (const int position : key) EXPECT_EQ(ToText(split[position]), ToText(row[position]));
    EXPECT_EQ(rest, EncodeRowValue(table, row));
    EXPECT_EQ(SqlStateOf(SplitRowValue(table, value.substr(0, value.size() - 1), &split, &rest)), "XX001");
  }
}

TEST(RowCodec, DamageIsAnError) {
  const Table table = MakeTable({SqlType::kInt4, SqlType::kText}, {0});
  const Row row = {int64_t{1}, std::string("hello")};
  const std::string key = EncodeRowKey(table, row);
  const std::string value = EncodeRowValue(table, row);
  Row decoded(2);
  EXPECT_EQ(SqlStateOf(DecodeRow(table, key, value.substr(0, value.size() - 1), &decoded)), "XX001");
  EXPECT_EQ(SqlStateOf(DecodeRow(table, key.substr(0, 2), value, &decoded)), "XX001");
  EXPECT_EQ(SqlStateOf(DecodeRow(table, "\x01" + key, value, &decoded)), "XX001");
  EXPECT_EQ(SqlStateOf(DecodeRow(table, key, "\x04\x02", &decoded)), "XX001");  // a number in a text column
}

TEST(Descriptor, RoundTrips) {
  Table table = MakeTable({SqlType::kInt4, SqlType::kNumeric, SqlType::kTimestampTz}, {1, 0});
  table.columns[1].modifier = NumericModifier({10, 2});
  table.columns[1].default_value = N("1.50");
  table.columns[2].default_expression = "now()";
  table.columns[0].not_null = true;
  const TableRef decoded = *DecodeTable("t", EncodeTable(table));
  EXPECT_EQ(decoded->primary_key, table.primary_key);
  EXPECT_EQ(NumericTypeOf(decoded->columns[1].modifier).scale, 2);
  EXPECT_EQ(ToText(*decoded->columns[1].default_value), "1.50");
  EXPECT_EQ(decoded->columns[2].default_expression, "now()");
  EXPECT_FALSE(decoded->columns[0].default_value.has_value());
  EXPECT_EQ(SqlStateOf(DecodeTable("t", "\xFF").status()), "XX001");
}

}  // namespace
}  // namespace anabranch
