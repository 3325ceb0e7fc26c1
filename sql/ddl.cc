#include "sql/ddl.h"

#include <algorithm>

#include "base/status.h"
#include "sql/bind.h"
#include "sql/row_codec.h"
#include "sql/tree.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;

// Options of CREATE TABLE ... WITH that say how to store rows: accepted, without effect.
bool IsStorageParameter(std::string_view name) {
  return name == "fillfactor" || name == "parallel_workers" || name.starts_with("autovacuum_") || name.starts_with("toast");
}

class TableBuilder {
 public:
  explicit TableBuilder(const EvaluationContext& context) : context_(context), binder_({}) {}

  absl::StatusOr<Table> Build(const pg_query::CreateStmt& create) {
    RETURN_IF_ERROR(CheckForm(create));
    ASSIGN_OR_RETURN(table_.name, RelationName(create.relation()));
    for (const Node& element : create.table_elts()) {
      if (element.has_column_def()) RETURN_IF_ERROR(AddColumn(element.column_def()));
    }
    for (const Node& element : create.table_elts()) {
      if (element.has_constraint()) RETURN_IF_ERROR(AddTableConstraint(element.constraint()));
      if (!element.has_constraint() && !element.has_column_def()) return UnsupportedError("this kind of table element");
    }
    return std::move(table_);
  }

