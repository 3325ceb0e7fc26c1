// BEGIN, COMMIT, ROLLBACK and savepoints in a session.
#include "base/status.h"
#include "sql/parse/statement.h"
#include "sql/parse/tree.h"
#include "sql/session/savepoint.h"
#include "sql/session/session_impl.h"

namespace anabranch {
namespace {

void WarnNoTransaction(ResultSink& sink) {
  sink.Notice(sqlstate::kNoActiveSqlTransaction, "there is no transaction in progress");
}

}  // namespace

absl::StatusOr<std::string> SessionImpl::ExecuteTransaction(const Call& call) {
  const pg_query::TransactionStmt& transaction = call.statement().tree->transaction_stmt();
  switch (transaction.kind()) {
    case pg_query::TRANS_STMT_BEGIN:
    case pg_query::TRANS_STMT_START:
      RETURN_IF_ERROR(BeginBlock(call, transaction));
      return std::string(transaction.kind() == pg_query::TRANS_STMT_BEGIN ? "BEGIN" : "START TRANSACTION");
    case pg_query::TRANS_STMT_COMMIT:
    case pg_query::TRANS_STMT_ROLLBACK:
      return EndTransaction(call, transaction);
    default: {
      absl::StatusOr<std::string> tag = RunSavepointStatement(transaction, &block_, &settings_);
      if (!tag.ok()) FailBlock();
      return tag;
    }
  }
}

absl::StatusOr<std::string> SessionImpl::EndTransaction(const Call& call, const pg_query::TransactionStmt& end) {
  const bool commits = end.kind() == pg_query::TRANS_STMT_COMMIT;
  if (!block_.explicit_block()) {
    if (end.chain()) {
      return SqlError(sqlstate::kNoActiveSqlTransaction,
                      fmt::format("{} AND CHAIN can only be used in transaction blocks", commits ? "COMMIT" : "ROLLBACK"));
    }
    WarnNoTransaction(call.sink);
  }
  const BlockOptions options = block_.options();
  bool committed = false;
  if (commits) {
    ASSIGN_OR_RETURN(committed, EndBlock(call.stop));
  } else {
    block_.Rollback();
    settings_.Rollback();
  }
  if (end.chain()) {
    RETURN_IF_ERROR(block_.Begin(options));
    settings_.BeginTransaction();
  }
  return std::string(committed ? "COMMIT" : "ROLLBACK");
}

absl::Status SessionImpl::BeginBlock(const Call& call, const pg_query::TransactionStmt& begin) {
  if (block_.explicit_block()) {
    call.sink.Notice(sqlstate::kActiveSqlTransaction, "there is already a transaction in progress");
    return absl::OkStatus();
  }
  BlockOptions options = DefaultOptions();
  RETURN_IF_ERROR(CheckModesAllowed(begin.options(), block_));
  RETURN_IF_ERROR(ApplyTransactionModes(begin.options(), &options));
  if (call.statement().as_of) {
    if (block_.transaction() != nullptr) return UnsupportedError("BEGIN AS OF SYSTEM TIME after other statements");
    ASSIGN_OR_RETURN(options.as_of, ResolveAsOf(*call.statement().as_of, call.stop));
  }
  RETURN_IF_ERROR(block_.Begin(options));
  settings_.BeginTransaction();
  return absl::OkStatus();
}

absl::StatusOr<bool> SessionImpl::EndBlock(const std::stop_token& stop) {
  absl::StatusOr<bool> committed = block_.Commit(stop);
  if (committed.ok() && *committed) {
    settings_.Commit();
  } else {
    settings_.Rollback();
  }
  return committed;
}

}  // namespace anabranch
