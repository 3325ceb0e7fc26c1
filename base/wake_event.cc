#include "base/wake_event.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "base/check.h"

namespace anabranch {

WakeEvent::WakeEvent() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CHECK(fd_ >= 0, "out of file descriptors for a wake event");
}

WakeEvent::~WakeEvent() { close(fd_); }

void WakeEvent::Signal() {
  const uint64_t one = 1;
  // Fails only when the counter is full, and then the event is set anyway.
  [[maybe_unused]] const ssize_t written = write(fd_, &one, sizeof(one));
}

void WakeEvent::Clear() {
  uint64_t count = 0;
  // Fails only when the event is not set.
  [[maybe_unused]] const ssize_t taken = read(fd_, &count, sizeof(count));
}

}  // namespace anabranch
