// Names and strings as SQL writes them.
#pragma once

#include <string>
#include <string_view>

namespace anabranch {

std::string QuotedIdentifier(std::string_view name);  // quoted only if it must be
std::string QuotedLiteral(std::string_view text);     // E'...' if there are backslashes

}  // namespace anabranch
