// How fast a node's streams may send: so many bytes a second each, and all together. Who shares a limit takes turns piece by
// piece, so each gets the same part of it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/ids.h"
#include "stream/transport.h"

namespace anabranch {

// Bytes pass in the order in which they were announced, at a rate that may change at any time. No clock, no threads.
class TokenBucket {
 public:
  // The place of `bytes` in the order. rate: bytes a second, zero: no limit.
  uint64_t Announce(uint64_t bytes, uint64_t rate, uint64_t now_ns);
  // How long the bytes announced at `place` have to wait; zero: not any more.
  uint64_t WaitNs(uint64_t place, uint64_t rate, uint64_t now_ns);

 private:
  void LetPass(uint64_t rate, uint64_t now_ns);

  uint64_t announced_ = 0;
  double passed_ = 0;  // of these
  uint64_t at_ns_ = 0;
};

inline constexpr uint64_t kLimitsReadNs = 100'000'000;

// Thread-safe.
class Egress {
 public:
  struct Limits {
    uint64_t stream = 0;  // bytes a second; zero: none
    uint64_t node = 0;
  };
  // `limits` is asked every kLimitsReadNs while something is sent.
  Egress(Clock* clock, std::function<absl::StatusOr<Limits>()> limits) : clock_(clock), limits_(std::move(limits)) {}

  // For a connection of the stream; all of them share its limit. It lives as long as this does. Cancelled once `wake` is set.
  FrameTransport::Pace PaceOf(StreamId stream);

 private:
  absl::StatusOr<bool> Pass(TokenBucket& own, uint64_t bytes, WakeEvent* wake);
  absl::StatusOr<Limits> LimitsAt(uint64_t now_ns);  // REQUIRES: mutex_ held

  Clock* const clock_;
  const std::function<absl::StatusOr<Limits>()> limits_;
  std::mutex mutex_;
  Limits current_;                                          // guarded by mutex_; as read at read_at_ns_
  uint64_t read_at_ns_ = 0;                                 // guarded by mutex_; zero: never
  TokenBucket node_;                                        // guarded by mutex_, as each stream's
  std::map<StreamId, std::weak_ptr<TokenBucket>> streams_;  // guarded by mutex_; those that have connections
};

}  // namespace anabranch
