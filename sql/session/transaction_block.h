// The transaction state of a session: outside any block, in the implicit block of a query string of several statements, or
// between BEGIN and COMMIT; and whether that failed.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/session/session.h"
#include "sql/value/datum.h"
#include "sql/write/backfill.h"

namespace anabranch {

struct BlockOptions {
  IsolationLevel isolation = IsolationLevel::kReadCommitted;
  bool read_only = false;
  std::optional<Timestamp> as_of;
};

class QueryCursor;

class TransactionBlock {
 public:
  enum class Kind { kNone, kImplicit, kExplicit };

  explicit TransactionBlock(const TransactionContext& context) : context_(context) {}

  Kind kind() const { return kind_; }
  bool explicit_block() const { return kind_ == Kind::kExplicit; }
  bool failed() const { return failed_; }
  bool read_only() const { return options_.read_only || options_.as_of || on_standby(); }
  bool on_standby() const { return context_.follows.has_value(); }  // no transaction of this session writes
  const BlockOptions& options() const { return options_; }
  TransactionStatus status() const;
  TimestampTz time() const { return time_; }                       // of the transaction; now()
  Timestamp last_commit() const { return last_commit_; }           // zero: none yet
  uint64_t commits() const { return commits_; }                    // so far, of transactions that wrote
  Transaction* transaction() const { return transaction_.get(); }  // null: nothing has run in it
  // Ids that the transaction made; null if it keeps its snapshot, and so would not see what is put under them.
  UnpublishedIds* unpublished() { return options_.isolation == IsolationLevel::kReadCommitted ? &unpublished_ : nullptr; }

  // Opens an explicit block; an implicit one becomes it.
  absl::Status Begin(const BlockOptions& options);
  void BeginImplicit();
  // Before anything has run in the block. 25001 after.
  absl::Status Change(const BlockOptions& options);

  // The transaction for a statement; begun with `defaults` if there is no block.
  absl::StatusOr<Transaction*> ForStatement(const BlockOptions& defaults);
  // After a statement, with how it ended: commits or rolls back if there is no block; a block fails with its statement, and
  // what it did is undone at once: since its newest savepoint, or all of it if it has none. What comes back is the
  // statement's error, or the commit's. `stop`: as Transaction::Commit.
  absl::Status Finish(absl::Status status, std::stop_token stop = {});

  // Cursors that read in the block's transaction; not owned. They are closed with it.
  void AddCursor(QueryCursor* cursor) { cursors_.push_back(cursor); }
  void RemoveCursor(QueryCursor* cursor) { std::erase(cursors_, cursor); }
  // Before a statement takes its snapshot: what they have still to read is held.
  absl::Status HoldCursors(const std::stop_token& stop);

  // Savepoints of an explicit block, as Transaction's, by name: the newest of a name is the one meant. Those that name one
  // return its number. 3B001 if there is none.
  absl::Status Savepoint(const std::string& name);
  absl::StatusOr<size_t> RollbackTo(const std::string& name);  // a failed block goes on
  absl::StatusOr<size_t> Release(const std::string& name);

  // Ends the block. True: committed; false: it had failed, and is rolled back. `stop`: as Transaction::Commit.
  absl::StatusOr<bool> Commit(std::stop_token stop);
  void Rollback();

 private:
  absl::StatusOr<size_t> FindSavepoint(const std::string& name) const;
  absl::Status CommitTransaction(std::stop_token stop);
  void ResetTransaction();
  void End();

  const TransactionContext& context_;
  Kind kind_ = Kind::kNone;
  bool failed_ = false;
  BlockOptions options_;
  std::unique_ptr<Transaction> transaction_;
  std::vector<std::string> savepoints_;  // names of those of transaction_
  UnpublishedIds unpublished_;
  std::vector<QueryCursor*> cursors_;
  TimestampTz time_;
  Timestamp last_commit_;
  uint64_t commits_ = 0;
};

}  // namespace anabranch
