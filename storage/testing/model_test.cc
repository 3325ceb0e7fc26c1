// Random operations on a store and on a plain map, which must agree on everything that a reader can see. Crashes lose
// exactly what was written after the last sync. Each seed is a short life of a store of its own; a failure names it, and
// ANABRANCH_MODEL_SEED=<n> runs that one alone.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/coding.h"
#include "base/status.h"
#include "fmt/ranges.h"
#include "gtest/gtest.h"
#include "storage/gc.h"
#include "storage/mvcc/change_index.h"
#include "storage/mvcc/fingerprint.h"
#include "storage/mvcc/lock_table.h"
#include "storage/mvcc/transaction.h"
#include "storage/protection.h"
#include "storage/revert.h"
#include "storage/rocks/keyspace.h"
#include "storage/rocks/meta_format.h"
#include "storage/testing/fault_store.h"
#include "storage/testing/model_keyspace.h"
#include "storage/testing/test_store.h"
#include "storage/transfer.h"
#include "storage/transfer_check.h"

namespace anabranch {
namespace {

constexpr int kSeeds = 2000;
constexpr int kThreads = 2;  // a store waits for its own threads half of the time
constexpr int kOperationsPerSeed = 24;
constexpr size_t kKeyspacesPerSeedMax = 6;

// ---------------------------------------------------------------- one life of a store

class Life {
 public:
  explicit Life(uint64_t seed) : random_(seed), store_(seed) {}

  void Run(std::map<std::string, uint64_t>* counts) {
    Must(store_.Open());
    synced_ = model_;
    NewKeyspace();
    Count(counts, "create");
    for (int i = 0; i < kOperationsPerSeed && !testing::Test::HasFailure(); ++i) {
      done_.emplace_back(Step());
      Count(counts, done_.back());
    }
    for (const auto& [label, model] : model_) CheckAll(label);
    if (testing::Test::HasFailure()) fmt::print("[   FAILED ] after {}\n", fmt::join(done_, ", "));
  }

  static std::vector<std::string> OperationNames() {
    std::vector<std::string> names;
    for (const Operation& operation : Operations()) names.emplace_back(operation.name);
    return names;
  }

 private:
  struct Operation {
    const char* name;
    bool (Life::*run)();  // false: there was nothing to run on
    int weight;
  };

  static const std::vector<Operation>& Operations() {
    static const std::vector<Operation> kOperations = {
        {"create", &Life::NewKeyspace, 2},
        {"commit", &Life::Commit, 12},
        {"transaction", &Life::Transact, 8},
        {"ingest", &Life::Ingest, 8},
        {"ingest frontier", &Life::Frontier, 8},
        {"hide and promote", &Life::Promote, 5},
        {"sweep", &Life::Sweep, 4},
        {"revert", &Life::Revert, 3},
        {"stream again", &Life::Standby, 3},
        {"clone", &Life::Clone, 2},
        {"export and import", &Life::Import, 2},
        {"drop", &Life::Drop, 1},
        {"reopen", &Life::Reopen, 2},
        {"crash", &Life::Crash, 2},
        {"flush", &Life::Flush, 2},
        {"compact", &Life::Compact, 1},
        {"get", &Life::Get, 8},
        {"scan", &Life::Scan, 8},
        {"change cursor", &Life::Cursor, 6},
        {"fingerprint", &Life::Digest, 5},
        {"collect garbage", &Life::Collect, 5},
        {"protect", &Life::ProtectHistory, 2},
        {"fenced write", &Life::Fenced, 2},
        {"catch up", &Life::CatchUp, 3},
    };
    return kOperations;
  }

  static void Count(std::map<std::string, uint64_t>* counts, const std::string& name) { ++(*counts)[name]; }
  static void Must(const absl::Status& status) { ASSERT_TRUE(status.ok()) << status; }
  uint64_t Below(uint64_t n) { return random_() % n; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }

  const char* Step() {
    int total = 0;
    for (const Operation& operation : Operations()) total += operation.weight;
    while (true) {
      int chosen = static_cast<int>(Below(total));
      auto operation = Operations().begin();
      while (chosen >= operation->weight) chosen -= (operation++)->weight;
      if ((this->*operation->run)()) return operation->name;
    }
  }

