#include "tenant/sweeper.h"

#include "base/log.h"
#include "base/status.h"
#include "storage/revert.h"
#include "tenant/limits.h"

namespace anabranch {

void Sweeper::Start(KeyspaceRef keyspace) {
  std::lock_guard lifetime(lifetime_);
  {
    std::lock_guard lock(mutex_);
    // The thread looks for more under this mutex before it ends, so it will find what the caller published.
    if (running_) return;
    running_ = true;
  }
  if (thread_.joinable()) thread_.join();
  thread_ = std::jthread([this, keyspace = std::move(keyspace)](std::stop_token stop) { Run(keyspace, std::move(stop)); });
}

void Sweeper::Stop() {
  std::lock_guard lifetime(lifetime_);
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

absl::Status Sweeper::WaitIdle(std::stop_token stop, uint64_t timeout_ms) {
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, stop, std::chrono::milliseconds(timeout_ms), [this] { return !running_; }))
    return absl::OkStatus();
  if (stop.stop_requested()) return absl::CancelledError("stopped while waiting for a sweep");
  return SqlError(sqlstate::kObjectInUse,
                  fmt::format("tenant \"{}\" still holds undone writes that are being swept", name_),
                  "Try again when the sweep is done.");
}

EraseProgress Sweeper::progress() {
  std::lock_guard lock(mutex_);
  return progress_;
}

bool Sweeper::FinishIfClean(const KeyspaceRef& keyspace) {
  std::lock_guard lock(mutex_);
  const auto state = keyspace->state();
  if (!state->hidden.empty() && !state->dropping) return false;
  running_ = false;
  changed_.notify_all();
  return true;
}

void Sweeper::Run(const KeyspaceRef& keyspace, std::stop_token stop) {
  uint64_t retry_ms = kRetryMinMs;
  while (!stop.stop_requested()) {
    if (FinishIfClean(keyspace)) return;
    const EraseProgress before = progress();
    const auto add = [&](const EraseProgress& erased) {
      std::lock_guard lock(mutex_);
      progress_ = {before.versions + erased.versions, before.entries + erased.entries};
    };
    // Paced: the service may be open already, and nothing waits for a sweep but a failback.
    const auto swept = SweepHidden(store_, keyspace, keyspace->state()->epoch, stop, add, Pacing::kPaced);
    if (swept.ok()) {
      Log(LogLevel::kInfo, "sweep.finished", "vc={} versions={}", name_, swept->versions);
      continue;
    }
    if (IsFenced(swept.status()) || stop.stop_requested()) continue;  // a new owner: go on under its epoch
    Log(LogLevel::kWarning, "sweep.failed", "vc={} error=\"{}\" retry_ms={}", name_, MessageOf(swept.status()), retry_ms);
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, std::chrono::milliseconds(retry_ms), [] { return false; });
    retry_ms = std::min(2 * retry_ms, kRetryMaxMs);
  }
  std::lock_guard lock(mutex_);
  running_ = false;
  changed_.notify_all();
}

}  // namespace anabranch
