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

  // Waits for the signal that ends the process with status 0.
  [[noreturn]] void WaitForEnd();

 private:
  void Run(std::stop_token stop);

  const std::function<void()> clean_up_;
  std::atomic<int> exit_status_{130};  // as shells report Ctrl-C
  WakeEvent stopped_;
  int signal_fd_;
  std::jthread thread_;
};

}  // namespace anabranch