  // ------------------------------------------------------------ choosing

  std::optional<std::string> Choose(const std::function<bool(const ModelKeyspace&)>& fits) {
    std::vector<std::string> fitting;
    for (const auto& [label, model] : model_) {
      if (fits(model)) fitting.push_back(label);
    }
    if (fitting.empty()) return std::nullopt;
    return fitting[Below(fitting.size())];
  }
  std::string Key() {
    static const std::string kKeys[] = {"",
                                        "a",
                                        std::string("a\0", 2),
                                        std::string("a\0\xff", 3),
                                        std::string("a\0\1", 3),
                                        "b",
                                        "bb",
                                        "c",
                                        "d",
                                        "\xff\xff",
                                        "long key " + std::string(90, 'k')};
    return kKeys[Below(std::size(kKeys))];
  }
  Write SomeWrite() {
    if (OneIn(4)) return {WriteKind::kTombstone, ""};
    return {WriteKind::kPut, OneIn(20) ? std::string(3000, 'x') : fmt::format("{}", ++values_)};
  }
  Timestamp Resolved(const ModelKeyspace& model) const {
    return model.state.ingesting ? model.state.frontier : store_.store()->visible();
  }
  // A moment at or after `from` and at or before `upto`, near something that happened.
  Timestamp Moment(const ModelKeyspace& model, Timestamp from, Timestamp upto) {
    std::vector<Timestamp> moments = {from, upto};
    for (const auto& [key, history] : model.keys) {
      for (const auto& [ts, write] : history) moments.insert(moments.end(), {ts, ts.Prev(), ts.Next()});
    }
    std::erase_if(moments, [&](Timestamp ts) { return ts < from || ts > upto; });
    return moments.empty() ? from : moments[Below(moments.size())];
  }
  Span SomeSpan() {
    if (OneIn(3)) return {};
    Span span{Key(), Key()};
    if (!span.end.empty() && span.end < span.start) std::swap(span.start, span.end);
    return span;
  }

  // Everything written so far is on disk.
  void Synced() { synced_ = model_; }
  bool Update(const std::function<void(MetaUpdate&)>& build) {
    Must(store_.Update(build));
    return true;
  }

  // ------------------------------------------------------------ operations

  bool NewKeyspace() {
    if (model_.size() >= kKeyspacesPerSeedMax) return false;
    const std::string label = fmt::format("k{}", labels_++);
    const auto keyspace = store_.store()->CreateKeyspace();
    Must(keyspace.status());
    const bool standby = OneIn(2);
    Must(store_.Publish(*keyspace, label, [&](MetaUpdate& update) {
      if (standby) update.Stage(*keyspace).SetIngesting(true, kTimestampZero);
    }));
    ModelKeyspace& model = model_[label];
    model.state.epoch = Epoch(1);
    model.state.published = true;
    model.state.ingesting = standby;
    Synced();
    return true;
  }

  bool Commit() {
    const auto label = Choose([](const ModelKeyspace& m) { return !m.state.ingesting; });
    if (!label) return false;
    WriteSet writes;
    for (uint64_t i = 0; i <= Below(4); ++i) writes[Key()] = SomeWrite();
    const absl::StatusOr<Timestamp> ts = store_.Commit(*label, writes, /*as_files=*/Below(4) == 0);
    Must(ts.status());
    EXPECT_LE(*ts, store_.store()->visible());
    Committed(*label, *ts, writes);
    return true;
  }
  void Committed(const std::string& label, Timestamp ts, const WriteSet& writes) {
    for (const auto& [key, write] : writes) {
      EXPECT_TRUE(model_[label].keys[key].emplace(ts, write).second);
    }
    Synced();
  }

