#include "sql/security/login_throttle.h"

#include "base/status.h"
#include "gtest/gtest.h"

namespace anabranch {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;

TEST(LoginThrottleTest, WaitsGrowAndAreOfOneUserFromOneAddress) {
  ManualClock clock(0);
  LoginThrottle throttle(&clock);
  for (int i = 0; i < kLoginFailuresFree; ++i) throttle.Failed("joe", "192.0.2.1");
  EXPECT_TRUE(throttle.Check("joe", "192.0.2.1").ok());
  for (const uint64_t wait_seconds : {1, 2, 4, 8, 16, 32, 60, 60}) {
    throttle.Failed("joe", "192.0.2.1");
    const absl::Status refused = throttle.Check("joe", "192.0.2.1");
    EXPECT_EQ(SqlStateOf(refused), sqlstate::kInvalidAuthorizationSpecification);
    EXPECT_EQ(HintOf(refused), fmt::format("Try again in {} s.", wait_seconds));
    EXPECT_TRUE(throttle.Check("joe", "192.0.2.2").ok());
    EXPECT_TRUE(throttle.Check("ann", "192.0.2.1").ok());
    clock.Advance(wait_seconds * kSecondNs);
    EXPECT_TRUE(throttle.Check("joe", "192.0.2.1").ok());
  }
  throttle.Succeeded("joe", "192.0.2.1");
  throttle.Failed("joe", "192.0.2.1");
  EXPECT_TRUE(throttle.Check("joe", "192.0.2.1").ok());
}

TEST(LoginThrottleTest, FailuresAreForgottenInTheEnd) {
  ManualClock clock(0);
  LoginThrottle throttle(&clock);
  for (int i = 0; i <= kLoginFailuresFree; ++i) throttle.Failed("joe", "192.0.2.1");
  EXPECT_FALSE(throttle.Check("joe", "192.0.2.1").ok());
  clock.Advance((kLoginWaitSecondsMin + kLoginWaitSecondsMax + 1) * kSecondNs);
  EXPECT_TRUE(throttle.Check("joe", "192.0.2.1").ok());
  throttle.Failed("joe", "192.0.2.1");
  EXPECT_TRUE(throttle.Check("joe", "192.0.2.1").ok());
}

TEST(LoginThrottleTest, TheOldestAreForgottenWhenThereAreTooMany) {
  ManualClock clock(0);
  LoginThrottle throttle(&clock);
  const auto lock_out = [&](const std::string& user) {
    for (int i = 0; i <= kLoginFailuresFree; ++i) throttle.Failed(user, "192.0.2.1");
  };
  lock_out("first");
  lock_out("second");
  for (size_t i = 0; i < kLoginFailuresKept - 1; ++i) throttle.Failed(fmt::format("user{}", i), "192.0.2.1");
  EXPECT_TRUE(throttle.Check("first", "192.0.2.1").ok());
  EXPECT_FALSE(throttle.Check("second", "192.0.2.1").ok());
}

}  // namespace
}  // namespace anabranch
