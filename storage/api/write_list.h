// What one commit writes, flat: two allocations, however many keys. Small enough to be kept for the live feed, and ready to
// be written: a value stands there as it is stored, behind its kind byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/api/types.h"

namespace anabranch {

// Not thread-safe while it changes. Entries are views into it, good until the next Add.
class WriteList {
 public:
  struct Entry {
    std::string_view key;
    std::string_view stored;  // kind byte and value

    WriteKind kind() const { return static_cast<WriteKind>(stored.front()); }
    std::string_view value() const { return stored.substr(1); }
  };

  WriteList() = default;
  explicit WriteList(const WriteSet& writes);

  void Reserve(size_t keys, size_t payload_bytes);
  void Add(std::string_view key, WriteKind kind, std::string_view value);
  // Makes the keys ascend; those added in that order cost nothing. The first entry whose key is that of the one before.
  std::optional<size_t> Sort();
  // The first entry that is not below `key`. REQUIRES: sorted
  size_t LowerBound(std::string_view key) const;

  bool sorted() const { return sorted_; }
  bool empty() const { return places_.empty(); }
  size_t size() const { return places_.size(); }
  size_t payload_bytes() const { return bytes_.size() - places_.size(); }  // keys and values
  size_t memory_bytes() const { return sizeof(*this) + bytes_.capacity() + places_.capacity() * sizeof(Place); }
  Entry operator[](size_t i) const { return At(places_[i]); }

  class Iterator {
   public:
    Iterator(const WriteList* list, size_t at) : list_(list), at_(at) {}
    Entry operator*() const { return (*list_)[at_]; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const WriteList* list_;
    size_t at_;
  };
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, size()}; }

 private:
  struct Place {
    uint64_t begin;  // of the key; what is stored follows it
    uint32_t key_bytes;
    uint32_t stored_bytes;
  };
  static_assert(kTransactionBytesMax < UINT32_MAX);

  Entry At(const Place& place) const {
    const std::string_view bytes(bytes_);
    return {bytes.substr(place.begin, place.key_bytes), bytes.substr(place.begin + place.key_bytes, place.stored_bytes)};
  }

  std::string bytes_;
  std::vector<Place> places_;
  bool sorted_ = true;
};

}  // namespace anabranch
