// CREATE TABLE, DROP TABLE, TRUNCATE. A table's descriptor key is locked exclusively; statements that write the table hold
// it shared until their transaction ends.
#pragma once

#include "absl/status/status.h"
#include "pg_query/pg_query.pb.h"
#include "sql/execution.h"

namespace anabranch {

// What a CREATE TABLE describes, without an id. No catalog needed but to bind defaults.
absl::StatusOr<Table> DescribeTable(const pg_query::CreateStmt& create, const EvaluationContext& context);

// Each locks, then begins the statement in the transaction: what it reads is newer than what others did under the lock.
absl::Status CreateTable(const pg_query::CreateStmt& create, const Execution& execution, ResultSink& sink);
absl::Status DropTables(const pg_query::DropStmt& drop, const Execution& execution, ResultSink& sink);
absl::Status TruncateTables(const pg_query::TruncateStmt& truncate, const Execution& execution);

}  // namespace anabranch
