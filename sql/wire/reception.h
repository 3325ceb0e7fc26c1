// Where connections of the SQL port wait until they have said what they want: the listening socket, TLS handshakes, requests
// for encryption, and the start-up packet. All of it on one thread over Boost.Asio, so a silent client costs a socket and no
// thread. Who stays silent leaves after kStartupTimeout; beyond a bound, per address and in all, and where file
// descriptors run out, the one that has been silent longest leaves at once, with 53300, and the new one stays: so silent
// clients lock nobody out.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "sql/security/tls.h"
#include "sql/wire/connection.h"
#include "sql/wire/message.h"

namespace anabranch {

inline constexpr std::chrono::milliseconds kStartupTimeout(30'000);
inline constexpr size_t kSilentConnectionsMax = 2'000;  // and no more than a part of the open files that the node may have
inline constexpr size_t kSilentConnectionsPerAddressMax = 1'000;

// A client that has said what it wants.
struct Arrival {
  ClientSocket client;
  std::variant<StartupMessage, CancelRequest> request;
};

class Reception {
 public:
  // Binds and listens; clients wait until Open. An empty host means every interface, port 0 a free one. 55006 in one line if
  // the port is in use.
  static absl::StatusOr<std::unique_ptr<Reception>> Listen(const std::string& host, uint16_t port);
  virtual ~Reception() = default;  // Close

  virtual uint16_t port() const = 0;
  // Starts to take clients; hands each to `arrived`, on the reception's thread. `credentials` is not owned; null: requests
  // for encryption are declined.
  virtual void Open(const TlsCredentials* credentials, std::function<void(Arrival)> arrived) = 0;
  // Has the reception's thread run this. Nothing runs after Close.
  virtual void Post(std::function<void()> task) = 0;
  // Takes no more clients and tells the silent ones why they must leave. Returns when the thread has ended.
  virtual void Close(const absl::Status& why) = 0;
};

}  // namespace anabranch
