#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "stream/conninfo.h"
#include "stream/source_client.h"

namespace anabranch {
namespace {

// Everything but RFC 3986's unreserved characters and `kept`.
std::string PercentEncode(const std::string& text, std::string_view kept) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                       c == '_' || c == '~' || kept.find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::vector<std::string> SplitCommas(std::string_view text) {
  std::vector<std::string> parts;
  while (true) {
    const size_t comma = text.find(',');
    parts.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

// "host1:port1,host2:port2". A port that is no number is a piece of a password with an unescaped slash.
std::string Authority(const std::string& host, const std::string& port) {
  const std::vector<std::string> hosts = SplitCommas(host);
  const std::vector<std::string> ports = SplitCommas(port);
  std::string out;
  for (size_t i = 0; i < hosts.size(); ++i) {
    if (i > 0) out += ',';
    const bool ipv6 = hosts[i].find(':') != std::string::npos;
    out += ipv6 ? fmt::format("[{}]", hosts[i]) : PercentEncode(hosts[i], "");
    const std::string& own = ports.size() == 1 ? ports[0] : i < ports.size() ? ports[i] : "";
    if (!own.empty() && std::all_of(own.begin(), own.end(), [](char c) { return c >= '0' && c <= '9'; })) out += ":" + own;
  }
  return out;
}

// external://<name>, whose name has no place for a secret.
bool IsExternal(std::string_view uri) {
  constexpr std::string_view kScheme = "external://";
  if (!uri.starts_with(kScheme)) return false;
  uri.remove_prefix(kScheme.size());
  return std::all_of(uri.begin(), uri.end(), [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; });
}

}  // namespace

std::string RedactUri(const std::string& uri) {
  if (IsExternal(uri)) return uri;
  auto parameters = ParseConninfo(uri);
  if (!parameters) return "(connection string that does not parse)";
  const auto take = [&](const char* name) {
    const auto node = parameters->extract(name);
    return node.empty() ? std::string() : node.mapped();
  };
  take("password");
  std::string out = "postgresql://";
  if (const std::string user = take("user"); !user.empty()) out += PercentEncode(user, "") + "@";
  std::string host = take("host");
  if (const std::string address = take("hostaddr"); host.empty()) host = address;
  out += Authority(host, take("port"));
  // An unescaped '@' in a password ends up in the database name.
  if (const std::string database = take("dbname"); !database.empty() && database.find('@') == std::string::npos) {
    out += "/" + PercentEncode(database, ":/");
  }
  char separator = '?';
  for (const auto& [name, value] : *parameters) {
    out += separator + name + "=redacted";
    separator = '&';
  }
  return out;
}

}  // namespace anabranch
