// A parsed statement: immutable, made by ParseStatements (sql/parse/parse.h), shared by prepared statements and their
// executions. Internal to sql/; only .cc files include it, for the parse tree's classes are large.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/arena.h"
#include "sql/parse/tree_types.h"

namespace anabranch {

struct SystemStatement;
using SystemStatementRef = std::shared_ptr<const SystemStatement>;

// What a FROM [SHOW ...] bracket is replaced by before PostgreSQL's grammar sees the statement.
inline constexpr std::string_view kBracketRelation = "[show]";

// The constraint that an UPSERT, as an INSERT, has its conflicts with: the table's primary key.
inline constexpr std::string_view kUpsertConstraint = "[upsert]";

// How the text that was parsed came out of the query string, so that a place in it can be told to the client.
struct TextOrigin {
  // Text put in the place of other text. Each is in the text that those before it left.
  struct Edit {
    int start = 0;
    int removed = 0;
    int added = 0;
  };

  int first_character = 0;  // of the statement in the query string
  std::vector<Edit> edits;
};

class Statement {
 public:
  enum class Kind { kPostgres, kSystem, kShowCommitTimestamp };

  Kind kind = Kind::kPostgres;
  std::string text;  // as the client sent it
  TextOrigin origin;

  // kPostgres. Owned by the arena.
  google::protobuf::Arena arena;
  const pg_query::Node* tree = nullptr;
  std::optional<std::string> as_of;  // the expression of AS OF SYSTEM TIME, unquoted
  SystemStatementRef bracket;        // what stands for kBracketRelation

  SystemStatementRef system;  // kSystem
};

// CREATE, ALTER and DROP of roles, GRANT and REVOKE.
bool IsUserStatement(const pg_query::Node& tree);
// "CREATE ROLE", "GRANT": as messages and command tags name it. REQUIRES: IsUserStatement.
std::string_view UserStatementName(const pg_query::Node& tree);

// "INSERT", as messages name a statement.
std::string_view CommandName(const pg_query::Node& tree);
// The table that a statement writes rows of; null: it writes none.
const pg_query::RangeVar* WrittenTable(const pg_query::Node& tree);
// SELECT ... FOR UPDATE and its like.
bool LocksRows(const pg_query::Node& tree);
// COMMIT, ROLLBACK, ROLLBACK TO.
bool RunsInFailedBlock(const Statement& statement);
// `status` with the position in the query string that its location, if it has one, is at.
absl::Status WithPosition(absl::Status status, const Statement& statement);

}  // namespace anabranch
