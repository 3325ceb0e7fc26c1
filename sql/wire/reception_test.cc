// What comes before a session: silent clients, TLS from the first byte, noise.
#include "sql/wire/reception.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "gmock/gmock.h"
#include "sql/testing/test_server.h"

namespace anabranch {
namespace {

using testing::HasSubstr;
using namespace std::string_literals;

// A socket to the server on which nothing is said.
class Socket {
 public:
  explicit Socket(uint16_t port, const std::string& from = "127.0.0.1") : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in own = {.sin_family = AF_INET, .sin_port = 0, .sin_addr = {}, .sin_zero = {}};
    inet_pton(AF_INET, from.c_str(), &own.sin_addr);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&own), sizeof(own)), 0);
    sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {}, .sin_zero = {}};
    inet_pton(AF_INET, "127.0.0.1", &server.sin_addr);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&server), sizeof(server)), 0);
  }
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int fd() const { return fd_; }
  void Say(const std::string& bytes) const {
    EXPECT_EQ(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  // All that comes until the server closes, or `stop` bytes.
  std::string Hear(size_t stop = SIZE_MAX) const {
    std::string heard;
    std::array<char, 4096> buffer{};
    while (heard.size() < stop) {
      pollfd readable = {fd_, POLLIN, 0};
      if (poll(&readable, 1, kWaitMs) != 1) return heard + "<silence>";
      const ssize_t taken = recv(fd_, buffer.data(), std::min(buffer.size(), stop - heard.size()), 0);
      if (taken <= 0) break;
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

std::string StartupPacket(const std::string& user) {
  const std::string body = "\0\3\0\0user\0"s + user + "\0\0"s;
  const auto size = static_cast<char>(body.size() + 4);
  return "\0\0\0"s + size + body;
}
const std::string kSslRequest = "\0\0\0\x08\x04\xd2\x16\x2f"s;
const std::string kGssRequest = "\0\0\0\x08\x04\xd2\x16\x30"s;

void RaiseFileLimit() {
  rlimit files = {};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, 16'384);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
}

// While it lives, this process can open one more file.
class OneDescriptorLeft {
 public:
  OneDescriptorLeft() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit few = before_;
    few.rlim_cur = std::min<rlim_t>(few.rlim_cur, 1'024);
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (int taken = dup(STDERR_FILENO); taken >= 0; taken = dup(STDERR_FILENO)) taken_.push_back(taken);
    close(taken_.back());
    taken_.pop_back();
  }
  ~OneDescriptorLeft() {
    for (const int taken : taken_) close(taken);
    setrlimit(RLIMIT_NOFILE, &before_);
  }
  OneDescriptorLeft(const OneDescriptorLeft&) = delete;
  OneDescriptorLeft& operator=(const OneDescriptorLeft&) = delete;

 private:
  rlimit before_ = {};
  std::vector<int> taken_;
};

size_t Threads() {
  size_t threads = 0;
  for ([[maybe_unused]] const auto& task : std::filesystem::directory_iterator("/proc/self/task")) ++threads;
  return threads;
}

class ReceptionTest : public ServerTest {
 protected:
  explicit ReceptionTest(Security security = Security::kNone) : ServerTest(security) {}

  using Sockets = std::vector<std::unique_ptr<Socket>>;
  Sockets Silent(size_t count, const std::string& from = "127.0.0.1") const {
    Sockets sockets;
    for (size_t i = 0; i < count; ++i) sockets.push_back(std::make_unique<Socket>(server_->port(), from));
    return sockets;
  }
};

TEST_F(ReceptionTest, SilentConnectionsLockNobodyOut) {
  RaiseFileLimit();
  const size_t threads = Threads();
  const Sockets silent = Silent(kSilentConnectionsPerAddressMax);
  EXPECT_EQ(Connect()->Run("SELECT 1"), "1");
  EXPECT_LE(Threads(), threads + 1);
  EXPECT_THAT(silent[0]->Hear(), HasSubstr("53300"));  // the oldest made room
  EXPECT_FALSE(silent[1]->closed());
  // Those of another address do not make room for these, until there are too many in all.
  const Sockets others = Silent(kSilentConnectionsMax - kSilentConnectionsPerAddressMax, "127.0.0.2");
  EXPECT_FALSE(silent[1]->closed());
  const Sockets more = Silent(2, "127.0.0.3");
  EXPECT_THAT(silent[1]->Hear(), HasSubstr("this one was silent longest"));
  EXPECT_FALSE(others[0]->closed());
  EXPECT_EQ(Connect()->Run("SELECT 1"), "1");
}

TEST_F(ReceptionTest, SilentConnectionsLeaveDescriptorsToOthers) {
  rlimit before = {};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit few = {.rlim_cur = 1'024, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  const Sockets silent = Silent(1'024 / 8 / 2 + 1);
  EXPECT_THAT(silent[0]->Hear(), HasSubstr("53300"));
  EXPECT_FALSE(silent[1]->closed());
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST_F(ReceptionTest, WithoutDescriptorsTheSilentMakeRoomAndTheNodeLives) {
  const Sockets silent = Silent(2);
  const auto client = Connect();
  EXPECT_EQ(client->Run("SELECT 1"), "1");  // the silent ones were taken before
  {
    const OneDescriptorLeft left;
    const Socket late(server_->port());
    EXPECT_THAT(silent[0]->Hear(), HasSubstr("53300"));
    late.Say(StartupPacket("root"));
    EXPECT_THAT(late.Hear(), HasSubstr("no file descriptors left for another session"));
    EXPECT_FALSE(silent[1]->closed());
  }
  EXPECT_EQ(client->Run("SELECT 2"), "2");
  EXPECT_EQ(Connect()->Run("SELECT 3"), "3");
}

TEST_F(ReceptionTest, AllOfAPoolThatIsSlowToSpeakComeIn) {
  RaiseFileLimit();
  const Sockets pool = Silent(200);
  for (const auto& socket : pool) socket->Say(StartupPacket("root"));
  for (const auto& socket : pool) EXPECT_EQ(socket->Hear(1), "R");
}

TEST_F(ReceptionTest, APacketMayComeInPieces) {
  const Socket socket(server_->port());
  const std::string packet = StartupPacket("root");
  socket.Say(kGssRequest);
  EXPECT_EQ(socket.Hear(1), "N");
  socket.Say(kSslRequest);
  EXPECT_EQ(socket.Hear(1), "N");  // there are no certificates
  for (const char byte : packet) socket.Say(std::string(1, byte));
  EXPECT_EQ(socket.Hear(1), "R");
}

TEST_F(ReceptionTest, NoiseIsRefused) {
  const auto answer = [&](const std::string& bytes) {
    const Socket socket(server_->port());
    socket.Say(bytes);
    return socket.Hear();
  };
  EXPECT_THAT(answer("\0\0\0\4"s), HasSubstr("invalid length of startup packet"));
  EXPECT_THAT(answer("GET / HTTP/1.1\r\n\r\n"), HasSubstr("invalid length of startup packet"));
  EXPECT_THAT(answer("\0\0\0\x08\0\2\0\0"s), HasSubstr("0A000"));
  EXPECT_THAT(answer(kSslRequest + kGssRequest + kSslRequest), HasSubstr("encryption is asked for again"));
  EXPECT_THAT(answer("\0\0\0\x10\0\3\0\0user\0a\0x"s), HasSubstr("08P01"));
  EXPECT_EQ(Connect()->Run("SELECT 1"), "1");
}

TEST_F(ReceptionTest, AShutdownSaysSoToSilentClients) {
  const Socket silent(server_->port());
  EXPECT_EQ(Connect()->Run("SELECT 1"), "1");  // the silent one was taken before
  server_->Drain();
  EXPECT_THAT(silent.Hear(), HasSubstr("57P01"));
}

class TlsReceptionTest : public ReceptionTest {
 protected:
  TlsReceptionTest() : ReceptionTest(Security::kTls) {}

  struct Outcome {
    bool connected = false;
    std::string version;
    std::string cipher;
    std::string answer;  // to a start-up packet
  };
  // TLS from the first byte.
  Outcome Direct(int version, const std::string& protocol, const std::string& ciphers = "") const {
    const Socket socket(server_->port());
    const std::unique_ptr<SSL_CTX, FreeSslContext> context(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_security_level(context.get(), 0);
    SSL_CTX_set_min_proto_version(context.get(), version);
    SSL_CTX_set_max_proto_version(context.get(), version);
    if (!ciphers.empty()) SSL_CTX_set_cipher_list(context.get(), ciphers.c_str());
    SSL* const ssl = SSL_new(context.get());
    const std::string wire = static_cast<char>(protocol.size()) + protocol;
    if (!protocol.empty()) {
      SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(wire.data()), static_cast<unsigned>(wire.size()));
    }
    SSL_set_fd(ssl, socket.fd());
    Outcome outcome;
    if (SSL_connect(ssl) == 1) {
      outcome = {.connected = true, .version = SSL_get_version(ssl), .cipher = SSL_get_cipher_name(ssl), .answer = ""};
      const std::string packet = StartupPacket("root");
      SSL_write(ssl, packet.data(), static_cast<int>(packet.size()));
      std::array<char, 4096> buffer{};
      const int taken = SSL_read(ssl, buffer.data(), buffer.size());
      if (taken > 0) outcome.answer.assign(buffer.data(), static_cast<size_t>(taken));
    }
    SSL_free(ssl);
    return outcome;
  }
};

TEST_F(TlsReceptionTest, TlsMayBeginAtOnceIfItNamesTheProtocol) {
  EXPECT_THAT(Direct(TLS1_3_VERSION, "postgresql").answer, HasSubstr("SCRAM-SHA-256-PLUS"));
  EXPECT_THAT(Direct(TLS1_3_VERSION, "").answer, HasSubstr("must name the protocol"));
  EXPECT_FALSE(Direct(TLS1_3_VERSION, "h2").connected);
}

TEST_F(TlsReceptionTest, OnlyVersionsAndCiphersThatAreSafe) {
  EXPECT_EQ(Direct(TLS1_3_VERSION, "postgresql").version, "TLSv1.3");
  EXPECT_EQ(Direct(TLS1_2_VERSION, "postgresql").version, "TLSv1.2");
  EXPECT_THAT(Direct(TLS1_2_VERSION, "postgresql").cipher, HasSubstr("ECDHE-ECDSA-"));
  EXPECT_FALSE(Direct(TLS1_1_VERSION, "postgresql").connected);
  EXPECT_FALSE(Direct(TLS1_VERSION, "postgresql").connected);
  EXPECT_FALSE(Direct(TLS1_2_VERSION, "postgresql", "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA").connected);
}

TEST_F(TlsReceptionTest, WhoStopsInTheMiddleOfAHandshakeCostsNoThread) {
  RaiseFileLimit();
  const size_t threads = Threads();
  const Sockets half = Silent(100);
  for (const auto& socket : half) {
    socket->Say(kSslRequest);
    EXPECT_EQ(socket->Hear(1), "S");
    socket->Say("\x16\x03\x01"s);
  }
  EXPECT_LE(Threads(), threads);
  EXPECT_THAT(Direct(TLS1_3_VERSION, "postgresql").answer, HasSubstr("SCRAM"));
}

TEST_F(TlsReceptionTest, WhatIsSentBeforeTheHandshakeIsNotTakenForWhatComesAfter) {
  const Socket socket(server_->port());
  socket.Say(kSslRequest + StartupPacket("root"));
  EXPECT_EQ(socket.Hear(1), "S");
  EXPECT_THAT(socket.Hear(), testing::Not(HasSubstr("SCRAM")));
}

}  // namespace
}  // namespace anabranch
