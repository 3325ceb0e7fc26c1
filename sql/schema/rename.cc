// ALTER ... RENAME.
#include <algorithm>

#include "base/status.h"
#include "sql/expression/stored_expression.h"
#include "sql/parse/tree.h"
#include "sql/schema/ddl.h"

namespace anabranch {
namespace {

class Renaming {
 public:
  Renaming(const pg_query::RenameStmt& rename, SchemaChange* change) : rename_(rename), change_(change) {}

  absl::Status Run(const std::string& name, const Descriptor& found) {
    if (const TableRef* table = std::get_if<TableRef>(&found)) return RenameInTable(**table);
    if (const SequenceRef* sequence = std::get_if<SequenceRef>(&found)) return RenameSequence(**sequence);
    return RenameIndex(name, std::get<IndexOf>(found).table);
  }

 private:
  absl::Status RenameInTable(Table table) {
    switch (rename_.rename_type()) {
      case pg_query::OBJECT_TABLE:
        return RenameTable(std::move(table));
      case pg_query::OBJECT_COLUMN:
        return RenameColumnOf(std::move(table));
      case pg_query::OBJECT_TABCONSTRAINT:
        return RenameConstraint(std::move(table));
      default:
        return SqlError(sqlstate::kWrongObjectType, fmt::format("\"{}\" is not of that kind", table.name));
    }
  }

  absl::Status RenameTable(Table table) {
    ASSIGN_OR_RETURN(const std::vector<SequenceRef> sequences, change_->OwnedSequences(table));
    RETURN_IF_ERROR(change_->CheckFree(rename_.newname()));
    RETURN_IF_ERROR(change_->Delete(table.name));
    table.name = rename_.newname();
    for (const SequenceRef& owned : sequences) {
      Sequence sequence = *owned;
      sequence.owner_table = table.name;
      RETURN_IF_ERROR(change_->Put(sequence));
    }
    if (!table.primary_key.empty()) RETURN_IF_ERROR(MoveIndexName(table.primary_key_name, table));
    for (const Index& index : table.indexes) RETURN_IF_ERROR(MoveIndexName(index.name, table));
    return change_->Put(table);
  }

  absl::Status MoveIndexName(const std::string& index, const Table& table) {
    RETURN_IF_ERROR(change_->Find(index).status());  // locks it
    return change_->PutIndexName(index, table.name);
  }

  absl::Status RenameColumnOf(Table table) {
    const std::optional<int> position = table.FindColumn(rename_.subname());
    if (!position) {
      return SqlError(sqlstate::kUndefinedColumn, fmt::format("column \"{}\" does not exist", rename_.subname()));
    }
    if (table.FindColumn(rename_.newname())) {
      return SqlError(sqlstate::kDuplicateColumn,
                      fmt::format("column \"{}\" of relation \"{}\" already exists", rename_.newname(), table.name));
    }
    table.columns[*position].name = rename_.newname();
    for (Check& check : table.checks) {
      ASSIGN_OR_RETURN(ParsedExpression parsed, ParsedExpression::Parse(check.expression));
      RenameColumn(rename_.subname(), rename_.newname(), parsed.mutable_node());
      ASSIGN_OR_RETURN(check.expression, ExpressionSql(parsed.node()));
    }
    return change_->Put(table);
  }

  absl::Status RenameConstraint(Table table) {
    const auto check = std::find_if(table.checks.begin(), table.checks.end(),
                                    [&](const Check& candidate) { return candidate.name == rename_.subname(); });
    if (check != table.checks.end()) {
      check->name = rename_.newname();
      return change_->Put(table);
    }
    return RenameKey(std::move(table), rename_.subname(), "constraint");
  }

  absl::Status RenameIndex(const std::string& name, const std::string& of) {
    ASSIGN_OR_RETURN(const TableRef table, change_->GetTable(of));
    return RenameKey(*table, name, "index");
  }

  // The primary key or an index.
  absl::Status RenameKey(Table table, const std::string& name, std::string_view kind) {
    std::string* found = !table.primary_key.empty() && table.primary_key_name == name ? &table.primary_key_name : nullptr;
    for (Index& index : table.indexes) {
      if (index.name == name) found = &index.name;
    }
    if (found == nullptr) {
      return SqlError(sqlstate::kUndefinedObject,
                      fmt::format("{} \"{}\" for table \"{}\" does not exist", kind, name, table.name));
    }
    RETURN_IF_ERROR(change_->CheckFree(rename_.newname()));
    RETURN_IF_ERROR(change_->Delete(name));
    *found = rename_.newname();
    RETURN_IF_ERROR(change_->PutIndexName(*found, table.name));
    return change_->Put(table);
  }

  absl::Status RenameSequence(Sequence sequence) {
    RETURN_IF_ERROR(change_->CheckFree(rename_.newname()));
    RETURN_IF_ERROR(change_->Delete(sequence.name));
    const std::string before = NextvalSql(sequence.name);
    sequence.name = rename_.newname();
    RETURN_IF_ERROR(change_->Put(sequence));
    if (sequence.owner_table.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const TableRef owner, change_->GetTable(sequence.owner_table));
    Table table = *owner;
    for (Column& column : table.columns) {
      if (column.default_expression == before) column.default_expression = NextvalSql(sequence.name);
    }
    return change_->Put(table);
  }

  const pg_query::RenameStmt& rename_;
  SchemaChange* const change_;
};

std::string_view TagOf(const pg_query::RenameStmt& rename) {
  const pg_query::ObjectType type =
      rename.rename_type() == pg_query::OBJECT_COLUMN ? rename.relation_type() : rename.rename_type();
  return type == pg_query::OBJECT_INDEX      ? "ALTER INDEX"
         : type == pg_query::OBJECT_SEQUENCE ? "ALTER SEQUENCE"
                                             : "ALTER TABLE";
}

}  // namespace

absl::StatusOr<std::string> Rename(const pg_query::RenameStmt& rename, const Execution& execution, ResultSink& sink) {
  SchemaChange change(execution);
  ASSIGN_OR_RETURN(const std::string name, RelationName(rename.relation()));
  RETURN_IF_ERROR(change.Begin({name}));
  ASSIGN_OR_RETURN(const std::optional<Descriptor> found, change.Find(name));
  if (found) {
    RETURN_IF_ERROR(change.CheckOwner(*found));
    RETURN_IF_ERROR(Renaming(rename, &change).Run(name, *found));
  } else if (rename.missing_ok()) {
    sink.Notice("00000", fmt::format("relation \"{}\" does not exist, skipping", name));
  } else {
    return UndefinedRelation(name);
  }
  return std::string(TagOf(rename));
}

}  // namespace anabranch
