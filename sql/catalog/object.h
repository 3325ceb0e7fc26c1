// What tables, indexes and constraints are called and look like in the system catalogs: shared by the relations, by the
// functions that print definitions, and by SHOW.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sql/catalog/relation.h"
#include "sql/catalog/value.h"

namespace anabranch {

// The primary key is an index like the others here.
struct IndexView {
  int64_t oid = 0;
  std::string_view name;
  bool unique = false;
  bool primary = false;
  bool constraint = false;  // made by PRIMARY KEY or UNIQUE
  const std::vector<int>* columns = nullptr;
  const Table* table = nullptr;
};
// All of a table, the primary key first.
std::vector<IndexView> IndexesOf(const Table& table);

// A constraint as pg_constraint has it.
struct ConstraintView {
  int64_t oid = 0;
  std::string_view name;
  char kind = 'c';  // 'p', 'u', 'c'
  const Table* table = nullptr;
  std::optional<IndexView> index;           // of 'p' and 'u'
  const std::string* expression = nullptr;  // of 'c'
};
std::vector<ConstraintView> ConstraintsOf(const Table& table);

// Attribute numbers are column ids, which a dropped column leaves unused.
inline int64_t AttributeNumber(const Column& column) { return column.id; }
inline int64_t TableOid(const Table& table) { return CatalogOid(table.oid); }
inline int64_t SequenceOid(const Sequence& sequence) { return CatalogOid(sequence.oid); }
int64_t DefaultOid(const Table& table, const Column& column);
inline int64_t TypeOid(SqlType type) { return static_cast<int64_t>(type); }
int32_t ModifierOf(const Column& column);
std::string TypeTextOf(const Column& column);  // "numeric(10,2)"
// Its default as SQL, with the type of a literal: "'x'::text". REQUIRES: it has one.
std::string DefaultDefinition(const Column& column, const TimeZone& zone);

enum class NameStyle { kQualified, kShort };  // public.t, t
// "CREATE UNIQUE INDEX i ON public.t USING btree (a, b)".
std::string IndexDefinition(const IndexView& index, NameStyle style);
// "PRIMARY KEY (a)", "CHECK ((a > 0))".
std::string ConstraintDefinition(const ConstraintView& constraint);
// The statement that makes the table as it is, with its indexes, as SHOW CREATE TABLE prints it.
std::string TableDefinition(const Table& table);

// What to look for in a snapshot by object id; nullopt or null: it has no such thing.
std::optional<IndexView> FindIndex(const CatalogSnapshot& snapshot, int64_t oid);
std::optional<ConstraintView> FindConstraint(const CatalogSnapshot& snapshot, int64_t oid);
const Table* FindTable(const CatalogSnapshot& snapshot, int64_t oid);

// A relation of any kind by name, or by object id.
struct NamedRelation {
  int64_t oid = 0;
  std::string_view schema;
  std::string_view name;
};
std::optional<NamedRelation> FindRelation(const CatalogSnapshot& snapshot, std::string_view schema, std::string_view name);
std::optional<NamedRelation> FindRelation(const CatalogSnapshot& snapshot, int64_t oid);

}  // namespace anabranch
