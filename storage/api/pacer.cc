#include "storage/api/pacer.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace anabranch {

Pacer::Pacer(Clock* clock, Pacing pacing, std::stop_token stop)
    : clock_(clock), pacing_(pacing), stop_(std::move(stop)), batch_began_ns_(clock->MonotonicNs()) {}

void Pacer::Rest() {
  if (pacing_ == Pacing::kFull) return;
  const uint64_t rest_ns = std::min(clock_->MonotonicNs() - batch_began_ns_, kPacedRestNsMax);
  std::unique_lock lock(mutex_);
  stopped_.wait_for(lock, stop_, std::chrono::nanoseconds(rest_ns), [] { return false; });
  batch_began_ns_ = clock_->MonotonicNs();
}

}  // namespace anabranch
