// Sources that answer what no source answers: buggy, or hostile. Nothing of it is followed, kept or fatal (R14).
#include "tenant/replication/answer.h"

#include <atomic>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "gtest/gtest.h"
#include "tenant/catalog/catalog.h"
#include "tenant/replication/lost_writes.h"
#include "tenant/testing/replication_fixture.h"

namespace anabranch {
namespace {

constexpr TenantId kMain{2};
constexpr uint64_t kMinuteNs = 60ull * 1'000'000'000;
constexpr uint64_t kYear2500Ns = 16'725'225'600ull * 1'000'000'000;

using Forge = std::function<void(wire::OpenResponse&)>;

std::vector<std::pair<std::string, Forge>> ForgedHistories() {
  const auto branch = [](wire::OpenResponse& response, const std::string& id, uint64_t forked_at) {
    wire::BranchPoint* added = response.add_ancestry();
    added->set_branch_id(id);
    added->set_forked_at(forked_at);
  };
  const std::string id(kBranchHexDigits, 'a');
  return {
      {"no history", [](auto& response) { response.clear_ancestry(); }},
      {"a first branch that forks", [](auto& response) { response.mutable_ancestry(0)->set_forked_at(1); }},
      {"a branch twice", [=](auto& response) { branch(response, response.ancestry(0).branch_id(), UINT64_MAX); }},
      {"forks that go back",
       [=](auto& response) {
         branch(response, id, UINT64_MAX);
         branch(response, std::string(kBranchHexDigits, 'b'), UINT64_MAX - 1);
       }},
      {"an id that is none", [=](auto& response) { branch(response, "x", UINT64_MAX); }},
      {"too many branches",
       [=](auto& response) {
         for (size_t i = 0; i < kAncestryMax; ++i)
           branch(response, fmt::format("{:0{}x}", i, kBranchHexDigits), UINT64_MAX);
       }},
  };
}

std::vector<std::pair<std::string, Forge>> ForgedAnswers() {
  std::vector<std::pair<std::string, Forge>> forged = ForgedHistories();
  const std::vector<std::pair<std::string, Forge>> others = {
      {"another history",
       [](auto& response) { response.mutable_ancestry(0)->set_branch_id(std::string(kBranchHexDigits, 'c')); }},
      {"a start in the year 2500", [](auto& response) { response.set_start_at(kYear2500Ns); }},
      {"a start at the end of time", [](auto& response) { response.set_start_at(UINT64_MAX); }},
      {"a start too early", [](auto& response) { response.set_start_at(response.start_at() - 1); }},
      {"files", [](auto& response) { response.mutable_manifest(); }},
      {"no stream", [](auto& response) { response.clear_stream_id(); }},
      {"no cluster", [](auto& response) { response.set_source_cluster_id("x"); }},
      {"no name", [](auto& response) { response.set_source_tenant("a\nb"); }},
      {"no id", [](auto& response) { response.clear_source_tenant_id(); }},
      {"a window of a nanosecond", [](auto& response) { response.set_expiration_window_ns(1); }},
  };
  forged.insert(forged.end(), others.begin(), others.end());
  return forged;
}

class AnswerTest : public ReplicationFixture {
 protected:
  void SetUp() override { Fill(a_, "shared", 5); }
  // A is the former primary, stopped, with a write that B, which was promoted, does not have.
  void Part() {
    Follow();
    Promote(b_);
    ASSERT_TRUE(a_.Put("main", "on-a", "x").ok());
    ASSERT_TRUE(a_->StopService("main").ok());
  }
  void Follow() {
    ASSERT_TRUE(Replicate(a_, b_).ok());
    ASSERT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
  }
  absl::Status FailBackToB() { return a_->StartReplication("main", "main", b_.uri(), {}, {}); }
  static catalog::TenantRecord Record(TestCluster& cluster) { return *LoadTenant(cluster.store(), kMain); }
  static size_t Ledgers(TestCluster& cluster) {
    const std::string dir = cluster.dir() + "/store/ledger";
    return std::filesystem::exists(dir) ? std::distance(std::filesystem::directory_iterator(dir), {}) : 0;
  }
  bool Says(const std::string& error) {
    return Eventually([&] { return b_.Status("main").last_error.find(error) != std::string::npos; });
  }
};

TEST_F(AnswerTest, NoFailbackFollowsOne) {
  Part();
  const std::string before = Record(a_).SerializeAsString();
  for (const auto& [what, forge] : ForgedAnswers()) {
    SCOPED_TRACE(what);
    b_.Reconnect({.forge = forge});
    const absl::Status refused = FailBackToB();
    EXPECT_EQ(SqlStateOf(refused), "08P01") << refused;
    EXPECT_EQ(Record(a_).SerializeAsString(), before);
    EXPECT_EQ(Ledgers(a_), 0u);
  }
  EXPECT_LT(a_.store()->visible().ns, a_.clock().WallNs() + kMinuteNs);
  b_.Reconnect();
  const absl::Status back = FailBackToB();
  ASSERT_TRUE(back.ok()) << back;
  EXPECT_TRUE(CaughtUp(b_, a_)) << a_.Status("main").last_error;
}

TEST_F(AnswerTest, ARunningStandbyAsksAgain) {
  Follow();
  std::vector<std::pair<std::string, Forge>> forged = ForgedAnswers();
  forged.emplace_back("the stream of another", [](auto& response) { response.set_stream_id(response.stream_id() + 1); });
  for (const auto& [what, forge] : forged) {
    SCOPED_TRACE(what);
    const std::string ancestry = FromWire(Record(b_).ancestry()).front().branch.value();
    std::atomic<int> heard = 0;
    a_.Reconnect({.forge = [&](auto& response) {
      forge(response);
      ++heard;
    }});
    ASSERT_TRUE(b_->PauseReplication("main").ok());
    ASSERT_TRUE(b_->ResumeReplication("main").ok());
    EXPECT_TRUE(Eventually([&] { return heard >= 1; }));
    EXPECT_TRUE(Says("the")) << b_.Status("main").last_error;
    EXPECT_EQ(b_.StateOf("main"), "replicating");
    EXPECT_EQ(FromWire(Record(b_).ancestry()).front().branch.value(), ancestry);
    a_.Disconnect();
  }
  a_.Reconnect();
  Fill(a_, "later", 3);
  EXPECT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
}

TEST_F(AnswerTest, NoCopyBeginsWithOne) {
  for (const auto& [what, forge] : ForgedHistories()) {
    SCOPED_TRACE(what);
    a_.Reconnect({.forge = forge});
    EXPECT_EQ(SqlStateOf(Replicate(a_, b_)), "08P01");
    EXPECT_EQ(b_.StateOf("main"), "42704");
  }
  // The files as they are, and no history with them.
  std::atomic<int> answers = 0;
  a_.Reconnect({.forge = [&](auto& response) {
    if (answers++ > 0) response.clear_ancestry();
  }});
  ASSERT_TRUE(Replicate(a_, b_).ok());
  EXPECT_TRUE(Says("a history that no virtual cluster has")) << b_.Status("main").last_error;
  EXPECT_EQ(b_.StateOf("main"), "initializing replication");
  a_.Reconnect();
  ASSERT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
  Promote(b_);
}

TEST_F(AnswerTest, AStreamThatIsKnownHereIsNoNewOne) {
  Part();
  ASSERT_TRUE(FailBackToB().ok());
  ASSERT_TRUE(CaughtUp(b_, a_)) << a_.Status("main").last_error;
  const uint64_t known = Record(a_).replication().stream_id();
  ASSERT_EQ(Ledgers(a_), 1u);
  Promote(a_);
  ASSERT_TRUE(a_->StopService("main").ok());
  ASSERT_TRUE(Eventually([&] { return Record(a_).failover_receipt() == 0; })) << "a sweep is noted in the record";
  const std::string before = Record(a_).SerializeAsString();
  const auto sizes = [&] { return LoadLedgers(a_.store(), kMain)->front().SerializeAsString(); };
  const std::string ledger = sizes();
  b_.Reconnect({.forge = [&](auto& response) { response.set_stream_id(known); }});
  const absl::Status refused = FailBackToB();
  EXPECT_EQ(SqlStateOf(refused), "08P01") << refused;
  EXPECT_NE(MessageOf(refused).find("which is not new"), std::string::npos) << refused;
  EXPECT_EQ(SqlStateOf(a_->CreateFromReplication("other", {}, "main", b_.uri(), {}, {})), "08P01");
  EXPECT_EQ(Record(a_).SerializeAsString(), before);
  EXPECT_EQ(sizes(), ledger);
  EXPECT_EQ(Ledgers(a_), 1u);
  b_.Reconnect();
  EXPECT_TRUE(FailBackToB().ok());
}

TEST_F(AnswerTest, WhatASourceThatIsNotFollowedHasPromisedIsGivenUp) {
  Part();
  b_.Reconnect({.forge = [&](auto& response) { response.set_clock_ns(a_.clock().WallNs() + 11 * kMinuteNs); }});
  EXPECT_EQ(SqlStateOf(FailBackToB()), "22023");
  EXPECT_TRUE(Eventually([&] { return Record(b_).promised_streams_size() == 0; }));
  EXPECT_TRUE(b_->StopService("main").ok());
  EXPECT_TRUE(b_->StartReplication("main", "main", a_.uri(), {}, {}).ok());
}

}  // namespace
}  // namespace anabranch
