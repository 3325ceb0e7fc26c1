// Who is ended, and who is waited for.
#include "tenant/source/registry.h"

#include <future>
#include <memory>
#include <vector>

#include "gtest/gtest.h"

namespace anabranch {
namespace {

constexpr TenantId kTenant{2};
constexpr TenantId kOther{3};
constexpr StreamId kStream{7};
constexpr std::chrono::seconds kPatience{30};

class StreamRegistryTest : public testing::Test {
 protected:
  std::unique_ptr<StreamRegistry::Registration> Register(TenantId tenant, StreamId stream = kStream) {
    return std::make_unique<StreamRegistry::Registration>(&registry_, tenant, stream, StreamRegistry::Connection(),
                                                          std::stop_token());
  }
  // Waits until the connection was told to end.
  static void Told(const StreamRegistry::Registration& connection) {
    std::promise<void> told;
    const std::stop_callback on_stop(connection.token(), [&] { told.set_value(); });
    ASSERT_EQ(told.get_future().wait_for(kPatience), std::future_status::ready);
  }

  StreamRegistry registry_;
};

TEST_F(StreamRegistryTest, OnlyThoseMeantAreEnded) {
  auto meant = Register(kTenant);
  const auto other = Register(kOther, StreamId(8));
  const auto ended = std::async(std::launch::async, [&] { registry_.EndTenant(kTenant); });
  Told(*meant);
  EXPECT_FALSE(other->token().stop_requested());
  meant.reset();
  EXPECT_EQ(ended.wait_for(kPatience), std::future_status::ready);
}

// Standbys that come back as fast as they are sent away do not hold up a statement.
TEST_F(StreamRegistryTest, NewcomersAreNotWaitedFor) {
  using End = std::function<void(StreamRegistry&)>;
  for (const End& end : {End([](StreamRegistry& registry) { registry.EndTenant(kTenant); }),
                         End([](StreamRegistry& registry) { registry.EndStream(kStream); }),
                         End([](StreamRegistry& registry) { registry.EndAll(); })}) {
    auto told = Register(kTenant);
    const auto ended = std::async(std::launch::async, [&] { end(registry_); });
    Told(*told);
    auto newcomer = Register(kTenant);
    told.reset();
    const bool returned = ended.wait_for(kPatience) == std::future_status::ready;
    EXPECT_TRUE(returned);
    EXPECT_FALSE(newcomer->token().stop_requested());
    newcomer.reset();
  }
}

}  // namespace
}  // namespace anabranch
