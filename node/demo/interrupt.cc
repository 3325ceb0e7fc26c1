#include "node/demo/interrupt.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

namespace anabranch {

InterruptGuard::InterruptGuard(std::function<void()> clean_up) : clean_up_(std::move(clean_up)) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal_fd_ = signalfd(-1, &signals, SFD_CLOEXEC);
  thread_ = std::jthread([this](std::stop_token stop) { Run(stop); });
}

InterruptGuard::~InterruptGuard() {
  thread_.request_stop();
  stopped_.Signal();
  thread_.join();
  close(signal_fd_);
}

void InterruptGuard::Run(std::stop_token stop) {
  pollfd descriptors[] = {{signal_fd_, POLLIN, 0}, {stopped_.fd(), POLLIN, 0}};
  while (!stop.stop_requested()) {
    if (poll(descriptors, 2, -1) <= 0 || (descriptors[0].revents & POLLIN) == 0) continue;
    interrupted_ = true;
    clean_up_();
    std::fflush(nullptr);
    _exit(exit_status_);
  }
}

void InterruptGuard::WaitForEnd(int exit_status) {
  exit_status_ = exit_status;
  while (true) pause();
}

}  // namespace anabranch
