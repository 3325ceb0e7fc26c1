#include "tenant/replication/sweeper.h"

#include <algorithm>
#include <set>

#include "fmt/ranges.h"
#include "gtest/gtest.h"
#include "tenant/testing/test_cluster.h"

namespace anabranch {
namespace {

TEST(SweeperTest, TellsHowMuchItRemoved) {
  TestCluster cluster(Virtualization::kVirtualized);
  Store* const store = cluster.store();
  const auto keyspace = store->CreateKeyspace();
  ASSERT_TRUE(keyspace.ok());
  const auto update = [&](const std::function<void(MetaUpdate&)>& build) {
    const absl::Status status = store->UpdateMeta([&](MetaUpdate& meta) {
      build(meta);
      return absl::OkStatus();
    });
    ASSERT_TRUE(status.ok()) << status;
  };
  update([&](MetaUpdate& meta) { meta.Stage(*keyspace).SetIngesting(true, kTimestampZero); });
  constexpr uint64_t kCommits = 6000;  // more than one paced batch
  std::vector<Version> versions;
  for (uint64_t ts = 1; ts <= kCommits; ++ts) {
    versions.push_back({fmt::format("key{}", ts), Timestamp{ts}, {WriteKind::kPut, "v"}});
  }
  ASSERT_TRUE(store
                  ->Ingest({.keyspace = *keyspace,
                            .epoch = (*keyspace)->state()->epoch,
                            .versions = std::move(versions),
                            .frontier = Timestamp{kCommits}})
                  .ok());
  update([&](MetaUpdate& meta) {
    meta.Stage(*keyspace).BumpEpoch();
    meta.Stage(*keyspace).Hide(Timestamp{1000});
    meta.Stage(*keyspace).SetIngesting(false, Timestamp{1000});
  });
  Sweeper sweeper(store, "it");
  EXPECT_EQ(sweeper.progress().versions, 0u);
  EXPECT_EQ(sweeper.Step(), "");
  sweeper.Start(*keyspace);
  std::set<std::string> steps = {sweeper.Step()};
  while (!sweeper.WaitIdle({}, 1).ok()) steps.insert(sweeper.Step());
  EXPECT_TRUE(std::any_of(steps.begin(), steps.end(), [](const std::string& step) {
    return step.starts_with("sweeping: ") && step.ends_with(" of 5000 versions");
  })) << fmt::format("{}", fmt::join(steps, ", "));
  EXPECT_EQ(sweeper.Step(), "");
  EXPECT_TRUE((*keyspace)->state()->hidden.empty());
  EXPECT_EQ(sweeper.progress().versions, kCommits - 1000);
  EXPECT_EQ(sweeper.progress().entries, kCommits - 1000);
}

}  // namespace
}  // namespace anabranch
