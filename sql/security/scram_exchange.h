// The server's side of a SCRAM-SHA-256 exchange (RFC 5802, RFC 7677), as PostgreSQL's clients speak it, with or without
// binding to the TLS channel (tls-server-end-point). Pure: messages in, messages out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "sql/stored/scram.h"

namespace anabranch {

inline constexpr std::string_view kScramMechanism = "SCRAM-SHA-256";
inline constexpr std::string_view kScramPlusMechanism = "SCRAM-SHA-256-PLUS";

class ScramExchange {
 public:
  // `channel` is what the server's end of TLS binds to; empty: there is no such binding. `nonce` is the server's part of the
  // nonce: printable, without commas.
  ScramExchange(ScramVerifier verifier, std::string channel, std::string nonce)
      : verifier_(std::move(verifier)), channel_(std::move(channel)), nonce_(std::move(nonce)) {}

  // The client's first message under the mechanism it chose → the server's. 08P01: it is none.
  absl::StatusOr<std::string> Begin(std::string_view mechanism, std::string_view message);
  // The client's last message → the server's, which proves that it knows the password, too; nullopt if the client does not
  // know it. 08P01: it is none.
  absl::StatusOr<std::optional<std::string>> Finish(std::string_view message);

 private:
  const ScramVerifier verifier_;
  const std::string channel_;
  std::string nonce_;
  std::string binding_;  // what the last message must carry as c=
  std::string client_first_bare_;
  std::string server_first_;
};

}  // namespace anabranch
