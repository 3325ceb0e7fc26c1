#include "sql/wire/reception.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <list>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/open_files.h"
#include "base/status.h"

namespace anabranch {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr int kListenBacklog = 512;
// Out of file descriptors or memory: the waiting client stays in the backlog, and asking again at once would only spin.
constexpr std::chrono::milliseconds kAcceptPause(100);
constexpr std::chrono::milliseconds kLingerTimeout(1'000);
constexpr size_t kLingerBytesMax = 1 << 20;
constexpr int kLingeringMax = 100;
constexpr size_t kOpenFilesPerSilentConnection = 8;  // the others are for sessions and the store
constexpr std::chrono::hours kExpiryCheckInterval(24);
// A client may ask for TLS and for GSS encryption, each once.
constexpr int kEncryptionRequestsMax = 2;
constexpr size_t kLengthBytes = 4;
constexpr char kTlsHandshakeByte = 0x16;  // no start-up packet begins with it: it would be far too long

// There is nobody to tell anything.
absl::Status Gone() { return absl::AbortedError("the client is gone"); }

size_t SilentConnectionsMax() {
  return std::min<size_t>(kSilentConnectionsMax, OpenFilesMax() / kOpenFilesPerSilentConnection);
}

auto Into(boost::system::error_code& error) { return asio::redirect_error(asio::use_awaitable, error); }

struct Visitor {
  explicit Visitor(tcp::socket taken) : socket(std::move(taken)), deadline(socket.get_executor()) {}

  tcp::socket socket;
  asio::steady_timer deadline;
  std::string address;
  std::unique_ptr<TlsChannel> tls;
  absl::Status leave;  // why, once it has to
};
using VisitorRef = std::shared_ptr<Visitor>;

class AsioReception final : public Reception {
 public:
  ~AsioReception() override { Close(absl::OkStatus()); }

  absl::Status Bind(const std::string& host, uint16_t port) {
    boost::system::error_code error;
    tcp::resolver resolver(context_);
    const auto found = resolver.resolve(host.empty() ? "0.0.0.0" : host, std::to_string(port),
                                        tcp::resolver::passive | tcp::resolver::numeric_service, error);
    const auto refused = [&](std::string_view what) {
      return SqlError(sqlstate::kInvalidParameterValue,
                      fmt::format("cannot {} SQL address {}:{}: {}", what, host, port, error.message()));
    };
    if (error || found.empty()) return refused("resolve the");
    const tcp::endpoint endpoint = found.begin()->endpoint();
    if (acceptor_.open(endpoint.protocol(), error)) return refused("open the");
    acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!acceptor_.bind(endpoint, error)) acceptor_.listen(kListenBacklog, error);
    if (error == asio::error::address_in_use) {
      return SqlError(sqlstate::kObjectInUse,
                      fmt::format("port {} on {} is in use: stop the process that listens there, or give another "
                                  "--listen-addr (port 0 picks a free one)",
                                  port, host));
    }
    if (error) return refused("listen on the");
    port_ = acceptor_.local_endpoint(error).port();
    return absl::OkStatus();
  }

  uint16_t port() const override { return port_; }

  void Open(const TlsCredentials* credentials, std::function<void(Arrival)> arrived) override {
    credentials_ = credentials;
    arrived_ = std::move(arrived);
    asio::co_spawn(context_, AcceptLoop(), asio::detached);
    if (credentials_ != nullptr) asio::co_spawn(context_, WatchExpiry(), asio::detached);
    thread_ = std::thread([this] { context_.run(); });
  }

  void Post(std::function<void()> task) override { asio::post(context_, std::move(task)); }

  void Close(const absl::Status& why) override {
    if (!thread_.joinable()) return;
    asio::post(context_, [&] {
      boost::system::error_code ignored;
      acceptor_.close(ignored);
      for (const VisitorRef& visitor : visitors_) {
        LastWords(*visitor, why);
        visitor->socket.close(ignored);
      }
      context_.stop();
    });
    thread_.join();
  }

 private:
  asio::awaitable<void> AcceptLoop() {
    while (true) {
      boost::system::error_code error;
      tcp::socket socket = co_await acceptor_.async_accept(Into(error));
      if (!error) {
        Welcome(std::move(socket));
      } else if (error != asio::error::connection_aborted) {
        Log(LogLevel::kWarning, "sql.accept_failed", "error=\"{}\" pause_ms={}", error.message(), kAcceptPause.count());
        if (error == asio::error::no_descriptors || error == boost::system::errc::too_many_files_open_in_system) {
          DismissOldest(nullptr);
        }
        asio::steady_timer pause(context_, kAcceptPause);
        co_await pause.async_wait(Into(error));
      }
    }
  }

  asio::awaitable<void> WatchExpiry() {
    while (true) {
      credentials_->LogExpiry();
      boost::system::error_code error;
      asio::steady_timer pause(context_, kExpiryCheckInterval);
      co_await pause.async_wait(Into(error));
    }
  }

  void Welcome(tcp::socket socket) {
    boost::system::error_code error;
    const tcp::endpoint peer = socket.remote_endpoint(error);
    if (error) return;
    const auto visitor = std::make_shared<Visitor>(std::move(socket));
    visitor->address = peer.address().to_string();
    MakeRoom(visitor->address);
    visitors_.push_back(visitor);
    ++of_address_[visitor->address];
    visitor->deadline.expires_after(kStartupTimeout);
    visitor->deadline.async_wait([this, visitor](boost::system::error_code cancelled) {
      if (!cancelled) Dismiss(*visitor, Gone());
    });
    asio::co_spawn(context_, Receive(visitor, std::prev(visitors_.end())), asio::detached);
  }

  // Whoever has been silent longest makes room for who comes from there.
  void MakeRoom(const std::string& address) {
    const size_t most = SilentConnectionsMax();
    const bool address_full = of_address_[address] >= std::min(kSilentConnectionsPerAddressMax, most / 2);
    if (address_full || visitors_.size() >= most) DismissOldest(address_full ? &address : nullptr);
  }

  // nullptr: of whatever address.
  void DismissOldest(const std::string* address) {
    for (const VisitorRef& visitor : visitors_) {
      if (!visitor->leave.ok() || (address != nullptr && visitor->address != *address)) continue;
      Dismiss(*visitor, SqlError(sqlstate::kTooManyConnections,
                                 "too many connections have not said yet what they want; this one was silent longest"));
      return;
    }
  }

  // Its coroutine finds out as soon as it runs.
  static void Dismiss(Visitor& visitor, absl::Status why) {
    visitor.leave = std::move(why);
    boost::system::error_code ignored;
    visitor.socket.cancel(ignored);
  }

  asio::awaitable<void> Receive(VisitorRef visitor, std::list<VisitorRef>::iterator place) {
    auto request = co_await ReadRequest(*visitor);
    visitor->deadline.cancel();
    visitors_.erase(place);
    if (--of_address_[visitor->address] == 0) of_address_.erase(visitor->address);
    if (!request.ok()) {
      LastWords(*visitor, request.status());
      if (visitor->leave.ok()) co_await Linger(visitor);
      co_return;
    }
    boost::system::error_code error;
    const int fd = visitor->socket.release(error);
    if (error) co_return;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    arrived_(Arrival{ClientSocket(fd, std::move(visitor->tls)), *std::move(request)});
  }

  // Closing a socket with unread bytes would take back the last words on their way. So what still comes is read, until the
  // client closes, too, or for a short while.
  asio::awaitable<void> Linger(VisitorRef visitor) {
    if (lingering_ >= kLingeringMax) co_return;
    ++lingering_;
    visitor->deadline.expires_after(kLingerTimeout);
    visitor->deadline.async_wait([visitor](boost::system::error_code cancelled) {
      if (!cancelled) Dismiss(*visitor, Gone());
    });
    std::array<char, 4096> ignored{};
    for (size_t read = 0; read < kLingerBytesMax;) {
      const ssize_t taken = recv(visitor->socket.native_handle(), ignored.data(), ignored.size(), MSG_DONTWAIT);
      if (taken == 0 || (taken < 0 && !WouldBlock())) break;
      if (taken > 0) {
        read += static_cast<size_t>(taken);
        continue;
      }
      const absl::Status waited = co_await WaitFor(*visitor, tcp::socket::wait_read);
      if (!waited.ok()) break;
    }
    visitor->deadline.cancel();
    --lingering_;
  }

  using Request = std::variant<StartupMessage, CancelRequest>;

  asio::awaitable<absl::StatusOr<Request>> ReadRequest(Visitor& visitor) {
    const absl::Status direct = co_await BeginDirectTls(visitor);
    if (!direct.ok()) co_return direct;
    for (int encryption_requests = 0;;) {
      const absl::StatusOr<StartupPacket> packet = co_await ReadPacket(visitor);
      if (!packet.ok()) co_return packet.status();
      if (const auto* cancel = std::get_if<CancelRequest>(&*packet)) co_return Request(*cancel);
      if (const auto* startup = std::get_if<StartupMessage>(&*packet)) co_return Request(*startup);
      if (visitor.tls != nullptr || ++encryption_requests > kEncryptionRequestsMax) {
        co_return SqlError(sqlstate::kProtocolViolation, "encryption is asked for again");
      }
      const bool accept = credentials_ != nullptr && std::get<EncryptionRequest>(*packet).tls;
      const char answer = accept ? 'S' : 'N';
      if (send(visitor.socket.native_handle(), &answer, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1) co_return Gone();
      if (!accept) continue;
      const absl::Status encrypted = co_await BeginTls(visitor);
      if (!encrypted.ok()) co_return encrypted;
    }
  }

  // A client may begin with the handshake itself, if it names the protocol.
  asio::awaitable<absl::Status> BeginDirectTls(Visitor& visitor) {
    char first = 0;
    ssize_t seen = 0;
    while ((seen = recv(visitor.socket.native_handle(), &first, 1, MSG_PEEK | MSG_DONTWAIT)) < 0) {
      if (!WouldBlock()) co_return Gone();
      const absl::Status waited = co_await WaitFor(visitor, tcp::socket::wait_read);
      if (!waited.ok()) co_return waited;
    }
    if (seen == 0) co_return Gone();
    if (first != kTlsHandshakeByte || credentials_ == nullptr) co_return absl::OkStatus();
    const absl::Status encrypted = co_await BeginTls(visitor);
    if (!encrypted.ok()) co_return encrypted;
    if (!visitor.tls->agreed_on_protocol()) {
      co_return SqlError(sqlstate::kProtocolViolation,
                         "a direct TLS connection must name the protocol \"postgresql\" (ALPN)");
    }
    co_return absl::OkStatus();
  }

  asio::awaitable<absl::Status> BeginTls(Visitor& visitor) {
    visitor.tls = std::make_unique<TlsChannel>(credentials_->current(), visitor.socket.native_handle());
    while (true) {
      const absl::StatusOr<TlsChannel::Wants> wants = visitor.tls->Handshake();
      if (!wants.ok()) {
        Log(LogLevel::kInfo, "tls.handshake_failed", "address={} error=\"{}\"", visitor.address, MessageOf(wants.status()));
        co_return Gone();  // an alert has told the client why
      }
      if (*wants == TlsChannel::Wants::kNothing) co_return absl::OkStatus();
      const absl::Status waited =
          co_await WaitFor(visitor, *wants == TlsChannel::Wants::kRead ? tcp::socket::wait_read : tcp::socket::wait_write);
      if (!waited.ok()) co_return waited;
    }
  }

  // Takes exactly the packet from the socket, so what follows belongs to whoever speaks next, the TLS handshake too.
  asio::awaitable<absl::StatusOr<StartupPacket>> ReadPacket(Visitor& visitor) {
    std::string length(kLengthBytes, '\0');
    absl::Status read = co_await ReadExactly(visitor, &length);
    if (!read.ok()) co_return read;
    uint32_t size = 0;
    for (const char byte : length) size = size << 8 | static_cast<uint8_t>(byte);
    if (size < 2 * kLengthBytes || size > kStartupBytesMax) {
      co_return SqlError(sqlstate::kProtocolViolation, "invalid length of startup packet");
    }
    std::string body(size - kLengthBytes, '\0');
    read = co_await ReadExactly(visitor, &body);
    if (!read.ok()) co_return read;
    co_return DecodeStartup(body);
  }

  asio::awaitable<absl::Status> ReadExactly(Visitor& visitor, std::string* bytes) {
    for (size_t at = 0; at < bytes->size();) {
      char* const room = bytes->data() + at;
      const ssize_t taken = visitor.tls != nullptr
                                ? visitor.tls->Receive(room, bytes->size() - at, nullptr)
                                : recv(visitor.socket.native_handle(), room, bytes->size() - at, MSG_DONTWAIT);
      if (taken > 0) {
        at += static_cast<size_t>(taken);
        continue;
      }
      if (taken == 0 || !WouldBlock()) co_return Gone();
      const absl::Status waited = co_await WaitFor(visitor, tcp::socket::wait_read);
      if (!waited.ok()) co_return waited;
    }
    co_return absl::OkStatus();
  }

  // Otherwise: why the visitor leaves.
  static asio::awaitable<absl::Status> WaitFor(Visitor& visitor, tcp::socket::wait_type what) {
    boost::system::error_code error;
    if (visitor.leave.ok()) co_await visitor.socket.async_wait(what, Into(error));
    if (!visitor.leave.ok()) co_return visitor.leave;
    co_return error ? Gone() : absl::OkStatus();
  }

  static bool WouldBlock() { return errno == EAGAIN || errno == EINTR; }

  // Tells a client that has to leave why, if it is there.
  static void LastWords(Visitor& visitor, const absl::Status& why) {
    if (!why.ok() && !absl::IsAborted(why)) {
      std::string words;
      AppendError(&words, Severity::kFatal, why);
      if (visitor.tls == nullptr) {
        send(visitor.socket.native_handle(), words.data(), words.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      } else if (visitor.tls->established()) {
        visitor.tls->Send(words);
        visitor.tls->SayGoodbye();
      }
    }
    boost::system::error_code ignored;
    visitor.socket.shutdown(tcp::socket::shutdown_send, ignored);
  }

  asio::io_context context_{1};
  tcp::acceptor acceptor_{context_};
  uint16_t port_ = 0;
  std::function<void(Arrival)> arrived_;
  const TlsCredentials* credentials_ = nullptr;
  std::list<VisitorRef> visitors_;            // the oldest first; this and below: used by thread_
  std::map<std::string, size_t> of_address_;  // how many of them
  int lingering_ = 0;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Reception>> Reception::Listen(const std::string& host, uint16_t port) {
  auto reception = std::make_unique<AsioReception>();
  RETURN_IF_ERROR(reception->Bind(host, port));
  return reception;
}

}  // namespace anabranch
