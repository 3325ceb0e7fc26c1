#include "sql/session.h"
#include <algorithm>

#include "base/status.h"
#include "base/system_time.h"
#include "sql/bound_statement.h"
#include "sql/catalog_relation.h"
#include "sql/copy.h"
#include "sql/ddl.h"
#include "sql/function.h"
#include "sql/parse.h"
#include "sql/privilege.h"
#include "sql/sequence.h"
#include "sql/session_settings.h"
#include "sql/settings.h"
#include "sql/statement.h"
#include "sql/transaction_block.h"
#include "sql/tree.h"
#include "sql/user_statement.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;

absl::Status InFailedTransaction() {
  return SqlError(sqlstate::kInFailedSqlTransaction,
                  "current transaction is aborted, commands ignored until end of transaction block");
}

absl::StatusOr<Row> ParseParameters(const std::vector<SqlType>& types,
                                    const std::vector<std::optional<std::string>>& values) {
  if (values.size() < types.size()) {
    return SqlError(sqlstate::kProtocolViolation,
                    fmt::format("bind message supplies {} parameters, but prepared statement requires {}", values.size(),
                                types.size()));
  }
  Row row;
  for (size_t i = 0; i < types.size(); ++i) {
    row.emplace_back();
    if (!values[i]) continue;
    ASSIGN_OR_RETURN(row.back(), FromText(types[i], *values[i]));
  }
  return row;
}

std::vector<ColumnDescription> CommitTimestampColumns() {
  return {{.name = "commit_timestamp", .type = SqlType::kNumeric}};
}

class Session final : public SqlSession {
 public:
  explicit Session(SessionContext context)
      : context_(std::move(context)), settings_(context_.user), block_(context_.transaction) {}

  absl::StatusOr<std::vector<StatementRef>> Parse(std::string_view text) override {
    absl::StatusOr<std::vector<StatementRef>> statements = ParseStatements(text);
    if (!statements.ok()) FailBlock();
    return statements;
  }

  absl::StatusOr<StatementDescription> Describe(const StatementRef& statement, const std::vector<SqlType>& hints) override {
    if (block_.failed() && !IsTransactionEnd(*statement)) return InFailedTransaction();
    absl::StatusOr<StatementDescription> description = DescribeStatement(statement, hints);
    if (description.ok()) return description;
    FailBlock();
    return WithPosition(description.status(), *statement);
  }

  absl::StatusOr<std::string> Execute(const StatementRef& statement, const std::vector<SqlType>& parameter_types,
                                      const std::vector<std::optional<std::string>>& parameters, ResultSink& sink,
                                      std::stop_token stop) override {
    if (block_.failed() && !IsTransactionEnd(*statement)) return InFailedTransaction();
    Call call{statement, parameter_types, parameters, sink, std::move(stop)};
    call.parameter_types.resize(std::max(parameter_types.size(), parameters.size()), SqlType::kUnknown);
    absl::StatusOr<std::string> tag = Execute(call);
    if (!tag.ok()) return WithPosition(tag.status(), *statement);
    return tag;
  }

  void BeginImplicitBlock() override { block_.BeginImplicit(); }
  absl::Status EndImplicitBlock(bool commit) override {
    if (block_.kind() != TransactionBlock::Kind::kImplicit) return absl::OkStatus();
    if (!commit) {
      block_.Rollback();
      settings_.Rollback();
      return absl::OkStatus();
    }
    return EndBlock().status();
  }

  absl::StatusOr<std::unique_ptr<CopyIn>> BeginCopy(const StatementRef& statement, std::stop_token stop) override;

  TransactionStatus status() const override { return block_.status(); }
  absl::StatusOr<std::string> Setting(const std::string& name) const override { return settings_.Show(name, block_); }
  absl::Status SetSetting(const std::string& name, const std::string& value) override {
    return settings_.current().Set(name, value);
  }
  std::vector<std::pair<std::string, std::string>> TakeReportedSettings() override { return settings_.TakeReported(); }

 private:
  friend class SessionCopy;

  struct Call {
    const StatementRef& statement;
    std::vector<SqlType> parameter_types;
    const std::vector<std::optional<std::string>>& parameters;
    ResultSink& sink;
    std::stop_token stop;
  };

  absl::StatusOr<std::string> Execute(const Call& call) {
    const Statement& statement = *call.statement;
    if (statement.kind == Statement::Kind::kPostgres && statement.tree->has_transaction_stmt()) {
      return ExecuteTransaction(call);
    }
    if (statement.kind == Statement::Kind::kPostgres && !UsesSettings(*statement.tree)) return ExecuteOnData(call);
    absl::StatusOr<std::string> tag = ExecuteOutsideData(call);
    if (!tag.ok()) FailBlock();
    return tag;
  }

