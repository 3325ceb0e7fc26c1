// Measures lag from outside, by the same rule for every pair: a connection commits a marker every few milliseconds, another looks at
// the standby every millisecond. The lag of a marker is the time from the acknowledgement of its commit until the standby was seen to
// have it.
#pragma once

#include <mutex>
#include <thread>
#include <vector>

#include "bench/replicated_pair.h"
#include "node/demo/wait.h"

namespace anabranch {

struct LagSample {
  double at_s = 0;  // since the probe started
  double durable_ms = 0;
  double applied_ms = 0;
};

class LagProbe {
 public:
  static constexpr uint64_t kMarkEveryMs = 5;
  static constexpr uint64_t kLookEveryMs = 1;

  // Begins. `pair` is not owned, outlives the probe and does not change roles meanwhile.
  static absl::StatusOr<std::unique_ptr<LagProbe>> Start(const ReplicatedPair& pair);
  LagProbe(const LagProbe&) = delete;
  LagProbe& operator=(const LagProbe&) = delete;

  // Ends once the standby has the last marker; one sample per marker. Called once.
  absl::StatusOr<std::vector<LagSample>> Finish();

 private:
  static constexpr uint64_t kLastMarkerTimeoutMs = 60'000;

  LagProbe(const ReplicatedPair& pair, std::unique_ptr<SqlClient> primary, std::unique_ptr<SqlClient> standby);
  void Mark(std::stop_token stop);
  void Look(std::stop_token stop);
  absl::Status LookOnce();
  bool AllSeen();
  void Fail(const absl::Status& status);

  struct Marker {
    Position position = 0;
    LagSample sample;
  };

  const ReplicatedPair& pair_;
  const std::unique_ptr<SqlClient> primary_;  // of the marking thread
  const std::unique_ptr<SqlClient> standby_;  // of the looking thread
  const Stopwatch since_start_;
  std::mutex mutex_;
  std::vector<Marker> markers_;  // guarded by mutex_, like all below; positions ascend
  size_t durable_ = 0;           // so many of them were seen
  size_t applied_ = 0;
  absl::Status failed_;
  std::jthread marking_;  // last: they use everything above
  std::jthread looking_;
};

}  // namespace anabranch
