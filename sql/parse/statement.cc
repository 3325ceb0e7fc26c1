#include "sql/parse/statement.h"

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
    case Node::kCreateStmt:
      return "CREATE TABLE";
    case Node::kDropStmt:
      return "DROP TABLE";
    case Node::kTruncateStmt:
      return "TRUNCATE TABLE";
    default:
      return LocksRows(tree) ? "SELECT FOR UPDATE" : "SELECT";
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
