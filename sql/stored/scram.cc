#include "sql/stored/scram.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <charconv>

#include "absl/strings/escaping.h"
#include "base/check.h"
#include "fmt/format.h"

namespace anabranch {
namespace {

constexpr std::string_view kPrefix = "SCRAM-SHA-256$";

const unsigned char* Bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

std::string Hmac(std::string_view key, std::string_view data) {
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

bool IsBase64(std::string_view text, size_t bytes) {
  std::string decoded;
  return absl::Base64Unescape(absl::string_view(text.data(), text.size()), &decoded) &&
         (bytes == 0 ? !decoded.empty() : decoded.size() == bytes);
}

}  // namespace

std::string MakeScramVerifier(std::string_view password, std::string_view salt, int iterations) {
  std::string salted(SHA256_DIGEST_LENGTH, '\0');
  const int made = PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), Bytes(salt),
                                     static_cast<int>(salt.size()), iterations, EVP_sha256(),
                                     static_cast<int>(salted.size()), reinterpret_cast<unsigned char*>(salted.data()));
  CHECK(made == 1, "PBKDF2 failed");
  return fmt::format("{}{}:{}${}:{}", kPrefix, iterations, Base64(salt), Base64(Sha256(Hmac(salted, "Client Key"))),
                     Base64(Hmac(salted, "Server Key")));
}

bool IsScramVerifier(std::string_view text) {
  if (!text.starts_with(kPrefix)) return false;
  text.remove_prefix(kPrefix.size());
  const size_t salt = text.find(':');
  const size_t keys = text.find('$');
  if (salt == std::string_view::npos || keys == std::string_view::npos || salt > keys) return false;
  const size_t server_key = text.find(':', keys);
  if (server_key == std::string_view::npos) return false;
  int iterations = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + salt, iterations);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + salt && iterations > 0 &&
         IsBase64(text.substr(salt + 1, keys - salt - 1), 0) &&
         IsBase64(text.substr(keys + 1, server_key - keys - 1), SHA256_DIGEST_LENGTH) &&
         IsBase64(text.substr(server_key + 1), SHA256_DIGEST_LENGTH);
}

}  // namespace anabranch
