// A flag that a thread waiting in poll() can be woken by: an eventfd.
#pragma once

#include <stop_token>

namespace anabranch {

// Thread-safe. Stays set until Clear().
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

}  // namespace anabranch
