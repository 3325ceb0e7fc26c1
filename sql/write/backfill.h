// Writing many rows at once under ids that nobody else can see yet: loads into a table that this transaction made or
// truncated, indexes built over filled tables, tables rewritten under a new primary key.
//
// Such rows need no locks, and they need not wait for the transaction's commit: they are written in batches, each committed
// by itself, so that memory stays bounded and there is no limit to their number. The descriptor that leads to them is
// written by the transaction, so they come into sight all at once when it commits, on this cluster and on a standby.
// Before the first batch the ids are recorded as garbage, durably, and the transaction's commit takes the record back: a
// rollback or a kill at any moment leaves garbage that is known as such, and nothing else.
#pragma once

#include <future>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/query/execution.h"
#include "sql/stored/index_entry.h"

namespace anabranch {

inline constexpr size_t kBulkBatchBytes = 8 << 20;
// A batch of that size whose keys come after those of earlier batches is committed as files.
inline constexpr size_t kFileBatchBytesMin = 1 << 20;

// The ids that a transaction has made, with what is under them so far. Kept beside the transaction: cleared with it, and
// told of its savepoints.
class UnpublishedIds {
 public:
  struct State {
    size_t savepoints = 0;      // open when the id was made
    bool recorded = false;      // as garbage
    bool buffered = false;      // the transaction itself holds writes under it: from now on all of them go there
    uint64_t next_row_id = 1;   // of hidden row ids; far below those that a published table gets
    std::string last_key = {};  // the greatest of the batches
  };

  void Add(uint64_t id) { states_.try_emplace(id, State{.savepoints = savepoints_}); }
  State* Find(uint64_t id);  // null: it is none of them
  // Whether batches may go there. Not below an id that is older than the newest savepoint: to roll back to that would leave
  // the id, and so the rows.
  bool TakesBatches(const State& state) const { return !state.buffered && state.savepoints == savepoints_; }

  // As the transaction's methods of these names.
  void Savepoint() { ++savepoints_; }
  void RollbackTo(size_t open);
  void Release(size_t open);
  void Clear();

 private:
  size_t savepoints_ = 0;  // open
  std::map<uint64_t, State> states_;
};

// Notes that the transaction writes rows of this table itself.
void NoteOrdinaryWrites(const Table& table, const Execution& execution);

// One load. Where batches are not possible (the transaction keeps its snapshot, or holds writes under the ids already) the
// rows become writes of the transaction, with its limit.
class BulkWriter {
 public:
  // kLoad: rows of a user; one that breaks a unique key is told so. kBuild: rows that are there already; then the key
  // cannot be made.
  enum class Purpose { kLoad, kBuild };
  // `table` has the ids to write under, and outlives this, as `execution` does. `only`: an index to make entries of, of a
  // table that has its rows; null: rows and entries of all indexes.
  BulkWriter(const Table& table, const Index* only, Purpose purpose, const Execution& execution);
  ~BulkWriter();
  BulkWriter(const BulkWriter&) = delete;
  BulkWriter& operator=(const BulkWriter&) = delete;

  // Whether a load into this table would be written in batches.
  static bool CanLoad(const Table& table, const Execution& execution);

  // A row that satisfies the table's rules, with its entries. 23505, at once or later.
  absl::Status AddRow(const Row& row);
  // The same of a row whose value is encoded. REQUIRES: `row` has the columns of the primary key and of all indexes.
  absl::Status AddRow(const Row& row, std::string_view value);
  // REQUIRES: `only`.
  absl::Status AddEntry(const Row& row, std::string_view row_key);
  // Everything is durable, and seen by the transaction's next statement.
  absl::Status Finish();

 private:
  // A key of the table that rows are put under.
  struct Target {
    const Index* index = nullptr;  // null: the rows
    uint64_t id = 0;
    std::string prefix = {};
    UnpublishedIds::State* state = nullptr;  // null: no batches
  };

  absl::Status Put(const Target& target, std::string_view key, std::string_view value, const Row& row);
  absl::Status Flush();
  absl::Status Record();
  // Sorts the batch and tells whether its keys come after those of all earlier ones.
  absl::StatusOr<bool> CheckBatch();
  absl::StatusOr<bool> CheckEarlierBatches(const Target& target);
  absl::Status Await();
  absl::Status Duplicate(const Target& target, const Row& row) const;
  absl::Status DuplicateOf(const Target& target, std::string_view key, std::string_view value) const;

  const Table& table_;
  const Purpose purpose_;
  const Execution& execution_;
  std::vector<Target> targets_;
  bool batches_ = true;
  std::shared_ptr<WriteList> batch_ = std::make_shared<WriteList>();
  std::string value_;                                 // kept for its memory
  std::future<absl::StatusOr<Timestamp>> in_flight_;  // the batch before
};

}  // namespace anabranch
