// Where randomness comes from: identities and retry jitter. Injected like the clock, so a seed reproduces a run.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <random>
#include <string>

namespace anabranch {

// Thread-safe.
class Random {
 public:
  Random();                        // the system's, which nobody can tell from what it gave to others
  explicit Random(uint64_t seed);  // reproducible

  uint64_t Next();
  uint64_t NextNonZero();
  std::string NextHex(int digits);  // REQUIRES: digits is a multiple of 16

 private:
  std::mutex mutex_;
  std::optional<std::mt19937_64> engine_;  // guarded by mutex_; nullopt: the system's
  std::array<uint64_t, 32> drawn_ = {};    // guarded by mutex_; from the system, ahead of need
  size_t drawn_left_ = 0;                  // guarded by mutex_
};

}  // namespace anabranch
