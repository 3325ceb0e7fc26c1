// Internal to session/: the one implementation of SqlSession. What BEGIN to ROLLBACK do is in transaction_statement.cc,
// the way from a
// statement to its plan in statement_plan.cc, everything else in session.cc.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sql/catalog/relation.h"
#include "sql/session/bound_statement.h"
#include "sql/session/cursor.h"
#include "sql/session/prepared_statement.h"
#include "sql/session/session.h"
#include "sql/session/set_statement.h"
#include "sql/session/statement_cache.h"
#include "sql/session/transaction_block.h"
#include "sql/stored/sequence.h"

namespace anabranch {

class SessionImpl final : public SqlSession {
 public:
  explicit SessionImpl(SessionContext context)
      : context_(std::move(context)),
        settings_(context_.user, context_.admin ? UserKind::kAdmin : UserKind::kOrdinary,
                  context_.transaction.follows ? ServerKind::kStandby : ServerKind::kPrimary),
        block_(context_.transaction) {}

  const SessionContext& context() const override { return context_; }

  absl::StatusOr<std::vector<StatementRef>> Parse(std::string_view text) override;
  absl::StatusOr<std::vector<Command>> ParseCommands(std::string_view text) override;
  absl::StatusOr<PreparedRef> Prepare(std::string_view text, const std::vector<SqlType>& hints) override;

  PreparedStatements& prepared() override { return prepared_; }

  absl::StatusOr<std::string> Execute(const Command& command, ResultSink& sink, std::stop_token stop) override;
  absl::StatusOr<std::unique_ptr<Cursor>> OpenCursor(const Command& command, std::stop_token stop) override;
  void BeginImplicitBlock() override { block_.BeginImplicit(); }
  absl::Status EndImplicitBlock(bool commit) override;
  absl::StatusOr<std::unique_ptr<CopyIn>> BeginCopy(const StatementRef& statement, std::stop_token stop) override;

  TransactionStatus status() const override { return block_.status(); }
  uint64_t commits() const override { return block_.commits(); }
  absl::StatusOr<std::string> Setting(const std::string& name) const override { return settings_.Show(name, block_); }
  absl::Status SetSettingAtStart(const std::string& name, const std::string& value) override {
    return settings_.current().SetAtStart(name, value);
  }
  const TimeZone& zone() const override { return *settings_.current().zone(); }
  const Timeouts& timeouts() const override { return settings_.current().timeouts(); }
  std::vector<std::pair<std::string, std::string>> TakeReportedSettings() override { return settings_.TakeReported(); }

 private:
  struct Call {
    const Command& command;
    ResultSink& sink;
    std::stop_token stop;

    const Statement& statement() const { return *command.statement; }
  };
  absl::StatusOr<std::string> Execute(const Call& call);

  void FailBlock();

  BlockOptions DefaultOptions() const {
    return {.isolation = settings_.current().default_isolation(),
            .read_only = settings_.current().default_read_only(),
            .as_of = std::nullopt};
  }

  // --- BEGIN, COMMIT, ROLLBACK, savepoints: transaction_statement.cc ---
  absl::StatusOr<std::string> ExecuteTransaction(const Call& call);
  absl::StatusOr<std::string> EndTransaction(const Call& call, const pg_query::TransactionStmt& end);

  absl::Status BeginBlock(const Call& call, const pg_query::TransactionStmt& begin);
  absl::StatusOr<bool> EndBlock(const std::stop_token& stop = {});

  // --- What reads or writes no table: session.cc ---
  absl::StatusOr<std::string> ExecuteOutsideData(const Call& call);
  absl::StatusOr<std::string> ExecuteSystem(const Call& call);

  // --- What reads or writes tables: session.cc ---
  absl::StatusOr<Transaction*> TransactionForStatement(const std::stop_token& stop);
  absl::StatusOr<std::string> ExecuteOnData(const Call& call);
  absl::StatusOr<std::string> ExecuteAsOf(const Call& call);
  absl::StatusOr<std::string> RunOnData(const Call& call, Transaction& transaction);
  absl::StatusOr<std::string> RunCopyOut(const Call& call, Execution& execution);
  Execution MakeExecution(Transaction& transaction, std::stop_token stop);

  // A writer first locks the table against DDL, then takes its snapshot: so it sees the table as it is.
  absl::Status BeginStatement(const pg_query::Node& tree, Transaction& transaction, const std::stop_token& stop);

  // The snapshot may be older than the lock: then a table changed since cannot be written.
  absl::Status CheckTableIsCurrent(const std::string& name, Transaction& transaction);
  // --- From a statement to its plan: statement_plan.cc ---
  absl::StatusOr<BoundStatementRef> Bind(const StatementRef& statement, const std::vector<SqlType>& hints,
                                         NewParameters new_parameters, Transaction& transaction);
  absl::Status Refresh(PreparedStatement& prepared, Transaction& transaction);

  // What is to run, and the values of its parameters.
  absl::StatusOr<BoundStatementRef> PlanOf(const Command& command, Transaction& transaction, Row* parameters);

  // null: it must be prepared.
  absl::StatusOr<PreparedRef> KnownPrepared(std::string_view text, const std::vector<SqlType>& hints);

  // Its statement has begun.
  absl::StatusOr<Transaction*> TransactionToPrepareIn(std::unique_ptr<Transaction>* own);
  absl::StatusOr<PreparedRef> PrepareStatement(const StatementRef& statement, const std::vector<SqlType>& hints);
  absl::StatusOr<std::vector<ColumnDescription>> ColumnsOutsideData(const Statement& statement);
  absl::StatusOr<std::string> PrepareNamed(const pg_query::PrepareStmt& prepare);

  // Relative times are relative to what this keyspace can be read at.
  absl::StatusOr<Timestamp> ResolveAsOf(const std::string& expression, const std::stop_token& stop);

  const SessionContext context_;
  SessionSettings settings_;
  Catalog catalog_{&context_, &settings_.current()};
  TransactionBlock block_;
  TableReader tables_;
  SequenceSession sequences_;
  PreparedStatements prepared_;
  StatementCache cache_;
};

absl::Status InFailedTransaction();  // 25P02
std::vector<ColumnDescription> CommitTimestampColumns();

}  // namespace anabranch
