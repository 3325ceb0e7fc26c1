#include "sql/session/statement_timer.h"

#include <chrono>

#include "sql/session/registry.h"

namespace anabranch {
namespace {

constexpr uint64_t kNever = UINT64_MAX;

}  // namespace

StatementTimer::StatementTimer(Clock* clock)
    : clock_(clock), thread_([this](std::stop_token stop) { Loop(std::move(stop)); }) {}

StatementTimer::~StatementTimer() = default;

uint64_t StatementTimer::Arm(SessionControl* session, int timeout_ms) {
  const uint64_t deadline_ns = clock_->MonotonicNs() + static_cast<uint64_t>(timeout_ms) * 1'000'000;
  std::lock_guard lock(mutex_);
  armed_.emplace(deadline_ns, session);
  if (deadline_ns < wakes_ns_) earlier_.notify_one();
  return deadline_ns;
}

void StatementTimer::Disarm(SessionControl* session, uint64_t deadline_ns) {
  std::lock_guard lock(mutex_);
  armed_.erase({deadline_ns, session});
}

void StatementTimer::Loop(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    const uint64_t now_ns = clock_->MonotonicNs();
    while (!armed_.empty() && armed_.begin()->first <= now_ns) {
      SessionControl* const session = armed_.begin()->second;
      armed_.erase(armed_.begin());
      session->StatementTimedOut();  // under the lock: once disarmed, a session is left alone
    }
    wakes_ns_ = armed_.empty() ? kNever : armed_.begin()->first;
    const auto earlier = [this] { return !armed_.empty() && armed_.begin()->first < wakes_ns_; };
    if (wakes_ns_ == kNever) {
      earlier_.wait(lock, stop, earlier);
    } else {
      earlier_.wait_for(lock, stop, std::chrono::nanoseconds(wakes_ns_ - now_ns), earlier);
    }
  }
}

}  // namespace anabranch
