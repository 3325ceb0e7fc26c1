// Passwords as SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677): what is kept instead of a password, in PostgreSQL's form
// SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey.
#pragma once

#include <string>
#include <string_view>

namespace anabranch {

inline constexpr int kScramIterations = 4096;  // PostgreSQL's
inline constexpr size_t kScramSaltBytes = 16;

std::string MakeScramVerifier(std::string_view password, std::string_view salt, int iterations = kScramIterations);
// Whether a text given as a password is a verifier already.
bool IsScramVerifier(std::string_view text);

}  // namespace anabranch
