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
    again_ = true;
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

// False: what was published since it looked last is still to be looked at.
bool Sweeper::End() {
  std::lock_guard lock(mutex_);
  if (again_) return false;
  running_ = false;
  changed_.notify_all();
  return true;
}

// What is hidden and may go, with the epoch under which it may; null: nothing may.
absl::StatusOr<std::shared_ptr<const KeyspaceState>> Sweeper::Judge(const KeyspaceRef& keyspace) {
  std::shared_ptr<const KeyspaceState> state;
  RETURN_IF_ERROR(store_->UpdateMeta([&](MetaUpdate& update) -> absl::Status {
    bool kept = false;
    if (hooks_.kept) {
      ASSIGN_OR_RETURN(kept, hooks_.kept(update));
    }
    if (!kept) state = update.Before(keyspace);
    return absl::OkStatus();
  }));
  return state;
}

// False: there was nothing to sweep.
absl::StatusOr<bool> Sweeper::SweepOnce(const KeyspaceRef& keyspace, std::stop_token stop) {
  if (keyspace->state()->dropping) return false;
  ASSIGN_OR_RETURN(const std::shared_ptr<const KeyspaceState> state, Judge(keyspace));
  if (state == nullptr) return false;
  if (state->hidden.empty()) {
    if (hooks_.done) hooks_.done();
    return false;
  }
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
  return true;
}

void Sweeper::Run(const KeyspaceRef& keyspace, std::stop_token stop) {
  uint64_t retry_ms = kRetryMinMs;
  while (!stop.stop_requested()) {
    {
      std::lock_guard lock(mutex_);
      again_ = false;
    }
    const absl::StatusOr<bool> swept = SweepOnce(keyspace, stop);
    if (swept.ok() && !*swept && End()) return;
    // Fenced: go on under the new owner's epoch.
    if (swept.ok() || IsFenced(swept.status()) || stop.stop_requested()) continue;
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
