#include "base/clock.h"

#include <chrono>

namespace anabranch {
namespace {

template <typename StdClock>
uint64_t NowNs() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(StdClock::now().time_since_epoch()).count());
}

class MachineClock : public Clock {
 public:
  uint64_t WallNs() const override { return NowNs<std::chrono::system_clock>(); }
  uint64_t MonotonicNs() const override { return NowNs<std::chrono::steady_clock>(); }
};

}  // namespace

Clock* SystemClock() {
  static MachineClock clock;
  return &clock;
}

}  // namespace anabranch
