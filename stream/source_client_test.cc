#include "stream/source_client.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/status.h"
#include "gtest/gtest.h"

namespace anabranch {
namespace {

// A port of this machine that is bound; connections wait in the backlog for ever (listening) or are refused.
class Port {
 public:
  explicit Port(bool listening) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    CHECK(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "bind");
    CHECK(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length) == 0, "getsockname");
    CHECK(!listening || listen(fd_, 8) == 0, "listen");
    number_ = ntohs(address.sin_port);
  }
  ~Port() { close(fd_); }
  int number() const { return number_; }
  int fd() const { return fd_; }
  int Accept() const { return accept(fd_, nullptr, nullptr); }

 private:
  const int fd_;
  int number_ = 0;
};

TEST(RedactUriTest, KeepsWhereItPointsAndNoSecret) {
  EXPECT_EQ(RedactUri("postgresql://root@127.0.0.1:26257?options=-ccluster%3Dsystem"),
            "postgresql://root@127.0.0.1:26257?options=redacted");
  EXPECT_EQ(RedactUri("postgres://u:s3cret@a:1,b:2/db?sslmode=verify-full&sslpassword=x"),
            "postgresql://u@a:1,b:2/db?sslmode=redacted&sslpassword=redacted");
  EXPECT_EQ(RedactUri("host=h port=7 user=u password=s3cret dbname=d"), "postgresql://u@h:7/d");
  EXPECT_EQ(RedactUri("postgresql://u@[::1]:26257/"), "postgresql://u@[::1]:26257");
  EXPECT_EQ(RedactUri("postgresql://h?password=s3cret&user=u"), "postgresql://u@h");
  EXPECT_EQ(RedactUri("postgresql://%2Ftmp%2Fdir/db"), "postgresql://%2Ftmp%2Fdir/db");
}

TEST(RedactUriTest, AMalformedUriGivesNothingAway) {
  for (const char* uri : {"postgresql://u:s3cret@h:1/db?nonsense", "postgresql://u:s3cret@[h", "password='s3cret", "s3cret",
                          "postgresql://u:s3/cret@h", "postgresql://u:12/s3cret@h"}) {
    const std::string shown = RedactUri(uri);
    EXPECT_EQ(shown.find("cret"), std::string::npos) << shown;
    EXPECT_EQ(shown.find("s3"), std::string::npos) << shown;
  }
}

TEST(SourceClientTest, AUriThatDoesNotParseIs22023WithoutItsText) {
  const auto client = SourceClient::Connect("postgresql://u:s3cret@h:1/db?nonsense", {});
  EXPECT_EQ(SqlStateOf(client.status()), "22023");
  EXPECT_EQ(MessageOf(client.status()).find("s3cret"), std::string::npos);
  EXPECT_FALSE(HintOf(client.status()).empty());
}

TEST(SourceClientTest, WhatCannotBeReachedAsWrittenIs22023WithoutItsText) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "names no host"},
      {"postgresql://", "names no host"},
      {"postgresql:///db?user=u&password=s3cret", "names no host"},
      {"postgresql://u:s3cret@:26257", "names no host"},
      {"postgresql://u:s3cret@h1,,h2", "names no host"},
      {"postgresql://u:s3cret@h:99999", "a port that is no number from 1 to 65535"},
      {"postgresql://u:s3cret@h:0", "a port that is no number from 1 to 65535"},
      {"postgresql://u:s3cret@h:abc", "a port that is no number from 1 to 65535"},
      {"postgresql://h1:1,h2:65536", "a port that is no number from 1 to 65535"},
      {"host=h port=-1", "a port that is no number from 1 to 65535"},
      {"host=h1,h2 port=1,2,3", "not as many ports as hosts"},
  };
  for (const auto& [uri, why] : cases) {
    const absl::Status status = SourceClient::Connect(uri, {}).status();
    EXPECT_EQ(SqlStateOf(status), "22023") << uri << ": " << status;
    EXPECT_NE(MessageOf(status).find(why), std::string::npos) << uri << ": " << status;
    EXPECT_EQ(MessageOf(status).find("s3cret"), std::string::npos) << status;
    EXPECT_FALSE(HintOf(status).empty());
  }
}

