#include "sql/parse/statement.h"

#include <algorithm>

#include "sql/parse/tree.h"
#include "sql/value/error_field.h"
#include "sql/value/utf8.h"

namespace anabranch {

using Node = pg_query::Node;

const pg_query::RangeVar* WrittenTable(const Node& tree) {
  if (tree.has_insert_stmt()) return &tree.insert_stmt().relation();
  if (tree.has_update_stmt()) return &tree.update_stmt().relation();
  if (tree.has_delete_stmt()) return &tree.delete_stmt().relation();
  if (tree.has_copy_stmt() && tree.copy_stmt().is_from()) return &tree.copy_stmt().relation();
  if (tree.has_explain_stmt()) return WrittenTable(tree.explain_stmt().query());
  return nullptr;
}

bool IsUserStatement(const Node& tree) {
  return tree.has_create_role_stmt() || tree.has_alter_role_stmt() || tree.has_drop_role_stmt() ||
         tree.has_grant_role_stmt() || tree.has_grant_stmt();
}

std::string_view UserStatementName(const Node& tree) {
  if (tree.has_create_role_stmt()) return "CREATE ROLE";
  if (tree.has_alter_role_stmt()) return "ALTER ROLE";
  if (tree.has_drop_role_stmt()) return "DROP ROLE";
  if (tree.has_grant_role_stmt()) return tree.grant_role_stmt().is_grant() ? "GRANT ROLE" : "REVOKE ROLE";
  return tree.grant_stmt().is_grant() ? "GRANT" : "REVOKE";
}

namespace {

// The name for a statement on an object of this type.
std::string_view NameFor(pg_query::ObjectType type, std::string_view table, std::string_view index,
                         std::string_view sequence) {
  switch (type) {
    case pg_query::OBJECT_INDEX:
      return index;
    case pg_query::OBJECT_SEQUENCE:
      return sequence;
    default:
      return table;
  }
}

std::string_view DefinitionName(const Node& tree) {
  switch (tree.node_case()) {
    case Node::kCreateStmt:
      return "CREATE TABLE";
    case Node::kCreateTableAsStmt:
      return tree.create_table_as_stmt().is_select_into() ? "SELECT INTO" : "CREATE TABLE AS";
    case Node::kDropStmt:
      return NameFor(tree.drop_stmt().remove_type(), "DROP TABLE", "DROP INDEX", "DROP SEQUENCE");
    case Node::kTruncateStmt:
      return "TRUNCATE TABLE";
    case Node::kIndexStmt:
      return "CREATE INDEX";
    case Node::kAlterTableStmt:
      return NameFor(tree.alter_table_stmt().objtype(), "ALTER TABLE", "ALTER INDEX", "ALTER SEQUENCE");
    case Node::kRenameStmt:
      return NameFor(tree.rename_stmt().rename_type(), "ALTER TABLE", "ALTER INDEX", "ALTER SEQUENCE");
    case Node::kCreateSeqStmt:
      return "CREATE SEQUENCE";
    case Node::kAlterSeqStmt:
      return "ALTER SEQUENCE";
    case Node::kVacuumStmt:
      return tree.vacuum_stmt().is_vacuumcmd() ? "VACUUM" : "ANALYZE";
    case Node::kClusterStmt:
      return "CLUSTER";
    case Node::kReindexStmt:
      return "REINDEX";
    case Node::kCommentStmt:
      return "COMMENT";
    case Node::kCheckPointStmt:
      return "CHECKPOINT";
    default:
      return "";
  }
}

// The strongest lock that is asked for.
std::string_view LockingName(const pg_query::SelectStmt& select) {
  pg_query::LockClauseStrength strongest = pg_query::LCS_FORKEYSHARE;
  for (const Node& clause : select.locking_clause()) strongest = std::max(strongest, clause.locking_clause().strength());
  switch (strongest) {
    case pg_query::LCS_FORUPDATE:
      return "SELECT FOR UPDATE";
    case pg_query::LCS_FORNOKEYUPDATE:
      return "SELECT FOR NO KEY UPDATE";
    case pg_query::LCS_FORSHARE:
      return "SELECT FOR SHARE";
    default:
      return "SELECT FOR KEY SHARE";
  }
}

}  // namespace

std::string_view CommandName(const Node& tree) {
  if (IsUserStatement(tree)) return UserStatementName(tree);
  switch (tree.node_case()) {
    case Node::kInsertStmt:
      return "INSERT";
    case Node::kUpdateStmt:
      return "UPDATE";
    case Node::kDeleteStmt:
      return "DELETE";
    case Node::kExplainStmt:
      return CommandName(tree.explain_stmt().query());
    case Node::kCopyStmt:
      return "COPY FROM";
    case Node::kSelectStmt:
      return LocksRows(tree) ? LockingName(tree.select_stmt()) : "SELECT";
    default:
      return DefinitionName(tree);
  }
}

bool LocksRows(const Node& tree) { return tree.has_select_stmt() && tree.select_stmt().locking_clause_size() > 0; }

bool RunsInFailedBlock(const Statement& statement) {
  if (statement.tree == nullptr || !statement.tree->has_transaction_stmt()) return false;
  const pg_query::TransactionStmtKind kind = statement.tree->transaction_stmt().kind();
  return kind == pg_query::TRANS_STMT_COMMIT || kind == pg_query::TRANS_STMT_ROLLBACK ||
         kind == pg_query::TRANS_STMT_ROLLBACK_TO;
}

absl::Status WithPosition(absl::Status status, const Statement& statement) {
  std::optional<int> location = LocationOf(status);
  if (!location) return status;
  status = WithoutLocation(std::move(status));
  const std::vector<TextOrigin::Edit>& edits = statement.origin.edits;
  for (auto edit = edits.rbegin(); edit != edits.rend(); ++edit) {
    if (*location < edit->start) continue;
    if (*location < edit->start + edit->added) return status;  // in what the client did not write
    *location += edit->removed - edit->added;
  }
  const int64_t before = CharacterCount(std::string_view(statement.text).substr(0, static_cast<size_t>(*location)));
  const std::string position = std::to_string(statement.origin.first_character + before + 1);
  return WithField(std::move(status), ErrorField::kPosition, position);
}

}  // namespace anabranch