  // Two transactions, the second committed inside the first.
  bool Transact() {
    const auto label = Choose([](const ModelKeyspace& m) { return !m.state.ingesting; });
    if (!label) return false;
    const std::unique_ptr<LockTable> locks = LockTable::Create();
    const KeyspaceRef keyspace = store_.Find(*label);
    const TransactionContext context{store_.store(), keyspace, keyspace->state()->epoch, locks.get()};
    const auto isolation = static_cast<IsolationLevel>(Below(3));
    const auto outer = Transaction::Begin(context, isolation);
    Must(outer->BeginStatement());
    const Span read = SomeSpan();
    EXPECT_EQ(Drain(*outer->Scan(read)), model_[*label].Scan(outer->snapshot(), read));
    const std::string inner_key = Key();
    const bool inner = OneIn(2);
    if (inner) RunInner(context, *label, inner_key);
    WriteSet writes;
    std::vector<WriteSet> savepoints;
    bool refused = false;
    for (uint64_t i = 0; i <= Below(3) && !refused; ++i) {
      refused = !WriteOne(*outer, isolation, *label, &writes);
      UseSavepoints(*outer, &writes, &savepoints);
    }
    if (refused || OneIn(8)) {
      outer->Rollback();
      EXPECT_EQ(locks->held_count(), 0u);
      return true;
    }
    const bool was_read = inner_key >= read.start && (read.end.empty() || inner_key < read.end);
    const absl::StatusOr<Timestamp> ts = outer->Commit();
    EXPECT_EQ(locks->held_count(), 0u);
    if (writes.empty()) {  // every write was rolled back
      EXPECT_EQ(*ts, outer->snapshot());
      return true;
    }
    if (isolation == IsolationLevel::kSerializable && inner && was_read) {
      EXPECT_EQ(SqlStateOf(ts.status()), "40001");
      return true;
    }
    Must(ts.status());
    Committed(*label, *ts, writes);
    return true;
  }
  void RunInner(const TransactionContext& context, const std::string& label, const std::string& key) {
    const auto transaction = Transaction::Begin(context, IsolationLevel::kReadCommitted);
    Must(transaction->BeginStatement());
    Must(transaction->LockRow(key, {}).status());
    Must(transaction->Put(key, "inner"));
    const absl::StatusOr<Timestamp> ts = transaction->Commit();
    Must(ts.status());
    Committed(label, *ts, {{key, {WriteKind::kPut, "inner"}}});
  }
  // `savepoints`: what the transaction had written at each.
  void UseSavepoints(Transaction& transaction, WriteSet* writes, std::vector<WriteSet>* savepoints) {
    if (OneIn(3)) {
      Must(transaction.Savepoint());
      savepoints->push_back(*writes);
    }
    if (savepoints->empty() || !OneIn(3)) return;
    const size_t open = 1 + Below(savepoints->size());
    if (OneIn(2)) {
      transaction.Release(open);
      savepoints->resize(open - 1);
      return;
    }
    transaction.RollbackTo(open);
    savepoints->resize(open);
    *writes = savepoints->back();
  }
  bool WriteOne(Transaction& transaction, IsolationLevel isolation, const std::string& label, WriteSet* writes) {
    const std::string key = Key();
    const Write write = SomeWrite();
    Timestamp ts;
    const ModelKeyspace& model = model_[label];
    const auto history = model.keys.find(key);
    const Write* newest = history == model.keys.end() ? nullptr : model.VersionAt(history->second, kTimestampMax, &ts);
    const absl::StatusOr<LockedRow> row = transaction.LockRow(key, {});
    if (!writes->contains(key)) {
      const bool changed = newest != nullptr && ts > transaction.snapshot();
      if (changed && isolation != IsolationLevel::kReadCommitted) {
        EXPECT_EQ(SqlStateOf(row.status()), "40001");
        return false;
      }
      Must(row.status());
      EXPECT_EQ(row->changed_since_snapshot, changed);
      EXPECT_EQ(row->row.has_value(), newest != nullptr && newest->kind == WriteKind::kPut);
      if (row->row) {
        EXPECT_EQ(row->row->value, newest->value);
      }
    }
    Must(write.kind == WriteKind::kPut ? transaction.Put(key, write.value) : transaction.Delete(key));
    (*writes)[key] = write;
    const auto own = transaction.Get(key);
    Must(own.status());
    EXPECT_EQ(own->has_value(), write.kind == WriteKind::kPut);
    return true;
  }

