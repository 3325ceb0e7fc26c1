// A writer on the primary is never blocked by a standby that is stopped, slow or absent, and the primary's memory stays
// bounded meanwhile.
#include <numeric>
#include <random>

#include "base/clock.h"
#include "fmt/format.h"
#include "tests/e2e/cluster.h"

namespace anabranch {
namespace {

constexpr int kWriters = 4;
constexpr size_t kRowBytes = 64 << 10;
constexpr uint64_t kPhaseBytes = 160ull << 20;  // several times the live feed's ring of 32 MiB
// A commit that waits for a standby would wait for ever; one that waits for two busy cores and a disk does not take this
// long.
constexpr uint64_t kSlowestCommitMs = 10'000;
// Over what the primary has with a healthy standby: the ring and one stream's credit. Without bounds a phase would add
// kPhaseBytes.
constexpr uint64_t kResidentGrowthBytesMax = 96ull << 20;
static_assert(kResidentGrowthBytesMax < kPhaseBytes);

class Nonblocking : public TwoClusters {
 protected:
  struct Phase {
    uint64_t commits = 0;
    double seconds = 0;
    double slowest_ms = 0;
  };

  void SetUp() override {
    TwoClusters::SetUp();
    Ask(a_.Uri("main"), "CREATE TABLE blob (k INT8 PRIMARY KEY, v TEXT)");
    CreateStandby(b_, a_);
    WaitReplicated(b_, a_);
  }

  // Writes kPhaseBytes with several connections.
  Phase WritePhase(const std::string& name) {
    const std::string value(kRowBytes, static_cast<char>('a' + name.size() % 26));
    const uint64_t commits_each = kPhaseBytes / kRowBytes / kWriters;
    std::vector<double> slowest(kWriters, 0);
    std::atomic<uint64_t> commits{0};
    const Stopwatch phase_watch;
    {
      std::vector<std::jthread> writers;
      for (int writer = 0; writer < kWriters; ++writer) {
        writers.emplace_back([&, writer] {
          const auto client = SqlClient::Connect(a_.Uri("main"));
          ASSERT_TRUE(client.ok());
          for (uint64_t i = 0; i < commits_each; ++i) {
            const Stopwatch watch;
            const auto done =
                (*client)->Query(fmt::format("INSERT INTO blob VALUES ({}, '{}')", ++next_key_, value), kSlowestCommitMs);
            ASSERT_TRUE(done.ok()) << MessageOf(done.status());
            slowest[writer] = std::max(slowest[writer], watch.Milliseconds());
            ++commits;
          }
        });
      }
    }
    const Phase phase{commits, phase_watch.Seconds(), *std::max_element(slowest.begin(), slowest.end())};
    std::printf("%-28s %5lu commits in %5.2f s, slowest %6.1f ms, primary %4lu MiB resident\n", name.c_str(), phase.commits,
                phase.seconds, phase.slowest_ms, a_.ResidentBytes() >> 20);
    EXPECT_EQ(phase.commits, kPhaseBytes / kRowBytes);
    EXPECT_LT(phase.slowest_ms, kSlowestCommitMs);
    return phase;
  }

