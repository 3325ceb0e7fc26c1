// Passwords as SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677): what is kept instead of a password, in PostgreSQL's form
// SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace anabranch {

inline constexpr int kScramIterations = 4096;  // PostgreSQL's
inline constexpr size_t kScramSaltBytes = 16;
inline constexpr size_t kScramKeyBytes = 32;

struct ScramVerifier {
  int iterations = kScramIterations;
  std::string salt;
  std::string stored_key;
  std::string server_key;
};

// With a salt of its own.
std::string MakeScramVerifier(std::string_view password);
std::string MakeScramVerifier(std::string_view password, std::string_view salt, int iterations = kScramIterations);
// nullopt: the text is none.
std::optional<ScramVerifier> ParseScramVerifier(std::string_view text);
// One that no password fits, always the same salt for a user of a virtual cluster: who is not there looks as who is.
ScramVerifier MockScramVerifier(TenantId tenant, std::string_view user, std::string_view secret);

std::string Sha256(std::string_view data);
std::string HmacSha256(std::string_view key, std::string_view data);
std::string Base64(std::string_view bytes);
std::optional<std::string> FromBase64(std::string_view text);

}  // namespace anabranch
