#include "sql/security/scram_exchange.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "base/status.h"

namespace anabranch {
namespace {

constexpr std::string_view kBoundHeader = "p=tls-server-end-point,,";

absl::Status Malformed(std::string_view what) {
  return SqlError(sqlstate::kProtocolViolation, fmt::format("malformed SCRAM message: {}", what));
}

// Takes "x=value" up to the next comma, or the end, from the front of *rest.
std::optional<std::string_view> TakeAttribute(char name, std::string_view* rest) {
  if (rest->size() < 2 || (*rest)[0] != name || (*rest)[1] != '=') return std::nullopt;
  const size_t end = std::min(rest->find(','), rest->size());
  const std::string_view value = rest->substr(2, end - 2);
  rest->remove_prefix(std::min(end + 1, rest->size()));
  return value;
}

// Printable, without commas.
bool IsNonce(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (c < 0x21 || c > 0x7e || c == ',') return false;
  }
  return true;
}

bool SameInConstantTime(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

absl::StatusOr<std::string> ScramExchange::Begin(std::string_view mechanism, std::string_view message) {
  const bool bound = mechanism == kScramPlusMechanism && !channel_.empty();
  if (!bound && mechanism != kScramMechanism) {
    return SqlError(sqlstate::kProtocolViolation, "the client chose an authentication mechanism that was not offered");
  }
  std::string_view header = bound ? kBoundHeader : message.substr(0, 3);
  if (!message.starts_with(header)) return Malformed("unexpected channel binding");
  if (!bound && header == "y,," && !channel_.empty()) {
    return SqlError(
        sqlstate::kProtocolViolation,
        "the client supports SCRAM channel binding but thinks the server does not; somebody stands between them");
  }
  if (!bound && header != "y,," && header != "n,,")
    return Malformed("unexpected channel binding or authorization identity");
  binding_ = Base64(std::string(header) + (bound ? channel_ : ""));
  client_first_bare_ = message.substr(header.size());
  std::string_view rest = client_first_bare_;
  // The name is that of the start-up packet; this one is ignored, as PostgreSQL ignores it.
  if (!TakeAttribute('n', &rest)) return Malformed("no user name");
  const std::optional<std::string_view> nonce = TakeAttribute('r', &rest);
  if (!nonce || !IsNonce(*nonce)) return Malformed("no nonce");
  nonce_ = std::string(*nonce) + nonce_;
  server_first_ = fmt::format("r={},s={},i={}", nonce_, Base64(verifier_.salt), verifier_.iterations);
  return server_first_;
}

absl::StatusOr<std::optional<std::string>> ScramExchange::Finish(std::string_view message) {
  std::string_view rest = message;
  const std::optional<std::string_view> binding = TakeAttribute('c', &rest);
  if (!binding) return Malformed("no channel binding");
  if (*binding != binding_) return SqlError(sqlstate::kProtocolViolation, "SCRAM channel binding check failed");
  const std::optional<std::string_view> nonce = TakeAttribute('r', &rest);
  if (!nonce || *nonce != nonce_) return Malformed("the nonce is another one");
  const size_t proof_at = message.rfind(",p=");
  if (proof_at == std::string_view::npos) return Malformed("no proof");
  const std::optional<std::string> proof = FromBase64(message.substr(proof_at + 3));
  if (!proof || proof->size() != verifier_.stored_key.size()) return Malformed("the proof is none");
  const std::string signed_text = fmt::format("{},{},{}", client_first_bare_, server_first_, message.substr(0, proof_at));
  std::string client_key = HmacSha256(verifier_.stored_key, signed_text);
  for (size_t i = 0; i < client_key.size(); ++i) client_key[i] = static_cast<char>(client_key[i] ^ (*proof)[i]);
  if (!SameInConstantTime(Sha256(client_key), verifier_.stored_key)) return std::nullopt;
  return std::optional<std::string>("v=" + Base64(HmacSha256(verifier_.server_key, signed_text)));
}

}  // namespace anabranch
