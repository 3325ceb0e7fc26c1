// Flags that end another thread's waits for its peer.
#pragma once

#include <sys/types.h>

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
class EndEvent {
 public:
  void Signal();
  WakeEvent* wake() { return &wake_; }  // set with it

  // recv() of a blocking socket; -1 and ECANCELED once this is set. One thread at a time.
  ssize_t Receive(int socket, char* bytes, size_t size);

 private:
  WakeEvent wake_;
  std::mutex mutex_;
  bool set_ = false;  // this and below: guarded by mutex_
  int read_from_ = -1;
};

}  // namespace anabranch
