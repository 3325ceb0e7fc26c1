#include "storage/rocks/files.h"

#include <functional>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "rocksdb/file_system.h"
#include "storage/testing/fault_file_system.h"

namespace anabranch {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

// Does something else while a folder is being synced.
class BusyFiles final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "anabranch.BusyFiles"; }
  IOStatus NewDirectory(const std::string& path, const IOOptions& options, std::unique_ptr<rocksdb::FSDirectory>* result,
                        IODebugContext* debug) override {
    std::unique_ptr<rocksdb::FSDirectory> folder;
    IOStatus status = target()->NewDirectory(path, options, &folder, debug);
    if (status.ok()) *result = std::make_unique<Folder>(std::move(folder), this);
    return status;
  }
  void set_meanwhile(std::function<void()> meanwhile) { meanwhile_ = std::move(meanwhile); }

 private:
  class Folder final : public rocksdb::FSDirectoryWrapper {
   public:
    Folder(std::unique_ptr<rocksdb::FSDirectory> folder, BusyFiles* files)
        : FSDirectoryWrapper(std::move(folder)), files_(files) {}
    IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
      return Meanwhile(FSDirectoryWrapper::Fsync(options, debug));
    }
    IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                                 const rocksdb::DirFsyncOptions& why) override {
      return Meanwhile(FSDirectoryWrapper::FsyncWithDirOptions(options, debug, why));
    }

   private:
    IOStatus Meanwhile(IOStatus status) {
      if (files_->meanwhile_) files_->meanwhile_();
      return status;
    }

    BusyFiles* const files_;
  };

  std::function<void()> meanwhile_;
};

class StoreEnvTest : public testing::Test {
 protected:
  StoreEnvTest()
      : files_(std::make_shared<BusyFiles>(std::make_shared<FaultFileSystem>())),
        base_(rocksdb::NewCompositeEnv(files_)),
        env_(base_.get()) {
    EXPECT_TRUE(env_.CreateDir("/db").ok());
    EXPECT_TRUE(env_.CreateDir("/db/other").ok());
  }

  void MakeCurrent() {
    ASSERT_TRUE(rocksdb::WriteStringToFile(&env_, "MANIFEST-000002", "/db/CURRENT.tmp").ok());
    ASSERT_TRUE(env_.RenameFile("/db/CURRENT.tmp", "/db/CURRENT").ok());
  }
  bool RemovesATable() {
    EXPECT_TRUE(rocksdb::WriteStringToFile(&env_, "rows", "/db/000007.sst").ok());
    const rocksdb::Status removed = env_.DeleteFile("/db/000007.sst");
    EXPECT_TRUE(removed.ok() || removed.IsBusy()) << removed.ToString();
    return removed.ok();
  }
  void Sync(const std::string& folder) { ASSERT_TRUE(SyncFolder(&env_, folder).ok()); }

  const std::shared_ptr<BusyFiles> files_;
  const std::unique_ptr<rocksdb::Env> base_;
  StoreEnv env_;
};

TEST_F(StoreEnvTest, NoTableGoesUntilTheManifestThatDoesWithoutItIsCurrentOnDisk) {
  EXPECT_TRUE(RemovesATable());
  MakeCurrent();
  EXPECT_FALSE(RemovesATable());
  Sync("/db/other");
  EXPECT_FALSE(RemovesATable()) << "another folder says nothing of it";
  Sync("/db");
  EXPECT_TRUE(RemovesATable());
}

TEST_F(StoreEnvTest, ASyncThatBeganBeforeAManifestBecameCurrentSaysNothingOfIt) {
  files_->set_meanwhile([this] { MakeCurrent(); });
  Sync("/db");
  EXPECT_FALSE(RemovesATable());
  files_->set_meanwhile(nullptr);
  Sync("/db");
  EXPECT_TRUE(RemovesATable());
}

}  // namespace
}  // namespace anabranch
