#include "stream/conninfo.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "base/status.h"
#include "stream/inline_credentials.h"
#include "stream/source_client.h"

namespace anabranch {
namespace {

// Lives as long as the parameters do; empty if there is none.
std::string_view ValueOf(const Conninfo& parameters, const std::string& name) {
  const auto found = parameters.find(name);
  return found == parameters.end() ? std::string_view() : std::string_view(found->second);
}

std::vector<std::string_view> Elements(std::string_view list) {
  std::vector<std::string_view> elements;
  while (true) {
    const size_t comma = list.find(',');
    elements.push_back(list.substr(0, comma));
    if (comma == std::string_view::npos) return elements;
    list.remove_prefix(comma + 1);
  }
}

constexpr std::string_view kHowToWriteIt =
    "Write it as postgresql://user@host:port, with special characters of the password percent-encoded.";

absl::Status BadConnectionString(std::string_view why) {
  return SqlError(sqlstate::kInvalidParameterValue, fmt::format("the connection string of the source {}", why),
                  std::string(kHowToWriteIt));
}

bool IsPort(std::string_view text) {
  constexpr int kPortMax = 65'535;
  int port = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && rest == text.data() + text.size() && port >= 1 && port <= kPortMax;
}

// What a connection string may set. Not what makes libpq write files of this node's user, or take its settings or secrets
// from such files unseen: passfile, service, sslcrl, sslkeylogfile and their like.
constexpr std::string_view kParametersAllowed[] = {"application_name",
                                                   "channel_binding",
                                                   "client_encoding",
                                                   "connect_timeout",
                                                   "dbname",
                                                   "gssencmode",
                                                   "host",
                                                   "hostaddr",
                                                   "keepalives",
                                                   "keepalives_count",
                                                   "keepalives_idle",
                                                   "keepalives_interval",
                                                   "load_balance_hosts",
                                                   "options",
                                                   "password",
                                                   "port",
                                                   "require_auth",
                                                   "ssl_max_protocol_version",
                                                   "ssl_min_protocol_version",
                                                   "sslcert",
                                                   kSslInline,
                                                   "sslkey",
                                                   "sslmode",
                                                   "sslnegotiation",
                                                   "sslrootcert",
                                                   "sslsni",
                                                   "target_session_attrs",
                                                   "tcp_user_timeout",
                                                   "user"};

// What libpq takes and we do not mean, or would refuse like a network that is down. Nothing of the string goes into the
// text: what looks like a port may be the end of a password with an unescaped slash.
absl::Status CheckConninfo(const Conninfo& parameters) {
  for (const auto& [name, value] : parameters) {
    if (std::find(std::begin(kParametersAllowed), std::end(kParametersAllowed), name) != std::end(kParametersAllowed))
      continue;
    return SqlError(sqlstate::kInvalidParameterValue,
                    fmt::format("the connection string of the source sets \"{}\", which is not allowed", name),
                    "It would let libpq read files of this node.");
  }
  const std::vector<std::string_view> addresses = Elements(ValueOf(parameters, "hostaddr"));
  const std::vector<std::string_view> hosts = Elements(ValueOf(parameters, "host"));
  const std::vector<std::string_view>& reached = addresses.size() == 1 && addresses[0].empty() ? hosts : addresses;
  // For an empty one libpq takes the socket of a PostgreSQL on this machine.
  if (std::any_of(reached.begin(), reached.end(), [](std::string_view host) { return host.empty(); }))
    return BadConnectionString("names no host");
  const std::vector<std::string_view> ports = Elements(ValueOf(parameters, "port"));
  const bool numbers =
      std::all_of(ports.begin(), ports.end(), [](std::string_view port) { return port.empty() || IsPort(port); });
  if (!numbers) return BadConnectionString("has a port that is no number from 1 to 65535");
  const bool both = !(hosts.size() == 1 && hosts[0].empty()) && !(addresses.size() == 1 && addresses[0].empty());
  if (both && hosts.size() != addresses.size()) return BadConnectionString("has not as many addresses as hosts");
  if (ports.size() != 1 && ports.size() != reached.size()) return BadConnectionString("has not as many ports as hosts");
  return absl::OkStatus();
}

}  // namespace

uint64_t ConnectTimeoutMs(const Conninfo& parameters) {
  const std::string_view text = ValueOf(parameters, "connect_timeout");
  uint64_t seconds = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || rest != text.data() + text.size() || seconds == 0) return kConnectTimeoutMs;
  return std::min<uint64_t>(seconds, kConnectTimeoutSecondsMax) * 1'000;
}

std::vector<Conninfo> OnePerHost(const Conninfo& parameters) {
  const std::vector<std::string_view> host = Elements(ValueOf(parameters, "host"));
  const std::vector<std::string_view> address = Elements(ValueOf(parameters, "hostaddr"));
  const std::vector<std::string_view> port = Elements(ValueOf(parameters, "port"));
  std::vector<Conninfo> each;
  for (size_t i = 0; i < std::max(host.size(), address.size()); ++i) {
    Conninfo& one = each.emplace_back(parameters);
    one["host"] = i < host.size() ? host[i] : "";
    one["hostaddr"] = i < address.size() ? address[i] : "";
    one["port"] = port[port.size() == 1 ? 0 : i];
  }
  return each;
}

std::optional<std::string> FileParameterOf(const std::string& uri) {
  const std::optional<Conninfo> parameters = ParseConninfo(uri);
  if (!parameters || parameters->contains(kSslInline)) return std::nullopt;
  for (const char* name : {"sslcert", "sslkey", "sslrootcert"}) {
    if (!ValueOf(*parameters, name).empty()) return name;
  }
  return std::nullopt;
}

absl::Status CheckSourceUri(const std::string& uri) {
  const auto parameters = ParseConninfo(uri);
  if (!parameters) return BadConnectionString("does not parse");
  return CheckConninfo(*parameters);
}

}  // namespace anabranch