  static bool UsesSettings(const Node& tree) { return tree.has_variable_set_stmt() || tree.has_variable_show_stmt(); }

  void FailBlock() {
    if (block_.explicit_block()) block_.Finish(absl::UnknownError("")).IgnoreError();
  }

  BlockOptions DefaultOptions() const {
    return {.isolation = settings_.current().default_isolation(),
            .read_only = settings_.current().default_read_only(),
            .as_of = std::nullopt};
  }

  // --- BEGIN, COMMIT, ROLLBACK ---
  absl::StatusOr<std::string> ExecuteTransaction(const Call& call) {
    const pg_query::TransactionStmt& transaction = call.statement->tree->transaction_stmt();
    switch (transaction.kind()) {
      case pg_query::TRANS_STMT_BEGIN:
      case pg_query::TRANS_STMT_START:
        RETURN_IF_ERROR(BeginBlock(call, transaction));
        return std::string(transaction.kind() == pg_query::TRANS_STMT_BEGIN ? "BEGIN" : "START TRANSACTION");
      case pg_query::TRANS_STMT_COMMIT: {
        if (!block_.explicit_block()) WarnNoTransaction(call.sink);
        ASSIGN_OR_RETURN(const bool committed, EndBlock());
        return std::string(committed ? "COMMIT" : "ROLLBACK");
      }
      default:
        if (!block_.explicit_block()) WarnNoTransaction(call.sink);
        block_.Rollback();
        settings_.Rollback();
        return std::string("ROLLBACK");
    }
  }

  static void WarnNoTransaction(ResultSink& sink) {
    sink.Notice(sqlstate::kNoActiveSqlTransaction, "there is no transaction in progress");
  }

  absl::Status BeginBlock(const Call& call, const pg_query::TransactionStmt& begin) {
    if (block_.explicit_block()) {
      call.sink.Notice(sqlstate::kActiveSqlTransaction, "there is already a transaction in progress");
      return absl::OkStatus();
    }
    BlockOptions options = DefaultOptions();
    RETURN_IF_ERROR(ApplyTransactionModes(begin.options(), &options));
    if (call.statement->as_of) {
      if (block_.transaction() != nullptr) return UnsupportedError("BEGIN AS OF SYSTEM TIME after other statements");
      ASSIGN_OR_RETURN(options.as_of, ResolveAsOf(*call.statement->as_of, call.stop));
    }
    RETURN_IF_ERROR(block_.Begin(options));
    settings_.BeginTransaction();
    return absl::OkStatus();
  }

  absl::StatusOr<bool> EndBlock() {
    absl::StatusOr<bool> committed = block_.Commit();
    if (committed.ok() && *committed) {
      settings_.Commit();
    } else {
      settings_.Rollback();
    }
    return committed;
  }

  // --- What reads or writes no table ---
  absl::StatusOr<std::string> ExecuteOutsideData(const Call& call) {
    switch (call.statement->kind) {
      case Statement::Kind::kSystem:
        return ExecuteSystem(call);
      case Statement::Kind::kShowCommitTimestamp: {
        if (block_.last_commit().IsZero()) {
          return SqlError(sqlstate::kNoActiveSqlTransaction, "no transaction of this session has committed yet");
        }
        RETURN_IF_ERROR(call.sink.Columns(CommitTimestampColumns()));
        RETURN_IF_ERROR(call.sink.AddRow({HlcNumeric(block_.last_commit())}));
        return std::string("SHOW");
      }
      case Statement::Kind::kPostgres:
        break;
    }
    const Node& tree = *call.statement->tree;
    if (tree.has_variable_set_stmt()) return settings_.ExecuteSet(tree.variable_set_stmt(), &block_, call.sink);
    const std::string& name = tree.variable_show_stmt().name();
    ASSIGN_OR_RETURN(const std::string value, settings_.Show(name, block_));
    ASSIGN_OR_RETURN(const std::string column, settings_.ColumnName(name));
    RETURN_IF_ERROR(call.sink.Columns({{.name = column, .type = SqlType::kText}}));
    RETURN_IF_ERROR(call.sink.AddRow({value}));
    return std::string("SHOW");
  }

  absl::StatusOr<std::string> ExecuteSystem(const Call& call) {
    if (context_.system == nullptr) return NotInSystem();
    if (block_.explicit_block() && !ReturnsRows(*call.statement->system)) {
      return SqlError(sqlstate::kActiveSqlTransaction,
                      "a statement on virtual clusters cannot run inside a transaction block");
    }
    return context_.system->Run(*call.statement->system, call.sink, call.stop);
  }

