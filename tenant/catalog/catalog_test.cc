#include "tenant/catalog/catalog.h"

#include "base/status.h"
#include "gtest/gtest.h"
#include "tenant/testing/test_cluster.h"

namespace anabranch {
namespace {

TEST(CatalogTest, NamesAreLettersDigitsHyphenAndUnderscore) {
  EXPECT_TRUE(CheckName("main").ok());
  EXPECT_TRUE(CheckName("Main-2_x").ok());
  EXPECT_TRUE(CheckName(std::string(kNameBytesMax, 'a')).ok());
  EXPECT_EQ(SqlStateOf(CheckName("")), "42601");
  EXPECT_EQ(SqlStateOf(CheckName("a b")), "22023");
  EXPECT_EQ(SqlStateOf(CheckName("a/b")), "22023");
  EXPECT_EQ(SqlStateOf(CheckName(std::string(kNameBytesMax + 1, 'a'))), "22023");
}

TEST(CatalogTest, AncestrySurvivesTheRecord) {
  const Ancestry ancestry = {{BranchId("a"), kTimestampZero}, {BranchId("b"), Timestamp{70}}};
  catalog::TenantRecord record;
  ToWire(ancestry, record.mutable_ancestry());
  catalog::TenantRecord decoded;
  ASSERT_TRUE(decoded.ParseFromString(record.SerializeAsString()));
  EXPECT_EQ(FromWire(decoded.ancestry()), ancestry);
}

TEST(CatalogTest, AnErrorInTheMiddleOfAnUpdateChangesNothing) {
  TestCluster cluster(Virtualization::kVirtualized);
  const absl::Status status = UpdateTenant(cluster.store(), TenantId(2), [](MetaUpdate&, catalog::TenantRecord& record) {
    record.set_name("other");
    return absl::AbortedError("no");
  });
  EXPECT_TRUE(absl::IsAborted(status));
  EXPECT_EQ(LoadTenant(cluster.store(), TenantId(2))->name(), "main");
}

TEST(CatalogTest, OnlyWhatFailedOnItsWayToTheDiskMayBeThereAfterARestart) {
  EXPECT_FALSE(WasRefused(absl::OkStatus()));
  EXPECT_FALSE(WasRefused(SqlError(sqlstate::kIoError, "the store stopped taking writes")));
  EXPECT_TRUE(WasRefused(SqlError(sqlstate::kDiskFull, "the store's disk is full")));
  EXPECT_TRUE(WasRefused(SqlError(sqlstate::kObjectNotInPrerequisiteState, "no")));
}

TEST(CatalogTest, ARecordThatDoesNotDecodeIsAnErrorNotASkip) {
  TestCluster cluster(Virtualization::kVirtualized);
  ASSERT_TRUE(cluster.store()
                  ->UpdateMeta([](MetaUpdate& update) {
                    update.Put(TenantKey(TenantId(7)), "\xff");
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(SqlStateOf(LoadTenants(cluster.store()).status()), "XX001");
  EXPECT_EQ(SqlStateOf(LoadTenant(cluster.store(), TenantId(7)).status()), "XX001");
}

}  // namespace
}  // namespace anabranch
