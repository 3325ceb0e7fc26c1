#include "sql/pgwire_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "base/status.h"

namespace anabranch {
namespace {

namespace asio = boost::asio;

// One read takes this much: more while data pour in, little for a client that asks and waits.
constexpr size_t kReadBytesMin = 8 << 10;
constexpr size_t kReadBytesMax = 256 << 10;
constexpr size_t kHeaderBytes = 5;
// A client whose machine went away without a word is found out within two minutes; until then it holds its locks.
constexpr int kKeepaliveIdleSeconds = 60;
constexpr int kKeepaliveIntervalSeconds = 10;
constexpr int kKeepaliveProbes = 6;

// Asio sockets must belong to a context. Ours never runs: every wait is a poll() of the session's own thread.
asio::io_context& IdleContext() {
  static asio::io_context context;
  return context;
}

uint32_t LengthAt(const char* bytes) {
  uint32_t length = 0;
  for (int i = 0; i < 4; ++i) length = length << 8 | static_cast<uint8_t>(bytes[i]);
  return length;
}

bool WouldBlock(const boost::system::error_code& error) {
  return error == asio::error::would_block || error == asio::error::try_again || error == asio::error::interrupted;
}

absl::Status Woken() { return absl::CancelledError("the wait for the client was ended"); }

}  // namespace

struct PgConnection::Socket {
  explicit Socket(int fd) : tcp(IdleContext()) {
    boost::system::error_code ignored;
    tcp.assign(asio::ip::tcp::v4(), fd, ignored);  // the protocol only matters for opening
    tcp.non_blocking(true, ignored);
    tcp.set_option(asio::ip::tcp::no_delay(true), ignored);
    tcp.set_option(asio::socket_base::keep_alive(true), ignored);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &kKeepaliveIdleSeconds, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &kKeepaliveIntervalSeconds, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &kKeepaliveProbes, sizeof(int));
  }
  asio::ip::tcp::socket tcp;
};

PgConnection::PgConnection(int fd, WakeEvent* end_now, Clock* clock)
    : socket_(std::make_unique<Socket>(fd)), end_now_(end_now), clock_(clock), read_bytes_(kReadBytesMin) {}

PgConnection::~PgConnection() = default;

absl::Status PgConnection::ClientGone(std::string_view why) {
  gone_ = true;
  return absl::UnavailableError(fmt::format("the client's connection is gone: {}", why));
}

absl::StatusOr<size_t> PgConnection::ReadSome() {
  if (in_at_ == in_.size()) {
    in_.clear();
    in_at_ = 0;
  } else if (in_at_ > in_.size() / 2) {
    in_.erase(0, in_at_);
    in_at_ = 0;
  }
  const size_t before = in_.size();
  in_.resize(before + read_bytes_);
  boost::system::error_code error;
  const size_t taken = socket_->tcp.read_some(asio::buffer(in_.data() + before, read_bytes_), error);
  in_.resize(before + taken);
  if (taken == read_bytes_) {
    read_bytes_ = std::min(kReadBytesMax, read_bytes_ * 2);
  } else if (taken < read_bytes_ / 4) {
    read_bytes_ = std::max(kReadBytesMin, read_bytes_ / 2);
  }
  if (!error) return taken;
  if (WouldBlock(error)) return 0;
  return ClientGone(error.message());
}

absl::StatusOr<size_t> PgConnection::WriteSome(std::string_view bytes) {
  boost::system::error_code error;
  const size_t written = socket_->tcp.write_some(asio::buffer(bytes.data(), bytes.size()), error);
  if (!error) return written;
  if (WouldBlock(error)) return 0;
  return ClientGone(error.message());
}

