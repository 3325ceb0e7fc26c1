// Shapes that the whole storage layer, and its callers, share. No RocksDB type appears in any public header of storage/.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/timestamp.h"

namespace anabranch {

// Limits. Each is refused by name where it is reached.
inline constexpr size_t kKeyBytesMax = 16 << 10;
inline constexpr size_t kValueBytesMax = 8 << 20;
inline constexpr size_t kTransactionBytesMax = 64 << 20;
inline constexpr int kKeyspacesMax = 2 * 256;  // live, being built and being dropped, for 256 virtual clusters
static_assert(kKeyBytesMax + kValueBytesMax < kTransactionBytesMax);

// Keys below it are the system tables, which say what the others mean (sql/stored/descriptor.h). Storage only notes when one of
// them changes, so that a reader knows without looking that what it derived from them is still right.
inline constexpr std::string_view kSystemKeysEnd = "\x64";

// [start, end) in user-key order. An empty end means "to the end of the keyspace".
struct Span {
  std::string start;
  std::string end;
};

enum class WriteKind : uint8_t { kPut = 1, kTombstone = 2 };  // the kind byte that starts a value on disk

// The new version of one key, without its timestamp. `value` is empty for a tombstone.
struct Write {
  WriteKind kind = WriteKind::kPut;
  std::string value;
};

// What one transaction writes: user key -> write, ordered, each key once.
using WriteSet = std::map<std::string, Write, std::less<>>;

// One version as it stands in a keyspace and travels in a stream.
struct Version {
  std::string key;
  Timestamp timestamp;
  Write write;
};

// Versions with `after` < timestamp <= `upto` do not exist for any reader.
struct HiddenInterval {
  Timestamp after;
  Timestamp upto;
  bool Contains(Timestamp ts) const { return after < ts && ts <= upto; }
  friend bool operator==(const HiddenInterval&, const HiddenInterval&) = default;
};

// What the storage layer did, in operations. Laws ("promotion is O(1)") are tested on these, not on time.
struct OperationCounts {
  uint64_t iterator_steps = 0;  // seeks and nexts
  uint64_t gets = 0;
  uint64_t puts = 0;
  uint64_t deletes = 0;
  uint64_t syncs = 0;
  friend bool operator==(const OperationCounts&, const OperationCounts&) = default;
};
OperationCounts operator-(const OperationCounts& after, const OperationCounts& before);

}  // namespace anabranch
