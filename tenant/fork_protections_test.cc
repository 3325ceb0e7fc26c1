// For how long a node keeps what it promised to keep from a failover, or a reset, on.
#include <cstdlib>

#include "storage/protection.h"
#include "tenant/catalog/catalog.h"
#include "tenant/catalog/limits.h"
#include "tenant/testing/replication_fixture.h"

namespace anabranch {
namespace {

constexpr uint64_t kHourNs = 3600ull * 1'000'000'000;

class ForkProtectionsTest : public ReplicationFixture {
 protected:
  // B is promoted, and the housekeeper has noted when that was, or a little earlier.
  void SetUp() override {
    Fill(a_, "k", 3);
    ASSERT_TRUE(Replicate(a_, b_).ok());
    ASSERT_TRUE(CaughtUp(a_, b_));
    Promote(b_);
    ASSERT_TRUE(Eventually([&] { return b_.store()->GetMeta(kLastRoundKey)->has_value(); }));
    ASSERT_TRUE(HasTheWholeWindow());
  }
  catalog::TenantRecord Record() { return *LoadTenant(b_.store(), b_->Show("main")->id); }
  bool IsProtected() { return ProtectedBy(b_.store(), IncarnationId(Record().incarnation()), "failover")->has_value(); }
  bool HasTheWholeWindow() {
    const auto left_ns = static_cast<int64_t>(Record().failover_protected_until_ns() - b_.clock().WallNs());
    return std::abs(left_ns - static_cast<int64_t>(kExpirationWindowNs)) < static_cast<int64_t>(kHourNs);
  }
};

TEST_F(ForkProtectionsTest, ATimeInWhichTheNodeWasDownDoesNotCount) {
  b_.Stop();
  b_.clock().Advance(25 * kHourNs);
  b_.Start();
  EXPECT_TRUE(Eventually([&] { return HasTheWholeWindow(); }));
  EXPECT_TRUE(IsProtected());
}

TEST_F(ForkProtectionsTest, NorDoesAStepOfTheWallClock) {
  b_.clock().StepWall(25 * kHourNs);
  b_.Restart();
  EXPECT_TRUE(Eventually([&] { return HasTheWholeWindow(); }));
  EXPECT_TRUE(IsProtected());
}

TEST_F(ForkProtectionsTest, WhatIsDueIsReleased) {
  ASSERT_TRUE(UpdateTenant(b_.store(), TenantId(Record().id()), [&](MetaUpdate&, catalog::TenantRecord& record) {
                record.set_failover_protected_until_ns(b_.clock().WallNs() - kHourNs);
                return absl::OkStatus();
              }).ok());
  b_.Restart();
  EXPECT_TRUE(Eventually([&] { return !IsProtected(); }));
  EXPECT_EQ(Record().failover_protected_until_ns(), 0u);
}

}  // namespace
}  // namespace anabranch
