#include "sql/schema/ddl.h"

#include <algorithm>

#include "base/status.h"
#include "sql/parse/tree.h"
#include "sql/query/bind.h"
#include "sql/query/select.h"
#include "sql/schema/table_builder.h"
#include "sql/write/backfill.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;

absl::Status CreateTable(const pg_query::CreateStmt& create, const Execution& execution, ResultSink& sink) {
  SchemaChange change(execution);
  ASSIGN_OR_RETURN(const std::string name, RelationName(create.relation()));
  RETURN_IF_ERROR(change.Begin({name}));
  ASSIGN_OR_RETURN(const std::optional<Descriptor> existing, change.Find(name));
  if (existing && create.if_not_exists()) {
    sink.Notice(sqlstate::kDuplicateTable, fmt::format("relation \"{}\" already exists, skipping", name));
    return absl::OkStatus();
  }
  Table table;
  table.name = name;
  table.owner = execution.evaluation.session->user;
  TableBuilder builder(std::move(table), &change);
  RETURN_IF_ERROR(builder.Create(create));
  RETURN_IF_ERROR(change.CheckFree(name));
  ASSIGN_OR_RETURN(builder.table().id, change.NewId());
  builder.table().oid = builder.table().id;
  RETURN_IF_ERROR(builder.Finish());
  return change.Put(builder.table());
}

// Columns of the names given, else of the query's, and of the query's types.
absl::StatusOr<Table> DescribeRows(const std::vector<ColumnDescription>& columns,
                                   const google::protobuf::RepeatedPtrField<Node>& names) {
  if (static_cast<size_t>(names.size()) > columns.size()) {
    return SqlError(sqlstate::kSyntaxError, "too many column names were specified");
  }
  Table table;
  for (size_t i = 0; i < columns.size(); ++i) {
    const std::string& name = static_cast<int>(i) < names.size() ? StringOf(names[static_cast<int>(i)]) : columns[i].name;
    if (table.FindColumn(name)) {
      return SqlError(sqlstate::kDuplicateColumn, fmt::format("column \"{}\" specified more than once", name));
    }
    table.columns.push_back({.id = table.next_column_id++, .name = name, .type = columns[i].type});
  }
  return table;
}

absl::StatusOr<std::string> CreateTableAs(const pg_query::CreateTableAsStmt& create, const Execution& execution,
                                          TableReader* tables, ResultSink& sink) {
  if (create.objtype() != pg_query::OBJECT_TABLE) return UnsupportedError("CREATE MATERIALIZED VIEW");
  const pg_query::IntoClause& into = create.into();
  if (!create.query().has_select_stmt()) return UnsupportedError("CREATE TABLE AS of this statement");
  if (into.rel().relpersistence() != "p") return UnsupportedError("CREATE TEMPORARY or UNLOGGED TABLE");
  RETURN_IF_ERROR(CheckStorageParameters(into.options()));
  SchemaChange change(execution);
  ASSIGN_OR_RETURN(const std::string name, RelationName(into.rel()));
  RETURN_IF_ERROR(change.Begin({name}));
  ASSIGN_OR_RETURN(const std::optional<Descriptor> existing, change.Find(name));
  if (existing && create.if_not_exists()) {
    sink.Notice(sqlstate::kDuplicateTable, fmt::format("relation \"{}\" already exists, skipping", name));
    return std::string("CREATE TABLE AS");
  }
  RETURN_IF_ERROR(change.CheckFree(name));
  Binder binder({});
  binder.set_zone(execution.evaluation.zone());
  const Planning planning{.transaction = execution.transaction,
                          .tables = tables,
                          .binder = &binder,
                          .system = execution.evaluation.session->system};
  ASSIGN_OR_RETURN(const SelectPlan plan, PlanSelect(create.query().select_stmt(), nullptr, nullptr, planning));
  RETURN_IF_ERROR(
      Authorization(&execution.evaluation.session->user, execution.transaction, nullptr).CheckReads(plan.tables));
  ASSIGN_OR_RETURN(Table table, DescribeRows(plan.columns, into.col_names()));
  table.name = name;
  table.owner = execution.evaluation.session->user;
  ASSIGN_OR_RETURN(table.id, change.NewId());
  table.oid = table.id;
  uint64_t rows = 0;
  if (!into.skip_data()) {
    BulkWriter writer(table, nullptr, BulkWriter::Purpose::kLoad, execution);
    RETURN_IF_ERROR(RunSelect(plan, execution, [&](Row& row) {
      ++rows;
      return writer.AddRow(row);
    }));
    RETURN_IF_ERROR(writer.Finish());
  }
  RETURN_IF_ERROR(change.Put(table));
  return fmt::format("SELECT {}", rows);
}

