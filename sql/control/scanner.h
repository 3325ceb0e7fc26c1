// Where the statements of ours are split into words by libpg_query's scanner, so that quoting, comments and keywords follow
// PostgreSQL. Apart, because the scanner's classes are slow to compile.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace anabranch {

struct SystemToken {
  enum class Kind {
    kWord,
    kReservedWord,
    kQuotedName,
    kString,
    kNumber,
    kSymbol,
    kParameter,  // $1
    kBeyondUs,   // U&'...', U&"..." and escapes that are no characters by themselves
    kEnd
  };
  Kind kind = Kind::kEnd;
  std::string value;      // words in lower case, contents of strings and quoted names, else as written
  std::string_view text;  // as written, for messages
  int location = 0;       // the byte that it begins at
};

// nullopt if `text` is not made of PostgreSQL's tokens (an open quote, say): then its own parser has the better message.
// The last token is kEnd. Comments are left out.
std::optional<std::vector<SystemToken>> TokenizeSystemStatement(const std::string& text);

}  // namespace anabranch
