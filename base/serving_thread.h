// How soon a thread that serves a client runs once a request has woken it.
#pragma once

#include <cstdint>

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
  static constexpr uint32_t kRequests = 100;  // without a wait, before it waits for its turns

  // A request is done.
  void Served(bool waited) {
    requests_ = waited ? 0 : requests_ + 1;
    if (waits_for_turns_ != (requests_ >= kRequests)) SetWaitsForTurns(!waits_for_turns_);
  }

 private:
  void SetWaitsForTurns(bool waits);

  uint32_t requests_ = 0;  // in a row without a wait
  bool waits_for_turns_ = false;
};

}  // namespace anabranch
