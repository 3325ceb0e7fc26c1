// Where time comes from. Everything that needs time takes a Clock, so a simulation can drive it; the lint forbids
// system_clock and steady_clock outside base/.
#pragma once

#include <cstdint>

#include "base/timestamp.h"

namespace anabranch {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual uint64_t WallNs() const = 0;       // nanoseconds since 1970; may step either way
  virtual uint64_t MonotonicNs() const = 0;  // nanoseconds since some start; never steps back
};

// The machine's clocks. Thread-safe, lives for ever.
Clock* SystemClock();

// A clock that moves when told to. Not thread-safe.
class ManualClock : public Clock {
 public:
  explicit ManualClock(uint64_t wall_ns) : wall_ns_(wall_ns) {}
  uint64_t WallNs() const override { return wall_ns_; }
  uint64_t MonotonicNs() const override { return monotonic_ns_; }
  void Advance(uint64_t ns) {
    wall_ns_ += ns;
    monotonic_ns_ += ns;
  }
  void SetWall(uint64_t wall_ns) { wall_ns_ = wall_ns; }  // as a step of the wall clock does

 private:
  uint64_t wall_ns_;
  uint64_t monotonic_ns_ = 1;
};

}  // namespace anabranch
