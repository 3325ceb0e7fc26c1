#include "base/wake_event.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <system_error>
#include <thread>

namespace anabranch {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto kAwake = std::chrono::microseconds(50);
// An answer that a sleeper got in this time would have come in the other to one who is awake: to fall asleep and to be
// woken takes tens of microseconds.
constexpr auto kSoon = 2 * kAwake;

std::atomic<bool> one_is_awake = false;  // a thread of this process looks for bytes again and again

// recv(), for bytes that come before `deadline`; else -1 and EAGAIN.
ssize_t ReceiveAwake(int socket, char* bytes, size_t size, SteadyClock::time_point deadline) {
  ssize_t taken = 0;
  while ((taken = recv(socket, bytes, size, MSG_DONTWAIT)) < 0 && errno == EAGAIN && SteadyClock::now() < deadline) {
    std::this_thread::yield();
  }
  return taken;
}

}  // namespace

// An event that cannot be set would be waited for in vain: std::system_error, for those who can do without.
WakeEvent::WakeEvent() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "a wake event");
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
  const SteadyClock::time_point begin = SteadyClock::now();
  const bool looks = answers_soon_ && !set_ && !one_is_awake.exchange(true, std::memory_order_relaxed);
  if (looks) {
    const ssize_t taken = ReceiveAwake(socket, bytes, size, begin + kAwake);
    one_is_awake.store(false, std::memory_order_relaxed);
    if (taken >= 0 || errno != EAGAIN) return taken;
  }
  const ssize_t taken = ReceiveAsleep(socket, bytes, size);
  // After a look in vain one answer is awaited asleep: a peer that always takes a little longer wastes every other look.
  answers_soon_ = !looks && SteadyClock::now() - begin < kSoon;
  return taken;
}

ssize_t EndEvent::ReceiveAsleep(int socket, char* bytes, size_t size) {
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
