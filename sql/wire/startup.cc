#include "sql/wire/startup.h"

#include <algorithm>

#include "base/status.h"

namespace anabranch {
namespace {

constexpr std::string_view kClusterSetting = "cluster";
constexpr std::string_view kClusterDatabasePrefix = "cluster:";

// Words of `options`, as PostgreSQL splits them: at white space, a backslash takes the next character as it is.
std::vector<std::string> SplitOptions(std::string_view text) {
  std::vector<std::string> words;
  bool in_word = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ' || (text[i] >= '\t' && text[i] <= '\r')) {
      in_word = false;
      continue;
    }
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    if (!in_word) words.emplace_back();
    in_word = true;
    words.back().push_back(text[i]);
  }
  return words;
}

// "-c name=value", "-cname=value", "--name=value".
absl::Status InterpretOptions(std::string_view text, StartupRequest* request) {
  const std::vector<std::string> words = SplitOptions(text);
  for (size_t i = 0; i < words.size(); ++i) {
    std::string assignment;
    if (words[i] == "-c" && i + 1 < words.size()) {
      assignment = words[++i];
    } else if (words[i].starts_with("-c") || words[i].starts_with("--")) {
      assignment = words[i].substr(2);
    }
    const size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0) {
      return SqlError(sqlstate::kSyntaxError, fmt::format("invalid command-line argument for server process: {}", words[i]),
                      "Write options as -c name=value, for example options=-ccluster=system.");
    }
    std::string name = assignment.substr(0, equals);
    std::replace(name.begin(), name.end(), '-', '_');
    std::string value = assignment.substr(equals + 1);
    if (name == kClusterSetting) {
      request->virtual_cluster = std::move(value);
    } else {
      request->settings.emplace_back(std::move(name), std::move(value));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<StartupRequest> InterpretStartup(const StartupMessage& message) {
  StartupRequest request;
  request.minor_version = message.minor_version;
  std::string cluster_of_database;
  for (const auto& [name, value] : message.parameters) {
    if (name == "user") {
      request.user = value;
    } else if (name == "database") {
      // Every other name is an alias of the one database there is (docs/promises.md).
      if (value.starts_with(kClusterDatabasePrefix)) {
        cluster_of_database = value.substr(kClusterDatabasePrefix.size());
        cluster_of_database.resize(std::min(cluster_of_database.size(), cluster_of_database.find('/')));
      }
    } else if (name == "options") {
      RETURN_IF_ERROR(InterpretOptions(value, &request));
    } else if (name == "replication") {
      if (value != "false" && value != "off" && value != "no" && value != "0") {
        return SqlError(sqlstate::kFeatureNotSupported, "connections with replication=... are not supported",
                        "Replicate a virtual cluster with CREATE VIRTUAL CLUSTER ... FROM REPLICATION OF ...");
      }
    } else if (name.starts_with("_pq_.")) {
      request.unknown_protocol_options.push_back(name);
    } else {
      request.settings.emplace_back(name, value);
    }
  }
  if (request.virtual_cluster.empty()) request.virtual_cluster = cluster_of_database;
  if (request.user.empty()) {
    return SqlError(sqlstate::kInvalidAuthorizationSpecification, "no PostgreSQL user name specified in startup packet");
  }
  return request;
}

}  // namespace anabranch