// What libpq would read as this node's user, or write.
TEST(SourceClientTest, ParametersThatNameFilesAre22023ByName) {
  for (const std::string name : {"passfile", "service", "sslpassword", "sslcrl", "sslcrldir", "krbsrvname"}) {
    const absl::Status status = CheckSourceUri(fmt::format("postgresql://u:s3cret@h:1?{}=/etc/passwd", name));
    EXPECT_EQ(SqlStateOf(status), "22023") << name;
    EXPECT_NE(MessageOf(status).find(fmt::format("\"{}\"", name)), std::string::npos) << status;
    EXPECT_EQ(MessageOf(status).find("s3cret"), std::string::npos) << status;
  }
  EXPECT_TRUE(
      CheckSourceUri(
          "postgresql://u:s3cret@h:1/db?options=-ccluster%3Dsystem&sslmode=verify-full&sslrootcert=/ca.crt"
          "&sslcert=/a.crt&sslkey=/a.key&connect_timeout=5&application_name=x&target_session_attrs=any&gssencmode=disable")
          .ok());
}

TEST(SourceClientTest, AnUnreachablePortIs08001WithoutSecrets) {
  const Port closed(/*listening=*/false);
  const auto client = SourceClient::Connect(fmt::format("postgresql://root:s3cret@127.0.0.1:{}/", closed.number()), {});
  EXPECT_EQ(SqlStateOf(client.status()), "08001");
  EXPECT_EQ(MessageOf(client.status()).find("s3cret"), std::string::npos);
  EXPECT_NE(MessageOf(client.status()).find(std::to_string(closed.number())), std::string::npos) << client.status();
}

// libpq would look for them if it was not told another file.
TEST(SourceClientTest, PasswordsOfThisNodesUserAreNotSent) {
  const std::string file = testing::TempDir() + "anabranch_pgpass." + Random().NextHex(16);
  std::ofstream(file) << "*:*:*:*:s3cret\n";
  ASSERT_EQ(chmod(file.c_str(), 0600), 0);
  setenv("PGPASSFILE", file.c_str(), 1);
  const Port port(/*listening=*/true);
  ssize_t answered = -1;
  std::thread source([&] {
    const int fd = port.Accept();
    char message[1024];
    EXPECT_GT(read(fd, message, sizeof(message)), 0);
    const std::string ask("R\0\0\0\x08\0\0\0\x03", 9);  // for a password in clear
    EXPECT_EQ(write(fd, ask.data(), ask.size()), static_cast<ssize_t>(ask.size()));
    answered = read(fd, message, sizeof(message));
    close(fd);
  });
  const auto client = SourceClient::Connect(
      fmt::format("postgresql://root@127.0.0.1:{}/?sslmode=disable&gssencmode=disable", port.number()), {});
  source.join();
  unsetenv("PGPASSFILE");
  unlink(file.c_str());
  EXPECT_EQ(answered, 0) << client.status();
}

TEST(SourceClientTest, ASourceThatHangsUpIs08001) {
  const Port port(/*listening=*/true);
  std::thread source([&] {
    const int fd = port.Accept();
    char request[1024];
    EXPECT_GT(read(fd, request, sizeof(request)), 0);
    close(fd);
  });
  const auto client = SourceClient::Connect(
      fmt::format("postgresql://root@127.0.0.1:{}/?sslmode=disable&gssencmode=disable", port.number()), {});
  source.join();
  EXPECT_EQ(SqlStateOf(client.status()), "08001") << client.status();
}

