// For tests of tenant/: two clusters, A with a serving `main`, B empty, and what most stories about them are told with.
#pragma once

#include "base/status.h"
#include "gtest/gtest.h"
#include "tenant/testing/test_cluster.h"

namespace anabranch {

class ReplicationFixture : public testing::Test {
 protected:
  void Fill(TestCluster& cluster, const std::string& prefix, int rows) {
    for (int i = 0; i < rows; ++i) ASSERT_TRUE(cluster.Put("main", fmt::format("{}{:03}", prefix, i), "v").ok());
  }
  static absl::Status Replicate(TestCluster& from, TestCluster& to, const std::string& name = "main") {
    return to->CreateFromReplication(name, {}, "main", from.uri(), {}, {});
  }
  // Waits until everything that `from` has acknowledged so far is replicated.
  static bool CaughtUp(TestCluster& from, TestCluster& to, const std::string& name = "main") {
    const Timestamp now = from.store()->visible();
    return Eventually([&] {
      const auto replicated = to.Status(name).replicated_time;
      return replicated && *replicated >= now;
    });
  }
  static Timestamp Promote(TestCluster& cluster) {
    const auto at = cluster->CompleteReplication("main", ToLatest{}, {});
    EXPECT_TRUE(at.ok()) << at.status();
    EXPECT_TRUE(cluster->StartService("main").ok());
    return at.value_or(kTimestampZero);
  }
  static absl::Status FailBack(TestCluster& cluster, TestCluster& source) {
    EXPECT_TRUE(cluster->StopService("main").ok());
    return cluster->StartReplication("main", "main", source.uri(), {}, {});
  }

  TestCluster a_{Virtualization::kVirtualized, 1};
  TestCluster b_{Virtualization::kVirtualizedEmpty, 2};
};

}  // namespace anabranch
