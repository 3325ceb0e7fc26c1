// Stops statements that take longer than statement_timeout lets them: one thread for all sessions of a node. A statement
// costs it one insertion and one removal, and wakes the thread only if no earlier deadline, past statements' included,
// will.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>
#include <stop_token>
#include <thread>
#include <utility>

#include "base/clock.h"

namespace anabranch {

class SessionControl;

// Thread-safe.
class StatementTimer {
 public:
  explicit StatementTimer(Clock* clock);
  ~StatementTimer();  // REQUIRES: nothing is armed

  // Calls session->StatementTimedOut() in `timeout_ms` milliseconds, once. Returns the deadline, by which it is disarmed.
  uint64_t Arm(SessionControl* session, int timeout_ms);
  // After it the call was made or never will be.
  void Disarm(SessionControl* session, uint64_t deadline_ns);

 private:
  void Loop(std::stop_token stop);

  Clock* const clock_;
  std::mutex mutex_;
  std::condition_variable_any earlier_;
  std::set<std::pair<uint64_t, SessionControl*>> armed_;  // by deadline; this and below: guarded by mutex_
  uint64_t wakes_ns_ = 0;                                 // when the thread looks again by itself
  std::jthread thread_;
};

}  // namespace anabranch
