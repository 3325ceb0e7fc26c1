// Names and strings as SQL writes them.
#pragma once

#include <string>
#include <string_view>

namespace anabranch {

std::string QuotedIdentifier(std::string_view name);  // as quote_ident() does: quoted only if it must be
std::string QuotedLiteral(std::string_view text);     // E'...' if there are backslashes

// What 'name' or '"Name"' or 'schema.name' in a text means.
std::string UnquoteName(std::string_view text);

}  // namespace anabranch
