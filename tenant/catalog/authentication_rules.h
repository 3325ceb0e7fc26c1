// Who may connect to this physical cluster, from where and how they prove who they are: the cluster setting
// server.host_based_authentication.configuration, in the syntax of PostgreSQL's pg_hba.conf. The first rule that fits a
// connection decides.
//
//   # TYPE  DATABASE  USER       ADDRESS       METHOD
//   hostssl all       root       all           cert
//   host    all       joe,"Ann"  10.0.0.0/8    scram-sha-256
//   host    all       all        all           reject
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace anabranch {

inline constexpr size_t kAuthenticationRulesMax = 1'000;

enum class AuthenticationMethod {
  kTrust,               // "trust": nothing is asked
  kReject,              // "reject"
  kCertificate,         // "cert": a client certificate whose common name is the user
  kScram,               // "scram-sha-256": a password
  kCertificateOrScram,  // "cert-password": a certificate if one was shown, else a password
};

// Of a client: IPv4 addresses count as IPv6 ones (::ffff:192.0.2.7).
using NetworkAddress = std::array<uint8_t, 16>;
std::optional<NetworkAddress> ParseNetworkAddress(const std::string& text);

struct AuthenticationRule {
  enum class Transport { kAny, kTls, kPlain, kLocal };  // "host", "hostssl", "hostnossl", "local"
  Transport transport = Transport::kAny;
  std::vector<std::string> users;  // none: all
  NetworkAddress network = {};
  int prefix_bits = 0;  // how much of the network's address counts; 0: every address
  AuthenticationMethod method = AuthenticationMethod::kReject;
};

// 22023 naming the line and what is wrong with it.
absl::StatusOr<std::vector<AuthenticationRule>> ParseAuthenticationRules(std::string_view text);

// Null if none fits: the client is refused.
const AuthenticationRule* FindAuthenticationRule(const std::vector<AuthenticationRule>& rules, bool tls,
                                                 std::string_view user, const NetworkAddress& address);

// What counts while the setting is empty: over TLS, a certificate or a password.
inline constexpr std::string_view kDefaultAuthenticationRules = "hostssl all all all cert-password";

}  // namespace anabranch
