// TLS 1.2 and later for connections that come in: what a node shows of itself, and one client's channel.
#pragma once

#include <openssl/ssl.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/wake_event.h"
#include "sql/security/certificate.h"

namespace anabranch {

inline constexpr int kExpiryWarningDays = 30;

struct FreeSslContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslContextPtr = std::unique_ptr<SSL_CTX, FreeSslContext>;

// What was read from the folder at one time. Immutable.
struct TlsIdentity {
  SslContextPtr sql;             // asks clients for a certificate of the folder's authority, which they need not have
  SslContextPtr http;            // asks for none
  std::string server_end_point;  // channel binding tls-server-end-point (RFC 5929); empty if the certificate has none
};

// The certificates of a node. Thread-safe.
class TlsCredentials {
 public:
  // Reads ca.crt, node.crt and node.key. 22023 or 42501 naming the file. `clock` is not owned.
  static absl::StatusOr<std::unique_ptr<TlsCredentials>> Load(CertsDir dir, Clock* clock);

  // Reads them again for connections to come. What was read before stays in use if that fails.
  absl::Status Reload();
  std::shared_ptr<const TlsIdentity> current() const;
  // Logs each certificate of the folder that ends within kExpiryWarningDays, or has ended.
  void LogExpiry() const;

 private:
  TlsCredentials(CertsDir dir, Clock* clock) : dir_(std::move(dir)), clock_(clock) {}

  const CertsDir dir_;
  Clock* const clock_;
  mutable std::mutex mutex_;
  std::shared_ptr<const TlsIdentity> current_;  // guarded by mutex_
};

// The server's end of TLS over one socket, which it does not own. Used by one thread.
class TlsChannel {
 public:
  TlsChannel(std::shared_ptr<const TlsIdentity> identity, int socket);
  ~TlsChannel();
  TlsChannel(const TlsChannel&) = delete;
  TlsChannel& operator=(const TlsChannel&) = delete;

  // As far as it goes without waiting. 08P01: this is no TLS that we speak, or the client's certificate is not good.
  enum class Wants { kNothing, kRead, kWrite };
  absl::StatusOr<Wants> Handshake();
  bool established() const { return SSL_is_init_finished(ssl_) == 1; }
  // After the handshake. Whether both sides agreed on the protocol "postgresql" (ALPN).
  bool agreed_on_protocol() const;
  // The common name of the client's certificate, if it showed one. 22023 if it has no usable one.
  absl::StatusOr<std::optional<std::string>> ClientName() const;
  std::string_view version() const { return SSL_get_version(ssl_); }
  const std::string& server_end_point() const { return identity_->server_end_point; }

  // As recv() and send() that do not wait, or as EndEvent::Receive with `end`; errno EPROTO: TLS is broken. A Receive that
  // has taken much of what is no data says EAGAIN while there is more, with `end`, too.
  ssize_t Receive(char* bytes, size_t size, EndEvent* end);
  ssize_t Send(std::string_view bytes);
  // Bytes were taken from the socket that Receive has not given yet: do not wait for the socket.
  bool has_pending() const { return SSL_has_pending(ssl_) == 1; }
  // Tells the client that nothing more comes, if there is room to.
  void SayGoodbye();

 private:
  friend struct TlsSocket;

  ssize_t Moved(int result);

  const std::shared_ptr<const TlsIdentity> identity_;
  const int socket_;
  SSL* const ssl_;
  EndEvent* end_ = nullptr;  // of the Receive that is running
  int error_ = 0;            // errno of the socket's last call, 0 if it did not fail
  size_t taken_ = 0;         // bytes of the socket, by the call that is running
};

}  // namespace anabranch
