#include "sql/wire/connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/status.h"
#include "gtest/gtest.h"

namespace anabranch {
namespace {

// A connection whose client is this test.
class ConnectionTest : public testing::Test {
 protected:
  ConnectionTest() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    client_ = fds[0];
    connection_.emplace(ClientSocket(fds[1], nullptr), &end_now_, SystemClock());
    *connection_->out() = std::string(8 << 20, 'x');  // more than the sockets hold
  }
  ~ConnectionTest() override { close(client_); }

  int client_ = -1;
  WakeEvent end_now_;
  std::optional<PgConnection> connection_;
};

TEST_F(ConnectionTest, AClientThatTakesNothingIsGoneAfterAWhile) {
  const absl::Status status = connection_->Flush(nullptr, /*takes_nothing_ms=*/50);
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_TRUE(connection_->gone());
}

TEST_F(ConnectionTest, OneThatTakesALittleNowAndThenIsNot) {
  std::thread reader([&] {
    std::string bytes(64 << 10, '\0');
    size_t left = 8 << 20;
    while (left > 0) {
      const ssize_t got = read(client_, bytes.data(), bytes.size());
      ASSERT_GT(got, 0);
      left -= static_cast<size_t>(got);
    }
  });
  EXPECT_TRUE(connection_->Flush(nullptr, /*takes_nothing_ms=*/5'000).ok());
  reader.join();
}

TEST_F(ConnectionTest, AnEndIsNotHeldUpByIt) {
  end_now_.Signal();
  EXPECT_TRUE(absl::IsCancelled(connection_->Flush(nullptr, /*takes_nothing_ms=*/60'000)));
}

}  // namespace
}  // namespace anabranch
