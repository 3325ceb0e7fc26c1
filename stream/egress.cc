#include "stream/egress.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace anabranch {
namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;

}  // namespace

// What was not asked for in time is not saved up.
void TokenBucket::LetPass(uint64_t rate, uint64_t now_ns) {
  const double seconds = static_cast<double>(now_ns - std::exchange(at_ns_, now_ns)) / kNsPerSecond;
  const auto announced = static_cast<double>(announced_);
  passed_ = rate == 0 ? announced : std::min(announced, passed_ + seconds * static_cast<double>(rate));
}

uint64_t TokenBucket::Announce(uint64_t bytes, uint64_t rate, uint64_t now_ns) {
  LetPass(rate, now_ns);
  const uint64_t place = announced_;
  announced_ += bytes;
  return place;
}

uint64_t TokenBucket::WaitNs(uint64_t place, uint64_t rate, uint64_t now_ns) {
  LetPass(rate, now_ns);
  const double before = static_cast<double>(place) - passed_;
  return before <= 0 ? 0 : static_cast<uint64_t>(before / static_cast<double>(rate) * kNsPerSecond) + 1;
}

FrameTransport::Pace Egress::PaceOf(StreamId stream) {
  std::lock_guard lock(mutex_);
  std::erase_if(streams_, [](const auto& entry) { return entry.second.expired(); });
  std::shared_ptr<TokenBucket> own = streams_[stream].lock();
  if (own == nullptr) streams_[stream] = own = std::make_shared<TokenBucket>();
  return [this, own](size_t bytes, WakeEvent* wake) { return Pass(*own, bytes, wake); };
}

absl::StatusOr<Egress::Limits> Egress::LimitsAt(uint64_t now_ns) {
  if (read_at_ns_ == 0 || now_ns - read_at_ns_ >= kLimitsReadNs) {
    ASSIGN_OR_RETURN(current_, limits_());
    read_at_ns_ = now_ns;
  }
  return current_;
}

absl::StatusOr<bool> Egress::Pass(TokenBucket& own, uint64_t bytes, WakeEvent* wake) {
  uint64_t own_place = 0;
  uint64_t node_place = 0;
  for (bool announced = false;; announced = true) {
    uint64_t wait_ns = 0;
    {
      std::lock_guard lock(mutex_);
      const uint64_t now_ns = clock_->MonotonicNs();
      ASSIGN_OR_RETURN(const Limits limits, LimitsAt(now_ns));
      if (!announced) {
        own_place = own.Announce(bytes, limits.stream, now_ns);
        node_place = node_.Announce(bytes, limits.node, now_ns);
      }
      wait_ns = std::max(own.WaitNs(own_place, limits.stream, now_ns), node_.WaitNs(node_place, limits.node, now_ns));
    }
    if (wait_ns == 0) return announced;
    pollfd woken = {wake == nullptr ? -1 : wake->fd(), POLLIN, 0};
    poll(&woken, 1, static_cast<int>(std::min(wait_ns, kLimitsReadNs) / 1'000'000 + 1));
    if (woken.revents != 0) return absl::CancelledError("woken while the limit of bytes a second was waited for");
  }
}

}  // namespace anabranch
