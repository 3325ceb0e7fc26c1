// Internal to storage/: a RocksDB iterator over one family of a keyspace, bundled with everything it must not outlive and
// with the keyspace state it has to be read with.
//
// The state and the iterator belong together: Open takes the two of one moment, and the floor after them, as the order of
// publication wants it (storage/rocks/published_state.h).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "base/status.h"
#include "rocksdb/iterator.h"
#include "rocksdb/options.h"
#include "rocksdb/slice.h"
#include "storage/rocks/keyspace.h"

namespace anabranch {

inline rocksdb::Slice ToSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
inline std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// 22023 if history at or just above `at` is no longer complete (R8).
inline absl::Status CheckFloor(const RocksKeyspace& keyspace, Timestamp at) {
  const Timestamp floor = keyspace.published().floor();
  if (at >= floor) return absl::OkStatus();
  return SqlError(sqlstate::kInvalidParameterValue,
                  fmt::format("history at {} was garbage collected: the oldest readable timestamp is {}", FormatHlc(at),
                              FormatHlc(floor)));
}

class KeyspaceIterator {
 public:
  enum class Family { kData, kChanges };
  // kPoint: each Seek stays within the key it names and may be answered by a bloom filter. kRange: total order.
  enum class Access { kPoint, kRange };

  // Reads nothing at or beyond `upper_bound` (encoded; empty: no bound). 22023 if `oldest` is below the floor. One of the
  // readers that storage/rocks/published_state.h lists.
  static absl::StatusOr<std::unique_ptr<KeyspaceIterator>> Open(KeyspaceRef keyspace, Family family, Access access,
                                                                std::string upper_bound, Timestamp oldest) {
    auto result = std::unique_ptr<KeyspaceIterator>(new KeyspaceIterator(std::move(keyspace), std::move(upper_bound)));
    RocksKeyspace& rocks = AsRocks(*result->keyspace_);
    rocksdb::ReadOptions options;
    options.prefix_same_as_start = access == Access::kPoint;
    options.total_order_seek = access == Access::kRange;
    options.ignore_range_deletions = true;  // range deletions do not occur: nothing is ever deleted by range
    result->pooled_ = family == Family::kData && access == Access::kPoint && result->upper_bound_.empty();
    if (!result->upper_bound_.empty()) options.iterate_upper_bound = &result->upper_slice_;
    rocksdb::ColumnFamilyHandle* handle = family == Family::kData ? rocks.data() : rocks.changes();
    std::shared_ptr<const KeyspaceState> before;
    result->hiding_ = rocks.published().hiding();
    do {
      before = std::move(result->hiding_);
      result->iterator_ = result->pooled_ ? rocks.TakePointIterator(&result->generation_) : nullptr;
      if (!result->iterator_) result->iterator_.reset(rocks.db()->NewIterator(options, handle));
      result->hiding_ = rocks.published().hiding();
    } while (!SameHidden(before.get(), result->hiding_.get()));
    RETURN_IF_ERROR(CheckFloor(rocks, oldest));
    return result;
  }

  ~KeyspaceIterator() {
    CountSteps();
    if (pooled_) AsRocks(*keyspace_).GivePointIterator(std::move(iterator_), generation_);
  }

  void Seek(std::string_view target) {
    ++steps_;
    iterator_->Seek(ToSlice(target));
    Settle();
  }
  void Next() {
    ++steps_;
    iterator_->Next();
    Settle();
  }
  bool Valid() const { return valid_; }
  std::string_view key() const { return key_; }  // REQUIRES: Valid()
  std::string_view value() const { return ToView(iterator_->value()); }
  // What ended the iteration. REQUIRES: !Valid()
  absl::Status status() const {
    if (const rocksdb::Status status = iterator_->status(); !status.ok()) return FromRocks(status, "reading a keyspace");
    return absl::OkStatus();
  }
  // As KeyspaceState's.
  const HiddenInterval* HiddenAround(Timestamp ts) const { return hiding_ ? hiding_->HiddenAround(ts) : nullptr; }

  // Adds the steps so far to the store's counter. Not done at each step: the counter is shared by all threads.
  void CountSteps() {
    AsRocks(*keyspace_).counter().iterator_steps.fetch_add(steps_, std::memory_order_relaxed);
    steps_ = 0;
  }

 private:
  KeyspaceIterator(KeyspaceRef keyspace, std::string upper_bound)
      : keyspace_(std::move(keyspace)), upper_bound_(std::move(upper_bound)), upper_slice_(upper_bound_) {}

  // Asks once per step: each question is two virtual calls.
  void Settle() {
    valid_ = iterator_->Valid();
    if (valid_) key_ = ToView(iterator_->key());
  }

  // Null: nothing is hidden.
  static bool SameHidden(const KeyspaceState* a, const KeyspaceState* b) {
    return a == nullptr || b == nullptr ? a == b : a->hidden == b->hidden;
  }

  const KeyspaceRef keyspace_;
  const std::string upper_bound_;
  const rocksdb::Slice upper_slice_;             // of upper_bound_; the iterator keeps its address
  std::shared_ptr<const KeyspaceState> hiding_;  // null: nothing was hidden
  std::unique_ptr<rocksdb::Iterator> iterator_;
  bool pooled_ = false;      // iterator_ is one of the keyspace's point iterators, and goes back to them
  uint64_t generation_ = 0;  // of the pool, when iterator_ was taken
  bool valid_ = false;
  std::string_view key_;
  uint64_t steps_ = 0;
};

}  // namespace anabranch
