#include "node/health.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anabranch {
namespace {

using testing::HasSubstr;

class Connection {
 public:
  explicit Connection(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {}, .sin_zero = {}};
    inet_pton(AF_INET, "127.0.0.1", &server.sin_addr);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&server), sizeof(server)), 0);
  }
  ~Connection() { close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Say(const std::string& bytes) const {
    EXPECT_EQ(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  // All that comes until the server closes.
  std::string Hear() const {
    std::string heard;
    std::array<char, 4096> buffer{};
    for (ssize_t taken = 0; (taken = recv(fd_, buffer.data(), buffer.size(), 0)) > 0;) {
      heard.append(buffer.data(), static_cast<size_t>(taken));
    }
    return heard;
  }
  bool closed() const {
    char byte = 0;
    return recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
  }

 private:
  const int fd_;
};

TEST(HealthTest, SilentClientsLockNobodyOut) {
  const auto server = HttpServer::Listen("127.0.0.1", 0).value();
  server->Serve("{\"status\":\"ok\"}\n", nullptr);
  std::vector<std::unique_ptr<Connection>> silent;
  for (int i = 0; i < kHttpConnectionsMax; ++i) silent.push_back(std::make_unique<Connection>(server->port()));
  const Connection asking(server->port());
  asking.Say("GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(asking.Hear(), HasSubstr("{\"status\":\"ok\"}"));
  EXPECT_EQ(silent[0]->Hear(), "");
  EXPECT_FALSE(silent[1]->closed());
}

}  // namespace
}  // namespace anabranch
