// Where the statements of ours are split into words: what system_parser.cc makes its grammar of. Separate from
// sql/control/statement.h so that a test can look at it, and because the scanner's classes are slow to compile.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace anabranch {

struct SystemToken {
  enum class Kind { kWord, kReservedWord, kQuotedName, kString, kNumber, kSymbol, kEnd };
  Kind kind = Kind::kEnd;
  std::string value;      // words in lower case, contents of strings and quoted names, else as written
  std::string_view text;  // as written, for messages
};

// nullopt if `text` is not made of PostgreSQL's tokens (an open quote, say): then its own parser has the better message.
// The last token is kEnd. Comments are left out.
std::optional<std::vector<SystemToken>> TokenizeSystemStatement(const std::string& text);

}  // namespace anabranch
