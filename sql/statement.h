// A parsed statement: immutable, made by ParseStatements (sql/parse.h), shared by prepared statements and their executions.
// Internal to sql/; only .cc files include it, for the parse tree's classes are large.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "google/protobuf/arena.h"
#include "pg_query/pg_query.pb.h"
#include "sql/system_statements.h"

namespace anabranch {

// What a FROM [SHOW ...] bracket is replaced by before PostgreSQL's grammar sees the statement.
inline constexpr std::string_view kBracketRelation = "[show]";

// The constraint that an UPSERT, as an INSERT, has its conflicts with: the table's primary key.
inline constexpr std::string_view kUpsertConstraint = "[upsert]";

class Statement {
 public:
  enum class Kind { kPostgres, kSystem, kShowCommitTimestamp };

  Kind kind = Kind::kPostgres;
  std::string text;

  // kPostgres. Owned by the arena.
  google::protobuf::Arena arena;
  const pg_query::Node* tree = nullptr;
  std::optional<std::string> as_of;        // the expression of AS OF SYSTEM TIME, unquoted
  std::optional<SystemStatement> bracket;  // what stands for kBracketRelation

  std::optional<SystemStatement> system;  // kSystem
};

// "INSERT", as messages name a statement.
std::string_view CommandName(const pg_query::Node& tree);
// The table that a statement writes rows of; null: it writes none.
const pg_query::RangeVar* WrittenTable(const pg_query::Node& tree);
// COMMIT, ROLLBACK, ROLLBACK TO.
bool RunsInFailedBlock(const Statement& statement);

}  // namespace anabranch
