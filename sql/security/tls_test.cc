// What a client can do to a channel once the handshake is done.
#include "sql/security/tls.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/random.h"
#include "gtest/gtest.h"
#include "sql/security/certificate_authority.h"

namespace anabranch {
namespace {

class TlsTest : public testing::Test {
 protected:
  TlsTest() {
    EXPECT_TRUE(CreateAuthority(dir_, {.clock = SystemClock()}).ok());
    EXPECT_TRUE(CreateNodeCertificate(dir_, {"localhost"}, {.clock = SystemClock()}).ok());
    credentials_ = TlsCredentials::Load(dir_, SystemClock()).value();
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets_.data()), 0);
    channel_ = std::make_unique<TlsChannel>(credentials_->current(), sockets_[0]);
    context_.reset(SSL_CTX_new(TLS_client_method()));
    client_ = SSL_new(context_.get());
    SSL_set_fd(client_, sockets_[1]);
    while (SSL_connect(client_) != 1 || !channel_->established()) EXPECT_TRUE(channel_->Handshake().ok());
  }
  ~TlsTest() override {
    SSL_free(client_);
    for (const int socket : sockets_) close(socket);
    std::filesystem::remove_all(dir_.path());
  }

  const CertsDir dir_{std::filesystem::temp_directory_path() / ("anabranch_tls_test." + Random().NextHex(16))};
  std::unique_ptr<TlsCredentials> credentials_;
  std::array<int, 2> sockets_{};
  std::unique_ptr<TlsChannel> channel_;
  SslContextPtr context_;
  SSL* client_ = nullptr;
};

// Records without data are read over by OpenSSL, one after the other, for as long as they come.
TEST_F(TlsTest, ReceiveReturnsInAFloodOfRecordsWithoutData) {
  constexpr size_t kFloodBytes = 160 << 10;
  BIO* const made = BIO_new(BIO_s_mem());
  SSL_set0_wbio(client_, made);
  char* flood = nullptr;
  while (BIO_get_mem_data(made, &flood) < static_cast<long>(kFloodBytes)) {
    ASSERT_EQ(SSL_key_update(client_, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
    ASSERT_EQ(SSL_do_handshake(client_), 1);
  }
  ASSERT_GT(send(sockets_[1], flood, kFloodBytes, MSG_DONTWAIT), 100 << 10);

  std::array<char, 4096> bytes{};
  EXPECT_EQ(channel_->Receive(bytes.data(), bytes.size(), nullptr), -1);
  EXPECT_EQ(errno, EAGAIN);
  int left = 0;
  EXPECT_EQ(ioctl(sockets_[0], FIONREAD, &left), 0);
  EXPECT_GT(left, 0);
  // It goes on where it was.
  for (; left > 0; ioctl(sockets_[0], FIONREAD, &left)) channel_->Receive(bytes.data(), bytes.size(), nullptr);
  EXPECT_EQ(errno, EAGAIN);
}

}  // namespace
}  // namespace anabranch
