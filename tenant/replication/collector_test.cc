#include "tenant/replication/collector.h"

#include "gtest/gtest.h"
#include "storage/mvcc/change_index.h"
#include "storage/protection.h"
#include "tenant/catalog/limits.h"
#include "tenant/testing/test_cluster.h"

namespace anabranch {
namespace {

class CollectorTest : public testing::Test {
 protected:
  KeyspaceRef KeyspaceOf(TenantId id) {
    auto record = LoadTenant(cluster_.store(), id);
    CHECK(record.ok(), "tenant");
    auto keyspace = cluster_.store()->FindKeyspace(IncarnationId(record->incarnation()));
    CHECK(keyspace.ok(), "keyspace");
    return *keyspace;
  }
  Timestamp Put(const KeyspaceRef& keyspace, const std::string& value) {
    WriteSet writes{{"key", {WriteKind::kPut, value}}};
    auto ts = cluster_.store()->Commit({.keyspace = keyspace,
                                        .epoch = keyspace->state()->epoch,
                                        .writes = std::make_shared<const WriteList>(writes),
                                        .validate_spans = {},
                                        .validate_after = {}});
    CHECK(ts.ok(), ts.status().ToString().c_str());
    return *ts;
  }
  bool Readable(const KeyspaceRef& keyspace, Timestamp at) { return MvccReader::Open(cluster_.store(), keyspace, at).ok(); }
  void SetTtl(TenantId id, uint64_t seconds) {
    const absl::Status status = UpdateTenant(cluster_.store(), id, [&](MetaUpdate&, catalog::TenantRecord& record) {
      record.set_gc_ttl_seconds(seconds);
      return absl::OkStatus();
    });
    ASSERT_TRUE(status.ok()) << status;
  }
  void Collect(uint64_t ttl_seconds) {
    Collector collector({.store = cluster_.store(), .ttl_seconds = ttl_seconds});
    collector.CollectAll({});
  }

  TestCluster cluster_{Virtualization::kVirtualized};
};

TEST_F(CollectorTest, TtlOfTheVirtualClusterGoesBeforeTheDefault) {
  const KeyspaceRef main = KeyspaceOf(TenantId(2));
  const KeyspaceRef system = KeyspaceOf(kSystemTenantId);
  const Timestamp first = Put(main, "1");
  Put(main, "2");
  const Timestamp system_first = Put(system, "1");
  Put(system, "2");
  Collect(kGcTtlSecondsDefault);
  EXPECT_TRUE(Readable(main, first));
  SetTtl(TenantId(2), 3600);
  Collect(0);
  EXPECT_TRUE(Readable(main, first));
  EXPECT_FALSE(Readable(system, system_first));
}

TEST_F(CollectorTest, ProtectedHistoryIsKept) {
  const KeyspaceRef main = KeyspaceOf(TenantId(2));
  const Timestamp first = Put(main, "1");
  const Timestamp second = Put(main, "2");
  ASSERT_TRUE(cluster_.store()
                  ->UpdateMeta([&](MetaUpdate& update) {
                    Protect(update, main->incarnation(), kFailoverHolder, second);
                    return absl::OkStatus();
                  })
                  .ok());
  Put(main, "3");
  Collect(0);
  EXPECT_FALSE(Readable(main, first));
  EXPECT_TRUE(Readable(main, second));
  EXPECT_EQ(main->state()->floor, second);
}

TEST_F(CollectorTest, RunningItTakesUpAChangedSetting) {
  const KeyspaceRef main = KeyspaceOf(TenantId(2));
  ASSERT_TRUE(cluster_->SetSetting("main", "gc.ttlseconds", "3600").ok());
  const Timestamp first = Put(main, "1");
  Put(main, "2");
  const KeyspaceRef system = KeyspaceOf(kSystemTenantId);
  const Timestamp system_first = Put(system, "1");
  Put(system, "2");
  Collector collector({.store = cluster_.store(), .ttl_seconds = 0, .interval_ms = 1});
  collector.Start();
  ASSERT_TRUE(Eventually([&] { return !Readable(system, system_first); }));
  EXPECT_TRUE(Readable(main, first));
  ASSERT_TRUE(cluster_->SetSetting("main", "gc.ttlseconds", "1").ok());
  EXPECT_TRUE(Eventually([&] { return !Readable(main, first); }));
}

TEST_F(CollectorTest, StartedItCollectsByItselfUntilItIsStopped) {
  const KeyspaceRef main = KeyspaceOf(TenantId(2));
  const Timestamp first = Put(main, "1");
  Put(main, "2");
  Collector collector({.store = cluster_.store(), .ttl_seconds = 0, .interval_ms = 1});
  collector.Start();
  EXPECT_TRUE(Eventually([&] { return !Readable(main, first); }));
  collector.Stop();
  const Timestamp later = Put(main, "3");
  ASSERT_TRUE(cluster_.store()->WaitVisible(later.Next(), {}).ok());
  EXPECT_TRUE(Readable(main, later));
}

}  // namespace
}  // namespace anabranch
