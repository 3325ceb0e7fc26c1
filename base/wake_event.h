// Flags that end another thread's waits for its peer.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <mutex>

namespace anabranch {

// A thread waiting in poll() can be woken by it: an eventfd. Thread-safe. Stays set until Clear().
class WakeEvent {
 public:
  WakeEvent();
  ~WakeEvent();
  WakeEvent(const WakeEvent&) = delete;
  WakeEvent& operator=(const WakeEvent&) = delete;

  void Signal();
  void Clear();
  int fd() const { return fd_; }  // readable while set

 private:
  int fd_;
};

// Set once and for all. It ends a blocking read, too, which costs less than poll() and a read: Signal shuts the socket for
// reading then, so no more than last words can be exchanged over it. Thread-safe.
//
// To put a thread to sleep and to wake it costs more than a near peer takes to answer. So a reader whose peer answered soon
// the last time first looks for bytes again and again for a short while, and then sleeps (spin, then block, as an adaptive
// mutex). At most one thread of the process does so at a time, and it gives way to every other that can run.
class EndEvent {
 public:
  void Signal();
  WakeEvent* wake() { return &wake_; }  // is set when this event is

  // recv() of a blocking socket; -1 and ECANCELED once this is set. One thread at a time.
  ssize_t Receive(int socket, char* bytes, size_t size);

 private:
  ssize_t ReceiveAsleep(int socket, char* bytes, size_t size);

  WakeEvent wake_;
  bool answers_soon_ = false;  // the peer does; used by the reading thread
  std::mutex mutex_;
  std::atomic<bool> set_{false};  // changed under mutex_
  int read_from_ = -1;            // the socket of a read that sleeps; guarded by mutex_
};

}  // namespace anabranch