int PgConnection::PollTimeoutMs(uint64_t deadline_ns) const {
  if (deadline_ns == 0) return -1;
  const uint64_t now = clock_->MonotonicNs();
  return now >= deadline_ns ? 0 : static_cast<int>((deadline_ns - now + 999'999) / 1'000'000);
}

absl::StatusOr<PgConnection::ReadEvent> PgConnection::WaitAndRead(WakeEvent* wake, uint64_t deadline_ns) {
  while (true) {
    pollfd fds[3] = {
        {socket_->tcp.native_handle(), POLLIN, 0}, {end_now_->fd(), POLLIN, 0}, {wake ? wake->fd() : -1, POLLIN, 0}};
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

absl::StatusOr<std::string> PgConnection::ReadStartupBody(size_t bytes_max) {
  const uint64_t deadline_ns = clock_->MonotonicNs() + kStartupTimeoutMs * 1'000'000ull;
  size_t needed = 4;
  while (true) {
    if (Buffered() >= 4) {
      needed = LengthAt(in_.data() + in_at_);
      if (needed < 8 || needed > bytes_max)
        return SqlError(sqlstate::kProtocolViolation, "invalid length of startup packet");
      if (Buffered() >= needed) break;
    }
    ASSIGN_OR_RETURN(const ReadEvent event, WaitAndRead(nullptr, deadline_ns));
    if (event == ReadEvent::kWoken) return Woken();
    if (event == ReadEvent::kTimeout) return ClientGone("no startup packet in time");
  }
  in_at_ += 4;
  return TakeBytes(needed - 4);
}

absl::Status PgConnection::CheckHeader() const {
  const char type = in_[in_at_];
  const uint32_t length = LengthAt(in_.data() + in_at_ + 1);
  if (IsLegalLength(type, length)) return absl::OkStatus();
  return SqlError(sqlstate::kProtocolViolation,
                  fmt::format("invalid message: type 0x{:02x}, length {}", static_cast<uint8_t>(type), length));
}

std::optional<FrontendMessage> PgConnection::TakeMessage() {
  if (skip_bytes_ == 0) {
    if (Buffered() < kHeaderBytes) return std::nullopt;
    const size_t body_bytes = LengthAt(in_.data() + in_at_ + 1) - 4;
    if (body_bytes <= kMessageBytesMax) {
      if (Buffered() < kHeaderBytes + body_bytes) {
        // Grows with what has come, so a length alone reserves nothing.
        return std::nullopt;
      }
      FrontendMessage message;
      message.type = in_[in_at_];
      in_at_ += kHeaderBytes;
      message.body = TakeBytes(body_bytes);
      return message;
    }
    skipped_type_ = in_[in_at_];
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
    if (skip_bytes_ == 0 && Buffered() >= kHeaderBytes) RETURN_IF_ERROR(CheckHeader());
    if (std::optional<FrontendMessage> message = TakeMessage()) return *std::move(message);
    ASSIGN_OR_RETURN(const ReadEvent event, WaitAndRead(wake, 0));
    if (event == ReadEvent::kWoken) return Woken();
  }
}

absl::StatusOr<char> PgConnection::PeekType(WakeEvent* wake) {
  while (Buffered() == 0) {
    ASSIGN_OR_RETURN(const ReadEvent event, WaitAndRead(wake, 0));
    if (event == ReadEvent::kWoken) return Woken();
  }
  return in_[in_at_];
}

absl::StatusOr<std::optional<FrontendMessage>> PgConnection::TryReadMessage(int timeout_ms, WakeEvent* wake) {
  const uint64_t deadline_ns = std::max<uint64_t>(1, clock_->MonotonicNs() + static_cast<uint64_t>(timeout_ms) * 1'000'000);
  while (true) {
    if (skip_bytes_ == 0 && Buffered() >= kHeaderBytes) RETURN_IF_ERROR(CheckHeader());
    if (std::optional<FrontendMessage> message = TakeMessage()) return message;
    ASSIGN_OR_RETURN(const ReadEvent event, WaitAndRead(wake, deadline_ns));
    if (event != ReadEvent::kData) return std::optional<FrontendMessage>();
  }
}

absl::Status PgConnection::Flush(WakeEvent* wake) {
  size_t sent = 0;
  while (sent < out_.size()) {
    ASSIGN_OR_RETURN(const size_t written, WriteSome(std::string_view(out_).substr(sent)));
    sent += written;
    if (written > 0) continue;
    // The client may itself be stuck in sending to us: take in what it has, up to a bound, or both would wait for ever.
    const short events = Buffered() < kReadAheadBytesMax ? POLLIN | POLLOUT : POLLOUT;
    pollfd fds[3] = {
        {socket_->tcp.native_handle(), events, 0}, {end_now_->fd(), POLLIN, 0}, {wake ? wake->fd() : -1, POLLIN, 0}};
    if (poll(fds, 3, -1) < 0 && errno != EINTR) return ClientGone("poll failed");
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
    pollfd socket = {socket_->tcp.native_handle(), POLLOUT, 0};
    if (poll(&socket, 1, timeout_ms) < 0 && errno != EINTR) break;
  }
  out_.clear();
  boost::system::error_code ignored;
  socket_->tcp.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
}

}  // namespace anabranch
