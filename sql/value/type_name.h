// What types are called and how wide they are: PostgreSQL's names, lengths, categories and type modifiers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/value/datum.h"

namespace anabranch {

inline constexpr int32_t kNoModifier = -1;
inline constexpr int kCharactersMax = 10'485'760;  // of varchar(n) and char(n)

// A type as a column or a cast names it. The modifier is PostgreSQL's: n + 4 of varchar(n) and char(n), the precision of
// timestamp(p), precision << 16 | scale, plus 4, of numeric.
struct ColumnType {
  SqlType type = SqlType::kText;
  int32_t modifier = kNoModifier;
};

struct NumericType {
  int precision = 0;
  int scale = 0;
};
inline int32_t NumericModifier(NumericType numeric) { return (numeric.precision << 16 | numeric.scale) + 4; }
// REQUIRES: a modifier of numeric.
inline NumericType NumericTypeOf(int32_t modifier) { return {(modifier - 4) >> 16, (modifier - 4) & 0xFFFF}; }
inline int CharactersOf(int32_t modifier) { return modifier - 4; }

// A type by the name that the parse tree gives it, "int4" or "bpchar", and what stands in parentheses after it.
// `foreign_schema`: of another schema than pg_catalog. 0A000 for a type that PostgreSQL has and we have not, 42704 for what
// is none.
absl::StatusOr<ColumnType> ResolveTypeName(const std::string& name, bool foreign_schema, const std::vector<int>& modifiers,
                                           bool array);
// From text: "character varying(10)", "int4[]".
absl::StatusOr<ColumnType> ResolveTypeText(std::string_view text);

// nullopt: an oid of no type we have.
std::optional<SqlType> TypeOfOid(uint32_t oid);
// "character varying(10)".
std::string FormatType(ColumnType type);
// "varchar": pg_type.typname, and what a cast's result column is called.
std::string_view InternalTypeName(SqlType type);
// pg_type.typcategory, and whether the type is preferred within it.
char TypeCategory(SqlType type);
bool IsPreferred(SqlType type);
// What a column of a table may be.
bool IsColumnType(SqlType type);
// kUnknown if there is none.
SqlType ElementType(SqlType array);
SqlType ArrayTypeOf(SqlType element);
// All but kUnknown, kVoid and kRecord.
const std::vector<SqlType>& AllTypes();

inline bool IsArray(SqlType type) { return ElementType(type) != SqlType::kUnknown; }
// regclass and its kind.
inline bool IsObjectName(SqlType type) {
  return type == SqlType::kRegclass || type == SqlType::kRegtype || type == SqlType::kRegproc ||
         type == SqlType::kRegnamespace || type == SqlType::kRegrole;
}
inline bool IsInteger(SqlType type) { return type == SqlType::kInt4 || type == SqlType::kInt8 || type == SqlType::kInt2; }

}  // namespace anabranch