  // --- What reads or writes tables ---
  absl::StatusOr<std::string> ExecuteOnData(const Call& call) {
    if (call.statement->as_of) return ExecuteAsOf(call);
    absl::StatusOr<Transaction*> transaction = block_.ForStatement(DefaultOptions());
    if (!transaction.ok()) return block_.Finish(std::move(transaction).status());
    absl::StatusOr<std::string> tag = RunOnData(call, **transaction);
    RETURN_IF_ERROR(block_.Finish(tag.status()));
    return tag;
  }

  absl::StatusOr<std::string> ExecuteAsOf(const Call& call) {
    absl::StatusOr<std::string> tag = [&]() -> absl::StatusOr<std::string> {
      if (!call.statement->tree->has_select_stmt()) {
        return UnsupportedError(fmt::format("AS OF SYSTEM TIME in {}", CommandName(*call.statement->tree)));
      }
      if (block_.explicit_block()) {
        return SqlError(sqlstate::kFeatureNotSupported, "AS OF SYSTEM TIME inside a transaction block is not supported",
                        "Use BEGIN AS OF SYSTEM TIME.");
      }
      ASSIGN_OR_RETURN(const Timestamp at, ResolveAsOf(*call.statement->as_of, call.stop));
      ASSIGN_OR_RETURN(const auto transaction, Transaction::BeginAsOf(context_.transaction, at));
      return RunOnData(call, *transaction);
    }();
    if (!tag.ok() && block_.kind() != TransactionBlock::Kind::kNone) return block_.Finish(std::move(tag).status());
    return tag;
  }

  absl::StatusOr<std::string> RunOnData(const Call& call, Transaction& transaction) {
    const Node& tree = *call.statement->tree;
    const bool only_reads =
        (tree.has_select_stmt() && !LocksRows(tree)) || (tree.has_explain_stmt() && WrittenTable(tree) == nullptr);
    if (!only_reads && (block_.read_only() || transaction.read_only())) {
      return SqlError(sqlstate::kReadOnlySqlTransaction,
                      fmt::format("cannot execute {} in a read-only transaction", CommandName(tree)));
    }
    Execution execution = MakeExecution(transaction, call.stop);
    // DDL locks by itself before it begins the statement.
    if (IsDefinition(tree)) {
      if (tree.vacuum_stmt().is_vacuumcmd() && block_.kind() != TransactionBlock::Kind::kNone) {
        return SqlError(sqlstate::kActiveSqlTransaction, "VACUUM cannot run inside a transaction block");
      }
      return RunDefinition(tree, execution, &tables_, call.sink);
    }
    if (IsUserStatement(tree)) return RunUserStatement(tree, execution, call.sink);
    if (tree.has_copy_stmt()) {
      if (!tree.copy_stmt().is_from()) return RunCopyOut(call, execution);
      return SqlError(sqlstate::kProtocolViolation, "COPY FROM STDIN needs the copy protocol");
    }
    RETURN_IF_ERROR(BeginStatement(tree, transaction, call.stop));
    ASSIGN_OR_RETURN(const BoundStatementRef bound,
                     Bind(call.statement, call.parameter_types, NewParameters::kRefused, transaction));
    ASSIGN_OR_RETURN(const Row parameters, ParseParameters(bound->parameters, call.parameters));
    execution.evaluation.parameters = &parameters;
    execution.evaluation.snapshot = transaction.snapshot();
    return RunBound(*bound, execution, call.sink);
  }

  absl::StatusOr<std::string> RunCopyOut(const Call& call, Execution& execution) {
    ASSIGN_OR_RETURN(const CopyFormat format, ReadCopyFormat(call.statement->tree->copy_stmt()));
    RETURN_IF_ERROR(execution.transaction->BeginStatement());
    execution.evaluation.snapshot = execution.transaction->snapshot();
    Binder binder({});
    const Planning planning{
        .transaction = execution.transaction, .tables = &tables_, .binder = &binder, .system = context_.system};
    ASSIGN_OR_RETURN(const pg_query::SelectStmt query, CopiedQuery(call.statement->tree->copy_stmt()));
    ASSIGN_OR_RETURN(const SelectPlan plan, PlanSelect(query, nullptr, nullptr, planning));
    RETURN_IF_ERROR(Authorization(&context_.user, execution.transaction, nullptr).CheckReads(plan.tables));
    ASSIGN_OR_RETURN(const uint64_t rows, CopyOut(plan, format, execution, call.sink));
    return fmt::format("COPY {}", rows);
  }

