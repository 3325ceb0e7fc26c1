// For tests: a store on a FaultFileSystem, with a clock that only the test moves, and what a reader can see of it as text.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/random.h"
#include "storage/api/store.h"
#include "storage/testing/fault_file_system.h"

namespace anabranch {

class TestClock final : public Clock {
 public:
  uint64_t WallNs() const override { return wall_ns_; }
  uint64_t MonotonicNs() const override { return monotonic_ns_; }
  void Advance(uint64_t ns) {
    wall_ns_ += ns;
    monotonic_ns_ += ns;
  }
  void SetWall(uint64_t wall_ns) { wall_ns_ = wall_ns; }

 private:
  std::atomic<uint64_t> wall_ns_{1'700'000'000'000'000'000};
  std::atomic<uint64_t> monotonic_ns_{1};
};

// Keyspaces have labels, kept in `meta` beside what publishes them, because their incarnations are random.
class FaultStore {
 public:
  explicit FaultStore(uint64_t seed, uint64_t reserve_bytes = 0);
  ~FaultStore() { Close(); }

  FaultFileSystem& disk() { return *disk_; }
  TestClock& clock() { return clock_; }
  Store* store() { return store_.get(); }
  bool is_open() const { return store_ != nullptr; }

  absl::Status Open();
  void Close();  // drops the store's keyspace references first

  // --- Keyspaces ---
  absl::StatusOr<KeyspaceRef> Create(const std::string& label);
  // Publishes it under the label, in one update with what `also` does.
  absl::Status Publish(
      const KeyspaceRef& keyspace, const std::string& label,
      const std::function<void(MetaUpdate&)>& also = [](MetaUpdate&) {});
  // In one update: the label goes, the keyspace is marked.
  absl::Status MarkDropping(const std::string& label);
  bool Has(const std::string& label);
  KeyspaceRef Find(const std::string& label);  // REQUIRES: Has(label)
  std::vector<std::string> Labels();

  // --- Writing, by the present owner ---
  absl::StatusOr<Timestamp> Commit(const std::string& label, const WriteSet& writes, bool as_files = false);
  absl::Status Ingest(const std::string& label, std::vector<Version> versions, std::optional<Timestamp> frontier);
  absl::Status Update(const std::function<void(MetaUpdate&)>& build);
  // An entry of `data` as it is, well-formed or not; and away with it.
  void PutRaw(const std::string& label, std::string_view encoded_key, std::string_view value);
  void DeleteRaw(const std::string& label, std::string_view encoded_key);
  // Memtables to files; and all files of the keyspaces to one level.
  absl::Status Flush();
  absl::Status Compact();

 private:
  const std::shared_ptr<FaultFileSystem> disk_;
  const std::unique_ptr<rocksdb::Env> env_;
  const uint64_t reserve_bytes_;
  TestClock clock_;
  Random random_;
  std::unique_ptr<Store> store_;
};

inline constexpr std::string_view kLabelPrefix = "test/keyspace/";

// What readers can see: for each labelled keyspace its state, its visible history above the floor and a scan, both up to
// `limit`, and the tests' records in `meta`. An error if anything cannot be read, or if index and data disagree (K1).
absl::StatusOr<std::string> ViewOf(FaultStore& store, Timestamp limit = kTimestampMax);

// Every version and index entry that is physically there above each keyspace's floor, and every version below.
absl::StatusOr<std::string> BytesOf(FaultStore& store);

}  // namespace anabranch
