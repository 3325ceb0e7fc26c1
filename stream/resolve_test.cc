#include "stream/resolve.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/status.h"
#include "gtest/gtest.h"

namespace anabranch {
namespace {

uint64_t In(uint64_t ms) { return SystemClock()->MonotonicNs() + ms * 1'000'000; }

// A name server that does not answer before the test is over.
class MuteResolver {
 public:
  ~MuteResolver() {
    std::lock_guard lock(state_->mutex);
    state_->over = true;
    state_->changed.notify_all();
  }
  Lookup lookup() {
    return [state = state_](const std::string&) -> absl::StatusOr<std::vector<std::string>> {
      std::unique_lock lock(state->mutex);
      state->asked = true;
      state->changed.notify_all();
      state->changed.wait(lock, [&] { return state->over; });
      return std::vector<std::string>{"127.0.0.1"};
    };
  }
  void AwaitAsked() {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [&] { return state_->asked; });
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool over = false;
    bool asked = false;
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();  // outlives the test with the lookups
};

TEST(ResolveTest, NumbersAndNamesOfThisMachineAreFound) {
  EXPECT_EQ(*Resolve("127.0.0.1", In(5'000), {}), std::vector<std::string>{"127.0.0.1"});
  const auto local = Resolve("localhost", In(5'000), {});
  ASSERT_TRUE(local.ok()) << local.status();
  EXPECT_FALSE(local->empty());
}

TEST(ResolveTest, AMuteNameServerEndsAtTheDeadline) {
  MuteResolver mute;
  const auto addresses = Resolve("source.example", In(50), {}, mute.lookup());
  EXPECT_EQ(SqlStateOf(addresses.status()), "08001") << addresses.status();
  EXPECT_NE(MessageOf(addresses.status()).find("source.example"), std::string::npos);
}

TEST(ResolveTest, AStopDoesNotWaitForTheNameServer) {
  MuteResolver mute;
  std::stop_source stop;
  std::thread stopper([&] {
    mute.AwaitAsked();
    stop.request_stop();
  });
  EXPECT_TRUE(absl::IsCancelled(Resolve("source.example", In(60'000), stop.get_token(), mute.lookup()).status()));
  stopper.join();
}

TEST(ResolveTest, LookupsWithoutAnAnswerAreCounted) {
  MuteResolver mute;
  for (int i = 0; i < kLookupsMax; ++i) EXPECT_FALSE(Resolve("source.example", In(1), {}, mute.lookup()).ok());
  const auto refused = Resolve("source.example", In(60'000), {}, mute.lookup());
  EXPECT_EQ(SqlStateOf(refused.status()), "08001");
  EXPECT_NE(MessageOf(refused.status()).find(std::to_string(kLookupsMax)), std::string::npos);
}

}  // namespace
}  // namespace anabranch
