// CREATE, ALTER and DROP USER or ROLE, and GRANT and REVOKE of roles and of privileges on tables and sequences. A user's
// key and a relation's descriptor key are locked exclusively while they change, as in DDL (sql/schema/ddl.h); whoever names
// a user holds its key shared.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "sql/parse/tree_types.h"
#include "sql/query/execution.h"
#include "sql/value/result.h"

namespace anabranch {

// Locks, begins the statement in the transaction and runs it: the command tag. REQUIRES: IsUserStatement.
absl::StatusOr<std::string> RunUserStatement(const pg_query::Node& tree, const Execution& execution, ResultSink& sink);

// Parts of it, in files of their own.
absl::Status CreateUser(const pg_query::CreateRoleStmt& create, const Execution& execution);
absl::Status AlterUser(const pg_query::AlterRoleStmt& alter, const Execution& execution);
absl::Status DropUsers(const pg_query::DropRoleStmt& drop, const Execution& execution, ResultSink& sink);
absl::Status GrantRoles(const pg_query::GrantRoleStmt& grant, const Execution& execution, ResultSink& sink);
absl::Status GrantPrivileges(const pg_query::GrantStmt& grant, const Execution& execution, ResultSink& sink);

// Who a statement names; empty: PUBLIC. 42939 for a name that nobody may have.
absl::StatusOr<std::string> RoleName(const pg_query::RoleSpec& role, const Execution& execution);

}  // namespace anabranch
