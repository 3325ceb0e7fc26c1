// For tests: one life of a store, of random operations on it and on a plain map, which must agree on everything that a reader
// can see. Crashes lose exactly what was written after the last sync. Used by one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "storage/mvcc/change_index.h"
#include "storage/mvcc/reader.h"
#include "storage/mvcc/transaction.h"
#include "storage/testing/fault_store.h"
#include "storage/testing/model_keyspace.h"

namespace anabranch {

class Life {
 public:
  explicit Life(uint64_t seed) : random_(seed), store_(seed) {}

  void Run(std::map<std::string, uint64_t>* counts);

  static std::vector<std::string> OperationNames();

 private:
  static constexpr int kOperationsPerSeed = 24;
  static constexpr size_t kKeyspacesPerSeedMax = 6;

  struct Operation {
    const char* name;
    bool (Life::*run)();  // false: there was nothing to run on
    int weight;
  };

  static const std::vector<Operation>& Operations();

  static void Count(std::map<std::string, uint64_t>* counts, const std::string& name) { ++(*counts)[name]; }
  static void Must(const absl::Status& status) { ASSERT_TRUE(status.ok()) << status; }
  uint64_t Below(uint64_t n) { return random_() % n; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }

  const char* Step();

  // --- Choosing ---

  std::optional<std::string> Choose(const std::function<bool(const ModelKeyspace&)>& fits);
  std::string Key();
  Write SomeWrite();
  Timestamp Resolved(const ModelKeyspace& model) const;
  // A moment at or after `from` and at or before `upto`, near something that happened.
  Timestamp Moment(const ModelKeyspace& model, Timestamp from, Timestamp upto);
  Span SomeSpan();

  // Everything written so far is on disk.
  void Synced() { synced_ = model_; }
  bool Update(const std::function<void(MetaUpdate&)>& build);

  // --- Operations ---

  bool NewKeyspace();
  bool Commit();
  void Committed(const std::string& label, Timestamp ts, const WriteSet& writes);

  // Two transactions, the second committed inside the first.
  bool Transact();
  void RunInner(const TransactionContext& context, const std::string& label, const std::string& key);
  // `savepoints`: what the transaction had written at each.
  void UseSavepoints(Transaction& transaction, WriteSet* writes, std::vector<WriteSet>* savepoints);
  bool WriteOne(Transaction& transaction, IsolationLevel isolation, const std::string& label, WriteSet* writes);

  // Above the frontier, in any order, some of them again.
  std::vector<Version> Incoming(ModelKeyspace& model);
  static bool CanIngest(const ModelKeyspace& m) { return m.state.ingesting && m.state.hidden.empty(); }
  bool Ingest();
  bool Frontier();

  bool Promote();
  bool Sweep();

  // As a failback begins: undo, then stream from there on.
  bool Revert();

  // A keyspace that was written here becomes a standby at the present moment.
  bool Standby();

  bool Clone();
  bool Import();
  bool Drop();
  bool Fenced();
  absl::Status CommitTo(const KeyspaceRef& keyspace, Epoch epoch);

  bool Reopen();
  bool Crash();
  bool Flush();
  bool Compact();

  bool ProtectHistory();
  bool Collect();

  // --- Reading ---

  std::unique_ptr<MvccReader> ReaderAt(const std::string& label, Timestamp at);
  static std::string Drain(MvccScan& scan);

  // Moments that may be read, or, now and then, one that may not.
  std::optional<Timestamp> ReadableMoment(const std::string& label);

  bool Get();
  void CheckGet(const std::string& label, MvccReader& reader, const std::string& key);

  bool Scan();
  void CheckScan(const std::string& label, Timestamp at, const Span& span);

  bool Cursor();
  void CheckCursor(const std::string& label, Timestamp after, Timestamp upto, ChangeFilter filter);

  bool Digest();

  // A new standby gets everything through the change index, in two parts that overlap.
  bool CatchUp();
  void Stream(const std::string& from, const std::string& to, Timestamp after, Timestamp upto, Timestamp frontier);

  void CheckState();
  void CheckAll(const std::string& label);

  std::vector<std::string> done_;  // the steps so far, for whoever reads about a failure
  std::mt19937_64 random_;
  mutable FaultStore store_;
  std::map<std::string, ModelKeyspace> model_;
  std::map<std::string, ModelKeyspace> synced_;  // the keyspaces as they were at the last sync
  uint64_t labels_ = 0;
  uint64_t values_ = 0;
};

}  // namespace anabranch