  // Above the frontier, in any order, some of them again.
  std::vector<Version> Incoming(ModelKeyspace& model) {
    std::vector<Version> versions;
    const Timestamp from = model.state.frontier;
    for (uint64_t i = 0; i <= Below(5); ++i) {
      Version version{Key(), {from.ns + 1 + Below(20)}, SomeWrite()};
      ModelKeyspace::History& history = model.keys[version.key];
      const auto [there, inserted] = history.emplace(version.timestamp, version.write);
      version.write = there->second;  // a version never changes
      versions.push_back(version);
      if (OneIn(5)) versions.push_back(version);
    }
    return versions;
  }
  static bool CanIngest(const ModelKeyspace& m) { return m.state.ingesting && m.state.hidden.empty(); }
  bool Ingest() {
    const auto label = Choose(CanIngest);
    if (!label) return false;
    Must(store_.Ingest(*label, Incoming(model_[*label]), std::nullopt));
    return true;
  }
  bool Frontier() {
    const auto label = Choose(CanIngest);
    if (!label) return false;
    ModelKeyspace& model = model_[*label];
    std::vector<Version> versions = OneIn(3) ? std::vector<Version>() : Incoming(model);
    model.state.frontier = {model.state.frontier.ns + Below(25)};
    Must(store_.Ingest(*label, std::move(versions), model.state.frontier));
    Synced();
    return true;
  }

  bool Promote() {
    const auto label = Choose([](const ModelKeyspace& m) { return m.state.ingesting && m.state.hidden.empty(); });
    if (!label) return false;
    ModelKeyspace& model = model_[*label];
    const Timestamp after = Moment(model, model.state.floor, model.state.frontier);
    const KeyspaceRef keyspace = store_.Find(*label);
    Timestamp newest;
    Update([&](MetaUpdate& update) {
      EXPECT_EQ(update.Stage(keyspace).BumpEpoch().value(), model.state.epoch.value() + 1);
      newest = update.Stage(keyspace).Hide(after);
      update.Stage(keyspace).SetIngesting(false, after);
    });
    if (model.Newest() > model.state.floor) {  // below the floor, collection may have taken the newest
      EXPECT_EQ(newest, model.Newest());
    }
    model.state.epoch = Epoch(model.state.epoch.value() + 1);
    model.state.ingesting = false;
    model.state.frontier = after;
    if (newest > after) model.state.hidden.push_back({after, newest});
    Synced();
    return true;
  }

  bool Sweep() {
    const auto label = Choose([](const ModelKeyspace& m) { return !m.state.hidden.empty(); });
    if (!label) return false;
    ModelKeyspace& model = model_[*label];
    uint64_t expected = 0;
    for (const auto& [key, history] : model.keys) {
      expected +=
          std::count_if(history.begin(), history.end(), [&](const auto& v) { return model.state.IsHidden(v.first); });
    }
    const auto swept = SweepHidden(store_.store(), store_.Find(*label), model.state.epoch, {}, nullptr);
    Must(swept.status());
    EXPECT_EQ(swept->versions, expected);
    for (const HiddenInterval& hidden : model.state.hidden) model.EraseAbove(hidden.after, hidden.upto);
    model.state.hidden.clear();
    Synced();
    return true;
  }

  // As a failback begins: undo, then stream from there on.
  bool Revert() {
    const auto label = Choose([](const ModelKeyspace& m) { return m.state.hidden.empty(); });
    if (!label) return false;
    ModelKeyspace& model = model_[*label];
    const Timestamp after = Moment(model, model.state.floor, Resolved(model));
    const KeyspaceRef keyspace = store_.Find(*label);
    Update([&](MetaUpdate& update) {
      update.Stage(keyspace).BumpEpoch();
      update.Stage(keyspace).SetIngesting(true, after);
    });
    model.state.epoch = Epoch(model.state.epoch.value() + 1);
    model.state.ingesting = true;
    model.state.frontier = after;
    Must(EraseRange(store_.store(), keyspace, model.state.epoch, after, kTimestampMax.Prev(), {}, nullptr).status());
    model.EraseAbove(after, kTimestampMax);
    Synced();
    return true;
  }

