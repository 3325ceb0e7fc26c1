#include "sql/session/prepare.h"

#include "base/status.h"
#include "sql/parse/statement.h"
#include "sql/parse/tree.h"
#include "sql/query/bind.h"
#include "sql/value/error_field.h"
#include "sql/value/type_name.h"

namespace anabranch {

using Node = pg_query::Node;

StatementRef PreparedQuery(const pg_query::PrepareStmt& prepare) {
  auto statement = std::make_shared<Statement>();
  auto* tree = google::protobuf::Arena::CreateMessage<Node>(&statement->arena);
  *tree = prepare.query();
  statement->tree = tree;
  return statement;
}

absl::StatusOr<std::vector<SqlType>> DeclaredTypes(const pg_query::PrepareStmt& prepare) {
  std::vector<SqlType> types;
  for (const Node& name : prepare.argtypes()) {
    ASSIGN_OR_RETURN(const ColumnType type, ResolveType(name.type_name()));
    types.push_back(type.type);
  }
  return types;
}

absl::StatusOr<Command> ExecutedCommand(const pg_query::ExecuteStmt& execute, const PreparedStatements& statements,
                                        const EvaluationContext& evaluation) {
  ASSIGN_OR_RETURN(PreparedRef prepared, statements.Find(execute.name()));
  const std::vector<SqlType>& types = prepared->description().parameters;
  if (types.size() != static_cast<size_t>(execute.params_size())) {
    return WithDetail(SqlError(sqlstate::kSyntaxError,
                               fmt::format("wrong number of parameters for prepared statement \"{}\"", execute.name())),
                      fmt::format("Expected {} parameters but got {}.", types.size(), execute.params_size()));
  }
  Row parameters;
  Binder binder({});
  binder.set_zone(evaluation.zone());
  for (size_t i = 0; i < types.size(); ++i) {
    ASSIGN_OR_RETURN(ExpressionRef argument, binder.Bind(execute.params(static_cast<int>(i))));
    const SqlType from = argument->type;
    ASSIGN_OR_RETURN(argument, binder.Convert(std::move(argument), types[i], Conversion::kAssignment));
    if (!argument) {
      return SqlError(sqlstate::kDatatypeMismatch,
                      fmt::format("parameter ${} of type {} cannot be coerced to the expected type {}", i + 1,
                                  TypeName(from), TypeName(types[i])),
                      "You will need to rewrite or cast the expression.");
    }
    ASSIGN_OR_RETURN(parameters.emplace_back(), Evaluate(*argument, {}, evaluation));
  }
  StatementRef statement = prepared->statement();
  return Command{std::move(statement), std::move(prepared), std::move(parameters)};
}

absl::StatusOr<std::string> Deallocate(const pg_query::DeallocateStmt& deallocate, PreparedStatements* statements) {
  if (deallocate.name().empty()) {
    statements->Clear();
    return std::string("DEALLOCATE ALL");
  }
  RETURN_IF_ERROR(statements->Find(deallocate.name()).status());
  statements->Remove(deallocate.name());
  return std::string("DEALLOCATE");
}

}  // namespace anabranch
