// Waiting for what another process does: look again every few milliseconds until a deadline. The only place of the demo and
// of the end-to-end tests where time passes; everything else asks here.
#pragma once

#include <cstdint>
#include <functional>

namespace anabranch {

// Calls `done` until it is true or `timeout_ms` are over; the last answer of `done`.
bool WaitUntil(uint64_t timeout_ms, const std::function<bool()>& done);

// Paces a loop that samples.
void Pause(uint64_t ms);

class Stopwatch {
 public:
  Stopwatch();
  double Seconds() const { return static_cast<double>(Nanoseconds()) / 1e9; }
  double Milliseconds() const { return static_cast<double>(Nanoseconds()) / 1e6; }
  uint64_t Nanoseconds() const;

 private:
  uint64_t start_ns_;
};

}  // namespace anabranch