  Execution MakeExecution(Transaction& transaction, std::stop_token stop) {
    const bool in_block = block_.transaction() == &transaction;
    catalog_.BeginStatement(&transaction);
    sequences_.BeginStatement(&transaction, &context_.transaction, context_.sequences, stop);
    const TimestampTz now{static_cast<int64_t>(context_.transaction.store->clock()->WallNs() / 1000)};
    return {.transaction = &transaction,
            .evaluation = {.parameters = nullptr,
                           .snapshot = transaction.snapshot(),
                           .transaction_time = in_block ? block_.time() : now,
                           .statement_time = now,
                           .session = &context_,
                           .settings = &settings_.current(),
                           .catalog = &catalog_,
                           .sequences = &sequences_,
                           .stop = stop},
            .stop = std::move(stop),
            .unpublished = in_block ? block_.unpublished() : nullptr};
  }

  // A writer first locks the table against DDL, then takes its snapshot: so it sees the table as it is.
  absl::Status BeginStatement(const Node& tree, Transaction& transaction, const std::stop_token& stop) {
    const pg_query::RangeVar* written = WrittenTable(tree);
    if (written == nullptr) return transaction.BeginStatement();
    ASSIGN_OR_RETURN(const std::string name, RelationName(*written));
    RETURN_IF_ERROR(transaction.Lock(DescriptorKey(name), LockMode::kShared, stop));
    RETURN_IF_ERROR(transaction.BeginStatement());
    if (block_.options().isolation == IsolationLevel::kReadCommitted) return absl::OkStatus();
    return CheckTableIsCurrent(name, transaction);
  }

  // The snapshot may be older than the lock: then a table changed since cannot be written.
  absl::Status CheckTableIsCurrent(const std::string& name, Transaction& transaction) {
    ASSIGN_OR_RETURN(const TableRef seen, tables_.Find(transaction, name));
    const std::unique_ptr<Transaction> fresh = Transaction::Begin(context_.transaction, IsolationLevel::kReadCommitted);
    RETURN_IF_ERROR(fresh->BeginStatement());
    ASSIGN_OR_RETURN(const std::optional<ReadVersion> newest, fresh->Get(DescriptorKey(name)));
    ASSIGN_OR_RETURN(const std::optional<ReadVersion> own, transaction.Get(DescriptorKey(name)));
    const bool own_write = own && own->timestamp.IsZero();
    if (own_write || newest.has_value() == own.has_value()) {
      if (own_write || !own || newest->timestamp == own->timestamp) return absl::OkStatus();
    }
    return SqlError(sqlstate::kSerializationFailure,
                    fmt::format("could not serialize access: table \"{}\" changed since the transaction began", name));
  }

  absl::StatusOr<BoundStatementRef> Bind(const StatementRef& statement, std::vector<SqlType> hints,
                                         NewParameters new_parameters, Transaction& transaction) {
    return BindStatement(statement, std::move(hints), new_parameters, transaction, &tables_, context_);
  }

  absl::StatusOr<StatementDescription> DescribeStatement(const StatementRef& statement, std::vector<SqlType> hints) {
    StatementDescription description;
    if (statement->kind == Statement::Kind::kShowCommitTimestamp) {
      description.columns = CommitTimestampColumns();
      return description;
    }
    if (statement->kind == Statement::Kind::kSystem) {
      if (context_.system == nullptr) return NotInSystem();
      description.columns = context_.system->Describe(*statement->system);
      return description;
    }
    const Node& tree = *statement->tree;
    if (tree.has_variable_show_stmt()) {
      ASSIGN_OR_RETURN(const std::string column, settings_.ColumnName(tree.variable_show_stmt().name()));
      description.columns = {{.name = column, .type = SqlType::kText}};
      return description;
    }
    if (!IsBindable(*statement)) return description;
    std::unique_ptr<Transaction> own;
    Transaction* transaction = block_.transaction();
    if (statement->as_of) {
      ASSIGN_OR_RETURN(const Timestamp at, ResolveAsOf(*statement->as_of, {}));
      ASSIGN_OR_RETURN(own, Transaction::BeginAsOf(context_.transaction, at));
      transaction = own.get();
    } else if (transaction == nullptr) {
      own = Transaction::Begin(context_.transaction, IsolationLevel::kReadCommitted);
      transaction = own.get();
    }
    RETURN_IF_ERROR(transaction->BeginStatement());
    ASSIGN_OR_RETURN(const BoundStatementRef bound,
                     Bind(statement, std::move(hints), NewParameters::kAllowed, *transaction));
    description.parameters = bound->parameters;
    description.columns = bound->columns;
    description.returns_rows = bound->returns_rows();
    return description;
  }

