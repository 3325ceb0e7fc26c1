#include "tenant/sweeper.h"

#include "gtest/gtest.h"
#include "tenant/test_cluster.h"

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
  update([&](MetaUpdate& meta) { meta.SetIngesting(*keyspace, true, kTimestampZero); });
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
    meta.BumpEpoch(*keyspace);
    meta.Hide(*keyspace, Timestamp{1000});
    meta.SetIngesting(*keyspace, false, Timestamp{1000});
  });
  Sweeper sweeper(store, "it");
  EXPECT_EQ(sweeper.progress().versions, 0u);
  sweeper.Start(*keyspace);
  ASSERT_TRUE(sweeper.WaitIdle({}, 60'000).ok());
  EXPECT_TRUE((*keyspace)->state()->hidden.empty());
  EXPECT_EQ(sweeper.progress().versions, kCommits - 1000);
  EXPECT_EQ(sweeper.progress().entries, kCommits - 1000);
}

}  // namespace
}  // namespace anabranch