  // A keyspace that was written here becomes a standby at the present moment.
  bool Standby() {
    const auto label = Choose([](const ModelKeyspace& m) { return !m.state.ingesting && m.state.hidden.empty(); });
    if (!label) return false;
    ModelKeyspace& model = model_[*label];
    const KeyspaceRef keyspace = store_.Find(*label);
    Update([&](MetaUpdate& update) {
      update.Stage(keyspace).BumpEpoch();
      model.state.frontier = update.visible();
      update.Stage(keyspace).SetIngesting(true, update.visible());
    });
    model.state.epoch = Epoch(model.state.epoch.value() + 1);
    model.state.ingesting = true;
    Synced();
    return true;
  }

  bool Clone() {
    if (model_.size() >= kKeyspacesPerSeedMax) return false;
    const auto label = Choose([](const ModelKeyspace&) { return true; });
    if (!label) return false;
    ModelKeyspace copy = model_[*label];
    const auto clone = CloneKeyspace(store_.store(), store_.Find(*label));
    Must(clone.status());
    const std::string name = fmt::format("k{}", labels_++);
    Must(store_.Publish(*clone, name));
    const Timestamp resolved = Resolved(copy);
    if (copy.Newest() > resolved) copy.state.hidden.push_back({resolved, copy.Newest()});
    copy.state.ingesting = false;
    copy.state.frontier = kTimestampZero;
    copy.state.epoch = Epoch(1);
    copy.protected_at.reset();
    model_[name] = std::move(copy);
    Synced();
    return true;
  }

  bool Import() {
    if (model_.size() >= kKeyspacesPerSeedMax) return false;
    const auto label = Choose([](const ModelKeyspace&) { return true; });
    if (!label) return false;
    ModelKeyspace copy = model_[*label];
    const std::string dir = fmt::format("/store/export{}", labels_);
    const auto manifest = ExportKeyspace(store_.store(), store_.Find(*label), dir);
    if (!copy.state.hidden.empty()) {
      EXPECT_EQ(SqlStateOf(manifest.status()), "55006");
      return true;
    }
    Must(manifest.status());
    EXPECT_EQ(manifest->floor, copy.state.floor);
    const auto imported = ImportKeyspace(store_.store(), *manifest, dir);
    Must(imported.status());
    const std::string name = fmt::format("k{}", labels_++);
    const Timestamp frontier = copy.state.ingesting ? copy.state.frontier : manifest->copied_upto;
    Must(
        store_.Publish(*imported, name, [&](MetaUpdate& update) { update.Stage(*imported).SetIngesting(true, frontier); }));
    copy.state.ingesting = true;
    copy.state.frontier = frontier;
    copy.state.epoch = Epoch(1);
    copy.protected_at.reset();
    model_[name] = std::move(copy);
    Synced();
    return true;
  }

  bool Drop() {
    if (model_.size() < 2) return false;
    const auto label = Choose([](const ModelKeyspace&) { return true; });
    const KeyspaceRef keyspace = store_.Find(*label);
    Must(store_.MarkDropping(*label));
    EXPECT_TRUE(IsFenced(CommitTo(keyspace, keyspace->state()->epoch)));
    Must(store_.store()->DropKeyspace(keyspace));
    EXPECT_FALSE(store_.store()->FindKeyspace(keyspace->incarnation()).ok());
    model_.erase(*label);
    Synced();
    return true;
  }

  bool Fenced() {
    const auto label = Choose([](const ModelKeyspace& m) { return m.state.epoch.value() > 1; });
    if (!label) return false;
    EXPECT_TRUE(IsFenced(CommitTo(store_.Find(*label), Epoch(model_[*label].state.epoch.value() - 1))));
    return true;
  }
  absl::Status CommitTo(const KeyspaceRef& keyspace, Epoch epoch) {
    return store_.store()
        ->Commit({.keyspace = keyspace,
                  .epoch = epoch,
                  .writes = std::make_shared<const WriteList>(WriteSet{{"x", {WriteKind::kPut, "x"}}}),
                  .validate_spans = {},
                  .validate_after = {}})
        .status();
  }

