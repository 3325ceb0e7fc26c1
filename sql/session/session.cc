#include "sql/session/session_impl.h"

#include <algorithm>

#include "base/status.h"
#include "base/system_time.h"
#include "sql/control/executor.h"
#include "sql/control/statement.h"
#include "sql/control/statement_info.h"
#include "sql/parse/parse.h"
#include "sql/parse/statement.h"
#include "sql/parse/tree.h"
#include "sql/schema/ddl.h"
#include "sql/schema/user_statement.h"
#include "sql/session/copy_in.h"
#include "sql/session/prepare.h"
#include "sql/session/reset.h"
#include "sql/stored/privilege.h"
#include "sql/value/error_field.h"
#include "sql/value/settings.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;

bool RunsOutsideData(const Node& tree) {
  return tree.has_variable_set_stmt() || tree.has_variable_show_stmt() || tree.has_prepare_stmt() ||
         tree.has_deallocate_stmt() || IsResetStatement(tree);
}

}  // namespace

absl::Status InFailedTransaction() {
  return SqlError(sqlstate::kInFailedSqlTransaction,
                  "current transaction is aborted, commands ignored until end of transaction block");
}

std::vector<ColumnDescription> CommitTimestampColumns() {
  return {{.name = "commit_timestamp", .type = SqlType::kNumeric}};
}

absl::StatusOr<std::vector<StatementRef>> SessionImpl::Parse(std::string_view text) {
  absl::StatusOr<std::vector<StatementRef>> statements = ParseStatements(text);
  if (!statements.ok()) FailBlock();
  return statements;
}

absl::StatusOr<std::vector<Command>> SessionImpl::ParseCommands(std::string_view text) {
  if (std::optional<Command> known = cache_.Find(text, settings_.current().zone()))
    return std::vector<Command>{*std::move(known)};
  ASSIGN_OR_RETURN(std::vector<StatementRef> statements, Parse(text));
  if (statements.size() == 1) {
    const auto prepare = [this](const StatementRef& statement, const std::vector<SqlType>& hints) {
      return block_.failed() ? InFailedTransaction() : PrepareStatement(statement, hints);
    };
    if (std::optional<Command> known = cache_.Add(text, statements[0], settings_.current().zone(), prepare)) {
      return std::vector<Command>{*std::move(known)};
    }
  }
  std::vector<Command> commands;
  for (StatementRef& statement : statements) commands.push_back({std::move(statement)});
  return commands;
}

absl::StatusOr<std::string> SessionImpl::Execute(const Command& command, ResultSink& sink, std::stop_token stop) {
  const Statement& statement = *command.statement;
  if (block_.failed() && !RunsInFailedBlock(statement)) return InFailedTransaction();
  absl::StatusOr<std::string> tag = Execute({command, sink, std::move(stop)});
  if (block_.kind() == TransactionBlock::Kind::kNone) tag.ok() ? settings_.Commit() : settings_.Rollback();
  if (tag.ok()) return tag;
  // Of a statement with parameters in the place of literals, places are not the client's.
  return command.text.empty() ? WithPosition(tag.status(), statement) : WithoutLocation(tag.status());
}

absl::StatusOr<std::string> SessionImpl::Execute(const Call& call) {
  if (call.statement().kind == Statement::Kind::kPostgres) {
    const Node& tree = *call.statement().tree;
    if (tree.has_transaction_stmt()) return ExecuteTransaction(call);
    if (!RunsOutsideData(tree)) return ExecuteOnData(call);
  }
  absl::StatusOr<std::string> tag = ExecuteOutsideData(call);
  if (!tag.ok()) FailBlock();
  return tag;
}

absl::StatusOr<std::unique_ptr<Cursor>> SessionImpl::OpenCursor(const Command& command, std::stop_token stop) {
  if (block_.failed()) return InFailedTransaction();
  absl::StatusOr<std::unique_ptr<Cursor>> cursor = [&]() -> absl::StatusOr<std::unique_ptr<Cursor>> {
    ASSIGN_OR_RETURN(Transaction* const transaction, TransactionForStatement(stop));
    RETURN_IF_ERROR(BeginStatement(*command.statement->tree, *transaction, stop));
    RETURN_IF_ERROR(Refresh(*command.prepared, *transaction));
    return QueryCursor::Open(&block_, command.prepared->plan(), command.parameters,
                             MakeExecution(*transaction, std::move(stop)));
  }();
  if (!cursor.ok()) return WithPosition(block_.Finish(std::move(cursor).status()), *command.statement);
  return cursor;
}

absl::Status SessionImpl::EndImplicitBlock(bool commit) {
  if (block_.kind() != TransactionBlock::Kind::kImplicit) return absl::OkStatus();
  if (!commit) {
    block_.Rollback();
    settings_.Rollback();
    return absl::OkStatus();
  }
  return EndBlock().status();
}

void SessionImpl::FailBlock() {
  if (block_.explicit_block()) block_.Finish(absl::UnknownError("")).IgnoreError();
}

