// CREATE INDEX, DROP INDEX.
#include <algorithm>

#include "base/status.h"
#include "sql/parse/tree.h"
#include "sql/schema/ddl.h"
#include "sql/schema/table_builder.h"
#include "sql/schema/table_rewrite.h"
#include "sql/stored/row_codec.h"

namespace anabranch {
namespace {

constexpr size_t kIndexColumnsMax = 32;  // PostgreSQL's

absl::StatusOr<std::vector<int>> IndexColumns(const pg_query::IndexStmt& create, const Table& table) {
  std::vector<int> columns;
  for (const pg_query::Node& node : create.index_params()) {
    const pg_query::IndexElem& element = node.index_elem();
    if (element.name().empty()) return UnsupportedError("an index on an expression");
    if (element.ordering() == pg_query::SORTBY_DESC) return UnsupportedError("DESC in an index");
    if (element.nulls_ordering() == pg_query::SORTBY_NULLS_FIRST) return UnsupportedError("NULLS FIRST in an index");
    const std::optional<int> position = table.FindColumn(element.name());
    if (!position) {
      return SqlError(sqlstate::kUndefinedColumn, fmt::format("column \"{}\" does not exist", element.name()));
    }
    RETURN_IF_ERROR(CheckKeyType(table.columns[*position].type));
    columns.push_back(*position);
  }
  if (columns.size() <= kIndexColumnsMax) return columns;
  return SqlError(sqlstate::kTooManyColumns, fmt::format("cannot use more than {} columns in an index", kIndexColumnsMax));
}

}  // namespace

absl::Status CreateIndex(const pg_query::IndexStmt& create, const Execution& execution, ResultSink& sink) {
  if (create.access_method() != "btree") {
    return UnsupportedError(fmt::format("access method {}", create.access_method()));
  }
  RETURN_IF_ERROR(CheckStorageParameters(create.options()));
  SchemaChange change(execution);
  ASSIGN_OR_RETURN(const std::string name, RelationName(create.relation()));
  std::vector<std::string> names = {name};
  if (!create.idxname().empty()) names.push_back(create.idxname());
  RETURN_IF_ERROR(change.Begin(names));
  ASSIGN_OR_RETURN(const TableRef table, change.GetTable(name));
  if (create.if_not_exists()) {
    ASSIGN_OR_RETURN(const std::optional<Descriptor> existing, change.Find(create.idxname()));
    if (existing) {
      sink.Notice(sqlstate::kDuplicateTable, fmt::format("relation \"{}\" already exists, skipping", create.idxname()));
      return absl::OkStatus();
    }
  }
  ASSIGN_OR_RETURN(std::vector<int> columns, IndexColumns(create, *table));
  TableBuilder builder(*table, &change);
  RETURN_IF_ERROR(builder.AddIndex(create.idxname(), std::move(columns), create.unique(), false));
  RETURN_IF_ERROR(builder.Finish());
  const TableRef after = std::make_shared<const Table>(std::move(builder.table()));
  RETURN_IF_ERROR(ApplyToRows(table, after, execution));
  return change.Put(*after);
}

absl::Status DropIndex(const std::string& name, bool missing_ok, SchemaChange* change, ResultSink& sink) {
  ASSIGN_OR_RETURN(std::optional<Descriptor> found, change->Find(name));
  const IndexOf* of = found ? std::get_if<IndexOf>(&*found) : nullptr;
  if (found && of == nullptr) return SqlError(sqlstate::kWrongObjectType, fmt::format("\"{}\" is not an index", name));
  if (of == nullptr) {
    if (!missing_ok) return SqlError(sqlstate::kUndefinedObject, fmt::format("index \"{}\" does not exist", name));
    sink.Notice("00000", fmt::format("index \"{}\" does not exist, skipping", name));
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const TableRef owner, change->GetTable(of->table));
  Table table = *owner;
  const auto index = std::find_if(table.indexes.begin(), table.indexes.end(),
                                  [&](const Index& candidate) { return candidate.name == name; });
  if (index == table.indexes.end() || index->constraint) {
    return SqlError(
        sqlstate::kDependentObjectsStillExist,
        fmt::format("cannot drop index {} because constraint {} on table {} requires it", name, name, table.name),
        fmt::format("You can drop constraint {} on table {} instead.", name, table.name));
  }
  RETURN_IF_ERROR(change->Discard(index->id));
  RETURN_IF_ERROR(change->Delete(name));
  table.indexes.erase(index);
  return change->Put(table);
}

}  // namespace anabranch
