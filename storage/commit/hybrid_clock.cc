#include "storage/commit/hybrid_clock.h"

#include <algorithm>

#include "base/check.h"
#include "base/status.h"
#include "storage/api/store.h"

namespace anabranch {

// A wall clock that jumped ahead, or a writer that was held up, stops short of the ceiling: what is already being committed
// still finds timestamps.
Timestamp HybridClock::WallUnderCeiling(uint64_t wall_ns) const {
  const uint64_t limit_ns = ceiling_.ns - std::min(ceiling_.ns, kCeilingLogicalLeadNs);
  return {std::min(wall_ns, limit_ns)};
}

Timestamp HybridClock::Now() {
  const uint64_t wall_ns = wall_->WallNs();
  std::lock_guard lock(mutex_);
  last_ = std::max(last_, WallUnderCeiling(wall_ns));
  return last_;
}

std::optional<Timestamp> HybridClock::Next() {
  const uint64_t wall_ns = wall_->WallNs();
  std::lock_guard lock(mutex_);
  const Timestamp next = std::max(last_.Next(), WallUnderCeiling(wall_ns));
  if (next > ceiling_) return std::nullopt;
  last_ = next;
  return next;
}

void HybridClock::RaiseTo(Timestamp ts) {
  std::lock_guard lock(mutex_);
  CHECK(ts <= ceiling_, "R1: the clock passed its durable ceiling");
  last_ = std::max(last_, ts);
}

Timestamp HybridClock::last() const {
  std::lock_guard lock(mutex_);
  return last_;
}

Timestamp HybridClock::ceiling() const {
  std::lock_guard lock(mutex_);
  return ceiling_;
}

bool HybridClock::CeilingIsNear() const {
  const uint64_t wall_ns = wall_->WallNs();
  std::lock_guard lock(mutex_);
  return wall_ns + kCeilingRenewNs > ceiling_.ns || last_.ns + kCeilingLogicalLeadNs / 2 > ceiling_.ns;
}

Timestamp HybridClock::NextCeiling(Timestamp at_least) const {
  const uint64_t wall_ns = wall_->WallNs();
  std::lock_guard lock(mutex_);
  const uint64_t floor_ns = std::max(last_.ns, at_least.ns);
  return std::max(ceiling_, Timestamp{std::max(wall_ns + kCeilingLeadNs, floor_ns + kCeilingLogicalLeadNs)});
}

void HybridClock::SetCeiling(Timestamp ceiling) {
  std::lock_guard lock(mutex_);
  CHECK(ceiling >= last_, "R1: the ceiling fell below a timestamp already given");
  ceiling_ = ceiling;
}

bool HybridClock::IsAhead(Timestamp ts, uint64_t limit_ns) const {
  const uint64_t wall_ns = wall_->WallNs();
  std::lock_guard lock(mutex_);
  const uint64_t now_ns = std::max(wall_ns, last_.ns);
  return ts.ns > now_ns && ts.ns - now_ns > limit_ns;
}

absl::Status HybridClock::CheckVersion(Timestamp ts) const {
  if (!IsAhead(ts, kPeerClockAheadNsMax)) return absl::OkStatus();
  return SqlError(sqlstate::kInvalidParameterValue,
                  fmt::format("a version at {} is more than {} s ahead of this node's clock", FormatHlc(ts),
                              kPeerClockAheadNsMax / 1'000'000'000),
                  "Set both machines' clocks, for example with chrony.");
}

}  // namespace anabranch
