// How soon a thread that serves a client runs once a request has woken it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

namespace anabranch {

// With all processors busy, a thread that takes the processor as soon as its request comes interrupts another request, or
// a client in the midst of sending the next ones. Requests of microseconds are better answered one after the other: a
// thread that waits for its turn (SCHED_BATCH of sched(7)) answered a seventh more of them, at the same latency, than one
// that does not. But a thread that also waits within its requests, for the disk and for locks, would wait for a turn each
// time, behind whatever else computes. So only one that has not done so for a while waits for its turns.
//
// Used by one thread, for itself.
class ServingThread {
 public:
  static constexpr uint32_t kRequests = 100;  // so many without a wait, and the thread waits for its turns

  // A request is done.
  void Served(bool waited) {
    const uint32_t before = std::exchange(requests_, waited ? 0 : std::min(requests_ + 1, kRequests));
    if (WaitsForTurns(requests_) != WaitsForTurns(before)) SetPolicy();
  }

 private:
  static bool WaitsForTurns(uint32_t requests) { return requests == kRequests; }
  void SetPolicy() const;

  uint32_t requests_ = 0;  // in a row without a wait, up to kRequests
};

}  // namespace anabranch
