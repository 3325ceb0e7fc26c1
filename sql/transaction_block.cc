#include "sql/transaction_block.h"

#include "base/status.h"
#include "sql/cursor.h"

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

absl::Status TransactionBlock::Finish(absl::Status status) {
  if (!status.ok()) {
    ResetTransaction();
    failed_ = kind_ != Kind::kNone;
    return status;
  }
  return kind_ == Kind::kNone ? CommitTransaction() : absl::OkStatus();
}

absl::StatusOr<bool> TransactionBlock::Commit() {
  const bool failed = failed_;
  const absl::Status status = failed ? absl::OkStatus() : CommitTransaction();
  End();
  RETURN_IF_ERROR(status);
  return !failed;
}

void TransactionBlock::Rollback() { End(); }

absl::Status TransactionBlock::CommitTransaction() {
  if (!transaction_) return absl::OkStatus();
  const bool counts = transaction_->has_writes() || kind_ == Kind::kExplicit;
  const absl::StatusOr<Timestamp> committed = transaction_->Commit();
  ResetTransaction();
  RETURN_IF_ERROR(committed.status());
  if (counts) last_commit_ = *committed;
  return absl::OkStatus();
}

absl::Status TransactionBlock::HoldCursors(const std::stop_token& stop) {
  for (QueryCursor* cursor : cursors_) RETURN_IF_ERROR(cursor->Hold(stop));
  return absl::OkStatus();
}

void TransactionBlock::ResetTransaction() {
  for (QueryCursor* cursor : cursors_) cursor->Close();
  transaction_.reset();
  unpublished_.Clear();
}

void TransactionBlock::End() {
  ResetTransaction();
  kind_ = Kind::kNone;
  failed_ = false;
  options_ = BlockOptions();
}

}  // namespace anabranch
