// Rows as keys and values of a keyspace (docs/formats.md).
//
//   key   := table id | part of each primary key column, in key order        (or the hidden row id as one part)
//   value := (tag | payload) of each other column that is not null, by column id
//
// Keys order as their values do: every part is prefix-free, and within one type bytewise order is the type's order.
//   table id        1 byte below 0xF0, else 0xF0 + length and that many bytes, big endian
//   integer, time   0x80 + length and that many bytes; below zero 0x7F - length and the bytes of ~value, inverted
//   bool            01 false, 02 true
//   text            bytes with 00 as 00 FF; 00 01 ends it
//   numeric         02 zero; 03, decimal exponent as an integer part, digits + 2, 01 ends it; below zero 01 and the same
//   inverted
//   date, timestamp as integers; oid, too
//   bytea, uuid     01 and the bytes as text, or as they are
//   float           01 and the bits, big endian: of a positive number with the sign set, of a negative one inverted
//   interval        two integer parts: the days (30 a month), the microseconds of the last one
//   array           02 and the part of each value, 03 for null; 01 ends it
//   char(n)         text without its trailing blanks
// No part begins with FF, which stands for null in the entries of indexes. What a part does not hold (the scale of a
// numeric, blanks, the sign of a zero, months of an interval, arrays) is why such key columns stand in the value as well.
//   tag     := varint (column id << 1 | kind)       kind 0: zigzag varint; kind 1: length-prefixed bytes
// Column id 0 stands for "the column of the id that follows, a varint, is null": said only of columns that have a missing
// value, which an absent column would get.
//   numeric := zigzag scale | sign (00 or 01) | magnitude, big endian
//   interval := zigzag months | days | microseconds; float: its bytes, little endian; array: its text form
//   char(n)  := text without its trailing blanks; bpchar without a length keeps them
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "sql/stored/descriptor.h"
#include "sql/value/datum.h"

namespace anabranch {

std::string TablePrefix(uint64_t table_id);
// REQUIRES: not null. Of jsonb equal values have equal parts, and their order says nothing.
void EncodeKeyPart(const Datum& value, std::string* key);
// Whether the part of a value is all of it.
bool KeyPartHoldsValue(SqlType type);
// What cannot be a column of a primary key or index: 0A000, 42704.
absl::Status CheckKeyType(SqlType type);
// Takes the part of a value of this type off the front; *datum stays as it is if the part does not hold the value. False
// for what is no such part.
bool TakeKeyPart(SqlType type, std::string_view* in, Datum* datum);
// The first key after all that begin with `prefix`; empty: there is none.
std::string PrefixEnd(std::string prefix);

// The value of a type that is stored as an integer; false for others.
bool IntegerDatum(SqlType type, int64_t value, Datum* datum);

// REQUIRES: `row` has a value for each column, not null in the primary key, which is not empty.
std::string EncodeRowKey(const Table& table, const Row& row);
std::string EncodeHiddenRowKey(const Table& table, uint64_t row_id);
std::string EncodeRowValue(const Table& table, const Row& row);
void AppendRowValue(const Table& table, const Row& row, std::string* value);

// For a table whose rows get a primary key and stay otherwise as they are: splits the value of a row under a hidden id into
// the columns of the key, which are set in *row, and the value under `table`, which is appended to *rest. Much cheaper than
// to decode the row and to encode it anew. XX001 as DecodeRow.
// REQUIRES: no column has a missing value.
absl::Status SplitRowValue(const Table& table, std::string_view value, Row* row, std::string* rest);

// Sets row[0 .. columns). XX001 for bytes that are no row of this table.
absl::Status DecodeRow(const Table& table, std::string_view key, std::string_view value, Row* row);

}  // namespace anabranch
