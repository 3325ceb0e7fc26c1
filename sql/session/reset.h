// What connection pools send to make a session as good as new: DISCARD, CLOSE ALL, UNLISTEN *. No statement makes
// cursors (DECLARE), notifications, temporary tables or advisory locks, so that to get rid of all of them is to do nothing.
#pragma once

#include <string>

#include "sql/parse/tree_types.h"
#include "sql/session/prepared_statement.h"
#include "sql/session/set_statement.h"
#include "sql/session/transaction_block.h"
#include "sql/stored/sequence.h"

namespace anabranch {

bool IsResetStatement(const pg_query::Node& tree);
// Returns the command tag. 25001 for DISCARD ALL in a transaction block. REQUIRES: IsResetStatement(tree)
absl::StatusOr<std::string> RunResetStatement(const pg_query::Node& tree, const TransactionBlock& block,
                                              SessionSettings* settings, SequenceSession* sequences,
                                              PreparedStatements* prepared);

}  // namespace anabranch
