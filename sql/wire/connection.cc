#include "sql/wire/connection.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/status.h"

namespace anabranch {
namespace {

// One read takes this much: more while data pour in, little for a client that asks and waits.
constexpr size_t kReadBytesMin = 8 << 10;
constexpr size_t kReadBytesMax = 256 << 10;
constexpr size_t kHeaderBytes = 5;
// A client whose machine went away without a word is found out within two minutes; until then it holds its locks.
constexpr int kKeepaliveIdleSeconds = 60;
constexpr int kKeepaliveIntervalSeconds = 10;
constexpr int kKeepaliveProbes = 6;

uint32_t LengthAt(const char* bytes) {
  uint32_t length = 0;
  for (int i = 0; i < 4; ++i) length = length << 8 | static_cast<uint8_t>(bytes[i]);
  return length;
}

bool WouldBlock(int error) { return error == EAGAIN || error == EINTR; }

absl::Status Woken() { return absl::CancelledError("the wait for the client was ended"); }

struct Peer {
  std::string host;
  std::string port;
};

// Empty if the socket has none.
Peer PeerOf(int socket) {
  sockaddr_storage peer{};
  socklen_t size = sizeof(peer);
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  auto* const address = reinterpret_cast<sockaddr*>(&peer);
  if (getpeername(socket, address, &size) != 0) return {};
  constexpr int kAsNumbers = NI_NUMERICHOST | NI_NUMERICSERV;
  if (getnameinfo(address, size, host.data(), host.size(), port.data(), port.size(), kAsNumbers) != 0) return {};
  return {host.data(), port.data()};
}

void SetOption(int socket, int level, int name, int value) { setsockopt(socket, level, name, &value, sizeof(value)); }

}  // namespace

ClientSocket::~ClientSocket() {
  if (fd_ >= 0) close(fd_);
}

PgConnection::PgConnection(ClientSocket client, WakeEvent* end_now, Clock* clock)
    : client_(std::move(client)),
      socket_(client_.fd()),
      tls_(client_.tls()),
      end_now_(end_now),
      clock_(clock),
      read_bytes_(kReadBytesMin) {
  SetOption(socket_, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(socket_, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(socket_, IPPROTO_TCP, TCP_KEEPIDLE, kKeepaliveIdleSeconds);
  SetOption(socket_, IPPROTO_TCP, TCP_KEEPINTVL, kKeepaliveIntervalSeconds);
  SetOption(socket_, IPPROTO_TCP, TCP_KEEPCNT, kKeepaliveProbes);
}

std::string PgConnection::PeerAddress() const {
  const Peer peer = PeerOf(socket_);
  if (peer.host.empty()) return "";
  return peer.host.find(':') != std::string::npos ? fmt::format("[{}]:{}", peer.host, peer.port)
                                                  : fmt::format("{}:{}", peer.host, peer.port);
}

std::string PgConnection::PeerHost() const { return PeerOf(socket_).host; }

absl::Status PgConnection::ClientGone(std::string_view why) {
  gone_ = true;
  return absl::UnavailableError(fmt::format("the client's connection is gone: {}", why));
}

absl::StatusOr<size_t> PgConnection::ReadSome(EndEvent* end) {
  if (in_at_ > in_end_ / 2) {
    std::memmove(in_.data(), in_.data() + in_at_, Buffered());
    in_end_ = Buffered();
    in_at_ = 0;
  }
  if (in_.size() < in_end_ + read_bytes_) in_.resize(in_end_ + read_bytes_);
  char* const room = in_.data() + in_end_;
  const ssize_t taken = tls_ != nullptr  ? tls_->Receive(room, read_bytes_, end)
                        : end != nullptr ? end->Receive(socket_, room, read_bytes_)
                                         : recv(socket_, room, read_bytes_, MSG_DONTWAIT);
  if (taken == 0) return ClientGone("end of file");
  if (taken < 0) {
    if (errno == ECANCELED) return Woken();
    return WouldBlock(errno) ? absl::StatusOr<size_t>(0) : ClientGone(std::generic_category().message(errno));
  }
  const size_t bytes = static_cast<size_t>(taken);
  in_end_ += bytes;
  if (bytes == read_bytes_) {
    read_bytes_ = std::min(kReadBytesMax, read_bytes_ * 2);
  } else if (bytes < read_bytes_ / 4) {
    read_bytes_ = std::max(kReadBytesMin, read_bytes_ / 2);
  }
  return bytes;
}

absl::StatusOr<size_t> PgConnection::WriteSome(std::string_view bytes) {
  const ssize_t written =
      tls_ != nullptr ? tls_->Send(bytes) : send(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (written >= 0) return static_cast<size_t>(written);
  return WouldBlock(errno) ? absl::StatusOr<size_t>(0) : ClientGone(std::generic_category().message(errno));
}

int PgConnection::PollTimeoutMs(uint64_t deadline_ns) const {
  if (deadline_ns == 0) return -1;
  const uint64_t now = clock_->MonotonicNs();
  return now >= deadline_ns ? 0 : static_cast<int>((deadline_ns - now + 999'999) / 1'000'000);
}

absl::StatusOr<PgConnection::ReadEvent> PgConnection::WaitAndRead(WakeEvent* wake, uint64_t deadline_ns) {
  while (true) {
    if (tls_ != nullptr && tls_->has_pending()) {
      ASSIGN_OR_RETURN(const size_t taken, ReadSome());
      if (taken > 0) return ReadEvent::kData;
    }
    pollfd fds[3] = {{socket_, POLLIN, 0}, {end_now_->fd(), POLLIN, 0}, {wake ? wake->fd() : -1, POLLIN, 0}};
    const int timeout_ms = PollTimeoutMs(deadline_ns);
    if (poll(fds, 3, timeout_ms) < 0 && errno != EINTR) return ClientGone("poll failed");
    if (fds[1].revents != 0 || fds[2].revents != 0) return ReadEvent::kWoken;
    if (fds[0].revents != 0) {
      ASSIGN_OR_RETURN(const size_t taken, ReadSome());
      if (taken > 0) return ReadEvent::kData;
    }
    if (timeout_ms == 0) return ReadEvent::kTimeout;
  }
}

std::string PgConnection::TakeBytes(size_t size) {
  std::string bytes = in_.substr(in_at_, size);
  in_at_ += size;
  return bytes;
}

absl::StatusOr<std::string> PgConnection::ReadPassword(uint64_t deadline_ns) {
  while (true) {
    if (Buffered() >= kHeaderBytes) {
      const char type = in_[in_at_];
      const uint32_t length = LengthAt(in_.data() + in_at_ + 1);
      if (type != 'p' || length < 4 || length > kPasswordMessageBytesMax) {
        return SqlError(sqlstate::kProtocolViolation,
                        fmt::format("expected a password response, got message type 0x{:02x}, length {}",
                                    static_cast<uint8_t>(type), length));
      }
      if (Buffered() > length) {
        in_at_ += kHeaderBytes;
        return TakeBytes(length - 4);
      }
    }
    ASSIGN_OR_RETURN(const ReadEvent event, WaitAndRead(nullptr, deadline_ns));
    if (event == ReadEvent::kWoken) return Woken();
    if (event == ReadEvent::kTimeout) return ClientGone("no password response in time");
  }
}

absl::StatusOr<std::optional<FrontendMessage>> PgConnection::TakeMessage() {
  if (skip_bytes_ == 0) {
    if (Buffered() < kHeaderBytes) return std::nullopt;
    const char type = in_[in_at_];
    const uint32_t length = LengthAt(in_.data() + in_at_ + 1);
    if (!IsLegalLength(type, length)) {
      return SqlError(sqlstate::kProtocolViolation,
                      fmt::format("invalid message: type 0x{:02x}, length {}", static_cast<uint8_t>(type), length));
    }
    const size_t body_bytes = length - 4;
    if (body_bytes <= kMessageBytesMax) {
      // The room grows with what has come, so a length alone reserves nothing.
      if (Buffered() < kHeaderBytes + body_bytes) return std::nullopt;
      in_at_ += kHeaderBytes;
      return FrontendMessage{type, TakeBytes(body_bytes)};
    }
    skipped_type_ = type;
    in_at_ += kHeaderBytes;
    skip_bytes_ = body_bytes;
  }
  const size_t skipped = std::min(skip_bytes_, Buffered());
  in_at_ += skipped;
  skip_bytes_ -= skipped;
  if (skip_bytes_ > 0) return std::nullopt;
  return FrontendMessage{skipped_type_, "", true};
}

absl::StatusOr<FrontendMessage> PgConnection::ReadMessage(WakeEvent* wake) {
  while (true) {
    ASSIGN_OR_RETURN(std::optional<FrontendMessage> message, TakeMessage());
    if (message) return *std::move(message);
    ASSIGN_OR_RETURN(const ReadEvent event, WaitAndRead(wake, 0));
    if (event == ReadEvent::kWoken) return Woken();
  }
}

absl::StatusOr<FrontendMessage> PgConnection::ReadMessage(EndEvent* end) {
  while (true) {
    ASSIGN_OR_RETURN(std::optional<FrontendMessage> message, TakeMessage());
    if (message) return *std::move(message);
    RETURN_IF_ERROR(ReadSome(end).status());
  }
}

absl::StatusOr<char> PgConnection::PeekType(EndEvent* end) {
  while (Buffered() == 0) RETURN_IF_ERROR(ReadSome(end).status());
  return in_[in_at_];
}

absl::StatusOr<std::optional<FrontendMessage>> PgConnection::TryReadMessage(int timeout_ms, WakeEvent* wake) {
  const uint64_t deadline_ns = std::max<uint64_t>(1, clock_->MonotonicNs() + static_cast<uint64_t>(timeout_ms) * 1'000'000);
  while (true) {
    ASSIGN_OR_RETURN(std::optional<FrontendMessage> message, TakeMessage());
    if (message) return message;
    ASSIGN_OR_RETURN(const ReadEvent event, WaitAndRead(wake, deadline_ns));
    if (event != ReadEvent::kData) return std::optional<FrontendMessage>();
  }
}

absl::Status PgConnection::Flush(WakeEvent* wake, int takes_nothing_ms) {
  size_t sent = 0;
  uint64_t deadline_ns = 0;
  while (sent < out_.size()) {
    ASSIGN_OR_RETURN(const size_t written, WriteSome(std::string_view(out_).substr(sent)));
    sent += written;
    if (written > 0) {
      deadline_ns = 0;
      continue;
    }
    if (deadline_ns == 0 && takes_nothing_ms != 0) {
      deadline_ns = clock_->MonotonicNs() + static_cast<uint64_t>(takes_nothing_ms) * 1'000'000;
    }
    const int timeout_ms = PollTimeoutMs(deadline_ns);
    if (timeout_ms == 0) return ClientGone(fmt::format("it took nothing for {} ms", takes_nothing_ms));
    // The client may itself be stuck in sending to us: take in what it has, up to a bound, or both would wait for ever.
    const short events = Buffered() < kReadAheadBytesMax ? POLLIN | POLLOUT : POLLOUT;
    pollfd fds[3] = {{socket_, events, 0}, {end_now_->fd(), POLLIN, 0}, {wake ? wake->fd() : -1, POLLIN, 0}};
    if (poll(fds, 3, timeout_ms) < 0 && errno != EINTR) return ClientGone("poll failed");
    if (fds[1].revents != 0 || fds[2].revents != 0) {
      out_.erase(0, sent);
      return Woken();
    }
    if ((fds[0].revents & POLLIN) != 0) RETURN_IF_ERROR(ReadSome().status());
  }
  out_.clear();
  return absl::OkStatus();
}

void PgConnection::FlushLastWords() {
  const uint64_t deadline_ns = clock_->MonotonicNs() + kLastWordsTimeoutMs * 1'000'000ull;
  size_t sent = 0;
  while (sent < out_.size()) {
    const absl::StatusOr<size_t> written = WriteSome(std::string_view(out_).substr(sent));
    if (!written.ok()) break;
    sent += *written;
    if (*written > 0) continue;
    const int timeout_ms = PollTimeoutMs(deadline_ns);
    if (timeout_ms == 0) break;
    pollfd socket = {socket_, POLLOUT, 0};
    if (poll(&socket, 1, timeout_ms) < 0 && errno != EINTR) break;
  }
  out_.clear();
  if (tls_ != nullptr) tls_->SayGoodbye();
  shutdown(socket_, SHUT_WR);
}

HangupWatch::HangupWatch(const PgConnection& connection, std::stop_token outer)
    : on_outer_(std::move(outer), [this] { stop_.request_stop(); }), thread_([this, socket = connection.socket_] {
        std::array<pollfd, 2> fds = {pollfd{socket, POLLRDHUP, 0}, pollfd{over_.fd(), POLLIN, 0}};
        while (poll(fds.data(), fds.size(), -1) < 0 && errno == EINTR) {
        }
        if (fds[0].revents != 0) stop_.request_stop();
      }) {}

HangupWatch::~HangupWatch() {
  over_.Signal();
  thread_.join();
}

}  // namespace anabranch
