#include "storage/rocks/recent_versions.h"

#include "absl/hash/hash.h"

namespace anabranch {

RecentVersions::Place RecentVersions::PlaceOf(uint32_t family, std::string_view key) {
  const size_t at = absl::HashOf(family, key) % kSlots;
  return {mutexes_[at % mutexes_.size()], slots_[at]};
}

void RecentVersions::Note(uint32_t family, const WriteList& writes, Timestamp ts) {
  for (const WriteList::Entry write : writes) {
    const Place place = PlaceOf(family, write.key);
    std::lock_guard lock(place.mutex);
    if (ts < place.slot.newest) continue;  // a large commit is noted late; what stands there changed after it
    place.slot.newest = ts;
    place.slot.bytes.clear();
    if (write.key.size() + write.stored.size() > kEntryBytesMax) continue;
    place.slot.family = family;
    place.slot.key_bytes = static_cast<uint32_t>(write.key.size());
    place.slot.bytes.append(write.key).append(write.stored);
  }
}

std::optional<Version> RecentVersions::Find(uint32_t family, std::string_view key, Timestamp above, Timestamp upto) {
  const Place place = PlaceOf(family, key);
  std::lock_guard lock(place.mutex);
  const Slot& slot = place.slot;
  const std::string_view bytes = slot.bytes;
  if (bytes.empty() || slot.newest <= above || slot.newest > upto) return std::nullopt;
  if (slot.family != family || bytes.substr(0, slot.key_bytes) != key) return std::nullopt;
  const std::string_view stored = bytes.substr(slot.key_bytes);
  return Version{std::string(key), slot.newest, {static_cast<WriteKind>(stored.front()), std::string(stored.substr(1))}};
}

bool RecentVersions::UnchangedSince(uint32_t family, std::string_view key, Timestamp since) {
  const Place place = PlaceOf(family, key);
  std::lock_guard lock(place.mutex);
  return place.slot.newest <= since;
}

void RecentVersions::DropVersions() {
  for (size_t at = 0; at < kSlots; ++at) {
    std::lock_guard lock(mutexes_[at % mutexes_.size()]);
    slots_[at].bytes = std::string();
  }
}

}  // namespace anabranch
