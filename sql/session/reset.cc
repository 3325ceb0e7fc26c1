#include "sql/session/reset.h"

#include "base/status.h"
#include "sql/parse/tree.h"

namespace anabranch {

bool IsResetStatement(const pg_query::Node& tree) {
  return tree.has_discard_stmt() || tree.has_close_portal_stmt() || tree.has_unlisten_stmt();
}

absl::StatusOr<std::string> RunResetStatement(const pg_query::Node& tree, const TransactionBlock& block,
                                              SessionSettings* settings, SequenceSession* sequences,
                                              PreparedStatements* prepared) {
  if (tree.has_close_portal_stmt()) return std::string("CLOSE CURSOR ALL");
  if (tree.has_unlisten_stmt()) return std::string("UNLISTEN");
  switch (tree.discard_stmt().target()) {
    case pg_query::DISCARD_PLANS:
      return std::string("DISCARD PLANS");
    case pg_query::DISCARD_SEQUENCES:
      sequences->Discard();
      return std::string("DISCARD SEQUENCES");
    case pg_query::DISCARD_TEMP:
      return std::string("DISCARD TEMP");
    default:
      if (block.kind() != TransactionBlock::Kind::kNone) {
        return SqlError(sqlstate::kActiveSqlTransaction, "DISCARD ALL cannot run inside a transaction block");
      }
      settings->ResetAll();
      sequences->Discard();
      prepared->Clear();
      return std::string("DISCARD ALL");
  }
}

}  // namespace anabranch