  bool Reopen() {
    const Timestamp visible = store_.store()->visible();
    store_.Close();  // closing syncs
    Must(store_.Open());
    EXPECT_GE(store_.store()->visible(), visible);
    Synced();
    CheckState();
    return true;
  }
  bool Crash() {
    const Timestamp visible = store_.store()->visible();
    store_.disk().StopAt(1);
    store_.Close();
    store_.disk().Crash(Unsynced::kLost, 1);
    Must(store_.Open());
    EXPECT_GE(store_.store()->visible(), visible);
    model_ = synced_;
    CheckState();
    return true;
  }
  bool Flush() {
    Must(store_.Flush());  // syncs the logs first
    Synced();
    return true;
  }
  bool Compact() {
    Must(store_.Compact());
    Synced();
    return true;
  }

  bool ProtectHistory() {
    const auto label = Choose([](const ModelKeyspace&) { return true; });
    ModelKeyspace& model = model_[*label];
    const KeyspaceRef keyspace = store_.Find(*label);
    if (model.protected_at) {
      Update([&](MetaUpdate& update) { Unprotect(update, keyspace->incarnation(), "test"); });
      model.protected_at.reset();
    } else {
      model.protected_at = Moment(model, model.state.floor, Resolved(model));
      Update([&](MetaUpdate& update) { Protect(update, keyspace->incarnation(), "test", *model.protected_at); });
    }
    Synced();
    return true;
  }

  bool Collect() {
    const auto label = Choose([](const ModelKeyspace&) { return true; });
    ModelKeyspace& model = model_[*label];
    const Timestamp wanted = Moment(model, model.state.floor, Resolved(model));
    const uint64_t ttl_ns = Resolved(model).ns - wanted.ns;
    const auto progress =
        CollectGarbage(store_.store(), store_.Find(*label), model.state.epoch, ttl_ns, Pacing::kFull, {}, nullptr);
    Must(progress.status());
    Timestamp limit = wanted;
    for (const HiddenInterval& hidden : model.state.hidden) limit = std::min(limit, hidden.after);  // R6
    if (model.protected_at) limit = std::min(limit, *model.protected_at);                           // R11
    model.state.floor = std::max(model.state.floor, limit);
    EXPECT_EQ(progress->floor, model.state.floor);
    Must(store_.store()->Sync());  // a floor that stays where it is writes nothing
    Synced();
    return true;
  }

  // ------------------------------------------------------------ reading

  std::unique_ptr<MvccReader> ReaderAt(const std::string& label, Timestamp at) {
    auto reader = MvccReader::Open(store_.store(), store_.Find(label), at);
    if (!reader.ok()) ADD_FAILURE() << reader.status();
    return reader.ok() ? *std::move(reader) : nullptr;
  }
  static std::string Drain(MvccScan& scan) {
    std::string text;
    while (true) {
      const absl::StatusOr<bool> found = scan.Next();
      if (!found.ok()) return text + found.status().ToString();
      if (!*found) return text;
      text += fmt::format("{}={}@{} ", ToHex(scan.key()), scan.value(), scan.timestamp().ns);
    }
  }

  // Moments that may be read, or, now and then, one that may not.
  std::optional<Timestamp> ReadableMoment(const std::string& label) {
    const ModelKeyspace& model = model_[label];
    const KeyspaceRef keyspace = store_.Find(label);
    if (OneIn(10)) {
      const bool below = OneIn(2) && !model.state.floor.IsZero();
      const Timestamp at = below ? model.state.floor.Prev() : Timestamp{Resolved(model).ns + 1'000'000'000'000};
      EXPECT_EQ(SqlStateOf(MvccReader::Open(store_.store(), keyspace, at).status()), "22023");
      return std::nullopt;
    }
    return Moment(model, model.state.floor, Resolved(model));
  }

