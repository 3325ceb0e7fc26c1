// A parsed PostgreSQL connection string. Internal to stream/.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace anabranch {

using Conninfo = std::map<std::string, std::string>;

// The parameters that the string sets, sslinline (stream/inline_credentials.h) among them; nullopt if libpq cannot parse it.
// libpq's reason is not kept: it quotes the string,
// secrets and all.
std::optional<Conninfo> ParseConninfo(const std::string& uri);
// The parameters with one host, address and port each. REQUIRES: CheckSourceUri was content.
std::vector<Conninfo> OnePerHost(const Conninfo& parameters);
// As libpq has it: in seconds; none or zero: kConnectTimeoutMs.
uint64_t ConnectTimeoutMs(const Conninfo& parameters);

}  // namespace anabranch
