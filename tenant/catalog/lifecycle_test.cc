#include "tenant/catalog/lifecycle.h"

#include <map>
#include <set>

#include "base/status.h"
#include "gtest/gtest.h"

namespace anabranch {
namespace {

constexpr DataState kAllStates[] = {DataState::kAdd,    DataState::kInitializing,    DataState::kReplicating,
                                    DataState::kPaused, DataState::kPendingFailover, DataState::kError,
                                    DataState::kReady,  DataState::kDropping};
constexpr ServiceMode kAllModes[] = {ServiceMode::kNone, ServiceMode::kShared, ServiceMode::kStopping};

// State names as SHOW prints them, with the service modes in which the action is allowed.
using Allowed = std::map<std::string, std::set<std::string>>;

Allowed AllowedIn(LifecycleAction action) {
  Allowed result;
  for (const DataState state : kAllStates) {
    for (const ServiceMode mode : kAllModes) {
      const absl::Status status = CheckAllowed(action, "main", state, mode);
      if (status.ok()) {
        result[std::string(ToString(state))].insert(std::string(ToString(mode)));
        continue;
      }
      const bool session = action == LifecycleAction::kServeSession;
      EXPECT_EQ(SqlStateOf(status), session ? "57P03" : "55000") << MessageOf(status);
      EXPECT_NE(MessageOf(status).find("\"main\""), std::string::npos) << MessageOf(status);
    }
  }
  return result;
}

const std::set<std::string> kAny = {"none", "shared", "stopping"};

TEST(LifecycleTest, StatesAreSpelledAsTheContractSpellsThem) {
  std::vector<std::string> names;
  for (const DataState state : kAllStates) names.emplace_back(ToString(state));
  EXPECT_EQ(names, (std::vector<std::string>{"add", "initializing replication", "replicating", "replication paused",
                                             "replication pending failover", "replication error", "ready", "dropping"}));
}

TEST(LifecycleTest, WhatIsAllowedWhere) {
  EXPECT_EQ(AllowedIn(LifecycleAction::kStartService), (Allowed{{"ready", {"none", "shared"}}}));
  EXPECT_EQ(AllowedIn(LifecycleAction::kStartReplication), (Allowed{{"ready", {"none"}}}));
  EXPECT_EQ(AllowedIn(LifecycleAction::kServeSession), (Allowed{{"ready", {"shared"}}}));
  EXPECT_EQ(AllowedIn(LifecycleAction::kServeStream), (Allowed{{"ready", kAny}}));
  const Allowed replicating = {{"initializing replication", kAny},
                               {"replicating", kAny},
                               {"replication paused", kAny},
                               {"replication pending failover", kAny},
                               {"replication error", kAny}};
  EXPECT_EQ(AllowedIn(LifecycleAction::kPause), replicating);
  EXPECT_EQ(AllowedIn(LifecycleAction::kResume), replicating);
  EXPECT_EQ(AllowedIn(LifecycleAction::kComplete), replicating);
  Allowed cancel = replicating;
  cancel["ready"] = kAny;  // it does nothing there
  EXPECT_EQ(AllowedIn(LifecycleAction::kCancel), cancel);
  Allowed drop;
  Allowed stop;
  for (const DataState state : kAllStates) {
    if (state == DataState::kDropping) continue;
    drop[std::string(ToString(state))] = {"none"};
    stop[std::string(ToString(state))] = kAny;
  }
  EXPECT_EQ(AllowedIn(LifecycleAction::kDrop), drop);
  EXPECT_EQ(AllowedIn(LifecycleAction::kStopService), stop);
  EXPECT_EQ(AllowedIn(LifecycleAction::kSetSetting), stop);
}

TEST(LifecycleTest, ARefusalHintsTheStatementThatHelps) {
  const auto hint = [](LifecycleAction action, DataState state, ServiceMode mode) {
    return HintOf(CheckAllowed(action, "main", state, mode));
  };
  EXPECT_EQ(hint(LifecycleAction::kServeSession, DataState::kReady, ServiceMode::kNone),
            "Use ALTER VIRTUAL CLUSTER main START SERVICE SHARED.");
  EXPECT_EQ(
      hint(LifecycleAction::kServeSession, DataState::kReplicating, ServiceMode::kNone),
      "It is a standby. To promote it, which ends the replication, use ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION "
      "TO LATEST.");
  EXPECT_EQ(hint(LifecycleAction::kStartReplication, DataState::kReady, ServiceMode::kShared),
            "Use ALTER VIRTUAL CLUSTER main STOP SERVICE.");
  EXPECT_EQ(hint(LifecycleAction::kDrop, DataState::kReady, ServiceMode::kShared),
            "Use ALTER VIRTUAL CLUSTER main STOP SERVICE before DROP VIRTUAL CLUSTER.");
}

// Who starts a replication, or replicates from a standby, does not want to hear how to end one.
TEST(LifecycleTest, NoHintEndsAReplicationUnasked) {
  for (const DataState state : kAllStates) {
    for (const LifecycleAction action : {LifecycleAction::kStartReplication, LifecycleAction::kServeStream}) {
      const absl::Status refused = CheckAllowed(action, "main", state, ServiceMode::kNone);
      for (const char* harm : {"COMPLETE", "CANCEL", "DROP"}) {
        EXPECT_EQ(HintOf(refused).find(harm), std::string::npos) << ToString(state) << ": " << HintOf(refused);
      }
      if (IsReplicating(state)) {
        EXPECT_NE(HintOf(refused), "") << ToString(state);
      }
    }
  }
}

}  // namespace
}  // namespace anabranch
