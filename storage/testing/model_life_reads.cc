// What a life reads and checks.
#include <algorithm>
#include <iterator>
#include <utility>

#include "base/coding.h"
#include "base/status.h"
#include "storage/mvcc/fingerprint.h"
#include "storage/testing/model_life.h"
#include "storage/transfer_check.h"

namespace anabranch {

std::unique_ptr<MvccReader> Life::ReaderAt(const std::string& label, Timestamp at) {
  auto reader = MvccReader::Open(store_.store(), store_.Find(label), at);
  if (!reader.ok()) ADD_FAILURE() << reader.status();
  return reader.ok() ? *std::move(reader) : nullptr;
}

std::string Life::Drain(MvccScan& scan) {
  std::string text;
  while (true) {
    const absl::StatusOr<bool> found = scan.Next();
    if (!found.ok()) return text + found.status().ToString();
    if (!*found) return text;
    text += fmt::format("{}={}@{} ", ToHex(scan.key()), scan.value(), scan.timestamp().ns);
  }
}

std::optional<Timestamp> Life::ReadableMoment(const std::string& label) {
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

bool Life::Get() {
  const auto label = Choose([](const ModelKeyspace&) { return true; });
  const auto at = ReadableMoment(*label);
  if (!at) return true;
  const auto reader = ReaderAt(*label, *at);
  for (int i = 0; i < 4; ++i) CheckGet(*label, *reader, Key());
  return true;
}

void Life::CheckGet(const std::string& label, MvccReader& reader, const std::string& key) {
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

bool Life::Scan() {
  const auto label = Choose([](const ModelKeyspace&) { return true; });
  const auto at = ReadableMoment(*label);
  if (at) CheckScan(*label, *at, SomeSpan());
  return true;
}

void Life::CheckScan(const std::string& label, Timestamp at, const Span& span) {
  EXPECT_EQ(Drain(*ReaderAt(label, at)->Scan(span)), model_[label].Scan(at, span)) << label << " at " << at.ns;
}

bool Life::Cursor() {
  const auto label = Choose([](const ModelKeyspace&) { return true; });
  const ModelKeyspace& model = model_[*label];
  const Timestamp after = Moment(model, model.state.floor, std::max(model.state.floor, model.Newest()));
  CheckCursor(*label, after, Moment(model, after, std::max(after, model.Newest())),
              OneIn(2) ? ChangeFilter::kVisible : ChangeFilter::kAll);
  return true;
}

void Life::CheckCursor(const std::string& label, Timestamp after, Timestamp upto, ChangeFilter filter) {
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

bool Life::Digest() {
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

bool Life::CatchUp() {
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

void Life::Stream(const std::string& from, const std::string& to, Timestamp after, Timestamp upto, Timestamp frontier) {
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

void Life::CheckState() {
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

void Life::CheckAll(const std::string& label) {
  const ModelKeyspace& model = model_[label];
  CheckScan(label, Resolved(model), {});
  CheckCursor(label, model.state.floor, std::max(model.state.floor, model.Newest()), ChangeFilter::kAll);
  CheckScan(label, Moment(model, model.state.floor, Resolved(model)), {});
  Must(CheckIndexMatchesData(*store_.Find(label), model.state.floor, kTimestampMax.Prev()));
}

}  // namespace anabranch
