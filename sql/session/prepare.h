// PREPARE, EXECUTE and DEALLOCATE.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/parse/tree_types.h"
#include "sql/session/prepared_statement.h"

namespace anabranch {

StatementRef PreparedQuery(const pg_query::PrepareStmt& prepare);
// The parameter types that it declares.
absl::StatusOr<std::vector<SqlType>> DeclaredTypes(const pg_query::PrepareStmt& prepare);
// What an EXECUTE runs: its arguments are evaluated, each as the parameter's type.
absl::StatusOr<Command> ExecutedCommand(const pg_query::ExecuteStmt& execute, const PreparedStatements& statements,
                                        const EvaluationContext& evaluation);
// The command tag.
absl::StatusOr<std::string> Deallocate(const pg_query::DeallocateStmt& deallocate, PreparedStatements* statements);

}  // namespace anabranch
