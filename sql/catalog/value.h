// PostgreSQL's own types as the catalogs list them, and the values of catalog columns.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sql/value/datum.h"

namespace anabranch {

inline constexpr int32_t kNoTypeModifier = -1;

// What pg_type says of a type: a line of PostgreSQL's own.
struct TypeFacts {
  int64_t oid;
  std::string_view name;
  int16_t length;
  bool by_value;
  char kind;
  char category;
  bool preferred;
  int64_t element;
  int64_t array;
  char alignment;
  char storage;
  int64_t collation;
  std::string_view functions;  // what the names of its input, output, receive and send functions begin with
  int64_t function_oids[4];    // 0: it has none
};
// Null for what PostgreSQL has and we do not list.
const TypeFacts* FindTypeFacts(int64_t oid);
const TypeFacts* FindTypeFacts(std::string_view name);
std::span<const TypeFacts> AllTypeFacts();
// Of a B-tree index over a column of this type; 0: there is none.
int64_t DefaultOperatorClass(int64_t type);

// "character varying(10)". The modifier is PostgreSQL's.
std::string FormatTypeOid(int64_t oid, int32_t modifier);
// The type that a name in SQL's spelling or in pg_type's means, a modifier left aside; null: there is none.
const TypeFacts* FindTypeText(std::string_view text);

// A type as the column lists of the catalogs name it.
SqlType CatalogTypeNamed(std::string_view name);

Datum ArrayValue(const std::vector<std::string>& items);  // {a,b}
Datum NumbersValue(const std::vector<int64_t>& numbers);  // {1,2}
Datum VectorValue(const std::vector<int64_t>& numbers);   // 1 2
ObjectName TypeValue(int64_t oid);                        // as regtype

// The functions that read and write the values of a type.
inline constexpr std::string_view kFunctionSuffixes[] = {"in", "out", "recv", "send"};
ObjectName FunctionValue(const TypeFacts& type, size_t which);  // as regproc; oid 0: it has none

}  // namespace anabranch