std::string_view ObjectKind(pg_query::ObjectType type) {
  return type == pg_query::OBJECT_INDEX ? "index" : type == pg_query::OBJECT_SEQUENCE ? "sequence" : "table";
}

absl::Status DropTable(const std::string& name, SchemaChange* change) {
  ASSIGN_OR_RETURN(const TableRef table, change->GetTable(name));
  return change->Drop(*table);
}

absl::Status DropSequence(const std::string& name, pg_query::DropBehavior behavior, SchemaChange* change) {
  ASSIGN_OR_RETURN(const SequenceRef sequence, change->GetSequence(name));
  if (sequence->owner_table.empty()) return change->Drop(*sequence);
  ASSIGN_OR_RETURN(const TableRef owner, change->GetTable(sequence->owner_table));
  Table table = *owner;
  const auto column = std::find_if(table.columns.begin(), table.columns.end(),
                                   [&](const Column& c) { return c.id == sequence->owner_column; });
  if (column != table.columns.end()) {
    if (behavior != pg_query::DROP_CASCADE) {
      return SqlError(sqlstate::kDependentObjectsStillExist,
                      fmt::format("cannot drop sequence {} because other objects depend on it", name),
                      "Use DROP ... CASCADE to drop the dependent objects too.");
    }
    column->default_expression.clear();
    column->identity = 0;
    RETURN_IF_ERROR(change->Put(table));
  }
  return change->Drop(*sequence);
}

absl::StatusOr<std::string> DropObjects(const pg_query::DropStmt& drop, const Execution& execution, ResultSink& sink) {
  SchemaChange change(execution);
  std::vector<std::string> names;
  for (const Node& object : drop.objects()) {
    ASSIGN_OR_RETURN(std::string name, QualifiedName(object));
    names.push_back(std::move(name));
  }
  const std::string_view kind = ObjectKind(drop.remove_type());
  RETURN_IF_ERROR(change.Begin(names));
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const std::optional<Descriptor> found, change.Find(name));
    if (!found) {
      if (!drop.missing_ok()) {
        return SqlError(
            drop.remove_type() == pg_query::OBJECT_INDEX ? sqlstate::kUndefinedObject : sqlstate::kUndefinedTable,
            fmt::format("{} \"{}\" does not exist", kind, name));
      }
      sink.Notice("00000", fmt::format("{} \"{}\" does not exist, skipping", kind, name));
      continue;
    }
    switch (drop.remove_type()) {
      case pg_query::OBJECT_INDEX:
        RETURN_IF_ERROR(DropIndex(name, drop.missing_ok(), &change, sink));
        break;
      case pg_query::OBJECT_SEQUENCE:
        RETURN_IF_ERROR(DropSequence(name, drop.behavior(), &change));
        break;
      default:
        RETURN_IF_ERROR(DropTable(name, &change));
        break;
    }
  }
  std::string tag = "DROP ";
  for (const char c : kind) tag.push_back(static_cast<char>(c - 'a' + 'A'));
  return tag;
}

// The table and its indexes get new ids, under which there is nothing.
absl::Status TruncateTables(const pg_query::TruncateStmt& truncate, const Execution& execution) {
  SchemaChange change(execution);
  std::vector<std::string> names;
  for (const Node& relation : truncate.relations()) {
    ASSIGN_OR_RETURN(std::string name, RelationName(relation.range_var()));
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  }
  RETURN_IF_ERROR(change.Begin(names));
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const TableRef table, change.GetTableFor(name, Privilege::kTruncate));
    Table emptied = *table;
    RETURN_IF_ERROR(change.Discard(table->id));
    ASSIGN_OR_RETURN(emptied.id, change.NewId());
    for (Index& index : emptied.indexes) {
      RETURN_IF_ERROR(change.Discard(index.id));
      ASSIGN_OR_RETURN(index.id, change.NewId());
    }
    for (Column& column : emptied.columns) column.missing_value.reset();
    RETURN_IF_ERROR(change.Put(emptied));
    if (!truncate.restart_seqs()) continue;
    ASSIGN_OR_RETURN(const std::vector<SequenceRef> sequences, change.OwnedSequences(*table));
    for (const SequenceRef& sequence : sequences) RETURN_IF_ERROR(RestartSequence(*sequence, &change));
  }
  return absl::OkStatus();
}

