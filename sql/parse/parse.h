// The room parse/: from a query string to statements, ours or PostgreSQL's, without a catalog. May use the rooms before it.
//
// From a query string to statements: PostgreSQL's by its own grammar, ours by the grammar of sql/control/statement.h.
//
// The text is split by PostgreSQL's scanner. AS OF SYSTEM TIME and FROM [SHOW ...], which its parser does not know, are cut
// out by token positions before parsing. Nesting is bounded before parsing: the parser and everything after it recurse.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace anabranch {

// A parsed statement; immutable and shared. `text` is its part of the query string. See sql/parse/statement.h.
class Statement;
using StatementRef = std::shared_ptr<const Statement>;

inline constexpr size_t kStatementBytesMax = 16 << 20;
inline constexpr int kParenthesisDepthMax = 500;
// Tokens between two commas (or AND, OR, WHEN ...), summed over the open parentheses: bounds the depth of an expression.
inline constexpr int kNestingTokensMax = 1500;
inline constexpr int kSetOperationsMax = 500;     // UNION, JOIN and the like in one statement: each nests by one
inline constexpr size_t kStatementsMax = 10'000;  // in one query string

absl::StatusOr<std::vector<StatementRef>> ParseStatements(std::string_view text);

}  // namespace anabranch
