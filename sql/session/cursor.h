// Queries that are fetched piece by piece: the rows are made as they are asked for.
//
// A cursor reads in the transaction of its block at the snapshot of its own statement. When another statement of the
// session begins, which moves the snapshot, the rows still to come are taken into memory first (53200 beyond
// kQueryMemoryBytesMax). Used by the session's thread.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "sql/query/statement_run.h"
#include "sql/session/bound_statement.h"
#include "sql/session/session.h"
#include "sql/session/transaction_block.h"

namespace anabranch {

class QueryCursor final : public Cursor {
 public:
  // `block` (not owned) has the transaction of `execution`. REQUIRES: the plan is a SELECT.
  static absl::StatusOr<std::unique_ptr<QueryCursor>> Open(TransactionBlock* block, BoundStatementRef plan, Row parameters,
                                                           const Execution& execution);
  ~QueryCursor() override;

  absl::StatusOr<std::optional<std::string>> Fetch(size_t rows_max, ResultSink& sink, std::stop_token stop) override;

  // For the block: another statement begins; the transaction ends.
  absl::Status Hold(const std::stop_token& stop);
  void Close();

 private:
  QueryCursor(TransactionBlock* block, BoundStatementRef plan, Row parameters, const Execution& execution);

  absl::StatusOr<bool> Next(Row* row);

  TransactionBlock& block_;
  const BoundStatementRef plan_;
  const Row parameters_;
  std::stop_source stop_;  // what the execution sees, which outlives the statements that fetch
  Execution execution_;
  StatementRun run_;
  RowSourceRef source_;  // null: what is left is held
  std::deque<Row> held_;
  MemoryAccount memory_;
};

}  // namespace anabranch
