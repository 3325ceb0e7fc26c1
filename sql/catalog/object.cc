#include "sql/catalog/object.h"

#include <algorithm>
#include <array>

#include "base/quote.h"
#include "base/status.h"

namespace anabranch {
namespace {

// Object ids of what has no number of its own in a keyspace: in bands of their own above everything numbered, each big
// enough for a hundred thousand tables and more.
constexpr int64_t kConstraintOids = 0x2000'0000;
constexpr int64_t kCheckOids = 0x4000'0000;
constexpr int64_t kDefaultOids = 0x8000'0000;
constexpr int64_t kChecksPerTable = 256;
constexpr int64_t kDefaultsPerTable = 4096;

std::string ColumnList(const IndexView& index) {
  std::string list;
  for (const int position : *index.columns) {
    if (!list.empty()) list += ", ";
    list += QuotedIdentifier(index.table->columns[position].name);
  }
  return list;
}

}  // namespace

std::vector<IndexView> IndexesOf(const Table& table) {
  std::vector<IndexView> indexes;
  if (!table.primary_key.empty()) {
    indexes.push_back({.oid = CatalogOid(table.primary_key_oid),
                       .name = table.primary_key_name,
                       .unique = true,
                       .primary = true,
                       .constraint = true,
                       .columns = &table.primary_key,
                       .table = &table});
  }
  for (const Index& index : table.indexes) {
    indexes.push_back({.oid = CatalogOid(index.oid),
                       .name = index.name,
                       .unique = index.unique,
                       .primary = false,
                       .constraint = index.constraint,
                       .columns = &index.columns,
                       .table = &table});
  }
  return indexes;
}

std::vector<ConstraintView> ConstraintsOf(const Table& table) {
  std::vector<ConstraintView> constraints;
  for (const IndexView& index : IndexesOf(table)) {
    if (!index.constraint) continue;
    constraints.push_back({.oid = kConstraintOids + index.oid,
                           .name = index.name,
                           .kind = index.primary ? 'p' : 'u',
                           .table = &table,
                           .index = index});
  }
  int64_t oid = kCheckOids + TableOid(table) * kChecksPerTable;
  for (const Check& check : table.checks) {
    constraints.push_back(
        {.oid = oid++, .name = check.name, .kind = 'c', .table = &table, .index = {}, .expression = &check.expression});
  }
  return constraints;
}

int64_t DefaultOid(const Table& table, const Column& column) {
  return kDefaultOids + TableOid(table) * kDefaultsPerTable + AttributeNumber(column);
}

int32_t ModifierOf(const Column& column) { return column.modifier; }

std::string TypeTextOf(const Column& column) { return FormatTypeOid(TypeOid(column.type), ModifierOf(column)); }

std::string IndexDefinition(const IndexView& index, NameStyle style) {
  return fmt::format("CREATE {}INDEX {} ON {}{} USING btree ({})", index.unique ? "UNIQUE " : "",
                     QuotedIdentifier(index.name), style == NameStyle::kQualified ? "public." : "",
                     QuotedIdentifier(index.table->name), ColumnList(index));
}

std::string ConstraintDefinition(const ConstraintView& constraint) {
  switch (constraint.kind) {
    case 'p':
      return fmt::format("PRIMARY KEY ({})", ColumnList(*constraint.index));
    case 'u':
      return fmt::format("UNIQUE ({})", ColumnList(*constraint.index));
    default:
      return fmt::format("CHECK ({})", *constraint.expression);
  }
}

std::string TableDefinition(const Table& table) {
  std::string text = fmt::format("CREATE TABLE public.{} (", QuotedIdentifier(table.name));
  std::string_view separator = "\n  ";
  for (const Column& column : table.columns) {
    text += fmt::format("{}{} {}{}", separator, QuotedIdentifier(column.name), TypeTextOf(column),
                        column.not_null ? " NOT NULL" : "");
    if (column.identity != 0) {
      text += fmt::format(" GENERATED {} AS IDENTITY", column.identity == 'a' ? "ALWAYS" : "BY DEFAULT");
    } else if (!column.default_expression.empty()) {
      text += " DEFAULT " + column.default_expression;
    }
    separator = ",\n  ";
  }
  for (const ConstraintView& constraint : ConstraintsOf(table)) {
    text +=
        fmt::format("{}CONSTRAINT {} {}", separator, QuotedIdentifier(constraint.name), ConstraintDefinition(constraint));
    separator = ",\n  ";
  }
  text += table.columns.empty() ? ")" : "\n)";
  for (const IndexView& index : IndexesOf(table)) {
    if (!index.constraint) text += ";\n" + IndexDefinition(index, NameStyle::kQualified);
  }
  return text;
}

std::optional<IndexView> FindIndex(const CatalogSnapshot& snapshot, int64_t oid) {
  for (const TableRef& table : snapshot.tables) {
    for (const IndexView& index : IndexesOf(*table)) {
      if (index.oid == oid) return index;
    }
  }
  return std::nullopt;
}

std::optional<ConstraintView> FindConstraint(const CatalogSnapshot& snapshot, int64_t oid) {
  for (const TableRef& table : snapshot.tables) {
    for (const ConstraintView& constraint : ConstraintsOf(*table)) {
      if (constraint.oid == oid) return constraint;
    }
  }
  return std::nullopt;
}

const Table* FindTable(const CatalogSnapshot& snapshot, int64_t oid) {
  for (const TableRef& table : snapshot.tables) {
    if (TableOid(*table) == oid) return table.get();
  }
  return nullptr;
}

namespace {

// The first relation of the snapshot that `matches`: tables, their indexes, sequences, catalogs.
template <typename Matches>
std::optional<NamedRelation> FirstRelation(const CatalogSnapshot& snapshot, const Matches& matches) {
  for (const TableRef& table : snapshot.tables) {
    if (const NamedRelation named{TableOid(*table), "public", table->name}; matches(named)) return named;
    for (const IndexView& index : IndexesOf(*table)) {
      if (const NamedRelation named{index.oid, "public", index.name}; matches(named)) return named;
    }
  }
  for (const SequenceRef& sequence : snapshot.sequences) {
    if (const NamedRelation named{SequenceOid(*sequence), "public", sequence->name}; matches(named)) return named;
  }
  for (const CatalogRelation& relation : CatalogRelations()) {
    if (const NamedRelation named{relation.oid, relation.schema, relation.name}; matches(named)) return named;
  }
  return std::nullopt;
}

}  // namespace

std::optional<NamedRelation> FindRelation(const CatalogSnapshot& snapshot, std::string_view schema, std::string_view name) {
  if (schema.empty()) {
    // The catalogs come first in every search path.
    if (const CatalogRelation* catalog = FindCatalogRelation(schema, name)) {
      return NamedRelation{catalog->oid, catalog->schema, catalog->name};
    }
    schema = "public";
  }
  return FirstRelation(snapshot, [&](const NamedRelation& known) { return known.schema == schema && known.name == name; });
}

std::optional<NamedRelation> FindRelation(const CatalogSnapshot& snapshot, int64_t oid) {
  return FirstRelation(snapshot, [&](const NamedRelation& known) { return known.oid == oid; });
}

}  // namespace anabranch
