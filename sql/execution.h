// What running one statement needs. Made by the session for each execution.
#pragma once

#include <functional>
#include <stop_token>

#include "absl/status/status.h"
#include "base/status.h"
#include "sql/expression.h"
#include "sql/session.h"
#include "sql/system_statements.h"
#include "storage/transaction.h"

namespace anabranch {

class Binder;
class StatementRun;
class UnpublishedIds;

struct Execution {
  Transaction* transaction = nullptr;
  EvaluationContext evaluation;
  std::stop_token stop;
  StatementRun* statement = nullptr;      // shared by all plans of the statement; see sql/statement_run.h
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

inline absl::Status CheckStop(const std::stop_token& stop) {
  if (!stop.stop_requested()) return absl::OkStatus();
  return SqlError(sqlstate::kQueryCanceled, "canceling statement due to user request");
}

// Counts what one operator of a query holds in memory: 53200 when all of them together pass kQueryMemoryBytesMax. Gives it
// back when it goes.
class MemoryAccount {
 public:
  MemoryAccount() = default;
  // `statement_bytes`: what all operators of the statement hold; null: this one is alone.
  explicit MemoryAccount(size_t* statement_bytes) : total_(statement_bytes == nullptr ? &bytes_ : statement_bytes) {}
  ~MemoryAccount() { Clear(); }
  MemoryAccount(const MemoryAccount&) = delete;
  MemoryAccount& operator=(const MemoryAccount&) = delete;

  absl::Status Add(size_t bytes) {
    bytes_ += bytes;
    if (total_ != &bytes_) *total_ += bytes;
    if (*total_ <= kQueryMemoryBytesMax) return absl::OkStatus();
    return SqlError(
        sqlstate::kOutOfMemory,
        fmt::format("the sorts, aggregations and joins of this query need more than {} bytes", kQueryMemoryBytesMax),
        "Reduce its rows by WHERE or LIMIT, or order by the primary key.");
  }
  void Release(size_t bytes) {
    bytes_ -= bytes;
    if (total_ != &bytes_) *total_ -= bytes;
  }
  void Clear() { Release(bytes_); }

 private:
  size_t bytes_ = 0;
  size_t* const total_ = &bytes_;
};

// The memory a row holds, near enough.
size_t RowBytes(const Row& row);

}  // namespace anabranch
