#include "stream/lineage.h"

#include "base/status.h"
#include "gtest/gtest.h"

namespace anabranch {
namespace {

BranchPoint At(const std::string& branch, uint64_t ns) { return {BranchId(branch), Timestamp{ns}}; }
Timestamp Ts(uint64_t ns) { return {ns}; }

const Ancestry kPrimary = {At("a", 0)};

TEST(LineageTest, SameBranchIsSharedUpToTheFrontier) {
  EXPECT_EQ(*CommonPoint(kPrimary, kPrimary, Ts(50)), Ts(50));
  EXPECT_TRUE(JudgeResume(kPrimary, kPrimary, Ts(50)).ok());
}

TEST(LineageTest, StrangersShareNothing) {
  const auto common = CommonPoint(kPrimary, {At("x", 0)}, Ts(50));
  EXPECT_EQ(SqlStateOf(common.status()), "55000");
  EXPECT_FALSE(HintOf(common.status()).empty());
  EXPECT_EQ(SqlStateOf(CommonPoint({}, kPrimary, Ts(1)).status()), "55000");
  EXPECT_EQ(SqlStateOf(JudgeResume(kPrimary, {}, Ts(1))), "55000");
}

TEST(LineageTest, OldPrimaryComesBackToThePromotedStandby) {
  const Ancestry promoted = Fork(kPrimary, BranchId("b"), Ts(70));
  EXPECT_EQ(promoted, (Ancestry{At("a", 0), At("b", 70)}));
  EXPECT_EQ(*CommonPoint(promoted, kPrimary, Ts(90)), Ts(70));
  const absl::Status judged = JudgeResume(promoted, kPrimary, Ts(90));
  EXPECT_EQ(SqlStateOf(judged), "55000");
  EXPECT_NE(HintOf(judged).find("START REPLICATION OF"), std::string::npos);
  EXPECT_TRUE(JudgeResume(promoted, kPrimary, Ts(70)).ok());  // nothing up to 70 lies beyond the fork
}

TEST(LineageTest, PromotedStandbyMayNotResumeFromItsOldSourceOnceItHasWritten) {
  const Ancestry promoted = Fork(kPrimary, BranchId("b"), Ts(70));
  EXPECT_EQ(*CommonPoint(kPrimary, promoted, Ts(95)), Ts(70));
  EXPECT_EQ(SqlStateOf(JudgeResume(kPrimary, promoted, Ts(95))), "55000");
}

TEST(LineageTest, TwoStandbysOfOnePrimaryPromotedApart) {
  const Ancestry b = Fork(kPrimary, BranchId("b"), Ts(70));
  const Ancestry c = Fork(kPrimary, BranchId("c"), Ts(60));
  EXPECT_EQ(*CommonPoint(b, c, Ts(100)), Ts(60));
  EXPECT_EQ(*CommonPoint(c, b, Ts(100)), Ts(60));
  EXPECT_EQ(*CommonPoint(c, b, Ts(40)), Ts(40));  // 40 lies before both forks
}

TEST(LineageTest, ThereAndBackTwice) {
  const Ancestry b = Fork(kPrimary, BranchId("b"), Ts(70));  // failover to B
  const Ancestry a2 = Fork(b, BranchId("a2"), Ts(130));      // A followed B, then took over
  EXPECT_EQ(*CommonPoint(a2, b, Ts(150)), Ts(130));
  EXPECT_EQ(*CommonPoint(a2, kPrimary, Ts(150)), Ts(70));  // a third cluster that slept all the time
  EXPECT_TRUE(JudgeResume(a2, b, Ts(130)).ok());
}

TEST(LineageTest, ForkBelowEarlierForksCutsThemOff) {
  const Ancestry long_history = {At("a", 0), At("b", 70), At("c", 130)};
  EXPECT_EQ(Fork(long_history, BranchId("d"), Ts(100)), (Ancestry{At("a", 0), At("b", 70), At("d", 100)}));
  EXPECT_EQ(Fork(long_history, BranchId("d"), Ts(130)), (Ancestry{At("a", 0), At("b", 70), At("c", 130), At("d", 130)}));
  EXPECT_EQ(Fork(long_history, BranchId("d"), Ts(5)), (Ancestry{At("a", 0), At("d", 5)}));
}

TEST(LineageTest, SameBranchIdWithAnotherForkIsNotShared) {
  EXPECT_EQ(*CommonPoint({At("a", 0), At("b", 70)}, {At("a", 0), At("b", 60)}, Ts(100)), Ts(60));
}

TEST(LineageDeathTest, BrokenAncestriesAreCaught) {
  EXPECT_DEATH(CheckAncestry({}), "R10");
  EXPECT_DEATH(CheckAncestry({At("a", 3)}), "R10");
  EXPECT_DEATH(CheckAncestry({At("a", 0), At("a", 5)}), "R10");
  EXPECT_DEATH(CheckAncestry({At("a", 0), At("b", 5), At("c", 4)}), "R10");
}

TEST(LineageTest, WhatAPeerCallsItsHistoryIsJudged) {
  const auto judge = [](const Ancestry& ancestry) { return SqlStateOf(JudgeAncestry(ancestry)); };
  const std::string a(kBranchHexDigits, 'a');
  const std::string b(kBranchHexDigits, 'b');
  const std::string c(kBranchHexDigits, 'c');
  EXPECT_TRUE(JudgeAncestry({At(a, 0)}).ok());
  EXPECT_TRUE(JudgeAncestry({At(a, 0), At(b, 5), At(c, 5)}).ok());
  EXPECT_EQ(judge({}), "08P01");
  EXPECT_EQ(judge({At(a, 3)}), "08P01");
  EXPECT_EQ(judge({At(a, 0), At(a, 5)}), "08P01");
  EXPECT_EQ(judge({At(a, 0), At(b, 5), At(c, 4)}), "08P01");
  EXPECT_EQ(judge({At("a", 0)}), "08P01");
  EXPECT_EQ(judge({At(a, 0), At(std::string(kBranchHexDigits, 'A'), 5)}), "08P01");
  Ancestry many;
  for (size_t i = 0; i < kAncestryMax; ++i) many.push_back(At(fmt::format("{:0{}x}", i, kBranchHexDigits), i));
  EXPECT_TRUE(JudgeAncestry(many).ok());
  many.push_back(At(a, kAncestryMax));
  EXPECT_EQ(judge(many), "08P01");
}

}  // namespace
}  // namespace anabranch
