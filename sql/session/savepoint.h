// SAVEPOINT, RELEASE SAVEPOINT and ROLLBACK TO SAVEPOINT in a session.
#pragma once

#include <string>

#include "sql/parse/tree_types.h"
#include "sql/session/set_statement.h"
#include "sql/session/transaction_block.h"

namespace anabranch {

// Returns the command tag. 25P01 outside an explicit block, 3B001 for a name that is none, 54000 beyond kSavepointsMax.
// REQUIRES: one of the three; in a failed block, ROLLBACK TO.
absl::StatusOr<std::string> RunSavepointStatement(const pg_query::TransactionStmt& statement, TransactionBlock* block,
                                                  SessionSettings* settings);

}  // namespace anabranch