  // Relative times are relative to what this keyspace can be read at.
  absl::StatusOr<Timestamp> ResolveAsOf(const std::string& expression, const std::stop_token& stop) {
    Store* store = context_.transaction.store;
    ASSIGN_OR_RETURN(const Timestamp at, ResolveSystemTime(expression, store->Resolved(*context_.transaction.keyspace)));
    RETURN_IF_ERROR(WithContext(store->WaitVisible(at, stop), "AS OF SYSTEM TIME"));
    return at;
  }

  const SessionContext context_;
  SessionSettings settings_;
  Catalog catalog_{&context_, &settings_.current()};
  TransactionBlock block_;
  TableReader tables_;
  SequenceSession sequences_;
};

// Keeps the statement of a COPY open; what is not Done() is undone.
class SessionCopy final : public CopyIn {
 public:
  SessionCopy(Session* session, TableRulesRef rules, std::vector<int> positions, CopyFormat format,
              const Execution& execution)
      : session_(session), reader_(std::move(rules), std::move(positions), std::move(format), execution) {}
  ~SessionCopy() override {
    if (!over_) End(SqlError(sqlstate::kQueryCanceled, "COPY from stdin failed")).IgnoreError();
  }

  size_t column_count() const override { return reader_.column_count(); }

  absl::Status Data(std::string_view bytes, std::stop_token stop) override {
    reader_.set_stop(std::move(stop));
    const absl::Status status = reader_.Data(bytes);
    return status.ok() ? status : End(status);
  }

  absl::StatusOr<std::string> Done(std::stop_token stop) override {
    reader_.set_stop(std::move(stop));
    const absl::StatusOr<uint64_t> rows = reader_.Done();
    RETURN_IF_ERROR(End(rows.status()));
    return fmt::format("COPY {}", *rows);
  }

 private:
  absl::Status End(absl::Status status) {
    over_ = true;
    return session_->block_.Finish(std::move(status));
  }

  Session* const session_;
  CopyReader reader_;
  bool over_ = false;
};

absl::StatusOr<std::unique_ptr<CopyIn>> Session::BeginCopy(const StatementRef& statement, std::stop_token stop) {
  if (block_.failed()) return InFailedTransaction();
  absl::StatusOr<std::unique_ptr<CopyIn>> copy = [&]() -> absl::StatusOr<std::unique_ptr<CopyIn>> {
    ASSIGN_OR_RETURN(Transaction* const transaction, block_.ForStatement(DefaultOptions()));
    const pg_query::CopyStmt& tree = statement->tree->copy_stmt();
    ASSIGN_OR_RETURN(const std::string name, RelationName(tree.relation()));
    ASSIGN_OR_RETURN(CopyFormat format, ReadCopyFormat(tree));
    if (block_.read_only()) {
      return SqlError(sqlstate::kReadOnlySqlTransaction, "cannot execute COPY FROM in a read-only transaction");
    }
    RETURN_IF_ERROR(BeginStatement(*statement->tree, *transaction, stop));
    ASSIGN_OR_RETURN(const TableRef table, tables_.Get(*transaction, name));
    RETURN_IF_ERROR(Authorization(&context_.user, transaction, nullptr).Check(*table, Privilege::kInsert));
    ASSIGN_OR_RETURN(TableRulesRef rules, TableRules::Bind(table));
    std::vector<std::string> names;
    for (const Node& column : tree.attlist()) names.push_back(StringOf(column));
    ASSIGN_OR_RETURN(std::vector<int> positions, NamedColumns(*table, names));
    return std::make_unique<SessionCopy>(this, std::move(rules), std::move(positions), std::move(format),
                                         MakeExecution(*transaction, stop));
  }();
  if (!copy.ok()) return WithPosition(block_.Finish(std::move(copy).status()), *statement);
  return copy;
}

}  // namespace

absl::Status ResultSink::BeginCopyOut(size_t) { return UnsupportedError("COPY TO STDOUT in this place"); }
absl::Status ResultSink::CopyData(std::string_view) { return UnsupportedError("COPY TO STDOUT in this place"); }
absl::Status ResultSink::EndCopyOut() { return UnsupportedError("COPY TO STDOUT in this place"); }

std::unique_ptr<SqlSession> SqlSession::Create(SessionContext context) {
  return std::make_unique<Session>(std::move(context));
}

bool SqlSession::IsCopyIn(const Statement& statement) {
  return statement.kind == Statement::Kind::kPostgres && statement.tree->has_copy_stmt() &&
         statement.tree->copy_stmt().is_from();
}

}  // namespace anabranch
