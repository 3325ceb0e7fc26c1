// The HTTP port: GET /health, and 404 for everything else. HTTPS if the node has certificates.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "sql/security/tls.h"

namespace anabranch {

inline constexpr int kHttpConnectionsMax = 32;  // beyond it the oldest one is closed
inline constexpr int kHttpTimeoutSeconds = 5;   // for a whole request and its answer
inline constexpr uint32_t kHttpBodyBytesMax = 1024;

// Runs on a thread of its own.
class HttpServer {
 public:
  // Binds and listens. An empty host means every interface, port 0 a free one. 55006 in one line if the port is in use.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Listen(const std::string& host, uint16_t port);
  virtual ~HttpServer() = default;  // closes and joins
  virtual uint16_t port() const = 0;
  // GET /health answers 200 with this JSON from now on. `credentials` is not owned; null: HTTP without TLS.
  virtual void Serve(std::string health_json, const TlsCredentials* credentials) = 0;
};

}  // namespace anabranch