 private:
  static absl::Status CheckForm(const pg_query::CreateStmt& create) {
    if (create.relation().relpersistence() == "t") return UnsupportedError("CREATE TEMPORARY TABLE");
    if (create.relation().relpersistence() == "u") return UnsupportedError("CREATE UNLOGGED TABLE");
    if (create.oncommit() > pg_query::ONCOMMIT_NOOP) return UnsupportedError("ON COMMIT");
    for (const Node& option : create.options()) {
      const std::string& name = option.def_elem().defname();
      if (!IsStorageParameter(name)) {
        return SqlError(sqlstate::kInvalidParameterValue, fmt::format("unrecognized parameter \"{}\"", name));
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddColumn(const pg_query::ColumnDef& definition) {
    if (table_.FindColumn(definition.colname())) {
      return SqlError(sqlstate::kDuplicateColumn,
                      fmt::format("column \"{}\" specified more than once", definition.colname()));
    }
    if (definition.colname() == "crdb_internal_mvcc_timestamp") {
      return SqlError(sqlstate::kDuplicateColumn,
                      "column name \"crdb_internal_mvcc_timestamp\" conflicts with a system column name");
    }
    if (table_.columns.size() == kColumnsMax) {
      return SqlError("54011", fmt::format("tables can have at most {} columns", kColumnsMax));
    }
    ASSIGN_OR_RETURN(const ColumnType type, ResolveType(definition.type_name()));
    table_.columns.push_back(
        {.id = table_.next_column_id++, .name = definition.colname(), .type = type.type, .numeric = type.numeric});
    const int position = static_cast<int>(table_.columns.size()) - 1;
    bool says_null = false;
    for (const Node& node : definition.constraints()) {
      says_null = says_null || node.constraint().contype() == pg_query::CONSTR_NULL;
      RETURN_IF_ERROR(AddColumnConstraint(node.constraint(), position));
    }
    if (says_null && table_.columns[position].not_null) {
      return SqlError(sqlstate::kSyntaxError,
                      fmt::format("conflicting NULL/NOT NULL declarations for column \"{}\" of table \"{}\"",
                                  definition.colname(), table_.name));
    }
    return absl::OkStatus();
  }

  absl::Status AddColumnConstraint(const pg_query::Constraint& constraint, int position) {
    switch (constraint.contype()) {
      case pg_query::CONSTR_NULL:
        return absl::OkStatus();
      case pg_query::CONSTR_NOTNULL:
        table_.columns[position].not_null = true;
        return absl::OkStatus();
      case pg_query::CONSTR_DEFAULT:
        return SetDefault(constraint.raw_expr(), &table_.columns[position]);
      case pg_query::CONSTR_PRIMARY:
        return SetPrimaryKey(constraint, {position});
      default:
        return Refuse(constraint);
    }
  }

  absl::Status AddTableConstraint(const pg_query::Constraint& constraint) {
    if (constraint.contype() != pg_query::CONSTR_PRIMARY) return Refuse(constraint);
    std::vector<int> positions;
    for (const Node& key : constraint.keys()) {
      const std::optional<int> position = table_.FindColumn(StringOf(key));
      if (!position) {
        return SqlError(sqlstate::kUndefinedColumn,
                        fmt::format("column \"{}\" named in key does not exist", StringOf(key)));
      }
      if (std::find(positions.begin(), positions.end(), *position) != positions.end()) {
        return SqlError(sqlstate::kDuplicateColumn,
                        fmt::format("column \"{}\" appears twice in primary key constraint", StringOf(key)));
      }
      positions.push_back(*position);
    }
    return SetPrimaryKey(constraint, std::move(positions));
  }

  absl::Status SetPrimaryKey(const pg_query::Constraint& constraint, std::vector<int> positions) {
    if (!table_.primary_key.empty()) {
      return SqlError(sqlstate::kInvalidTableDefinition,
                      fmt::format("multiple primary keys for table \"{}\" are not allowed", table_.name));
    }
    if (constraint.options_size() > 0) return UnsupportedError("WITH after PRIMARY KEY");
    for (const int position : positions) table_.columns[position].not_null = true;
    table_.primary_key = std::move(positions);
    table_.primary_key_name = constraint.conname().empty() ? table_.name + "_pkey" : constraint.conname();
    return absl::OkStatus();
  }

  static absl::Status Refuse(const pg_query::Constraint& constraint) {
    switch (constraint.contype()) {
      case pg_query::CONSTR_CHECK:
        return UnsupportedError("CHECK");
      case pg_query::CONSTR_UNIQUE:
        return UnsupportedError("UNIQUE");
      case pg_query::CONSTR_FOREIGN:
        return UnsupportedError("FOREIGN KEY");
      case pg_query::CONSTR_IDENTITY:
        return UnsupportedError("GENERATED ... AS IDENTITY");
      case pg_query::CONSTR_GENERATED:
        return UnsupportedError("GENERATED ALWAYS AS");
      case pg_query::CONSTR_EXCLUSION:
        return UnsupportedError("EXCLUDE");
      default:
        return UnsupportedError("DEFERRABLE");
    }
  }

  // A constant, computed now, or the transaction's time.
  absl::Status SetDefault(const Node& node, Column* column) {
    ASSIGN_OR_RETURN(const ExpressionRef expression, binder_.BindAssignment(node, *column));
    if (expression->kind == ExpressionKind::kCall && expression->function->name == "now") {
      column->default_expression = "now()";
      return absl::OkStatus();
    }
    if (!IsImmutable(*expression)) return UnsupportedError("a DEFAULT that is neither constant nor now()");
    ASSIGN_OR_RETURN(Datum value, Evaluate(*expression, {}, context_));
    if (!IsNull(value)) column->default_value = std::move(value);
    return absl::OkStatus();
  }

  const EvaluationContext& context_;
  Binder binder_;
  Table table_;
};

// Locks a table's name against everyone and returns what has it now. Null: nothing.
absl::StatusOr<TableRef> LockDescriptor(const std::string& name, const Execution& execution) {
  ASSIGN_OR_RETURN(const LockedRow locked, execution.transaction->LockRow(DescriptorKey(name), execution.stop));
  if (!locked.row) return TableRef();
  return DecodeTable(name, locked.row->value);
}

}  // namespace

absl::StatusOr<Table> DescribeTable(const pg_query::CreateStmt& create, const EvaluationContext& context) {
  return TableBuilder(context).Build(create);
}

absl::Status CreateTable(const pg_query::CreateStmt& create, const Execution& execution, ResultSink& sink) {
  ASSIGN_OR_RETURN(Table table, DescribeTable(create, execution.evaluation));
  RETURN_IF_ERROR(execution.transaction->Lock(DescriptorKey(table.name), LockMode::kExclusive, execution.stop));
  RETURN_IF_ERROR(execution.transaction->BeginStatement());
  ASSIGN_OR_RETURN(const TableRef existing, LockDescriptor(table.name, execution));
  if (existing) {
    if (!create.if_not_exists()) {
      return SqlError(sqlstate::kDuplicateTable, fmt::format("relation \"{}\" already exists", table.name));
    }
    sink.Notice(sqlstate::kDuplicateTable, fmt::format("relation \"{}\" already exists, skipping", table.name));
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(table.id, AllocateIds(execution.evaluation.session->transaction, 1, execution.stop));
  table.oid = table.id;
  return execution.transaction->Put(DescriptorKey(table.name), EncodeTable(table));
}

absl::Status DropTables(const pg_query::DropStmt& drop, const Execution& execution, ResultSink& sink) {
  std::vector<std::string> names;
  for (const Node& object : drop.objects()) {
    pg_query::RangeVar relation;
    const auto& parts = object.list().items();
    relation.set_inh(true);
    relation.set_relname(StringOf(parts[parts.size() - 1]));
    if (parts.size() > 1) relation.set_schemaname(StringOf(parts[parts.size() - 2]));
    ASSIGN_OR_RETURN(std::string name, RelationName(relation));
    names.push_back(std::move(name));
  }
  for (const std::string& name : names) {
    RETURN_IF_ERROR(execution.transaction->Lock(DescriptorKey(name), LockMode::kExclusive, execution.stop));
  }
  RETURN_IF_ERROR(execution.transaction->BeginStatement());
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const TableRef table, LockDescriptor(name, execution));
    if (!table) {
      if (!drop.missing_ok()) return SqlError(sqlstate::kUndefinedTable, fmt::format("table \"{}\" does not exist", name));
      sink.Notice("00000", fmt::format("table \"{}\" does not exist, skipping", name));
      continue;
    }
    RETURN_IF_ERROR(execution.transaction->Delete(DescriptorKey(name)));
    RETURN_IF_ERROR(RecordDropped(*execution.transaction, table->id, execution.stop));
  }
  return absl::OkStatus();
}

// The table gets a new id, under which there are no rows.
absl::Status TruncateTables(const pg_query::TruncateStmt& truncate, const Execution& execution) {
  std::vector<std::string> names;
  for (const Node& relation : truncate.relations()) {
    ASSIGN_OR_RETURN(std::string name, RelationName(relation.range_var()));
    RETURN_IF_ERROR(execution.transaction->Lock(DescriptorKey(name), LockMode::kExclusive, execution.stop));
    names.push_back(std::move(name));
  }
  RETURN_IF_ERROR(execution.transaction->BeginStatement());
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const TableRef table, LockDescriptor(name, execution));
    if (!table) return SqlError(sqlstate::kUndefinedTable, fmt::format("relation \"{}\" does not exist", name));
    Table emptied = *table;
    ASSIGN_OR_RETURN(emptied.id, AllocateIds(execution.evaluation.session->transaction, 1, execution.stop));
    RETURN_IF_ERROR(execution.transaction->Put(DescriptorKey(name), EncodeTable(emptied)));
    RETURN_IF_ERROR(RecordDropped(*execution.transaction, table->id, execution.stop));
  }
  return absl::OkStatus();
}

}  // namespace anabranch
