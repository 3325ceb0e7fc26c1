// What running one statement needs. Made by the session for each execution.
#pragma once

#include <functional>
#include <stop_token>

#include "absl/status/status.h"
#include "base/status.h"
#include "sql/expression.h"
#include "sql/session.h"
#include "storage/transaction.h"

namespace anabranch {

class Binder;
class UnpublishedIds;

struct Execution {
  Transaction* transaction = nullptr;
  EvaluationContext evaluation;
  std::stop_token stop;
  UnpublishedIds* unpublished = nullptr;  // of the transaction; null: see TransactionBlock::unpublished
};

// What planning needs: tables as the transaction sees them.
struct Planning {
  Transaction* transaction = nullptr;
  TableReader* tables = nullptr;
  Binder* binder = nullptr;
  SystemStatements* system = nullptr;  // null outside `system`
};

using RowConsumer = std::function<absl::Status(Row& row)>;

inline absl::Status CheckStop(const std::stop_token& stop) {
  if (!stop.stop_requested()) return absl::OkStatus();
  return SqlError(sqlstate::kQueryCanceled, "canceling statement due to user request");
}

// Counts what a query holds in memory: 53200 beyond kQueryMemoryBytesMax.
class MemoryAccount {
 public:
  absl::Status Add(size_t bytes) {
    bytes_ += bytes;
    if (bytes_ <= kQueryMemoryBytesMax) return absl::OkStatus();
    return SqlError(sqlstate::kOutOfMemory,
                    fmt::format("a sort, aggregation or SHOW of this query needs more than {} bytes", kQueryMemoryBytesMax),
                    "Reduce its rows by WHERE or LIMIT, or order by the primary key.");
  }
  void Release(size_t bytes) { bytes_ -= bytes; }

 private:
  size_t bytes_ = 0;
};

// The memory a row holds, near enough.
size_t RowBytes(const Row& row);

}  // namespace anabranch
