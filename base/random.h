// Where randomness comes from: identities and retry jitter. Injected like the clock, so a seed reproduces a run.
#pragma once

#include <cstdint>
#include <mutex>
#include <random>
#include <string>

namespace anabranch {

// Thread-safe.
class Random {
 public:
  Random();                        // seeded by the machine
  explicit Random(uint64_t seed);  // reproducible

  uint64_t Next();
  uint64_t NextNonZero();
  std::string NextHex(int digits);  // REQUIRES: digits is a multiple of 16

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;  // guarded by mutex_
};

}  // namespace anabranch
