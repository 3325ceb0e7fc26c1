#include "tenant/replication/sweeper.h"

#include "base/log.h"
#include "base/status.h"
#include "storage/revert.h"
#include "tenant/catalog/limits.h"

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
                  fmt::format("virtual cluster \"{}\" still holds undone writes that are being swept", name_),
                  "Try again when the sweep is done.");
}

EraseProgress Sweeper::progress() {
  std::lock_guard lock(mutex_);
  return progress_;
}

std::string Sweeper::Step() {
  std::lock_guard lock(mutex_);
  if (!running_) return "";
  return to_sweep_ == 0 ? "sweeping" : fmt::format("sweeping: {} of {} versions", swept_, to_sweep_);
}

std::optional<double> Sweeper::Fraction() {
  std::lock_guard lock(mutex_);
  if (!running_ || to_sweep_ == 0) return std::nullopt;
  return std::min(1.0, static_cast<double>(swept_) / static_cast<double>(to_sweep_));
}

bool Sweeper::FinishIfClean(const KeyspaceRef& keyspace) {
  if (keyspace->state()->hidden.empty() && hooks_.done) hooks_.done();
  std::lock_guard lock(mutex_);
  const auto state = keyspace->state();
  if (!state->hidden.empty() && !state->dropping) return false;
  running_ = false;
  changed_.notify_all();
  return true;
}

absl::Status Sweeper::SweepOnce(const KeyspaceRef& keyspace, std::stop_token stop) {
  const std::shared_ptr<const KeyspaceState> state = keyspace->state();
  uint64_t to_sweep = 0;
  for (const HiddenInterval& hidden : state->hidden) {
    ASSIGN_OR_RETURN(const EraseProgress count, CountRange(store_, keyspace, hidden.after, hidden.upto, stop));
    to_sweep += count.versions;
  }
  if (hooks_.begun) hooks_.begun(to_sweep);
  const EraseProgress before = progress();
  const auto add = [&](const EraseProgress& erased) {
    std::lock_guard lock(mutex_);
    progress_ = {before.versions + erased.versions, before.entries + erased.entries};
    swept_ = erased.versions;
  };
  {
    std::lock_guard lock(mutex_);
    swept_ = 0;
    to_sweep_ = to_sweep;
  }
  // Paced: the service may be open already, and nothing waits for a sweep but a failback.
  ASSIGN_OR_RETURN(const EraseProgress swept, SweepHidden(store_, keyspace, state->epoch, stop, add, Pacing::kPaced));
  Log(LogLevel::kInfo, "sweep.finished", "vc={} versions={}", name_, swept.versions);
  return absl::OkStatus();
}

void Sweeper::Run(const KeyspaceRef& keyspace, std::stop_token stop) {
  uint64_t retry_ms = kRetryMinMs;
  while (!stop.stop_requested()) {
    if (FinishIfClean(keyspace)) return;
    const absl::Status status = SweepOnce(keyspace, stop);
    if (status.ok() || IsFenced(status) || stop.stop_requested()) continue;  // fenced: go on under the new owner's epoch
    Log(LogLevel::kWarning, "sweep.failed", "vc={} error=\"{}\" retry_ms={}", name_, MessageOf(status), retry_ms);
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, std::chrono::milliseconds(retry_ms), [] { return false; });
    retry_ms = std::min(2 * retry_ms, kRetryMaxMs);
  }
  std::lock_guard lock(mutex_);
  running_ = false;
  changed_.notify_all();
}

}  // namespace anabranch