absl::Status CheckRelation(const pg_query::RangeVar& relation, const Execution& execution, TableReader* tables) {
  ASSIGN_OR_RETURN(const std::string name, RelationName(relation));
  return tables->Get(*execution.transaction, name).status();
}

// VACUUM, ANALYZE and their like: there is nothing to do, but the tables they name must exist.
absl::StatusOr<std::string> Maintain(const Node& tree, const Execution& execution, TableReader* tables) {
  RETURN_IF_ERROR(execution.transaction->BeginStatement());
  if (tree.has_vacuum_stmt()) {
    for (const Node& relation : tree.vacuum_stmt().rels()) {
      RETURN_IF_ERROR(CheckRelation(relation.vacuum_relation().relation(), execution, tables));
    }
    return std::string(tree.vacuum_stmt().is_vacuumcmd() ? "VACUUM" : "ANALYZE");
  }
  if (tree.has_cluster_stmt()) {
    if (tree.cluster_stmt().has_relation()) {
      RETURN_IF_ERROR(CheckRelation(tree.cluster_stmt().relation(), execution, tables));
    }
    return std::string("CLUSTER");
  }
  if (tree.has_reindex_stmt()) {
    if (tree.reindex_stmt().kind() == pg_query::REINDEX_OBJECT_TABLE) {
      RETURN_IF_ERROR(CheckRelation(tree.reindex_stmt().relation(), execution, tables));
    }
    return std::string("REINDEX");
  }
  return std::string(tree.has_comment_stmt() ? "COMMENT" : "CHECKPOINT");
}

}  // namespace

bool IsDefinition(const Node& tree) {
  switch (tree.node_case()) {
    case Node::kCreateStmt:
    case Node::kCreateTableAsStmt:
    case Node::kDropStmt:
    case Node::kTruncateStmt:
    case Node::kIndexStmt:
    case Node::kAlterTableStmt:
    case Node::kRenameStmt:
    case Node::kCreateSeqStmt:
    case Node::kAlterSeqStmt:
    case Node::kVacuumStmt:
    case Node::kClusterStmt:
    case Node::kReindexStmt:
    case Node::kCommentStmt:
    case Node::kCheckPointStmt:
      return true;
    default:
      return false;
  }
}

absl::StatusOr<std::string> RunDefinition(const Node& tree, const Execution& execution, TableReader* tables,
                                          ResultSink& sink) {
  switch (tree.node_case()) {
    case Node::kCreateStmt:
      RETURN_IF_ERROR(CreateTable(tree.create_stmt(), execution, sink));
      return std::string("CREATE TABLE");
    case Node::kCreateTableAsStmt:
      return CreateTableAs(tree.create_table_as_stmt(), execution, tables, sink);
    case Node::kDropStmt:
      return DropObjects(tree.drop_stmt(), execution, sink);
    case Node::kTruncateStmt:
      RETURN_IF_ERROR(TruncateTables(tree.truncate_stmt(), execution));
      return std::string("TRUNCATE TABLE");
    case Node::kIndexStmt:
      RETURN_IF_ERROR(CreateIndex(tree.index_stmt(), execution, sink));
      return std::string("CREATE INDEX");
    case Node::kAlterTableStmt:
      RETURN_IF_ERROR(AlterTable(tree.alter_table_stmt(), execution, sink));
      return std::string(tree.alter_table_stmt().objtype() == pg_query::OBJECT_SEQUENCE ? "ALTER SEQUENCE" : "ALTER TABLE");
    case Node::kRenameStmt:
      return Rename(tree.rename_stmt(), execution, sink);
    case Node::kCreateSeqStmt:
      RETURN_IF_ERROR(CreateSequence(tree.create_seq_stmt(), execution, sink));
      return std::string("CREATE SEQUENCE");
    case Node::kAlterSeqStmt:
      RETURN_IF_ERROR(AlterSequence(tree.alter_seq_stmt(), execution, sink));
      return std::string("ALTER SEQUENCE");
    default:
      return Maintain(tree, execution, tables);
  }
}

}  // namespace anabranch
