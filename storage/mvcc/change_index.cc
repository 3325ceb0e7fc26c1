#include "storage/mvcc/change_index.h"

#include <algorithm>

#include "base/coding.h"
#include "base/status.h"
#include "storage/mvcc/keyspace_iterator.h"
#include "storage/mvcc/reader.h"

#define XXH_INLINE_ALL
#include "xxhash.h"

namespace anabranch {
namespace {

constexpr size_t kHashBytes = 16;
constexpr size_t kEncodedKeyBytes = 8 + kHashBytes;
constexpr size_t kMultiGetKeysMax = 256;

std::string HashOf(std::string_view encoded_value) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(encoded_value.data(), encoded_value.size()));
  return std::string(reinterpret_cast<const char*>(canonical.digest), kHashBytes);
}

// The smallest encoded key of an entry at `ts`.
std::string LowerBound(Timestamp ts) {
  std::string bound;
  PutFixed64BigEndian(&bound, ts.ns);
  return bound;
}

class Cursor final : public ChangeCursor {
 public:
  Cursor(std::unique_ptr<KeyspaceIterator> iterator, Timestamp after, ChangeFilter filter)
      : iterator_(std::move(iterator)), filter_(filter) {
    iterator_->Seek(LowerBound(after.Next()));
  }

  absl::StatusOr<bool> Next(ChangeEntry* entry) override {
    ASSIGN_OR_RETURN(const bool found, SkipHidden());
    if (!found) return false;
    RETURN_IF_ERROR(Decode(entry));
    iterator_->Next();
    return true;
  }

  absl::StatusOr<bool> NextTimestamp(ChangeEntry* entry) override {
    ASSIGN_OR_RETURN(const bool found, SkipHidden());
    if (!found) return false;
    RETURN_IF_ERROR(Decode(entry));
    entry->encoded_key.clear();
    iterator_->Next();
    ChangeEntry part;
    bool several = false;
    while (iterator_->Valid() && TimestampHere() == entry->timestamp) {
      RETURN_IF_ERROR(Decode(&part));
      std::move(part.keys.begin(), part.keys.end(), std::back_inserter(entry->keys));
      several = true;
      iterator_->Next();
    }
    if (several) {
      std::sort(entry->keys.begin(), entry->keys.end());
      entry->keys.erase(std::unique(entry->keys.begin(), entry->keys.end()), entry->keys.end());
    }
    return true;
  }

 private:
  Timestamp TimestampHere() const {
    std::string_view key = iterator_->key();
    Timestamp ts;
    return TakeFixed64BigEndian(&key, &ts.ns) ? ts : kTimestampZero;
  }

  // Stands on the next entry to return, if any (R7).
  absl::StatusOr<bool> SkipHidden() {
    while (iterator_->Valid()) {
      const HiddenInterval* hidden = filter_ == ChangeFilter::kVisible ? iterator_->HiddenAround(TimestampHere()) : nullptr;
      if (hidden == nullptr) return true;
      iterator_->Seek(LowerBound(hidden->upto.Next()));
    }
    RETURN_IF_ERROR(iterator_->status());
    iterator_->CountSteps();
    return false;
  }

  absl::Status Decode(ChangeEntry* entry) const {
    if (DecodeChange(iterator_->key(), iterator_->value(), entry)) return absl::OkStatus();
    return absl::DataLossError(fmt::format("malformed change index entry {}", ToHex(iterator_->key())));
  }

  const std::unique_ptr<KeyspaceIterator> iterator_;
  const ChangeFilter filter_;
};

