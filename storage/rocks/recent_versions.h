// Internal to storage/: the newest versions of what was committed lately, so that rows which many transactions write are
// read without a look into the LSM tree, and a writer that has locked a row knows without one that it is as it was read.
//
// A table of a fixed number of slots, over all keyspaces. A key has one slot, and each commit to one of a slot's keys
// replaces what stood there, unless that is newer: commits of different keyspaces come out of order. So a slot says of the key in it what the newest version is, and of the others that share it
// when they changed last, or later.
//
// Only commits are noted, and not those in bulk. What else changes a keyspace (ingesting, hiding, a new owner) makes it
// forget all that is noted so far (RocksKeyspace::ForgetRecent): `recent_above` is then at or above every version there is.
//
//   timestamps -->        recent_above                since
//   ---------------------------|------------------------|-----------------------
//     noted or not: nothing    |  each change is noted  |  each change is noted
//     here is believed         |  and in the snapshot   |  and not in the snapshot
//
// A version in a slot is the newest of its key if it is above recent_above (Find). A row that was read at the snapshot
// `since` is unchanged if since is not below recent_above and the newest timestamp in the key's slot is not above since
// (UnchangedSince): no change of the right-hand stretch went to that slot. Another key of the slot may have changed, or
// since may lie in the left-hand stretch: then it cannot be told, and the caller reads.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/api/types.h"
#include "storage/api/write_list.h"

namespace anabranch {

// Thread-safe.
class RecentVersions {
 public:
  static constexpr size_t kSlots = 16 << 10;
  static constexpr size_t kEntryBytesMax = 512;      // of key and value; of a larger one only the timestamp is kept
  static constexpr size_t kCommitKeysMax = 1 << 10;  // a commit of more is not noted: its keyspace forgets

  // A commit at `ts`, before a reader can see it. `family`: the id of the keyspace's `data`.
  void Note(uint32_t family, const WriteList& writes, Timestamp ts);

  // The newest version of the key, if it is in its slot and its timestamp is in (above, upto]. `above`: recent_above.
  std::optional<Version> Find(uint32_t family, std::string_view key, Timestamp above, Timestamp upto);
  // True: no commit to this key was noted above `since`. False: one was, or to another key of its slot.
  bool UnchangedSince(uint32_t family, std::string_view key, Timestamp since);
  // Gives the memory of the versions back, and remembers when they changed.
  void DropVersions();

 private:
  struct Slot {
    Timestamp newest;  // when a key of this slot changed last
    uint32_t family = 0;
    uint32_t key_bytes = 0;
    std::string bytes;  // key, then what is stored; empty: larger than kEntryBytesMax, or nothing noted yet
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
