#include "sql/stored/scram.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <charconv>

#include "absl/strings/escaping.h"
#include "base/check.h"
#include "base/secret.h"
#include "fmt/format.h"

namespace anabranch {
namespace {

constexpr std::string_view kPrefix = "SCRAM-SHA-256$";
static_assert(kScramKeyBytes == SHA256_DIGEST_LENGTH);

const unsigned char* Bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

}  // namespace

std::string HmacSha256(std::string_view key, std::string_view data) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  unsigned length = 0;
  const unsigned char* made = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Bytes(data), data.size(),
                                   reinterpret_cast<unsigned char*>(digest.data()), &length);
  CHECK(made != nullptr, "HMAC-SHA-256 failed");
  return digest;
}

std::string Sha256(std::string_view data) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(Bytes(data), data.size(), reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

std::string Base64(std::string_view bytes) { return absl::Base64Escape(absl::string_view(bytes.data(), bytes.size())); }

std::optional<std::string> FromBase64(std::string_view text) {
  std::string bytes;
  if (!absl::Base64Unescape(absl::string_view(text.data(), text.size()), &bytes)) return std::nullopt;
  return bytes;
}

std::string MakeScramVerifier(std::string_view password) {
  return MakeScramVerifier(password, SecretBytes(kScramSaltBytes));
}

std::string MakeScramVerifier(std::string_view password, std::string_view salt, int iterations) {
  std::string salted(SHA256_DIGEST_LENGTH, '\0');
  const int made = PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), Bytes(salt),
                                     static_cast<int>(salt.size()), iterations, EVP_sha256(),
                                     static_cast<int>(salted.size()), reinterpret_cast<unsigned char*>(salted.data()));
  CHECK(made == 1, "PBKDF2 failed");
  const std::string stored_key = Sha256(HmacSha256(salted, "Client Key"));
  const std::string server_key = HmacSha256(salted, "Server Key");
  Wipe(&salted);
  return fmt::format("{}{}:{}${}:{}", kPrefix, iterations, Base64(salt), Base64(stored_key), Base64(server_key));
}

std::optional<ScramVerifier> ParseScramVerifier(std::string_view text) {
  if (!text.starts_with(kPrefix)) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  const size_t salt_at = text.find(':');
  const size_t keys_at = text.find('$');
  if (salt_at == std::string_view::npos || keys_at == std::string_view::npos || salt_at > keys_at) return std::nullopt;
  const size_t server_key_at = text.find(':', keys_at);
  if (server_key_at == std::string_view::npos) return std::nullopt;
  ScramVerifier verifier;
  const auto parsed = std::from_chars(text.data(), text.data() + salt_at, verifier.iterations);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + salt_at || verifier.iterations <= 0) return std::nullopt;
  const std::optional<std::string> salt = FromBase64(text.substr(salt_at + 1, keys_at - salt_at - 1));
  const std::optional<std::string> stored_key = FromBase64(text.substr(keys_at + 1, server_key_at - keys_at - 1));
  const std::optional<std::string> server_key = FromBase64(text.substr(server_key_at + 1));
  if (!salt || salt->empty() || !stored_key || stored_key->size() != kScramKeyBytes || !server_key ||
      server_key->size() != kScramKeyBytes) {
    return std::nullopt;
  }
  verifier.salt = *salt;
  verifier.stored_key = *stored_key;
  verifier.server_key = *server_key;
  return verifier;
}

ScramVerifier MockScramVerifier(TenantId tenant, std::string_view user, std::string_view secret) {
  ScramVerifier verifier;
  verifier.salt = HmacSha256(secret, fmt::format("{} {}", tenant.value(), user)).substr(0, kScramSaltBytes);
  verifier.stored_key = SecretBytes(kScramKeyBytes);
  verifier.server_key = SecretBytes(kScramKeyBytes);
  return verifier;
}

}  // namespace anabranch
