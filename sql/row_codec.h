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
// A numeric's scale is not in its part, so numeric key columns stand in the value as well.
//   tag     := varint (column id << 1 | kind)       kind 0: zigzag varint; kind 1: length-prefixed bytes
// Column id 0 stands for "the column of the id that follows, a varint, is null": said only of columns that have a missing
// value, which an absent column would get.
//   numeric := zigzag scale | sign (00 or 01) | magnitude, big endian
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "sql/datum.h"
#include "sql/descriptor.h"

namespace anabranch {

std::string TablePrefix(uint64_t table_id);
// REQUIRES: not null, not an interval.
void EncodeKeyPart(const Datum& value, std::string* key);
// Takes the part of a value of this type off the front; *datum stays as it is for a numeric, whose scale a part does not
// have. False for what is no such part.
bool TakeKeyPart(SqlType type, std::string_view* in, Datum* datum);
// The first key after all that begin with `prefix`; empty: there is none.
std::string PrefixEnd(std::string prefix);

// REQUIRES: `row` has a value for each column, not null in the primary key, which is not empty.
std::string EncodeRowKey(const Table& table, const Row& row);
std::string EncodeHiddenRowKey(const Table& table, uint64_t row_id);
std::string EncodeRowValue(const Table& table, const Row& row);

// Sets row[0 .. columns). XX001 for bytes that are no row of this table.
absl::Status DecodeRow(const Table& table, std::string_view key, std::string_view value, Row* row);

}  // namespace anabranch
