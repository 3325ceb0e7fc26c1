#include "storage/api/write_list.h"

#include <algorithm>

namespace anabranch {

WriteList::WriteList(const WriteSet& writes) {
  size_t payload_bytes = 0;
  for (const auto& [key, write] : writes) payload_bytes += key.size() + write.value.size();
  Reserve(writes.size(), payload_bytes);
  for (const auto& [key, write] : writes) Add(key, write.kind, write.value);
}

void WriteList::Reserve(size_t keys, size_t payload_bytes) {
  bytes_.reserve(payload_bytes + keys);  // one kind byte for each key
  places_.reserve(keys);
}

void WriteList::Add(std::string_view key, WriteKind kind, std::string_view value) {
  sorted_ = sorted_ && (empty() || At(places_.back()).key < key);
  places_.push_back({bytes_.size(), static_cast<uint32_t>(key.size()), static_cast<uint32_t>(1 + value.size())});
  bytes_.append(key);
  bytes_.push_back(static_cast<char>(kind));
  bytes_.append(value);
}

std::optional<size_t> WriteList::Sort() {
  if (sorted_) return std::nullopt;
  const auto below = [this](const Place& a, const Place& b) { return At(a).key < At(b).key; };
  std::stable_sort(places_.begin(), places_.end(), below);
  sorted_ = true;
  const auto twice =
      std::adjacent_find(places_.begin(), places_.end(), [&](const Place& a, const Place& b) { return !below(a, b); });
  if (twice == places_.end()) return std::nullopt;
  return twice + 1 - places_.begin();
}

size_t WriteList::LowerBound(std::string_view key) const {
  const auto found =
      std::partition_point(places_.begin(), places_.end(), [&](const Place& place) { return At(place).key < key; });
  return found - places_.begin();
}

}  // namespace anabranch
