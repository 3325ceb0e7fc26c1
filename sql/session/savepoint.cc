#include "sql/session/savepoint.h"

#include "base/status.h"
#include "sql/parse/tree.h"

namespace anabranch {
namespace {

absl::Status OutsideBlock(std::string_view statement) {
  return SqlError(sqlstate::kNoActiveSqlTransaction, fmt::format("{} can only be used in transaction blocks", statement));
}

}  // namespace

absl::StatusOr<std::string> RunSavepointStatement(const pg_query::TransactionStmt& statement, TransactionBlock* block,
                                                  SessionSettings* settings) {
  const std::string& name = statement.savepoint_name();
  switch (statement.kind()) {
    case pg_query::TRANS_STMT_SAVEPOINT:
      if (!block->explicit_block()) return OutsideBlock("SAVEPOINT");
      RETURN_IF_ERROR(block->Savepoint(name));
      settings->Savepoint();
      return std::string("SAVEPOINT");
    case pg_query::TRANS_STMT_RELEASE: {
      if (!block->explicit_block()) return OutsideBlock("RELEASE SAVEPOINT");
      ASSIGN_OR_RETURN(const size_t open, block->Release(name));
      settings->Release(open);
      return std::string("RELEASE");
    }
    default: {
      if (!block->explicit_block()) return OutsideBlock("ROLLBACK TO SAVEPOINT");
      ASSIGN_OR_RETURN(const size_t open, block->RollbackTo(name));
      settings->RollbackTo(open);
      return std::string("ROLLBACK");
    }
  }
}

}  // namespace anabranch
