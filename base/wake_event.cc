#include "base/wake_event.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
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

void EndEvent::Signal() {
  wake_.Signal();
  std::lock_guard lock(mutex_);
  set_ = true;
  if (read_from_ >= 0) shutdown(read_from_, SHUT_RD);
}

ssize_t EndEvent::Receive(int socket, char* bytes, size_t size) {
  {
    std::lock_guard lock(mutex_);
    read_from_ = set_ ? -1 : socket;
  }
  const ssize_t taken = read_from_ < 0 ? -1 : recv(socket, bytes, size, 0);
  const int error = errno;
  std::lock_guard lock(mutex_);
  read_from_ = -1;
  errno = set_ ? ECANCELED : error;
  return set_ ? -1 : taken;
}

}  // namespace anabranch
