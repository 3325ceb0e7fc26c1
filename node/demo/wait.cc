#include "node/demo/wait.h"

#include <poll.h>

#include "base/clock.h"

namespace anabranch {
namespace {
constexpr uint64_t kLookEveryMs = 10;
}

void Pause(uint64_t ms) { poll(nullptr, 0, static_cast<int>(ms)); }

bool WaitUntil(uint64_t timeout_ms, const std::function<bool()>& done) {
  const Stopwatch watch;
  while (!done()) {
    if (watch.Milliseconds() > static_cast<double>(timeout_ms)) return done();
    Pause(kLookEveryMs);
  }
  return true;
}

Stopwatch::Stopwatch() : start_ns_(SystemClock()->MonotonicNs()) {}

uint64_t Stopwatch::Nanoseconds() const { return SystemClock()->MonotonicNs() - start_ns_; }

}  // namespace anabranch
