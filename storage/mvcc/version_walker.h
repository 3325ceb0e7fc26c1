// Internal to storage/: from one visible version to the next over a KeyspaceIterator, on encoded keys. Every read at a
// timestamp, by key, by span or for a fingerprint, applies the hidden intervals here (R7).
#pragma once

#include <bit>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/coding.h"
#include "base/status.h"
#include "storage/api/types.h"
#include "storage/mvcc/keyspace_iterator.h"

namespace anabranch {

// A version key ends with the terminator of the user key and the inverted timestamp.
inline constexpr size_t kTimestampBytes = 8;
inline constexpr size_t kTerminatorBytes = 2;

// REQUIRES: encoded.size() >= kTimestampBytes
inline Timestamp VersionTimestamp(std::string_view encoded) {
  uint64_t inverted = 0;  // the timestamp as stored; loaded whole, as every version that a scan passes comes here
  std::memcpy(&inverted, encoded.data() + encoded.size() - kTimestampBytes, kTimestampBytes);
  static_assert(std::endian::native == std::endian::little);
  return {~__builtin_bswap64(inverted)};
}

// A stored value: the kind byte and what follows it. Unknown kinds are never guessed: the caller checks KnownKind first.
inline bool KnownKind(std::string_view stored) {
  return !stored.empty() && (stored.front() == static_cast<char>(WriteKind::kPut) ||
                             stored.front() == static_cast<char>(WriteKind::kTombstone));
}

absl::Status MalformedVersion(std::string_view encoded, std::string_view what);

// The versions of one key after the other as of one timestamp. Used by one thread.
class VersionWalker {
 public:
  VersionWalker(std::unique_ptr<KeyspaceIterator> iterator, Timestamp at) : iterator_(std::move(iterator)), at_(at) {}

  KeyspaceIterator& iterator() { return *iterator_; }
  const KeyspaceIterator& iterator() const { return *iterator_; }

  // Positions on the newest visible version of the key, wherever in the keyspace it stood before.
  bool SeekVisible(std::string_view prefix) {
    SeekVersion(prefix, at_);
    return InKey(prefix) && FindVisible(prefix);
  }

  // The same. REQUIRES: it stands on a version of that key. False: there is none, and it stands past the key (or at the
  // end).
  bool FindVisible(std::string_view prefix) {
    if (Visible(VersionTimestamp(iterator_->key()))) [[likely]]
      return true;
    return SkipInvisible(prefix);
  }

  // To the first version of the next key. REQUIRES: it stands on a version of this one.
  void SkipKey(std::string_view prefix) {
    iterator_->Next();
    if (InKey(prefix)) SkipOlder(prefix);
  }

  Timestamp timestamp() const { return VersionTimestamp(iterator_->key()); }

  // Splits the value. DataLoss for an unknown kind.
  absl::Status Read(WriteKind* kind, std::string_view* value) const {
    *value = iterator_->value();
    if (!KnownKind(*value)) return MalformedVersion(iterator_->key(), "value of unknown kind");
    *kind = static_cast<WriteKind>(value->front());
    value->remove_prefix(1);
    return absl::OkStatus();
  }

 private:
  bool InKey(std::string_view prefix) const {
    if (!iterator_->Valid()) return false;
    const std::string_view encoded = iterator_->key();
    return encoded.size() == prefix.size() + kTimestampBytes &&
           std::memcmp(encoded.data(), prefix.data(), prefix.size()) == 0;
  }

  bool Visible(Timestamp ts) const { return ts <= at_ && iterator_->HiddenAround(ts) == nullptr; }
  bool SkipInvisible(std::string_view prefix);
  void SkipOlder(std::string_view prefix);
  void SeekVersion(std::string_view prefix, Timestamp newest);

  const std::unique_ptr<KeyspaceIterator> iterator_;
  const Timestamp at_;
  std::string seek_key_;  // the target of the last seek; kept for its memory
};

// The live versions of a range, one per key, in key order.
class SpanWalker {
 public:
  // Begins at `start` (encoded); the iterator's bound ends it.
  SpanWalker(std::unique_ptr<KeyspaceIterator> iterator, Timestamp at, std::string start)
      : walker_(std::move(iterator), at), start_(std::move(start)) {}

  // False at the end, and for an error: see status().
  bool Next() {
    KeyspaceIterator& iterator = walker_.iterator();
    if (prefix_.empty()) {
      iterator.Seek(start_);
    } else if (iterator.Valid()) {
      walker_.SkipKey(prefix_);
    }
    while (iterator.Valid()) {
      const std::string_view encoded = iterator.key();
      if (encoded.size() < kTerminatorBytes + kTimestampBytes) return Fail("short key");
      prefix_.assign(encoded.data(), encoded.size() - kTimestampBytes);
      if (!walker_.FindVisible(prefix_)) continue;
      stored_ = iterator.value();
      if (!KnownKind(stored_)) return Fail("value of unknown kind");
      if (stored_.front() == static_cast<char>(WriteKind::kPut)) return true;
      walker_.SkipKey(prefix_);
    }
    return Finish();
  }

  const absl::Status& status() const { return status_; }

  // Of the version it stands on; views stay valid until Next.
  std::string_view encoded_key() const { return walker_.iterator().key(); }
  std::string_view prefix() const { return prefix_; }  // encoded_key without the timestamp
  std::string_view stored() const { return stored_; }  // kind byte | value
  Timestamp timestamp() const { return walker_.timestamp(); }

 private:
  bool Fail(std::string_view what);
  bool Finish();

  VersionWalker walker_;
  const std::string start_;
  std::string prefix_;  // of the key that the walker stood on last; empty before the first key
  std::string_view stored_;
  absl::Status status_;
};

}  // namespace anabranch
