#include "storage/transfer_check.h"

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/status.h"
#include "storage/mvcc/change_index.h"
#include "storage/mvcc/reader.h"
#include "storage/rocks/keyspace.h"
#include "storage/rocks/meta_format.h"

#define XXH_INLINE_ALL
#include "xxhash.h"

namespace anabranch {
namespace {

constexpr size_t kReadaheadBytes = 2 << 20;

struct Tally {
  uint64_t versions = 0;
  uint64_t digest = 0;

  void Add(std::string_view key, Timestamp ts) {
    ++versions;
    digest += XXH3_64bits_withSeed(key.data(), key.size(), ts.ns);
  }
};

rocksdb::ReadOptions ReadOnce() {
  rocksdb::ReadOptions options;
  options.total_order_seek = true;
  options.fill_cache = false;
  options.readahead_size = kReadaheadBytes;
  return options;
}

absl::Status Stopped() { return absl::CancelledError("the check of the copy was stopped"); }

absl::StatusOr<Tally> TallyData(const RocksKeyspace& keyspace, Timestamp floor, Timestamp upto,
                                const std::stop_token& stop) {
  Tally tally;
  std::string key;
  Timestamp ts;
  const std::unique_ptr<rocksdb::Iterator> it(keyspace.db()->NewIterator(ReadOnce(), keyspace.data()));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    if (stop.stop_requested()) return Stopped();
    if (!DecodeVersionKey(it->key().ToStringView(), &key, &ts))
      return absl::DataLossError("a version's key does not decode");
    if (floor < ts && ts <= upto) tally.Add(key, ts);
  }
  RETURN_IF_ERROR(FromRocks(it->status(), "read versions"));
  return tally;
}

// Entries of one timestamp are a union: a key that several of them name counts once.
absl::StatusOr<Tally> TallyIndex(const RocksKeyspace& keyspace, Timestamp floor, Timestamp upto,
                                 const std::stop_token& stop) {
  Tally tally;
  ChangeEntry entry;
  Timestamp ts;
  std::vector<std::string> keys;
  const auto add_keys = [&] {
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    for (const std::string& key : keys) tally.Add(key, ts);
    keys.clear();
  };
  const std::unique_ptr<rocksdb::Iterator> it(keyspace.db()->NewIterator(ReadOnce(), keyspace.changes()));
  for (it->Seek(EncodeTimestamp(floor.Next())); it->Valid(); it->Next()) {
    if (stop.stop_requested()) return Stopped();
    if (!DecodeChange(it->key().ToStringView(), it->value().ToStringView(), &entry)) {
      return absl::DataLossError("a change index entry does not decode");
    }
    if (entry.timestamp > upto) break;
    if (entry.timestamp != ts) add_keys();
    ts = entry.timestamp;
    std::move(entry.keys.begin(), entry.keys.end(), std::back_inserter(keys));
  }
  RETURN_IF_ERROR(FromRocks(it->status(), "read change index"));
  add_keys();
  return tally;
}

}  // namespace

absl::Status CheckIndexMatchesData(const Keyspace& keyspace, Timestamp floor, Timestamp upto, const std::stop_token& stop) {
  const RocksKeyspace& rocks = AsRocks(keyspace);
  absl::StatusOr<Tally> counted = Tally();
  absl::StatusOr<Tally> named = Tally();
  {
    const std::jthread beside([&] { named = TallyIndex(rocks, floor, upto, stop); });
    counted = TallyData(rocks, floor, upto, stop);
  }
  ASSIGN_OR_RETURN(const Tally data, std::move(counted));
  ASSIGN_OR_RETURN(const Tally index, std::move(named));
  if (data.versions == index.versions && data.digest == index.digest) return absl::OkStatus();
  return absl::DataLossError(fmt::format("{} versions above {} but the change index names {}, or others", data.versions,
                                         FormatHlc(floor), index.versions));
}

}  // namespace anabranch
