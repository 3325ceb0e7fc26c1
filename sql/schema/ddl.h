// The room schema/: what changes the schema: tables, indexes, sequences, users, grants. May use the rooms before it.
//
// Statements that change the schema: one entry for all of them, and the files they are in (ddl.cc, index.cc,
// alter_table.cc, rename.cc, sequence_ddl.cc); users and grants are in
// user_statement.h. How they lock is in sql/schema/schema_change.h.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "sql/parse/tree_types.h"
#include "sql/query/execution.h"
#include "sql/schema/schema_change.h"
#include "sql/value/result.h"

namespace anabranch {

// Whether RunDefinition is for it.
bool IsDefinition(const pg_query::Node& tree);

// Locks, then begins the statement in the transaction, runs it, and returns the command tag.
absl::StatusOr<std::string> RunDefinition(const pg_query::Node& tree, const Execution& execution, TableReader* tables,
                                          ResultSink& sink);

// --- Each in its file ---
absl::Status CreateIndex(const pg_query::IndexStmt& create, const Execution& execution, ResultSink& sink);
absl::Status DropIndex(const std::string& name, bool missing_ok, SchemaChange* change, ResultSink& sink);
absl::Status AlterTable(const pg_query::AlterTableStmt& alter, const Execution& execution, ResultSink& sink);
absl::StatusOr<std::string> Rename(const pg_query::RenameStmt& rename, const Execution& execution, ResultSink& sink);
absl::Status CreateSequence(const pg_query::CreateSeqStmt& create, const Execution& execution, ResultSink& sink);
absl::Status AlterSequence(const pg_query::AlterSeqStmt& alter, const Execution& execution, ResultSink& sink);
absl::Status RestartSequence(const Sequence& sequence, SchemaChange* change);

}  // namespace anabranch
