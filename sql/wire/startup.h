// What follows from the parameters of a client's startup message.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/wire/message.h"

namespace anabranch {

struct StartupRequest {
  std::string user;
  std::string virtual_cluster;  // empty: the default target
  std::vector<std::pair<std::string, std::string>> settings;
  std::vector<std::string> unknown_protocol_options;  // "_pq_.": to be named in NegotiateProtocolVersion
  uint16_t minor_version = 0;
};

// 28000 without a user; 0A000 for replication=...; 42601 for `options` that do not parse.
absl::StatusOr<StartupRequest> InterpretStartup(const StartupMessage& message);

}  // namespace anabranch
