#include "storage/revert.h"

#include <algorithm>
#include <utility>

#include "base/failpoint.h"
#include "base/status.h"
#include "storage/mvcc/change_index.h"
#include "storage/mvcc/reader.h"

namespace anabranch {
namespace {

// One Store::Erase being filled. Data keys are sorted before they are deleted: three times faster than in time order.
class EraseBatch {
 public:
  EraseBatch(Store* store, KeyspaceRef keyspace, Epoch epoch)
      : store_(store), keyspace_(std::move(keyspace)), epoch_(epoch) {}

  bool empty() const { return change_keys_.empty(); }
  // Whether the entry would take the batch over its bound. An entry is never divided; one that is larger is a batch of its
  // own.
  bool Overflows(const ChangeEntry& entry, size_t versions_max) const {
    return !empty() && data_keys_.size() + entry.keys.size() > versions_max;
  }
  void Add(ChangeEntry entry) {
    for (const std::string& key : entry.keys) data_keys_.push_back(EncodeVersionKey(key, entry.timestamp));
    change_keys_.push_back(std::move(entry.encoded_key));
  }

  absl::Status Flush(EraseProgress* progress) {
    std::sort(data_keys_.begin(), data_keys_.end());
    // Parts of one commit may name a key twice.
    data_keys_.erase(std::unique(data_keys_.begin(), data_keys_.end()), data_keys_.end());
    const EraseProgress total{progress->versions + data_keys_.size(), progress->entries + change_keys_.size()};
    RETURN_IF_ERROR(store_->Erase({.keyspace = keyspace_,
                                   .epoch = epoch_,
                                   .data_keys = std::move(data_keys_),
                                   .change_keys = std::move(change_keys_),
                                   .collected_upto = {}}));
    data_keys_.clear();
    change_keys_.clear();
    *progress = total;
    Failpoint("erase.batch");
    return absl::OkStatus();
  }

 private:
  Store* const store_;
  const KeyspaceRef keyspace_;
  const Epoch epoch_;
  std::vector<std::string> data_keys_;
  std::vector<std::string> change_keys_;
};

}  // namespace

absl::StatusOr<EraseProgress> EraseRange(Store* store, const KeyspaceRef& keyspace, Epoch epoch, Timestamp after,
                                         Timestamp upto, std::stop_token stop,
                                         const std::function<void(const EraseProgress&)>& on_batch, Pacing pacing) {
  EraseProgress progress;
  // One cursor for the whole range: a new one for each batch would step over all that the earlier ones deleted. It sees
  // everything, because nobody who could add to the range still owns the keyspace.
  ASSIGN_OR_RETURN(auto cursor, ChangeCursor::Open(store, keyspace, after, upto, ChangeFilter::kAll));
  EraseBatch batch(store, keyspace, epoch);
  const size_t versions_max = pacing == Pacing::kPaced ? kPacedVersionsMax : kEraseVersionsMax;
  Pacer pacer(store->clock(), pacing, stop);
  const auto flush = [&]() -> absl::Status {
    if (stop.stop_requested()) return absl::CancelledError("undoing was interrupted");
    RETURN_IF_ERROR(batch.Flush(&progress));
    if (on_batch) on_batch(progress);
    pacer.Rest();
    return absl::OkStatus();
  };
  while (true) {
    ChangeEntry entry;
    ASSIGN_OR_RETURN(const bool found, cursor->Next(&entry));
    if (!found) break;
    if (batch.Overflows(entry, versions_max)) RETURN_IF_ERROR(flush());
    batch.Add(std::move(entry));
  }
  if (!batch.empty()) RETURN_IF_ERROR(flush());
  RETURN_IF_ERROR(store->Sync());
  return progress;
}

absl::StatusOr<EraseProgress> CountRange(Store* store, const KeyspaceRef& keyspace, Timestamp after, Timestamp upto,
                                         std::stop_token stop) {
  ASSIGN_OR_RETURN(auto cursor, ChangeCursor::Open(store, keyspace, after, upto, ChangeFilter::kAll));
  EraseProgress count;
  ChangeEntry entry;
  while (true) {
    if (stop.stop_requested()) return absl::CancelledError("stopped while counting what is to be undone");
    ASSIGN_OR_RETURN(const bool found, cursor->NextTimestamp(&entry));
    if (!found) return count;
    count.versions += entry.keys.size();
    ++count.entries;
  }
}

absl::StatusOr<EraseProgress> SweepHidden(Store* store, const KeyspaceRef& keyspace, Epoch epoch, std::stop_token stop,
                                          const std::function<void(const EraseProgress&)>& on_batch, Pacing pacing) {
  EraseProgress total;
  std::vector<HiddenInterval> hidden = keyspace->state()->hidden;
  std::sort(hidden.begin(), hidden.end(), [](const auto& a, const auto& b) { return a.after < b.after; });
  for (const HiddenInterval& interval : hidden) {
    const EraseProgress before = total;
    const auto report = [&](const EraseProgress& progress) {
      total = {before.versions + progress.versions, before.entries + progress.entries};
      if (on_batch) on_batch(total);
    };
    RETURN_IF_ERROR(EraseRange(store, keyspace, epoch, interval.after, interval.upto, stop, report, pacing).status());
    Failpoint("sweep.before_retire");
    RETURN_IF_ERROR(store->UpdateMeta([&](MetaUpdate& update) -> absl::Status {
      // Judged where no other owner can come between (R4).
      if (keyspace->state()->epoch != epoch) {
        return FencedError("the sweeper no longer owns the keyspace");
      }
      update.Stage(keyspace).RetireHidden(interval.after);
      return absl::OkStatus();
    }));
  }
  return total;
}

}  // namespace anabranch
