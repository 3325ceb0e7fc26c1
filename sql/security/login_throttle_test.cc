#include "sql/security/login_throttle.h"

#include "base/status.h"
#include "gtest/gtest.h"

namespace anabranch {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;

class LoginThrottleTest : public testing::Test {
 protected:
  absl::Status Check(const std::string& user, const std::string& address = "192.0.2.1", TenantId tenant = TenantId(2)) {
    return throttle_.Check({tenant, user, address});
  }
  absl::Status Settle(const std::string& user, bool proved) {
    return throttle_.Settle({TenantId(2), user, "192.0.2.1"}, proved);
  }
  void Fail(const std::string& user) { EXPECT_TRUE(Settle(user, false).ok()); }

  ManualClock clock_{0};
  LoginThrottle throttle_{&clock_};
};

TEST_F(LoginThrottleTest, WaitsGrowAndAreOfOneUserOfAVirtualClusterFromOneAddress) {
  for (int i = 0; i < kLoginFailuresFree; ++i) Fail("joe");
  EXPECT_TRUE(Check("joe").ok());
  for (const uint64_t wait_seconds : {1, 2, 4, 8, 16, 32, 60, 60}) {
    Fail("joe");
    const absl::Status refused = Check("joe");
    EXPECT_EQ(SqlStateOf(refused), sqlstate::kInvalidAuthorizationSpecification);
    EXPECT_EQ(HintOf(refused), fmt::format("Try again in {} s.", wait_seconds));
    EXPECT_TRUE(Check("joe", "192.0.2.2").ok());
    EXPECT_TRUE(Check("ann").ok());
    EXPECT_TRUE(Check("joe", "192.0.2.1", TenantId(3)).ok());
    clock_.Advance(wait_seconds * kSecondNs);
    EXPECT_TRUE(Check("joe").ok());
  }
  EXPECT_TRUE(Settle("joe", true).ok());
  Fail("joe");
  EXPECT_TRUE(Check("joe").ok());
}

TEST_F(LoginThrottleTest, ManyAttemptsAtATimeAreNotAsManyGuesses) {
  constexpr int kAttempts = 500;
  for (int i = 0; i < kAttempts; ++i) EXPECT_TRUE(Check("joe").ok());
  int judged = 0;
  for (int i = 0; i < kAttempts; ++i) judged += Settle("joe", false).ok() ? 1 : 0;
  EXPECT_EQ(judged, kLoginFailuresFree + 1);
  EXPECT_EQ(SqlStateOf(Settle("joe", true)), sqlstate::kInvalidAuthorizationSpecification);  // nor is the right one
}

TEST_F(LoginThrottleTest, APoolThatComesAtOnceIsNotSlowedDown) {
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(Check("joe").ok());
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(Settle("joe", true).ok());
}

TEST_F(LoginThrottleTest, FailuresAreForgottenInTheEnd) {
  for (int i = 0; i <= kLoginFailuresFree; ++i) Fail("joe");
  EXPECT_FALSE(Check("joe").ok());
  clock_.Advance((kLoginWaitSecondsMin + kLoginWaitSecondsMax + 1) * kSecondNs);
  EXPECT_TRUE(Check("joe").ok());
  Fail("joe");
  EXPECT_TRUE(Check("joe").ok());
}

TEST_F(LoginThrottleTest, TheOldestAreForgottenWhenThereAreTooMany) {
  const auto lock_out = [&](const std::string& user) {
    for (int i = 0; i <= kLoginFailuresFree; ++i) Fail(user);
  };
  lock_out("first");
  lock_out("second");
  for (size_t i = 0; i < kLoginFailuresKept - 1; ++i) Fail(fmt::format("user{}", i));
  EXPECT_TRUE(Check("first").ok());
  EXPECT_FALSE(Check("second").ok());
}

}  // namespace
}  // namespace anabranch