  bool Get() {
    const auto label = Choose([](const ModelKeyspace&) { return true; });
    const auto at = ReadableMoment(*label);
    if (!at) return true;
    const auto reader = ReaderAt(*label, *at);
    for (int i = 0; i < 4; ++i) CheckGet(*label, *reader, Key());
    return true;
  }
  void CheckGet(const std::string& label, MvccReader& reader, const std::string& key) {
    const ModelKeyspace& model = model_[label];
    const auto history = model.keys.find(key);
    Timestamp ts;
    const Write* expected = history == model.keys.end() ? nullptr : model.VersionAt(history->second, reader.at(), &ts);
    const auto row = reader.Get(key);
    Must(row.status());
    const bool live = expected != nullptr && expected->kind == WriteKind::kPut;
    ASSERT_EQ(row->has_value(), live) << label << " key " << ToHex(key) << " at " << reader.at().ns;
    if (!live) return;
    EXPECT_EQ((*row)->value, expected->value);
    EXPECT_EQ((*row)->timestamp, ts);
  }

  bool Scan() {
    const auto label = Choose([](const ModelKeyspace&) { return true; });
    const auto at = ReadableMoment(*label);
    if (at) CheckScan(*label, *at, SomeSpan());
    return true;
  }
  void CheckScan(const std::string& label, Timestamp at, const Span& span) {
    EXPECT_EQ(Drain(*ReaderAt(label, at)->Scan(span)), model_[label].Scan(at, span)) << label << " at " << at.ns;
  }

  bool Cursor() {
    const auto label = Choose([](const ModelKeyspace&) { return true; });
    const ModelKeyspace& model = model_[*label];
    const Timestamp after = Moment(model, model.state.floor, std::max(model.state.floor, model.Newest()));
    CheckCursor(*label, after, Moment(model, after, std::max(after, model.Newest())),
                OneIn(2) ? ChangeFilter::kVisible : ChangeFilter::kAll);
    return true;
  }
  void CheckCursor(const std::string& label, Timestamp after, Timestamp upto, ChangeFilter filter) {
    const KeyspaceRef keyspace = store_.Find(label);
    auto cursor = ChangeCursor::Open(store_.store(), keyspace, after, upto, filter);
    Must(cursor.status());
    std::string text;
    ChangeEntry entry;
    while (true) {
      const absl::StatusOr<bool> found = (*cursor)->NextTimestamp(&entry);
      Must(found.status());
      if (!*found) break;
      const auto versions = ReadVersions(store_.store(), keyspace, entry);
      Must(versions.status());
      text += fmt::format("{}: ", entry.timestamp.ns);
      for (const Version& v : *versions) {
        text += fmt::format("{}{}{} ", ToHex(v.key), v.write.kind == WriteKind::kPut ? "=" : "-", v.write.value);
      }
    }
    EXPECT_EQ(text, model_[label].Changes(after, upto, filter)) << label << " (" << after.ns << ", " << upto.ns << "]";
  }

  bool Digest() {
    const auto label = Choose([](const ModelKeyspace&) { return true; });
    const auto at = ReadableMoment(*label);
    if (!at) return true;
    std::optional<Timestamp> start;
    if (OneIn(2)) start = Moment(model_[*label], model_[*label].state.floor, *at);
    const auto digest = ComputeFingerprint(store_.store(), store_.Find(*label), start, *at, {});
    Must(digest.status());
    const Fingerprint expected = model_[*label].Digest(start, *at);
    EXPECT_EQ(digest->digest, expected.digest);
    EXPECT_EQ(digest->versions, expected.versions);
    return true;
  }