TEST(SourceClientTest, ARefusalInTheHandshakeKeepsItsSqlState) {
  const Port port(/*listening=*/true);
  std::string startup;
  std::thread source([&] {
    const int fd = port.Accept();
    char request[1024];
    const ssize_t got = read(fd, request, sizeof(request));
    startup.assign(request, static_cast<size_t>(std::max<ssize_t>(got, 0)));
    std::string fields;
    for (const char* field : {"SFATAL", "VFATAL", "C28000", "Mno such user", "HCREATE USER first."})
      fields += std::string(field) + '\0';
    fields += '\0';
    std::string message = "E";
    const uint32_t length = htonl(static_cast<uint32_t>(fields.size() + 4));
    message.append(reinterpret_cast<const char*>(&length), 4);
    message += fields;
    EXPECT_EQ(write(fd, message.data(), message.size()), static_cast<ssize_t>(message.size()));
    close(fd);
  });
  const auto client = SourceClient::Connect(
      fmt::format("postgresql://root@127.0.0.1:{}/?sslmode=disable&gssencmode=disable", port.number()), {});
  source.join();
  EXPECT_EQ(SqlStateOf(client.status()), "28000") << client.status();
  EXPECT_EQ(MessageOf(client.status()), "no such user");
  EXPECT_EQ(HintOf(client.status()), "CREATE USER first.");
  EXPECT_NE(startup.find("-ccluster=system"), std::string::npos);  // no cluster was named
}

// One that takes the connection and says nothing costs its own deadline, not the others'.
TEST(SourceClientTest, AMuteHostIsPassedOver) {
  const Port mute(/*listening=*/true);
  const Port alive(/*listening=*/true);
  std::thread source([&] {
    const int fd = alive.Accept();
    char request[1024];
    EXPECT_GT(read(fd, request, sizeof(request)), 0);
    const std::string let_in("R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I", 15);
    EXPECT_EQ(write(fd, let_in.data(), let_in.size()), static_cast<ssize_t>(let_in.size()));
    EXPECT_GT(read(fd, request, sizeof(request)), 0);  // that it leaves
    close(fd);
  });
  const uint64_t begun_ns = SystemClock()->MonotonicNs();
  {
    const auto client = SourceClient::Connect(
        fmt::format("postgresql://root@127.0.0.1:{},127.0.0.1:{}/?sslmode=disable&gssencmode=disable&connect_timeout=1",
                    mute.number(), alive.number()),
        {});
    EXPECT_TRUE(client.ok()) << client.status();
  }
  if (HasFailure()) shutdown(alive.fd(), SHUT_RDWR);
  source.join();
  EXPECT_LT(SystemClock()->MonotonicNs() - begun_ns, uint64_t{kConnectTimeoutMs} * 1'000'000);
}

TEST(SourceClientTest, TheConnectTimeoutOfTheConnectionStringCounts) {
  const Port mute(/*listening=*/true);
  const auto client = SourceClient::Connect(
      fmt::format("postgresql://root@127.0.0.1:{}/?sslmode=disable&connect_timeout=1", mute.number()), {});
  EXPECT_EQ(SqlStateOf(client.status()), "08001");
  EXPECT_NE(MessageOf(client.status()).find("within 1000 ms"), std::string::npos) << client.status();
}

TEST(SourceClientTest, StopEndsAHangingConnect) {
  const Port port(/*listening=*/true);
  std::stop_source stop;
  std::thread source([&] {
    const int fd = port.Accept();
    char request[1024];
    EXPECT_GT(read(fd, request, sizeof(request)), 0);  // the client is waiting for our answer now
    stop.request_stop();
    EXPECT_EQ(read(fd, request, sizeof(request)), 0);
    close(fd);
  });
  const auto client = SourceClient::Connect(
      fmt::format("postgresql://root@127.0.0.1:{}/?sslmode=disable&gssencmode=disable", port.number()), stop.get_token());
  source.join();
  EXPECT_TRUE(absl::IsCancelled(client.status())) << client.status();
}

}  // namespace
}  // namespace anabranch
