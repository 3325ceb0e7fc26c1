// For tests: sockets on this machine that speak as much of the PostgreSQL protocol as a standby needs.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <list>
#include <string>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "base/status.h"
#include "base/wake_event.h"
#include "stream/transport.h"

namespace anabranch {

// One accepted connection. Used by one thread; what blocks ends with an error once *stop is signalled.
class TestConnection final : public FrameTransport {
 public:
  TestConnection(int fd, const WakeEvent* stop) : fd_(fd), stop_(stop) {}
  ~TestConnection() override { close(fd_); }

  absl::Status Send(std::string_view frame, WakeEvent* wake) override { return Put('d', frame, wake); }

  absl::StatusOr<std::optional<std::string>> Receive(int timeout_ms, WakeEvent* wake) override {
    while (true) {
      std::string body;
      if (const char type = Take(1, &body)) {
        if (type == 'd') return std::optional<std::string>(std::move(body));
        copy_done_ = copy_done_ || type == 'c';
        return absl::UnavailableError("the peer ended the copy");
      }
      ASSIGN_OR_RETURN(const bool more, Read(timeout_ms, wake));
      if (!more) return std::optional<std::string>();
    }
  }
  bool copy_done() const { return copy_done_; }

  absl::Status Put(char type, std::string_view body, WakeEvent* wake = nullptr) {
    std::string message(1, type);
    AppendInt32(&message, static_cast<uint32_t>(body.size() + 4));
    message.append(body);
    return PutRaw(message, wake);
  }
  absl::Status PutRaw(std::string_view bytes, WakeEvent* wake = nullptr) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) {
        bytes.remove_prefix(static_cast<size_t>(sent));
        continue;
      }
      if (sent < 0 && errno != EAGAIN) return absl::UnavailableError("the peer is gone");
      ASSIGN_OR_RETURN(const bool ready, Wait(POLLOUT, -1, wake));
      if (!ready) return absl::CancelledError("woken");
    }
    return absl::OkStatus();
  }
  absl::Status PutError(const absl::Status& status) {
    std::string fields = "SERROR";
    fields += '\0' + ("C" + SqlStateOf(status)) + '\0' + ("M" + MessageOf(status)) + '\0';
    if (!HintOf(status).empty()) fields += "H" + HintOf(status) + '\0';
    return Put('E', fields + '\0');
  }
  // The whole answer to a query: one row of one text column.
  absl::Status PutRow(std::string_view value) {
    std::string description("\0\1r\0", 4);
    description += std::string(6, '\0');
    AppendInt32(&description, 25);  // text
    description += std::string("\xff\xff\xff\xff\xff\xff\0\0", 8);
    RETURN_IF_ERROR(Put('T', description));
    std::string row("\0\1", 2);
    AppendInt32(&row, static_cast<uint32_t>(value.size()));
    RETURN_IF_ERROR(Put('D', row.append(value)));
    return Put('C', std::string("SELECT 1\0", 9));
  }

  // The next message's type; 0 when the connection ends.
  char Next(std::string* body) { return NextWith(1, body); }
  // Reads startup messages up to that of protocol 3, and lets the client in. False when the connection ends.
  bool Start() {
    constexpr uint32_t kProtocol3 = 196608;
    std::string body;
    while (NextWith(0, &body) != 0 && body.size() >= 4) {
      if (Int32At(body, 0) == kProtocol3) return Put('R', std::string(4, '\0')).ok() && Put('Z', "I").ok();
      if (!PutRaw("N").ok()) return false;  // no TLS, no GSS
    }
    return false;
  }

 private:
  static void AppendInt32(std::string* out, uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
  }
  static uint32_t Int32At(std::string_view bytes, size_t at) {
    uint32_t value = 0;
    for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
  }

  char NextWith(size_t type_bytes, std::string* body) {
    while (true) {
      if (const char type = Take(type_bytes, body)) return type;
      const auto more = Read(-1, nullptr);
      if (!more.ok() || !*more) return 0;
    }
  }
  // A whole message out of what was read; 0 if there is none. A startup message has no type byte and counts as '?'.
  char Take(size_t type_bytes, std::string* body) {
    if (buffer_.size() < type_bytes + 4) return 0;
    const size_t size = Int32At(buffer_, type_bytes);
    if (buffer_.size() < type_bytes + size) return 0;
    const char type = type_bytes == 0 ? '?' : buffer_[0];
    *body = buffer_.substr(type_bytes + 4, size - 4);
    buffer_.erase(0, type_bytes + size);
    return type;
  }
  absl::StatusOr<bool> Wait(short events, int timeout_ms, WakeEvent* wake) {
    pollfd fds[] = {{fd_, events, 0}, {stop_->fd(), POLLIN, 0}, {wake == nullptr ? -1 : wake->fd(), POLLIN, 0}};
    poll(fds, 3, timeout_ms);
    if (fds[1].revents != 0) return absl::UnavailableError("the server stops");
    return fds[0].revents != 0;
  }
  absl::StatusOr<bool> Read(int timeout_ms, WakeEvent* wake) {
    ASSIGN_OR_RETURN(const bool ready, Wait(POLLIN, timeout_ms, wake));
    if (!ready) return false;
    char bytes[65536];
    const ssize_t got = recv(fd_, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) return absl::UnavailableError("the peer closed");
    buffer_.append(bytes, static_cast<size_t>(got));
    return true;
  }

  const int fd_;
  const WakeEvent* const stop_;
  std::string buffer_;
  bool copy_done_ = false;
};

// Accepts connections on 127.0.0.1 and serves each on a thread of its own, until it is killed or destroyed.
class TestListener {
 public:
  using Serve = std::function<void(TestConnection& connection)>;

  // Port 0: a free one.
  TestListener(uint16_t port, Serve serve) : serve_(std::move(serve)) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    socklen_t length = sizeof(address);
    CHECK(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "bind");
    CHECK(listen(fd_, 64) == 0, "listen");
    CHECK(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length) == 0, "getsockname");
    port_ = ntohs(address.sin_port);
    accepting_ = std::thread([this] { Accept(); });
  }
  ~TestListener() {
    Kill();
    accepting_.join();
    for (std::thread& connection : connections_) connection.join();
    close(fd_);
  }
  // Drops every connection and takes no more.
  void Kill() { stop_.Signal(); }
  uint16_t port() const { return port_; }

 private:
  void Accept() {
    while (true) {
      pollfd fds[] = {{fd_, POLLIN, 0}, {stop_.fd(), POLLIN, 0}};
      poll(fds, 2, -1);
      if (fds[1].revents != 0) return;
      const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      connections_.emplace_back([this, fd] {
        TestConnection connection(fd, &stop_);
        serve_(connection);
      });
    }
  }

  const Serve serve_;
  int fd_ = -1;
  uint16_t port_ = 0;
  WakeEvent stop_;
  std::thread accepting_;
  std::list<std::thread> connections_;  // added to by accepting_ only
};

}  // namespace anabranch
