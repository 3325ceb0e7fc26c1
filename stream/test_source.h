// For tests of stream/: a socket on this machine that speaks as much of the PostgreSQL protocol as a standby needs, and
// hands each REPLICATION_STREAM statement to the test.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/coding.h"
#include "base/status.h"
#include "stream/transport.h"

namespace anabranch {

// One accepted connection.
class TestSocket final : public FrameTransport {
 public:
  TestSocket(int fd, const WakeEvent* stop) : fd_(fd), stop_(stop) {}
  ~TestSocket() override { close(fd_); }

  absl::Status Send(std::string_view frame, WakeEvent* wake) override { return Put('d', frame, wake); }
  absl::StatusOr<std::optional<std::string>> Receive(int timeout_ms, WakeEvent* wake) override {
    while (true) {
      std::string body;
      const char type = Take(1, &body);
      if (type == 'd') return std::optional<std::string>(std::move(body));
      if (type != 0) return absl::UnavailableError("the peer ended the copy");
      ASSIGN_OR_RETURN(const bool more, Read(timeout_ms, wake));
      if (!more) return std::optional<std::string>();
    }
  }

  absl::Status Put(char type, std::string_view body, WakeEvent* wake = nullptr) {
    std::string message(1, type);
    const uint32_t length = htonl(static_cast<uint32_t>(body.size() + 4));
    message.append(reinterpret_cast<const char*>(&length), sizeof(length));
    message.append(body);
    for (std::string_view rest = message; !rest.empty();) {
      ASSIGN_OR_RETURN(const bool ready, Wait(POLLOUT, -1, wake));
      if (!ready) return absl::CancelledError("woken");
      const ssize_t sent = send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno != EAGAIN) return absl::UnavailableError("the peer is gone");
      if (sent > 0) rest.remove_prefix(static_cast<size_t>(sent));
    }
    return absl::OkStatus();
  }
  // The next message's type, 0 when the connection ends. A startup message has no type byte.
  char Next(size_t type_bytes, std::string* body) {
    while (true) {
      if (const char type = Take(type_bytes, body)) return type;
      if (const auto more = Read(-1, nullptr); !more.ok()) return 0;
    }
  }
  void Refuse(const absl::Status& status) {
    std::string fields = "SERROR";
    for (const std::string& field :
         {std::string(), "C" + SqlStateOf(status), "M" + MessageOf(status), "H" + HintOf(status)})
      fields += field + '\0';
    (void)Put('E', fields + '\0');
  }

 private:
  char Take(size_t type_bytes, std::string* body) {
    if (buffer_.size() < type_bytes + 4) return 0;
    uint32_t length = 0;
    buffer_.copy(reinterpret_cast<char*>(&length), 4, type_bytes);
    length = ntohl(length);
    if (buffer_.size() < type_bytes + length) return 0;
    const char type = type_bytes == 0 ? '?' : buffer_[0];
    *body = buffer_.substr(type_bytes + 4, length - 4);
    buffer_.erase(0, type_bytes + length);
    return type;
  }
  absl::StatusOr<bool> Wait(short events, int timeout_ms, WakeEvent* wake) {
    pollfd fds[] = {{fd_, events, 0}, {stop_->fd(), POLLIN, 0}, {wake == nullptr ? -1 : wake->fd(), POLLIN, 0}};
    poll(fds, 3, timeout_ms);
    if (fds[1].revents != 0) return absl::UnavailableError("the source was killed");
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
};

class TestSource {
 public:
  struct Handlers {
    std::function<absl::StatusOr<std::string>(const std::string& request)> ask;                    // OPEN, FINISH
    std::function<absl::Status(const std::string& request, FrameTransport& transport)> copy;       // COPY
    std::function<absl::Status(const std::string& request, FrameTransport& transport)> subscribe;  // SUBSCRIBE
  };

  explicit TestSource(Handlers handlers) : handlers_(std::move(handlers)), fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    CHECK(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "bind");
    CHECK(listen(fd_, 16) == 0, "listen");
    CHECK(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length) == 0, "getsockname");
    uri_ = fmt::format("postgresql://root@127.0.0.1:{}/?sslmode=disable&gssencmode=disable", ntohs(address.sin_port));
    accepting_ = std::thread([this] { Accept(); });
  }
  ~TestSource() {
    Kill();
    accepting_.join();
    for (std::thread& thread : connections_) thread.join();
    close(fd_);
  }
  // Drops every connection and takes no more.
  void Kill() { stop_.Signal(); }
  const std::string& uri() const { return uri_; }

 private:
  void Accept() {
    while (true) {
      pollfd fds[] = {{fd_, POLLIN, 0}, {stop_.fd(), POLLIN, 0}};
      poll(fds, 2, -1);
      if (fds[1].revents != 0) return;
      const int fd = accept(fd_, nullptr, nullptr);
      if (fd < 0) continue;
      connections_.emplace_back([this, fd] { Serve(std::make_unique<TestSocket>(fd, &stop_)); });
    }
  }
  void Serve(std::unique_ptr<TestSocket> socket) {
    std::string body;
    if (socket->Next(0, &body) == 0) return;
    (void)socket->Put('R', std::string(4, '\0'));
    while (socket->Put('Z', "I").ok()) {
      char type = socket->Next(1, &body);
      while (type == 'c') type = socket->Next(1, &body);  // the client's end of a copy that we ended too
      if (type != 'Q') return;
      const absl::Status status = Run(*socket, body);
      if (!status.ok()) socket->Refuse(status);
    }
  }
  absl::Status Run(TestSocket& socket, const std::string& query) {
    const size_t quote = query.find('\'');
    std::string request;
    CHECK(FromHex(std::string_view(query).substr(quote + 1, query.rfind('\'') - quote - 1), &request), "hex");
    const std::string verb = query.substr(19, quote - 20);
    if (verb == "OPEN" || verb == "FINISH") {
      ASSIGN_OR_RETURN(const std::string response, handlers_.ask(request));
      const std::string hex = ToHex(response);
      const uint32_t length = htonl(static_cast<uint32_t>(hex.size()));
      RETURN_IF_ERROR(socket.Put('T', std::string("\0\1r\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0", 22)));
      RETURN_IF_ERROR(
          socket.Put('D', std::string("\0\1", 2) + std::string(reinterpret_cast<const char*>(&length), 4) + hex));
      return socket.Put('C', std::string("REPLICATION_STREAM\0", 19));
    }
    RETURN_IF_ERROR(socket.Put('W', std::string("\1\0\0", 3)));
    RETURN_IF_ERROR((verb == "COPY" ? handlers_.copy : handlers_.subscribe)(request, socket));
    RETURN_IF_ERROR(socket.Put('c', ""));
    return socket.Put('C', std::string("REPLICATION_STREAM\0", 19));
  }

  const Handlers handlers_;
  const int fd_;
  std::string uri_;
  WakeEvent stop_;
  std::thread accepting_;
  std::vector<std::thread> connections_;  // added to by accepting_ only
};

}  // namespace anabranch
