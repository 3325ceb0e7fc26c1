// Ctrl-C and SIGTERM: everything that was started is killed and the folder removed before the process ends.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "base/wake_event.h"

namespace anabranch {

// Blocks SIGINT and SIGTERM in this thread and the ones it starts from now on; a thread of its own waits for them, calls
// `clean_up` and ends the process. Create it before any other thread.
class InterruptGuard {
 public:
  explicit InterruptGuard(std::function<void()> clean_up);
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  // Set before clean_up is called: from then on whatever fails does so because of it.
  bool interrupted() const { return interrupted_; }
  // Waits for the signal, if it has not come yet, and the end of the process with `exit_status`.
  [[noreturn]] void WaitForEnd(int exit_status);

  static constexpr int kInterruptedStatus = 130;  // as shells report Ctrl-C

 private:
  void Run(std::stop_token stop);

  const std::function<void()> clean_up_;
  std::atomic<bool> interrupted_{false};
  std::atomic<int> exit_status_{kInterruptedStatus};
  WakeEvent stopped_;
  int signal_fd_;
  std::jthread thread_;
};

}  // namespace anabranch
