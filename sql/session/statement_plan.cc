// From a statement to its plan in a session: prepared before, bound anew, or for this one run.
#include "base/status.h"
#include "sql/control/executor.h"
#include "sql/parse/statement.h"
#include "sql/parse/tree.h"
#include "sql/query/relation.h"
#include "sql/session/prepare.h"
#include "sql/session/session_impl.h"
#include "sql/value/error_field.h"

namespace anabranch {

absl::StatusOr<PreparedRef> SessionImpl::Prepare(std::string_view text, const std::vector<SqlType>& hints) {
  ASSIGN_OR_RETURN(PreparedRef known, KnownPrepared(text, hints));
  if (known) return known;
  ASSIGN_OR_RETURN(const std::vector<StatementRef> statements, Parse(text));
  if (statements.empty()) return std::make_shared<PreparedStatement>(nullptr, StatementDescription());
  if (statements.size() > 1) {
    FailBlock();
    return SqlError(sqlstate::kSyntaxError, "cannot insert multiple commands into a prepared statement");
  }
  const StatementRef& statement = statements[0];
  if (block_.failed() && !RunsInFailedBlock(*statement)) return InFailedTransaction();
  absl::StatusOr<PreparedRef> prepared = PrepareStatement(statement, hints);
  if (!prepared.ok()) {
    FailBlock();
    return WithPosition(prepared.status(), *statement);
  }
  cache_.AddPrepared(text, hints, settings_.current().zone(), *prepared);
  return prepared;
}

absl::StatusOr<BoundStatementRef> SessionImpl::Bind(const StatementRef& statement, const std::vector<SqlType>& hints,
                                                    NewParameters new_parameters, Transaction& transaction) {
  return BindStatement(statement, hints, new_parameters, transaction, &tables_, context_, zone());
}

absl::Status SessionImpl::Refresh(PreparedStatement& prepared, Transaction& transaction) {
  return prepared.Refresh(transaction, [&](const StatementRef& statement, const std::vector<SqlType>& types) {
    return Bind(statement, types, NewParameters::kRefused, transaction);
  });
}

absl::StatusOr<BoundStatementRef> SessionImpl::PlanOf(const Command& command, Transaction& transaction, Row* parameters) {
  if (!command.prepared) return Bind(command.statement, {}, NewParameters::kRefused, transaction);
  if (!command.text.empty()) {
    ASSIGN_OR_RETURN(const bool current, command.prepared->IsCurrent(transaction));
    if (!current) {  // its literals may be of other types now
      cache_.Clear();
      ASSIGN_OR_RETURN(const std::vector<StatementRef> statements, ParseStatements(command.text));
      absl::StatusOr<BoundStatementRef> bound = Bind(statements[0], {}, NewParameters::kRefused, transaction);
      if (!bound.ok()) return WithPosition(bound.status(), *statements[0]);
      return bound;
    }
  } else {
    RETURN_IF_ERROR(Refresh(*command.prepared, transaction));
  }
  const size_t wanted = command.prepared->plan()->parameters.size();
  if (command.parameters.size() != wanted) {
    return SqlError(
        sqlstate::kProtocolViolation,
        fmt::format("{} parameters are given, but the prepared statement requires {}", command.parameters.size(), wanted));
  }
  *parameters = command.parameters;
  return command.prepared->plan();
}

absl::StatusOr<PreparedRef> SessionImpl::KnownPrepared(std::string_view text, const std::vector<SqlType>& hints) {
  if (block_.failed()) return nullptr;
  PreparedRef known = cache_.FindPrepared(text, hints, settings_.current().zone());
  if (!known || !known->plan()) return known;
  std::unique_ptr<Transaction> own;
  ASSIGN_OR_RETURN(Transaction* const transaction, TransactionToPrepareIn(&own));
  ASSIGN_OR_RETURN(const bool current, known->IsCurrent(*transaction));
  return current ? known : nullptr;
}

absl::StatusOr<Transaction*> SessionImpl::TransactionToPrepareIn(std::unique_ptr<Transaction>* own) {
  Transaction* transaction = block_.transaction();
  if (transaction == nullptr) {
    *own = Transaction::Begin(context_.transaction, IsolationLevel::kReadCommitted);
    transaction = own->get();
  } else {
    RETURN_IF_ERROR(block_.HoldCursors({}));
  }
  RETURN_IF_ERROR(transaction->BeginStatement());
  return transaction;
}

absl::StatusOr<PreparedRef> SessionImpl::PrepareStatement(const StatementRef& statement,
                                                          const std::vector<SqlType>& hints) {
  if (!IsBindable(*statement)) {
    ASSIGN_OR_RETURN(std::vector<ColumnDescription> columns, ColumnsOutsideData(*statement));
    return std::make_shared<PreparedStatement>(statement, StatementDescription{{}, std::move(columns)});
  }
  std::unique_ptr<Transaction> own;
  Transaction* transaction = nullptr;
  if (statement->as_of) {
    ASSIGN_OR_RETURN(const Timestamp at, ResolveAsOf(*statement->as_of, {}));
    ASSIGN_OR_RETURN(own, Transaction::BeginAsOf(context_.transaction, at));
    transaction = own.get();
    RETURN_IF_ERROR(transaction->BeginStatement());
  } else {
    ASSIGN_OR_RETURN(transaction, TransactionToPrepareIn(&own));
  }
  ASSIGN_OR_RETURN(BoundStatementRef plan, Bind(statement, hints, NewParameters::kAllowed, *transaction));
  return std::make_shared<PreparedStatement>(std::move(plan), *transaction);
}

absl::StatusOr<std::vector<ColumnDescription>> SessionImpl::ColumnsOutsideData(const Statement& statement) {
  if (statement.kind == Statement::Kind::kShowCommitTimestamp) return CommitTimestampColumns();
  if (statement.kind == Statement::Kind::kSystem) {
    if (context_.system == nullptr) return NotInSystem();
    return context_.system->Describe(*statement.system);
  }
  if (statement.tree->has_variable_show_stmt()) {
    ASSIGN_OR_RETURN(const std::string column, settings_.ColumnName(statement.tree->variable_show_stmt().name()));
    return std::vector<ColumnDescription>{{.name = column, .type = SqlType::kText}};
  }
  if (statement.tree->has_execute_stmt()) {
    ASSIGN_OR_RETURN(const PreparedRef prepared, prepared_.Find(statement.tree->execute_stmt().name()));
    return prepared->description().columns;
  }
  return std::vector<ColumnDescription>();
}

absl::StatusOr<std::string> SessionImpl::PrepareNamed(const pg_query::PrepareStmt& prepare) {
  ASSIGN_OR_RETURN(const std::vector<SqlType> types, DeclaredTypes(prepare));
  ASSIGN_OR_RETURN(PreparedRef prepared, PrepareStatement(PreparedQuery(prepare), types));
  RETURN_IF_ERROR(prepared_.Add(prepare.name(), std::move(prepared)));
  return std::string("PREPARE");
}

}  // namespace anabranch