  // A new standby gets everything through the change index, in two parts that overlap.
  bool CatchUp() {
    if (model_.size() >= kKeyspacesPerSeedMax) return false;
    const auto label = Choose([](const ModelKeyspace& m) { return m.state.floor.IsZero(); });
    if (!label) return false;
    const ModelKeyspace source = model_[*label];
    const Timestamp upto = Resolved(source);
    const Timestamp middle = Moment(source, kTimestampZero, upto);
    const auto standby = store_.store()->CreateKeyspace();
    Must(standby.status());
    const std::string name = fmt::format("k{}", labels_++);
    Must(store_.Publish(*standby, name,
                        [&](MetaUpdate& update) { update.Stage(*standby).SetIngesting(true, kTimestampZero); }));
    Stream(*label, name, kTimestampZero, upto, middle);
    Stream(*label, name, middle, upto, upto);
    ModelKeyspace& copy = model_[name];
    copy.state.epoch = Epoch(1);
    copy.state.published = true;
    copy.state.ingesting = true;
    copy.state.frontier = upto;
    for (const auto& [key, history] : source.keys) {
      for (const auto& [ts, write] : history) {
        if (ts <= upto && !source.state.IsHidden(ts)) copy.keys[key].emplace(ts, write);
      }
    }
    Synced();
    return true;
  }
  void Stream(const std::string& from, const std::string& to, Timestamp after, Timestamp upto, Timestamp frontier) {
    const KeyspaceRef keyspace = store_.Find(from);
    auto cursor = ChangeCursor::Open(store_.store(), keyspace, after, upto, ChangeFilter::kVisible);
    Must(cursor.status());
    std::vector<Version> versions;
    ChangeEntry entry;
    while (*(*cursor)->Next(&entry)) {
      auto found = ReadVersions(store_.store(), keyspace, entry);
      Must(found.status());
      std::move(found->begin(), found->end(), std::back_inserter(versions));
    }
    Must(store_.Ingest(to, std::move(versions), frontier));
  }

  void CheckState() {
    for (const auto& [label, model] : model_) {
      const auto state = store_.Find(label)->state();
      EXPECT_EQ(state->epoch, model.state.epoch);
      EXPECT_EQ(state->ingesting, model.state.ingesting);
      EXPECT_EQ(state->frontier, model.state.frontier) << label;
      EXPECT_EQ(state->floor, model.state.floor);
      EXPECT_EQ(state->hidden.size(), model.state.hidden.size());
    }
    EXPECT_EQ(store_.Labels().size(), model_.size());
    EXPECT_EQ(store_.store()->Keyspaces().size(), model_.size());
  }
  void CheckAll(const std::string& label) {
    const ModelKeyspace& model = model_[label];
    CheckScan(label, Resolved(model), {});
    CheckCursor(label, model.state.floor, std::max(model.state.floor, model.Newest()), ChangeFilter::kAll);
    CheckScan(label, Moment(model, model.state.floor, Resolved(model)), {});
    Must(CheckIndexMatchesData(*store_.Find(label), model.state.floor, kTimestampMax.Prev()));
  }

  std::vector<std::string> done_;  // the steps so far, for whoever reads about a failure
  std::mt19937_64 random_;
  mutable FaultStore store_;
  std::map<std::string, ModelKeyspace> model_;
  std::map<std::string, ModelKeyspace> synced_;  // the keyspaces as they were at the last sync
  uint64_t labels_ = 0;
  uint64_t values_ = 0;
};

TEST(ModelTest, StoreAndMapAgree) {
  std::map<std::string, uint64_t> counts;
  uint64_t first = 1;
  uint64_t seeds = kSeeds;
  if (const char* chosen = std::getenv("ANABRANCH_MODEL_SEED"); chosen != nullptr) {
    first = std::strtoull(chosen, nullptr, 10);
    seeds = 1;
  }
  std::atomic<uint64_t> next{first};
  std::mutex mutex;
  const auto run_some = [&] {
    std::map<std::string, uint64_t> own;
    for (uint64_t seed = next++; seed < first + seeds && !testing::Test::HasFailure(); seed = next++) {
      SCOPED_TRACE(fmt::format("ANABRANCH_MODEL_SEED={}", seed));
      Life(seed).Run(&own);
    }
    std::lock_guard lock(mutex);
    for (const auto& [name, count] : own) counts[name] += count;
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) threads.emplace_back(run_some);
  }
  for (const auto& [name, count] : counts) fmt::print("[ COVERAGE ] {}: {}\n", name, count);
  if (seeds > 1 && !testing::Test::HasFailure()) {
    for (const std::string& name : Life::OperationNames()) EXPECT_GT(counts[name], 0u) << name;
  }
}

}  // namespace
}  // namespace anabranch