// Why the data lacks a version that an entry named. An entry and its versions go in one batch, and the floor is raised
// before anything is collected: so only if the index still names the version is something lost.
absl::Status MissingVersion(Store* store, const KeyspaceRef& keyspace, std::string_view key, Timestamp ts) {
  ASSIGN_OR_RETURN(auto cursor, ChangeCursor::Open(store, keyspace, ts.Prev(), ts, ChangeFilter::kAll));
  ChangeEntry present;
  ASSIGN_OR_RETURN(const bool found, cursor->NextTimestamp(&present));
  if (found && std::binary_search(present.keys.begin(), present.keys.end(), key)) {
    return absl::DataLossError(
        fmt::format("the change index names key {} at {}, which the data lacks", ToHex(key), FormatHlc(ts)));
  }
  return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                  fmt::format("the change at {} was undone while it was read", FormatHlc(ts)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChangeCursor>> ChangeCursor::Open(Store*, KeyspaceRef keyspace, Timestamp after,
                                                                 Timestamp upto, ChangeFilter filter) {
  // An empty range reads nothing and must not turn its bounds around.
  std::string upper_bound = LowerBound(std::max(after, upto).Next());
  ASSIGN_OR_RETURN(auto iterator, KeyspaceIterator::Open(std::move(keyspace), KeyspaceIterator::Family::kChanges,
                                                         KeyspaceIterator::Access::kRange, std::move(upper_bound), after));
  return std::make_unique<Cursor>(std::move(iterator), after, filter);
}

absl::StatusOr<std::vector<Version>> ReadVersions(Store* store, const KeyspaceRef& keyspace, const ChangeEntry& entry) {
  RocksKeyspace& rocks = AsRocks(*keyspace);
  std::vector<Version> versions;
  versions.reserve(entry.keys.size());
  std::vector<std::string> encoded;
  for (size_t begin = 0; begin < entry.keys.size(); begin += kMultiGetKeysMax) {
    const size_t count = std::min(kMultiGetKeysMax, entry.keys.size() - begin);
    encoded.clear();
    for (size_t i = 0; i < count; ++i) encoded.push_back(EncodeVersionKey(entry.keys[begin + i], entry.timestamp));
    const std::vector<rocksdb::Slice> slices(encoded.begin(), encoded.end());
    std::vector<rocksdb::PinnableSlice> values(count);
    std::vector<rocksdb::Status> statuses(count);
    rocks.db()->MultiGet(rocksdb::ReadOptions(), rocks.data(), count, slices.data(), values.data(), statuses.data(),
                         /*sorted_input=*/true);
    rocks.counter().gets.fetch_add(count, std::memory_order_relaxed);
    for (size_t i = 0; i < count; ++i) {
      const std::string& key = entry.keys[begin + i];
      if (statuses[i].IsNotFound()) return MissingVersion(store, keyspace, key, entry.timestamp);
      if (!statuses[i].ok()) return FromRocks(statuses[i], "reading the versions of a change");
      std::string_view value = ToView(values[i]);
      const auto kind = value.empty() ? WriteKind{} : static_cast<WriteKind>(value.front());
      if (kind != WriteKind::kPut && kind != WriteKind::kTombstone) {
        return absl::DataLossError(
            fmt::format("value of unknown kind at key {} and {}", ToHex(key), FormatHlc(entry.timestamp)));
      }
      versions.push_back({key, entry.timestamp, {kind, std::string(value.substr(1))}});
    }
  }
  return versions;
}

std::vector<std::pair<std::string, std::string>> EncodeChange(Timestamp ts, const std::vector<std::string_view>& keys) {
  std::vector<std::pair<std::string, std::string>> entries;
  std::string value;
  const auto finish = [&] {
    if (value.empty()) return;
    std::string key = LowerBound(ts) + HashOf(value);
    entries.emplace_back(std::move(key), std::move(value));
    value.clear();
  };
  for (const std::string_view key : keys) {
    constexpr size_t kLengthBytesMax = 3;  // of a varint up to kKeyBytesMax
    static_assert(kKeyBytesMax < 1 << (7 * kLengthBytesMax));
    if (value.size() + kLengthBytesMax + key.size() > kChangeEntryBytesMax) finish();
    PutLengthPrefixed(&value, key);
  }
  finish();
  return entries;
}

bool DecodeChange(std::string_view encoded_key, std::string_view encoded_value, ChangeEntry* entry) {
  if (encoded_key.size() != kEncodedKeyBytes || encoded_value.empty()) return false;
  if (encoded_key.substr(8) != HashOf(encoded_value)) return false;
  entry->encoded_key = std::string(encoded_key);
  TakeFixed64BigEndian(&encoded_key, &entry->timestamp.ns);
  entry->keys.clear();
  std::string_view key;
  while (!encoded_value.empty()) {
    if (!TakeLengthPrefixed(&encoded_value, &key)) return false;
    if (!entry->keys.empty() && entry->keys.back() >= key) return false;
    entry->keys.emplace_back(key);
  }
  return true;
}

}  // namespace anabranch
