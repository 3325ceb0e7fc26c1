// What a life does: the operations that change the store.
#include "storage/testing/model_life.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/status.h"
#include "fmt/ranges.h"
#include "storage/gc.h"
#include "storage/protection.h"
#include "storage/revert.h"
#include "storage/transfer.h"

namespace anabranch {

void Life::Run(std::map<std::string, uint64_t>* counts) {
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

std::vector<std::string> Life::OperationNames() {
  std::vector<std::string> names;
  for (const Operation& operation : Operations()) names.emplace_back(operation.name);
  return names;
}

const std::vector<Life::Operation>& Life::Operations() {
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

const char* Life::Step() {
  int total = 0;
  for (const Operation& operation : Operations()) total += operation.weight;
  while (true) {
    int chosen = static_cast<int>(Below(total));
    auto operation = Operations().begin();
    while (chosen >= operation->weight) chosen -= (operation++)->weight;
    if ((this->*operation->run)()) return operation->name;
  }
}

std::optional<std::string> Life::Choose(const std::function<bool(const ModelKeyspace&)>& fits) {
  std::vector<std::string> fitting;
  for (const auto& [label, model] : model_) {
    if (fits(model)) fitting.push_back(label);
  }
  if (fitting.empty()) return std::nullopt;
  return fitting[Below(fitting.size())];
}

std::string Life::Key() {
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

Write Life::SomeWrite() {
  if (OneIn(4)) return {WriteKind::kTombstone, ""};
  return {WriteKind::kPut, OneIn(20) ? std::string(3000, 'x') : fmt::format("{}", ++values_)};
}

Timestamp Life::Resolved(const ModelKeyspace& model) const {
  return model.state.ingesting ? model.state.frontier : store_.store()->visible();
}

Timestamp Life::Moment(const ModelKeyspace& model, Timestamp from, Timestamp upto) {
  std::vector<Timestamp> moments = {from, upto};
  for (const auto& [key, history] : model.keys) {
    for (const auto& [ts, write] : history) moments.insert(moments.end(), {ts, ts.Prev(), ts.Next()});
  }
  std::erase_if(moments, [&](Timestamp ts) { return ts < from || ts > upto; });
  return moments.empty() ? from : moments[Below(moments.size())];
}

Span Life::SomeSpan() {
  if (OneIn(3)) return {};
  Span span{Key(), Key()};
  if (!span.end.empty() && span.end < span.start) std::swap(span.start, span.end);
  return span;
}

bool Life::Update(const std::function<void(MetaUpdate&)>& build) {
  Must(store_.Update(build));
  return true;
}

bool Life::NewKeyspace() {
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

bool Life::Commit() {
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

void Life::Committed(const std::string& label, Timestamp ts, const WriteSet& writes) {
  for (const auto& [key, write] : writes) {
    EXPECT_TRUE(model_[label].keys[key].emplace(ts, write).second);
  }
  Synced();
}

std::vector<Version> Life::Incoming(ModelKeyspace& model) {
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

bool Life::Ingest() {
  const auto label = Choose(CanIngest);
  if (!label) return false;
  Must(store_.Ingest(*label, Incoming(model_[*label]), std::nullopt));
  return true;
}

bool Life::Frontier() {
  const auto label = Choose(CanIngest);
  if (!label) return false;
  ModelKeyspace& model = model_[*label];
  std::vector<Version> versions = OneIn(3) ? std::vector<Version>() : Incoming(model);
  model.state.frontier = {model.state.frontier.ns + Below(25)};
  Must(store_.Ingest(*label, std::move(versions), model.state.frontier));
  Synced();
  return true;
}

bool Life::Promote() {
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

bool Life::Sweep() {
  const auto label = Choose([](const ModelKeyspace& m) { return !m.state.hidden.empty(); });
  if (!label) return false;
  ModelKeyspace& model = model_[*label];
  uint64_t expected = 0;
  for (const auto& [key, history] : model.keys) {
    expected += std::count_if(history.begin(), history.end(), [&](const auto& v) { return model.state.IsHidden(v.first); });
  }
  const auto swept = SweepHidden(store_.store(), store_.Find(*label), model.state.epoch, {}, nullptr);
  Must(swept.status());
  EXPECT_EQ(swept->versions, expected);
  for (const HiddenInterval& hidden : model.state.hidden) model.EraseAbove(hidden.after, hidden.upto);
  model.state.hidden.clear();
  Synced();
  return true;
}

bool Life::Revert() {
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

bool Life::Standby() {
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

bool Life::Clone() {
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

bool Life::Import() {
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
  Must(store_.Publish(*imported, name, [&](MetaUpdate& update) { update.Stage(*imported).SetIngesting(true, frontier); }));
  copy.state.ingesting = true;
  copy.state.frontier = frontier;
  copy.state.epoch = Epoch(1);
  copy.protected_at.reset();
  model_[name] = std::move(copy);
  Synced();
  return true;
}

bool Life::Drop() {
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

bool Life::Fenced() {
  const auto label = Choose([](const ModelKeyspace& m) { return m.state.epoch.value() > 1; });
  if (!label) return false;
  EXPECT_TRUE(IsFenced(CommitTo(store_.Find(*label), Epoch(model_[*label].state.epoch.value() - 1))));
  return true;
}

absl::Status Life::CommitTo(const KeyspaceRef& keyspace, Epoch epoch) {
  return store_.store()
      ->Commit({.keyspace = keyspace,
                .epoch = epoch,
                .writes = std::make_shared<const WriteList>(WriteSet{{"x", {WriteKind::kPut, "x"}}}),
                .validate_spans = {},
                .validate_after = {}})
      .status();
}

bool Life::Reopen() {
  const Timestamp visible = store_.store()->visible();
  store_.Close();  // closing syncs
  Must(store_.Open());
  EXPECT_GE(store_.store()->visible(), visible);
  Synced();
  CheckState();
  return true;
}

bool Life::Crash() {
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

bool Life::Flush() {
  Must(store_.Flush());  // syncs the logs first
  Synced();
  return true;
}

bool Life::Compact() {
  Must(store_.Compact());
  Synced();
  return true;
}

bool Life::ProtectHistory() {
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

bool Life::Collect() {
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

}  // namespace anabranch
