// How background work leaves room for the foreground: it does a small batch, then rests about as long as the batch took, so
// it never takes more than half of one thread, and of the writer thread whatever fits between two rests.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stop_token>

#include "base/clock.h"

namespace anabranch {

// kFull: as fast as it goes, when nobody is served from the keyspace meanwhile.
enum class Pacing { kFull, kPaced };

inline constexpr size_t kPacedVersionsMax = 4096;  // per batch: a few milliseconds of the writer thread
inline constexpr uint64_t kPacedRestNsMax = 200'000'000;

// Used by one thread.
class Pacer {
 public:
  Pacer(Clock* clock, Pacing pacing, std::stop_token stop);
  // Called after each batch. Returns early when the work is asked to stop.
  void Rest();

 private:
  Clock* const clock_;
  const Pacing pacing_;
  const std::stop_token stop_;
  uint64_t batch_began_ns_;
  std::mutex mutex_;  // guards nothing; a wait needs one
  std::condition_variable_any stopped_;
};

}  // namespace anabranch
