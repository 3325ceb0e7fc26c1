// SET, SHOW and RESET in a session: which changes last, and what of the transaction they concern.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "google/protobuf/repeated_field.h"
#include "sql/expression/expression.h"
#include "sql/parse/tree_types.h"
#include "sql/session/transaction_block.h"
#include "sql/value/result.h"
#include "sql/value/settings.h"

namespace anabranch {

// The modes of BEGIN, SET TRANSACTION and SET SESSION CHARACTERISTICS, put over *options.
absl::Status ApplyTransactionModes(const google::protobuf::RepeatedPtrField<pg_query::Node>& modes, BlockOptions* options);
// 0A000 if they ask for READ WRITE where sessions only read.
absl::Status CheckModesAllowed(const google::protobuf::RepeatedPtrField<pg_query::Node>& modes,
                               const TransactionBlock& block);

class SessionSettings final : public SettingChanger {
 public:
  SessionSettings(const std::string& user, UserKind kind, ServerKind server) : current_(user, kind, server) {}

  Settings& current() { return current_; }
  const Settings& current() const { return current_; }

  absl::StatusOr<std::string> ExecuteSet(const pg_query::VariableSetStmt& set, TransactionBlock* block, ResultSink& sink);
  // As set_config does; no value: what RESET comes back to. Returns what it is then. Begins a transaction if there is none:
  // the statement's.
  absl::StatusOr<std::string> SetConfig(const std::string& name, const std::optional<std::string>& value,
                                        bool local) override;
  void ResetAll();
  absl::StatusOr<std::string> Show(std::string_view name, const TransactionBlock& block) const;
  absl::StatusOr<std::string> ColumnName(std::string_view name) const;

  // SET is undone by ROLLBACK, SET LOCAL by COMMIT too.
  void BeginTransaction();
  void Commit();
  void Rollback();
  // Savepoints of the transaction, as storage/mvcc/transaction.h has them.
  void Savepoint();
  void RollbackTo(size_t open);
  void Release(size_t open);

  // What changed since the last call and clients are told of; all of them the first time.
  std::vector<std::pair<std::string, std::string>> TakeReported();

 private:
  absl::Status SetTransaction(const pg_query::VariableSetStmt& set, TransactionBlock* block, ResultSink& sink);
  absl::Status SetValue(const pg_query::VariableSetStmt& set, TransactionBlock* block, ResultSink& sink);
  // Applies a change now and, unless it is local, beyond the transaction.
  template <typename Change>
  absl::Status Apply(bool local, const Change& change);

  // What a savepoint puts back. Shared by those between which nothing was set.
  struct Saved {
    Settings current;
    std::optional<Settings> on_commit;
  };

  void EndTransaction();

  Settings current_;
  std::optional<Settings> on_rollback_;  // set in a transaction block
  std::optional<Settings> on_commit_;
  std::vector<std::shared_ptr<const Saved>> savepoints_;
  std::shared_ptr<const Saved> saved_;  // as everything is now; null: not made
  std::vector<std::pair<std::string, std::string>> reported_;
  std::optional<Settings> reported_of_;  // nullopt: nothing was reported yet
};

}  // namespace anabranch
