#include "sql/session/transaction_block.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "sql/session/cursor.h"

namespace anabranch {

TransactionStatus TransactionBlock::status() const {
  if (kind_ != Kind::kExplicit) return TransactionStatus::kIdle;
  return failed_ ? TransactionStatus::kFailed : TransactionStatus::kInTransaction;
}

absl::Status TransactionBlock::Begin(const BlockOptions& options) {
  if (kind_ == Kind::kImplicit && transaction_) {
    // What has run so far belongs to the block, under the options it ran with.
    kind_ = Kind::kExplicit;
    return absl::OkStatus();
  }
  kind_ = Kind::kExplicit;
  options_ = options;
  time_ = {static_cast<int64_t>(context_.store->clock()->WallNs() / 1000)};
  if (!options_.as_of) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<Transaction>> transaction = Transaction::BeginAsOf(context_, *options_.as_of);
  if (!transaction.ok()) {
    End();
    return std::move(transaction).status();
  }
  transaction_ = *std::move(transaction);
  return absl::OkStatus();
}

void TransactionBlock::BeginImplicit() {
  if (kind_ == Kind::kNone) kind_ = Kind::kImplicit;
}

absl::Status TransactionBlock::Change(const BlockOptions& options) {
  if (transaction_) {
    return SqlError(sqlstate::kActiveSqlTransaction, "SET TRANSACTION must be called before any query");
  }
  options_ = options;
  return absl::OkStatus();
}

absl::StatusOr<Transaction*> TransactionBlock::ForStatement(const BlockOptions& defaults) {
  if (transaction_) return transaction_.get();
  if (kind_ != Kind::kExplicit) {
    options_ = defaults;
    time_ = {static_cast<int64_t>(context_.store->clock()->WallNs() / 1000)};
  }
  transaction_ = Transaction::Begin(context_, options_.isolation);
  return transaction_.get();
}

absl::Status TransactionBlock::Finish(absl::Status status, std::stop_token stop) {
  if (!status.ok()) {
    if (savepoints_.empty()) {
      ResetTransaction();
    } else {
      transaction_->RollbackTo(savepoints_.size());
      unpublished_.RollbackTo(savepoints_.size());
    }
    failed_ = kind_ != Kind::kNone;
    return status;
  }
  return kind_ == Kind::kNone ? CommitTransaction(std::move(stop)) : absl::OkStatus();
}

absl::Status TransactionBlock::Savepoint(const std::string& name) {
  RETURN_IF_ERROR(ForStatement(options_).status());
  RETURN_IF_ERROR(transaction_->Savepoint());
  savepoints_.push_back(name);
  unpublished_.Savepoint();
  return absl::OkStatus();
}

absl::StatusOr<size_t> TransactionBlock::RollbackTo(const std::string& name) {
  ASSIGN_OR_RETURN(const size_t open, FindSavepoint(name));
  transaction_->RollbackTo(open);
  unpublished_.RollbackTo(open);
  savepoints_.resize(open);
  failed_ = false;
  return open;
}

absl::StatusOr<size_t> TransactionBlock::Release(const std::string& name) {
  ASSIGN_OR_RETURN(const size_t open, FindSavepoint(name));
  transaction_->Release(open);
  unpublished_.Release(open);
  savepoints_.resize(open - 1);
  return open;
}

absl::StatusOr<size_t> TransactionBlock::FindSavepoint(const std::string& name) const {
  const auto found = std::find(savepoints_.rbegin(), savepoints_.rend(), name);
  if (found != savepoints_.rend()) return static_cast<size_t>(savepoints_.rend() - found);
  return SqlError(sqlstate::kInvalidSavepoint, fmt::format("savepoint \"{}\" does not exist", name));
}

absl::StatusOr<bool> TransactionBlock::Commit(std::stop_token stop) {
  const bool failed = failed_;
  const absl::Status status = failed ? absl::OkStatus() : CommitTransaction(std::move(stop));
  End();
  RETURN_IF_ERROR(status);
  return !failed;
}

void TransactionBlock::Rollback() { End(); }

absl::Status TransactionBlock::CommitTransaction(std::stop_token stop) {
  if (!transaction_) return absl::OkStatus();
  const bool writes = transaction_->has_writes();
  const absl::StatusOr<Timestamp> committed = transaction_->Commit(std::move(stop));
  ResetTransaction();
  RETURN_IF_ERROR(committed.status());
  if (writes || kind_ == Kind::kExplicit) last_commit_ = *committed;
  if (writes) ++commits_;
  return absl::OkStatus();
}

absl::Status TransactionBlock::HoldCursors(const std::stop_token& stop) {
  for (QueryCursor* cursor : cursors_) RETURN_IF_ERROR(cursor->Hold(stop));
  return absl::OkStatus();
}

void TransactionBlock::ResetTransaction() {
  for (QueryCursor* cursor : cursors_) cursor->Close();
  transaction_.reset();
  savepoints_.clear();
  unpublished_.Clear();
}

void TransactionBlock::End() {
  ResetTransaction();
  kind_ = Kind::kNone;
  failed_ = false;
  options_ = BlockOptions();
}

}  // namespace anabranch
