#include "stream/source_drain.h"

#include <algorithm>
#include <chrono>

namespace anabranch {

SourceDrain::Attachment::Attachment(SourceDrain* drain, WakeEvent* wake) : drain_(drain) {
  if (drain_ == nullptr) return;
  std::lock_guard lock(drain_->mutex_);
  ingestion_ = drain_->ingestions_.insert(drain_->ingestions_.end(), Ingestion{.wake = wake});
}

SourceDrain::Attachment::~Attachment() {
  if (drain_ == nullptr) return;
  std::lock_guard lock(drain_->mutex_);
  drain_->ingestions_.erase(ingestion_);
  drain_->changed_.notify_all();
}

uint64_t SourceDrain::Attachment::Wanted() const {
  if (drain_ == nullptr) return 0;
  std::lock_guard lock(drain_->mutex_);
  return ingestion_->wanted;
}

void SourceDrain::Attachment::Done(uint64_t drain) {
  if (drain_ == nullptr) return;
  std::lock_guard lock(drain_->mutex_);
  ingestion_->done = std::max(ingestion_->done, drain);
  drain_->changed_.notify_all();
}

void SourceDrain::Wait(uint64_t budget_ms, std::stop_token stop) {
  std::unique_lock lock(mutex_);
  for (Ingestion& ingestion : ingestions_) {
    ++ingestion.wanted;
    ingestion.wake->Signal();
  }
  const auto drained = [this] {
    return std::all_of(ingestions_.begin(), ingestions_.end(),
                       [](const Ingestion& ingestion) { return ingestion.done >= ingestion.wanted; });
  };
  changed_.wait_for(lock, stop, std::chrono::milliseconds(budget_ms), drained);
}

}  // namespace anabranch
