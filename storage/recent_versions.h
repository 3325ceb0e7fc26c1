// Internal to storage/: the newest versions of what was committed lately, so that rows which many transactions write are
// read without a look into the LSM tree, and a writer that has locked a row knows without one that it is as it was read.
//
// A table of a fixed number of slots, over all keyspaces. A key has one slot, and each commit to one of a slot's keys
// replaces what stood there. So a slot says of the key in it what the newest version is, and of the others that share it
// when they changed last, or later. What changes a keyspace in other ways, or in bulk, is not noted: RocksKeyspace keeps
// the timestamp up to which nothing here counts.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/types.h"
#include "storage/write_list.h"

namespace anabranch {

// Thread-safe.
class RecentVersions {
 public:
  static constexpr size_t kSlots = 16 << 10;
  static constexpr size_t kEntryBytesMax = 512;      // key and value; of larger ones only the timestamp is kept
  static constexpr size_t kCommitKeysMax = 1 << 10;  // of one commit; it forgets the keyspace's versions beyond it

  // A commit at `ts`, before a reader can see it. `family`: the id of the keyspace's `data`.
  void Note(uint32_t family, const WriteList& writes, Timestamp ts);

  // The newest version of the key, if it is here and its timestamp is in (above, upto].
  std::optional<Version> Find(uint32_t family, std::string_view key, Timestamp above, Timestamp upto);
  // No commit to this key was noted above `since`. False if it cannot be told.
  bool UnchangedSince(uint32_t family, std::string_view key, Timestamp since);
  // Gives the memory of the versions back, and remembers when they changed.
  void DropVersions();

 private:
  struct Slot {
    Timestamp newest;  // of all its keys
    uint32_t family = 0;
    uint32_t key_bytes = 0;
    std::string bytes;  // key, then what is stored; empty: larger than kEntryBytesMax, or nothing yet
  };
  struct Place {
    std::mutex& mutex;
    Slot& slot;
  };

  Place PlaceOf(uint32_t family, std::string_view key);

  std::vector<Slot> slots_{kSlots};
  std::array<std::mutex, 64> mutexes_;  // each guards every 64th slot
};

}  // namespace anabranch
