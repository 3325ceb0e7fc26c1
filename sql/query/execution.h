// What running one statement needs. Made by the session for each execution.
#pragma once

#include <functional>
#include <stop_token>

#include "absl/status/status.h"
#include "base/stop.h"
#include "sql/expression/expression.h"
#include "sql/stored/session_context.h"
#include "sql/value/memory.h"
#include "storage/mvcc/transaction.h"

namespace anabranch {

class Binder;
class SystemStatements;
struct SystemStatement;
class StatementRun;
class UnpublishedIds;

struct Execution {
  Transaction* transaction = nullptr;
  EvaluationContext evaluation;
  std::stop_token stop;
  StatementRun* statement = nullptr;      // shared by all plans of the statement; see sql/query/statement_run.h
  bool measures = false;                  // EXPLAIN ANALYZE
  UnpublishedIds* unpublished = nullptr;  // of the transaction; null: see TransactionBlock::unpublished
};

// What planning needs: tables as the transaction sees them.
struct Planning {
  Transaction* transaction = nullptr;
  TableReader* tables = nullptr;
  Binder* binder = nullptr;
  SystemStatements* system = nullptr;        // null outside `system`
  const SystemStatement* bracket = nullptr;  // what stands for kBracketRelation, if the statement has one
};

using RowConsumer = std::function<absl::Status(Row& row)>;

}  // namespace anabranch
