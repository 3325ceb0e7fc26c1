// The literals in the text of a statement, found without parsing it.
//
// Deliberately knows less than PostgreSQL's scanner: text with anything whose extent is not plain to see (comments, dollar
// quotes, E'...', parameters, brackets, several statements) is none of its business. What it takes for a literal is one
// only if the parse tree has a constant in the same place (sql/session/statement_cache.cc looks), so a mistake here costs
// time, not answers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sql/value/datum.h"

namespace anabranch {

struct Literal {
  size_t begin = 0;  // in the text; a minus sign that belongs to it included
  size_t end = 0;
  SqlType type = SqlType::kUnknown;  // int4, int8, numeric; unknown for a quoted string
};

struct TextShape {
  std::string pattern;  // the text with a mark for each literal that tells its type
  std::vector<Literal> literals;
};

// False: it cannot tell.
bool FindLiterals(std::string_view text, TextShape* shape);

// What stands in the text, without quotes.
std::string LiteralValue(std::string_view text, const Literal& literal);

}  // namespace anabranch
