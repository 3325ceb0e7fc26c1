// A parsed PostgreSQL connection string. Internal to stream/.
#pragma once

#include <map>
#include <optional>
#include <string>

namespace anabranch {

// The parameters that the string sets; nullopt if libpq cannot parse it. libpq's reason is not kept: it quotes the string,
// secrets and all.
std::optional<std::map<std::string, std::string>> ParseConninfo(const std::string& uri);

}  // namespace anabranch