absl::StatusOr<std::string> SessionImpl::ExecuteOutsideData(const Call& call) {
  switch (call.statement().kind) {
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
  const Node& tree = *call.statement().tree;
  if (tree.has_prepare_stmt()) return PrepareNamed(tree.prepare_stmt());
  if (tree.has_deallocate_stmt()) return Deallocate(tree.deallocate_stmt(), &prepared_);
  if (IsResetStatement(tree)) return RunResetStatement(tree, block_, &settings_, &sequences_, &prepared_);
  if (tree.has_variable_set_stmt()) return settings_.ExecuteSet(tree.variable_set_stmt(), &block_, call.sink);
  const std::string& name = tree.variable_show_stmt().name();
  ASSIGN_OR_RETURN(const std::string value, settings_.Show(name, block_));
  ASSIGN_OR_RETURN(const std::string column, settings_.ColumnName(name));
  RETURN_IF_ERROR(call.sink.Columns({{.name = column, .type = SqlType::kText}}));
  RETURN_IF_ERROR(call.sink.AddRow({value}));
  return std::string("SHOW");
}

absl::StatusOr<std::string> SessionImpl::ExecuteSystem(const Call& call) {
  if (context_.system == nullptr) return NotInSystem();
  const StatementInfo info = InfoOf(*call.statement().system);
  const bool begun = block_.explicit_block() || block_.transaction() != nullptr;
  const bool read_only = begun ? block_.read_only() : settings_.current().default_read_only();
  if (!info.reads_only && read_only) {
    return SqlError(sqlstate::kReadOnlySqlTransaction,
                    fmt::format("cannot execute {} in a read-only transaction", info.command));
  }
  if (!info.reads_only && block_.explicit_block()) {
    return SqlError(sqlstate::kActiveSqlTransaction, fmt::format("{} cannot run inside a transaction block", info.command));
  }
  return context_.system->Run(*call.statement().system, context_, call.sink, call.stop);
}

absl::StatusOr<Transaction*> SessionImpl::TransactionForStatement(const std::stop_token& stop) {
  ASSIGN_OR_RETURN(Transaction* const transaction, block_.ForStatement(DefaultOptions()));
  transaction->SetLockTimeout(std::chrono::milliseconds(timeouts().lock_ms));
  RETURN_IF_ERROR(block_.HoldCursors(stop));
  return transaction;
}

absl::StatusOr<std::string> SessionImpl::ExecuteOnData(const Call& call) {
  if (call.statement().as_of) return ExecuteAsOf(call);
  absl::StatusOr<Transaction*> transaction = TransactionForStatement(call.stop);
  if (!transaction.ok()) return block_.Finish(std::move(transaction).status());
  absl::StatusOr<std::string> tag = RunOnData(call, **transaction);
  RETURN_IF_ERROR(block_.Finish(tag.status(), call.stop));
  return tag;
}

absl::StatusOr<std::string> SessionImpl::ExecuteAsOf(const Call& call) {
  absl::StatusOr<std::string> tag = [&]() -> absl::StatusOr<std::string> {
    if (!call.statement().tree->has_select_stmt()) {
      return UnsupportedError(fmt::format("AS OF SYSTEM TIME in {}", CommandName(*call.statement().tree)));
    }
    if (block_.explicit_block()) {
      return SqlError(sqlstate::kFeatureNotSupported, "AS OF SYSTEM TIME inside a transaction block is not supported",
                      "Use BEGIN AS OF SYSTEM TIME.");
    }
    ASSIGN_OR_RETURN(const Timestamp at, ResolveAsOf(*call.statement().as_of, call.stop));
    ASSIGN_OR_RETURN(const auto transaction, Transaction::BeginAsOf(context_.transaction, at));
    return RunOnData(call, *transaction);
  }();
  if (!tag.ok() && block_.kind() != TransactionBlock::Kind::kNone) return block_.Finish(std::move(tag).status());
  return tag;
}

absl::StatusOr<std::string> SessionImpl::RunOnData(const Call& call, Transaction& transaction) {
  const Node& tree = *call.statement().tree;
  if (tree.has_execute_stmt()) {
    RETURN_IF_ERROR(transaction.BeginStatement());
    ASSIGN_OR_RETURN(const Command command,
                     ExecutedCommand(tree.execute_stmt(), prepared_, MakeExecution(transaction, call.stop).evaluation));
    absl::StatusOr<std::string> tag = RunOnData({command, call.sink, call.stop}, transaction);
    if (!tag.ok()) return WithoutLocation(std::move(tag).status());  // a place in the text of PREPARE
    return tag;
  }
  const bool only_reads = (tree.has_select_stmt() && !LocksRows(tree)) ||
                          (tree.has_explain_stmt() && WrittenTable(tree) == nullptr) ||
                          (tree.has_copy_stmt() && !tree.copy_stmt().is_from()) || tree.has_check_point_stmt();
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
  Row parameters;
  ASSIGN_OR_RETURN(const BoundStatementRef bound, PlanOf(call.command, transaction, &parameters));
  execution.evaluation.parameters = &parameters;
  execution.evaluation.snapshot = transaction.snapshot();
  return RunBound(*bound, execution, call.sink);
}

absl::StatusOr<std::string> SessionImpl::RunCopyOut(const Call& call, Execution& execution) {
  ASSIGN_OR_RETURN(const CopyFormat format, ReadCopyFormat(call.statement().tree->copy_stmt()));
  RETURN_IF_ERROR(execution.transaction->BeginStatement());
  execution.evaluation.snapshot = execution.transaction->snapshot();
  Binder binder({});
  binder.set_zone(zone());
  const Planning planning{
      .transaction = execution.transaction, .tables = &tables_, .binder = &binder, .system = context_.system};
  ASSIGN_OR_RETURN(const pg_query::SelectStmt query, CopiedQuery(call.statement().tree->copy_stmt()));
  ASSIGN_OR_RETURN(const SelectPlan plan, PlanSelect(query, call.statement().bracket.get(), nullptr, planning));
  RETURN_IF_ERROR(Authorization(&context_.user, execution.transaction, nullptr).CheckReads(plan.tables));
  ASSIGN_OR_RETURN(const uint64_t rows, CopyOut(plan, format, execution, call.sink));
  return fmt::format("COPY {}", rows);
}

Execution SessionImpl::MakeExecution(Transaction& transaction, std::stop_token stop) {
  const bool in_block = block_.transaction() == &transaction;
  catalog_.BeginStatement(&transaction);
  sequences_.BeginStatement(&transaction, &context_, stop);
  const TimestampTz now{static_cast<int64_t>(context_.transaction.store->clock()->WallNs() / 1000)};
  return {.transaction = &transaction,
          .evaluation = {.parameters = nullptr,
                         .snapshot = transaction.snapshot(),
                         .transaction_time = in_block ? block_.time() : now,
                         .statement_time = now,
                         .session = &context_,
                         .settings = &settings_.current(),
                         .config = &settings_,
                         .catalog = &catalog_,
                         .sequences = &sequences_,
                         .stop = stop},
          .stop = std::move(stop),
          .unpublished = in_block ? block_.unpublished() : nullptr};
}

absl::Status SessionImpl::BeginStatement(const Node& tree, Transaction& transaction, const std::stop_token& stop) {
  const pg_query::RangeVar* written = WrittenTable(tree);
  if (written == nullptr) return transaction.BeginStatement();
  ASSIGN_OR_RETURN(const std::string name, RelationName(*written));
  RETURN_IF_ERROR(transaction.Lock(DescriptorKey(name), LockMode::kShared, stop));
  RETURN_IF_ERROR(transaction.BeginStatement());
  if (block_.options().isolation == IsolationLevel::kReadCommitted) return absl::OkStatus();
  return CheckTableIsCurrent(name, transaction);
}

absl::Status SessionImpl::CheckTableIsCurrent(const std::string& name, Transaction& transaction) {
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

absl::StatusOr<Timestamp> SessionImpl::ResolveAsOf(const std::string& expression, const std::stop_token& stop) {
  Store* store = context_.transaction.store;
  ASSIGN_OR_RETURN(const Timestamp at, ResolveSystemTime(expression, ReadableUpto(context_.transaction)));
  if (block_.on_standby()) return at;  // what has not come is refused, and not waited for
  RETURN_IF_ERROR(WithContext(store->WaitReadable(context_.transaction.keyspace, at, stop), "AS OF SYSTEM TIME"));
  return at;
}

absl::StatusOr<std::unique_ptr<CopyIn>> SessionImpl::BeginCopy(const StatementRef& statement, std::stop_token stop) {
  if (block_.failed()) return InFailedTransaction();
  absl::StatusOr<std::unique_ptr<CopyIn>> copy = [&]() -> absl::StatusOr<std::unique_ptr<CopyIn>> {
    ASSIGN_OR_RETURN(Transaction* const transaction, TransactionForStatement(stop));
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
    return MakeCopyIn(&block_, std::move(rules), std::move(positions), std::move(format),
                      MakeExecution(*transaction, stop));
  }();
  if (!copy.ok()) return WithPosition(block_.Finish(std::move(copy).status()), *statement);
  return copy;
}

std::unique_ptr<SqlSession> SqlSession::Create(SessionContext context) {
  return std::make_unique<SessionImpl>(std::move(context));
}

bool SqlSession::IsQuery(const PreparedStatement& prepared) {
  const BoundStatementRef& plan = prepared.plan();
  return plan && !plan->explain && !plan->statement->as_of && std::holds_alternative<SelectPlan>(plan->plan) &&
         !LocksRows(*plan->statement->tree);
}

bool SqlSession::IsCopyIn(const Statement& statement) {
  return statement.kind == Statement::Kind::kPostgres && statement.tree->has_copy_stmt() &&
         statement.tree->copy_stmt().is_from();
}

}  // namespace anabranch
