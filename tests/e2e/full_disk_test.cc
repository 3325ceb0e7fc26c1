// A disk that fills up under a real process: a tmpfs in a mount namespace of the test's own, which only root may have.
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <string>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "tests/e2e/cluster.h"

namespace anabranch {
namespace {

class FullDisk : public testing::TestWithParam<bool> {
 protected:
  static constexpr char kLarge[] = "size=1g";
  static constexpr char kSmall[] = "size=310m";     // the reserve takes 256 of it; no memtable fills up
  static constexpr char kABitMore[] = "size=311m";  // small tables find room, but not one of all rows
  static constexpr int kRowBytes = 500'000;

  // False where it may not: the test is skipped.
  bool MountDisk() {
    const std::string& path = store_.store_path();
    mounted_ = unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               mkdir(path.c_str(), 0700) == 0 && mount("tmpfs", path.c_str(), "tmpfs", 0, kLarge) == 0;
    return mounted_;
  }
  void Resize(const char* size) {
    ASSERT_EQ(mount("tmpfs", store_.store_path().c_str(), "tmpfs", MS_REMOUNT, size), 0) << std::strerror(errno);
  }
  ~FullDisk() override {
    store_.Kill();
    if (mounted_) umount2(store_.store_path().c_str(), MNT_DETACH);
  }

  // Inserts row `k`, of bytes that do not compress. Empty if it was taken, else the SQLSTATE.
  std::string Insert(int k) {
    std::string value;
    while (value.size() < kRowBytes) {
      for (uint64_t bits = random_.Next(), i = 0; i < 10; ++i, bits >>= 6) value += static_cast<char>('?' + bits % 64);
    }
    const auto inserted = QueryOnce(store_.Uri("main"), fmt::format("INSERT INTO t VALUES ({}, '{}')", k, value));
    if (inserted.ok()) taken_.insert(k);
    return inserted.ok() ? "" : SqlStateOf(inserted.status());
  }
  void ExpectWhatWasTaken() {
    std::string keys;
    for (const int k : taken_) keys += fmt::format("{}{}", keys.empty() ? "" : ";", k);
    EXPECT_EQ(Ask(store_.Uri("main"), "SELECT k FROM t ORDER BY k"), keys);
    EXPECT_EQ(AskValue(store_.Uri("main"), fmt::format("SELECT count(*) FROM t WHERE length(v) >= {}", kRowBytes)),
              fmt::format("{}", taken_.size()));
  }

  TemporaryFolder folder_{"anabranch-e2e"};
  ClusterProcess store_{{.program = ANABRANCH_PROGRAM, .directory = folder_.path(), .name = "store", .flags = {}}};
  Random random_{1};
  std::set<int> taken_;
  bool mounted_ = false;
};

TEST_P(FullDisk, LosesNothingOverAStop) {
  if (!MountDisk()) GTEST_SKIP() << "no mount namespace of its own: " << std::strerror(errno);
  ASSERT_TRUE(store_.Start().ok());
  Ask(store_.Uri("main"), "CREATE TABLE t (k INT PRIMARY KEY, v TEXT)");
  Resize(kSmall);
  int k = 0;
  std::string state;
  while (state.empty()) state = Insert(++k);
  ASSERT_EQ(state, "53100");
  Resize(kABitMore);
  // It tries to go on after about a second, and can, or finds that it cannot write a table.
  ASSERT_TRUE(WaitUntil(kEventTimeoutMs, [&] {
    const std::string log = store_.Log();
    return log.find("store.resumed") != std::string::npos || log.find(".sst: No space left") != std::string::npos;
  }));
  for (int i = 0; i < 3; ++i) EXPECT_THAT(Insert(++k), testing::AnyOf("", "53100"));
  ExpectWhatWasTaken();

  const bool kill = GetParam();
  if (kill) {
    store_.Kill();
  } else {
    EXPECT_EQ(store_.Stop().value_or(-1), 0);
  }
  const absl::Status started = store_.Start();
  ASSERT_TRUE(started.ok()) << started;
  ExpectWhatWasTaken();
  EXPECT_EQ(Insert(++k), "53100");
  Resize(kLarge);
  ASSERT_TRUE(WaitUntil(kEventTimeoutMs, [&] { return Insert(++k).empty(); }));
  ExpectWhatWasTaken();
}

INSTANTIATE_TEST_SUITE_P(Every, FullDisk, testing::Bool(),
                         [](const auto& stop) { return stop.param ? "Killed" : "Stopped"; });

}  // namespace
}  // namespace anabranch
