// The moment of an input to one of the stream's state machines. They have no clock of their own, so a simulation can drive
// them.
#pragma once

#include <cstdint>

namespace anabranch {

struct SessionTime {
  uint64_t monotonic_ns = 0;  // for intervals and deadlines
  uint64_t clock_ns = 0;      // this cluster's clock, as it goes into frames
};

}  // namespace anabranch
