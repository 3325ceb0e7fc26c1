// Expressions that a descriptor keeps (DEFAULT, CHECK) as SQL text.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "sql/expression/expression.h"
#include "sql/parse/tree_types.h"

namespace anabranch {

// A parse tree and the one expression in it.
class ParsedExpression {
 public:
  static absl::StatusOr<ParsedExpression> Parse(std::string_view sql);

  ParsedExpression(ParsedExpression&&) noexcept;
  ~ParsedExpression();

  const pg_query::Node& node() const;
  pg_query::Node* mutable_node();

 private:
  ParsedExpression();

  std::unique_ptr<pg_query::ParseResult> tree_;
};

// The text of an expression, as PostgreSQL would print it.
absl::StatusOr<std::string> ExpressionSql(const pg_query::Node& expression);

// nextval as the default of an identity column: without a look at privileges, so no query may call it.
inline constexpr std::string_view kIdentityFunction = "identity_nextval";
// "nextval('s'::regclass)", as a column's default.
std::string NextvalSql(std::string_view sequence);
// The sequence in such a default; nullopt: it is none.
std::optional<std::string> SequenceOfDefault(std::string_view sql);
// Puts the name in the place of 'name'::regclass, which is how PostgreSQL prints the argument of nextval.
void StripRegclass(pg_query::Node* expression);

// Writes the literals of timestamptz as UTC: what they mean was settled when the expression was `bound`, in the session's
// zone.
void WriteZones(const Expression& bound, pg_query::Node* expression);

// Leaves of t.a only a: for an expression over one table, whatever that is called.
void StripQualifiers(pg_query::Node* expression);
// Whether a column of this name is in it.
bool NamesColumn(const pg_query::Node& expression, std::string_view column);
void RenameColumn(std::string_view from, const std::string& to, pg_query::Node* expression);

}  // namespace anabranch
