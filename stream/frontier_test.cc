#include "stream/frontier.h"

#include "base/status.h"
#include "gtest/gtest.h"

namespace anabranch {
namespace {

Timestamp Ts(uint64_t ns) { return {ns}; }

TEST(FrontierTest, OnePartitionIsItsOwnMinimum) {
  auto frontier = Frontier::Create({{}}, Ts(10));
  ASSERT_TRUE(frontier.ok());
  EXPECT_EQ(frontier->minimum(), Ts(10));
  EXPECT_EQ(frontier->Advance(0, Ts(15)), Ts(15));
  EXPECT_EQ(frontier->Advance(0, Ts(15)), std::nullopt);
}

TEST(FrontierTest, TheSlowestPartitionDecides) {
  auto frontier = Frontier::Create({{{"", "m"}}, {{"m", ""}}}, Ts(10));
  ASSERT_TRUE(frontier.ok());
  EXPECT_EQ(frontier->Advance(0, Ts(50)), std::nullopt);
  EXPECT_EQ(frontier->Advance(1, Ts(20)), Ts(20));
  EXPECT_EQ(frontier->Advance(1, Ts(70)), Ts(50));
  EXPECT_EQ(frontier->minimum(), Ts(50));
}

TEST(FrontierTest, NeverGoesBack) {
  auto frontier = Frontier::Create({{{"", "m"}}, {{"m", ""}}}, Ts(10));
  EXPECT_EQ(frontier->Advance(0, Ts(50)), std::nullopt);
  EXPECT_EQ(frontier->Advance(1, Ts(40)), Ts(40));
  EXPECT_EQ(frontier->Advance(1, Ts(30)), std::nullopt);
  EXPECT_EQ(frontier->minimum(), Ts(40));
  EXPECT_EQ(frontier->Advance(0, Ts(1)), std::nullopt);
  EXPECT_EQ(frontier->minimum(), Ts(40));
}

TEST(FrontierTest, AKeyWithoutPartitionIsRefused) {
  EXPECT_TRUE(Frontier::Create({{{"", "m"}}, {{"c", "z"}, {"y", ""}}}, Ts(1)).ok());  // overlap is fine
  for (const std::vector<std::vector<Span>>& partitions : std::vector<std::vector<std::vector<Span>>>{
           {}, {{{"", "m"}}}, {{{"a", ""}}}, {{{"", "m"}}, {{"n", ""}}}, {{{"", "c"}, {"b", "d"}}, {{"e", ""}}}}) {
    EXPECT_EQ(SqlStateOf(Frontier::Create(partitions, Ts(1)).status()), "08P01");
  }
}

}  // namespace
}  // namespace anabranch