  std::atomic<int64_t> next_key_{0};
};

TEST_F(Nonblocking, StoppedSlowAndAbsentStandby) {
  WritePhase("healthy standby");
  WaitReplicated(b_, a_);
  const uint64_t before = a_.ResidentBytes();

  b_.Freeze();
  WritePhase("stopped standby (SIGSTOP)");
  EXPECT_LT(a_.ResidentBytes(), before + kResidentGrowthBytesMax);
  b_.Thaw();
  WaitReplicated(b_, a_);

  b_.Kill();
  ASSERT_TRUE(b_.Start("ingest.batch=delay:200").ok());
  ASSERT_TRUE(WaitUntil(kEventTimeoutMs, [&] { return ReadStandby(b_).has_value(); }));
  WritePhase("slow standby");
  EXPECT_TRUE(b_.WaitForLog("failpoint.hit name=ingest.batch", kEventTimeoutMs)) << "the fault did not act";
  EXPECT_LT(a_.ResidentBytes(), before + kResidentGrowthBytesMax);

  b_.Kill();
  WritePhase("absent standby (SIGKILL)");
  EXPECT_LT(a_.ResidentBytes(), before + kResidentGrowthBytesMax);
  ASSERT_TRUE(b_.Start().ok());
  WaitReplicated(b_, a_);
  EXPECT_EQ(ReadStandby(b_)->initial_copies, "1");
  ExpectEqualAt(FailOver(b_));
}

// What packs well takes little room on the wire and much in memory.
TEST_F(Nonblocking, AStandbyThatCatchesUpWithCompressibleRowsStaysSmall) {
  constexpr uint64_t kBytes = 1ull << 30;
  constexpr uint64_t kRowsEach = 48;
  constexpr uint64_t kStandbyGrowthBytesMax = 256ull << 20;
  WritePhase("healthy standby");
  WaitReplicated(b_, a_);
  const uint64_t before = b_.ResidentBytes();
  b_.Freeze();
  for (uint64_t written = 0; written < kBytes; written += kRowsEach << 20) {
    Ask(a_.Uri("main"),
        fmt::format("INSERT INTO blob SELECT {} + i, repeat('x', 1048576) FROM generate_series(1, {}) AS g(i)",
                    next_key_.fetch_add(kRowsEach), kRowsEach));
  }
  b_.Thaw();
  uint64_t peak = 0;
  const uint64_t written_ns = SystemClock()->WallNs();
  const auto caught_up = [&] {
    peak = std::max(peak, b_.ResidentBytes());
    const auto row = ReadStandby(b_);
    return row && row->replicated_ns >= written_ns;
  };
  EXPECT_TRUE(WaitUntil(4 * kEventTimeoutMs, caught_up));
  std::printf("standby: %lu MiB resident before, %lu MiB at most while it caught up\n", before >> 20, peak >> 20);
  EXPECT_LT(peak, before + kStandbyGrowthBytesMax);
}

TEST_F(Nonblocking, AnInitialCopyKeepsToTheLimitUntilThatIsLifted) {
  std::mt19937_64 engine(7);
  for (int row = 0; row < 80; ++row) {
    std::string noise;
    while (noise.size() < kRowBytes) noise += fmt::format("{:016x}", engine());
    Ask(a_.Uri("main"), fmt::format("INSERT INTO blob VALUES ({}, '{}')", ++next_key_, noise));
  }
  Ask(b_.Uri("system"), "DROP VIRTUAL CLUSTER main");
  Ask(a_.Uri("system"), "SET CLUSTER SETTING physical_replication.stream_bytes_per_second = 65536");
  CreateStandby(b_, a_);
  // At this pace it would take a minute.
  const auto step = [&] {
    return Ask(b_.Uri("system"), "SELECT progress FROM [SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS]");
  };
  std::string seen;
  EXPECT_TRUE(WaitUntil(kEventTimeoutMs, [&] { return (seen = step()).find(" s left)") != std::string::npos; })) << seen;
  EXPECT_NE(seen.find(" %, "), std::string::npos) << seen;
  Ask(a_.Uri("system"), "RESET CLUSTER SETTING physical_replication.stream_bytes_per_second");
  WaitReplicated(b_, a_);
  EXPECT_EQ(ReadStandby(b_)->initial_copies, "1");
}

TEST_F(Nonblocking, SlowInitialCopy) {
  WritePhase("before");
  Ask(b_.Uri("system"), "DROP VIRTUAL CLUSTER main");
  a_.Kill();
  ASSERT_TRUE(a_.Start("copy.chunk=delay:300").ok());
  CreateStandby(b_, a_);
  EXPECT_TRUE(WaitUntil(kEventTimeoutMs, [&] {
    return a_.WaitForLog("failpoint.hit name=copy.chunk", 0) || b_.WaitForLog("failpoint.hit name=copy.chunk", 0);
  })) << "the fault did not act";
  WritePhase("during the initial copy");
}

}  // namespace
}  // namespace anabranch
