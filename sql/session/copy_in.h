// COPY table FROM STDIN of a session: keeps its statement open until the client is done.
#pragma once

#include <memory>
#include <vector>

#include "sql/session/session.h"
#include "sql/session/transaction_block.h"
#include "sql/write/copy.h"

namespace anabranch {

// `block` (not owned) has the transaction that `execution` runs in. What is not Done() is undone.
std::unique_ptr<CopyIn> MakeCopyIn(TransactionBlock* block, TableRulesRef rules, std::vector<int> positions,
                                   CopyFormat format, const Execution& execution);

}  // namespace anabranch
