#include "storage/commit/write_group.h"

#include <algorithm>
#include <memory>
#include <tuple>

#include "base/check.h"
#include "base/coding.h"
#include "base/status.h"
#include "storage/commit/span_set.h"
#include "storage/commit/validation.h"
#include "storage/mvcc/change_index.h"
#include "storage/mvcc/reader.h"
#include "storage/rocks/meta_format.h"

namespace anabranch {

WriteGroup::WriteGroup(RocksEngine* engine, HybridClock* clock)
    : engine_(engine), clock_(clock), batch_(engine->NewBatch()) {}

WriteGroup::Staged& WriteGroup::Stage(const KeyspaceRef& keyspace) {
  CHECK(!sealed_, "a group grew after it was written");
  const auto [it, inserted] = staged_.try_emplace(keyspace.get());
  if (inserted) it->second = {keyspace, *keyspace->state()};
  return it->second;
}

KeyspaceState WriteGroup::StateOf(const KeyspaceRef& keyspace) { return Stage(keyspace).state; }

void WriteGroup::Change(const KeyspaceRef& keyspace, absl::FunctionRef<void(KeyspaceState&)> change) {
  Staged& staged = Stage(keyspace);
  staged.record_changed = true;
  staged.changed_otherwise = true;
  change(staged.state);
}

void WriteGroup::ChangeFrontier(const KeyspaceRef& keyspace, Timestamp frontier) {
  Stage(keyspace).state.frontier = frontier;
  PutMeta(MetaFrontierKey(keyspace->incarnation()), EncodeTimestamp(frontier));
}

void WriteGroup::Forget(const KeyspaceRef& keyspace) {
  Staged& staged = Stage(keyspace);
  staged.forgotten = true;
  staged.state.dropping = true;
  DeleteMeta(MetaKeyspaceKey(keyspace->incarnation()));
  DeleteMeta(MetaFrontierKey(keyspace->incarnation()));
  DeleteMeta(MetaCollectedKey(keyspace->incarnation()));
}

void WriteGroup::PutMeta(std::string_view key, std::string_view value) {
  CHECK(!sealed_, "a group grew after it was written");
  batch_.Put(engine_->meta, rocksdb::Slice(key), rocksdb::Slice(value));
  ++puts_;
}

void WriteGroup::DeleteMeta(std::string_view key) {
  CHECK(!sealed_, "a group grew after it was written");
  batch_.Delete(engine_->meta, rocksdb::Slice(key));
  ++deletes_;
}

void WriteGroup::RaiseClock(Timestamp ts) {
  raise_to_ = std::max(raise_to_, ts);
  if (ts <= clock_->ceiling() || (new_ceiling_ && ts < *new_ceiling_)) return;
  new_ceiling_ = clock_->NextCeiling(ts);
  batch_.Put(engine_->meta, rocksdb::Slice(kMetaCeilingKey), EncodeTimestamp(*new_ceiling_));
}

absl::Status WriteGroup::CheckOwner(const KeyspaceRef& keyspace, Epoch epoch) {
  const KeyspaceState state = StateOf(keyspace);
  if (state.dropping) {  // R12: a batch that names a dropped family would put the whole store into its error state
    return FencedError(fmt::format("keyspace {} is being dropped", keyspace->incarnation().value()));
  }
  if (state.epoch != epoch) {  // R4
    return FencedError(fmt::format("keyspace {} is owned by epoch {}, this write carries {}",
                                   keyspace->incarnation().value(), state.epoch.value(), epoch.value()));
  }
  return absl::OkStatus();
}

// R3: everything published above `validate_after` is in the change index; earlier members of this group are not yet. What
// stands above what the committer has looked at (storage/commit/validation.h).
absl::Status WriteGroup::Validate(const CommitRequest& request) {
  const RocksKeyspace& keyspace = AsRocks(*request.keyspace);
  const SpanSet read(request.validate_spans);
  const size_t bytes_max = ValidatedByWriterBytesMax(request.validations);
  size_t bytes = 0;
  for (const PublishedCommit& earlier : commits_) {
    if (earlier.incarnation != keyspace.incarnation()) continue;
    for (const WriteList::Entry write : *earlier.writes) {
      bytes += write.key.size() + kValidatedKeyOverheadBytes;
      if (bytes > bytes_max) return TooMuchToValidate();
      if (read.Contains(write.key)) return SerializationFailure();
    }
  }
  const KeyspaceState state = StateOf(request.keyspace);
  if (request.validate_after < state.floor) return SerializationFailure();  // R8: entries may be missing
  const std::unique_ptr<rocksdb::Iterator> it(keyspace.db()->NewIterator(rocksdb::ReadOptions(), keyspace.changes()));
  it->Seek(EncodeTimestamp(request.validate_after.Next()));
  for (; it->Valid(); it->Next()) {
    ++keyspace.counter().iterator_steps;
    bytes += it->key().size() + it->value().size();
    if (bytes > bytes_max) return TooMuchToValidate();
    ChangeEntry entry;
    if (!DecodeChange(it->key().ToStringView(), it->value().ToStringView(), &entry)) {
      return absl::DataLossError("change index entry does not decode");
    }
    if (state.IsHidden(entry.timestamp)) continue;
    for (const std::string& key : entry.keys) {
      if (read.Contains(key)) return SerializationFailure();
    }
  }
  return FromRocks(it->status(), "validate");
}

void WriteGroup::PutVersion(const RocksKeyspace& keyspace, std::string_view key, Timestamp ts,
                            const rocksdb::SliceParts& stored) {
  version_key_.clear();
  AppendVersionKey(&version_key_, key, ts);
  const rocksdb::Slice key_part(version_key_);
  batch_.Put(keyspace.data(), rocksdb::SliceParts(&key_part, 1), stored);
  ++puts_;
}

void WriteGroup::PutChange(const RocksKeyspace& keyspace, Timestamp ts, const std::vector<std::string_view>& keys) {
  for (const auto& [key, value] : EncodeChange(ts, keys)) {  // K1: an entry is in the batch of the versions that it names
    batch_.Put(keyspace.changes(), key, value);
    ++puts_;
  }
}

void WriteGroup::NoteVersion(const KeyspaceRef& keyspace, Timestamp ts, std::string_view first_key) {
  KeyspaceState& state = Stage(keyspace).state;
  state.newest = std::max(state.newest, ts);
  if (first_key < kSystemKeysEnd) state.system_newest = std::max(state.system_newest, ts);
}

absl::StatusOr<Timestamp> WriteGroup::NextTimestamp(const CommitRequest& request) {
  RETURN_IF_ERROR(CheckOwner(request.keyspace, request.epoch));
  if (!request.validate_spans.empty()) RETURN_IF_ERROR(Validate(request));
  const std::optional<Timestamp> ts = clock_->Next();
  if (!ts) return absl::InternalError("no timestamp left under the clock ceiling");
  return *ts;
}

void WriteGroup::NoteCommit(const CommitRequest& request, Timestamp ts) {
  RocksKeyspace& keyspace = AsRocks(*request.keyspace);
  NoteVersion(request.keyspace, ts, (*request.writes)[0].key);
  commits_.push_back({keyspace.incarnation(), ts, request.writes});
  committed_to_.push_back(&keyspace);
}

absl::StatusOr<Timestamp> WriteGroup::AddCommit(const CommitRequest& request) {
  ASSIGN_OR_RETURN(const Timestamp ts, NextTimestamp(request));
  RocksKeyspace& keyspace = AsRocks(*request.keyspace);
  std::vector<std::string_view> keys;
  keys.reserve(request.writes->size());
  for (const WriteList::Entry write : *request.writes) {
    const rocksdb::Slice stored(write.stored);
    PutVersion(keyspace, write.key, ts, {&stored, 1});
    keys.push_back(write.key);
  }
  PutChange(keyspace, ts, keys);
  sync_ = true;
  NoteCommit(request, ts);
  return ts;
}

absl::StatusOr<Timestamp> WriteGroup::AddHold(const CommitRequest& request) {
  ASSIGN_OR_RETURN(const Timestamp ts, NextTimestamp(request));
  Stage(request.keyspace).state.held_at = ts.Prev();
  return ts;
}

absl::Status WriteGroup::AddFiles(const CommitRequest& request, Timestamp ts, CommitFiles* files) {
  RETURN_IF_ERROR(CheckOwner(request.keyspace, request.epoch));
  files_ = files;
  puts_ += files->entries();
  Stage(request.keyspace).state.held_at.reset();
  NoteCommit(request, ts);
  return absl::OkStatus();
}

absl::Status WriteGroup::AddIngest(const IngestRequest& request) {
  RETURN_IF_ERROR(CheckOwner(request.keyspace, request.epoch));
  const KeyspaceState state = StateOf(request.keyspace);
  if (!state.hidden.empty()) {  // R5: versions that a source rightly sends again would be hidden, and swept
    return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                    fmt::format("keyspace {} still has {} hidden interval(s) to sweep before it can ingest",
                                request.keyspace->incarnation().value(), state.hidden.size()));
  }
  const RocksKeyspace& keyspace = AsRocks(*request.keyspace);
  std::vector<const Version*> versions;
  versions.reserve(request.versions.size());
  for (const Version& version : request.versions) versions.push_back(&version);
  std::sort(versions.begin(), versions.end(), [](const Version* a, const Version* b) {
    return std::tie(a->timestamp, a->key) < std::tie(b->timestamp, b->key);
  });
  if (!versions.empty() &&
      versions.front()->timestamp <= state.floor) {  // R8: what superseded the version may be collected already
    return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                    fmt::format("a version at {} came after history up to {} was garbage collected",
                                FormatHlc(versions.front()->timestamp), FormatHlc(state.floor)));
  }
  const Timestamp newest = versions.empty() ? kTimestampZero : versions.back()->timestamp;
  RETURN_IF_ERROR(clock_->CheckVersion(std::max(newest, request.frontier.value_or(kTimestampZero))));
  for (size_t begin = 0; begin < versions.size();) {
    const Timestamp ts = versions[begin]->timestamp;
    std::vector<std::string_view> keys;
    size_t end = begin;
    for (; end < versions.size() && versions[end]->timestamp == ts; ++end) {
      const Version& version = *versions[end];
      if (!keys.empty() && keys.back() == version.key) continue;  // the version was sent twice
      const char kind = static_cast<char>(version.write.kind);
      const rocksdb::Slice stored[] = {rocksdb::Slice(&kind, 1), rocksdb::Slice(version.write.value)};
      PutVersion(keyspace, version.key, ts, {stored, 2});
      keys.push_back(version.key);
    }
    PutChange(keyspace, ts, keys);
    NoteVersion(request.keyspace, ts, keys.front());
    begin = end;
  }
  Stage(request.keyspace).changed_otherwise = true;
  if (request.frontier) {
    CHECK(*request.frontier >= state.frontier, "K4: the frontier of a keyspace under ingestion went back");
    ChangeFrontier(request.keyspace, *request.frontier);
    sync_ = true;
  }
  return absl::OkStatus();
}

absl::Status WriteGroup::AddErase(const Store::EraseRequest& request) {
  RETURN_IF_ERROR(CheckOwner(request.keyspace, request.epoch));
  const RocksKeyspace& keyspace = AsRocks(*request.keyspace);
  for (const std::string& key : request.data_keys) batch_.Delete(keyspace.data(), key);
  for (const std::string& key : request.change_keys) batch_.Delete(keyspace.changes(), key);
  deletes_ += request.data_keys.size() + request.change_keys.size();
  if (!request.collected_upto.empty()) PutMeta(MetaCollectedKey(keyspace.incarnation()), request.collected_upto);
  return absl::OkStatus();
}

bool WriteGroup::empty() const {
  return batch_.Count() == 0 && files_ == nullptr &&
         std::none_of(staged_.begin(), staged_.end(), [](const auto& entry) { return entry.second.record_changed; });
}

void WriteGroup::Seal() {
  for (const auto& [key, staged] : staged_) {
    if (!staged.record_changed || staged.forgotten) continue;
    PutMeta(MetaKeyspaceKey(staged.keyspace->incarnation()), EncodeKeyspaceState(staged.state));
  }
  sealed_ = true;
}

rocksdb::Status WriteGroup::WriteBatch() {
  CHECK(!sealed_ || files_ == nullptr, "the files of a commit were to be adopted twice");
  if (!sealed_) Seal();
  const rocksdb::Status status = files_ != nullptr ? files_->Adopt() : engine_->Write(&batch_, sync_);
  if (!status.ok()) return status;
  engine_->counter.puts += puts_;
  engine_->counter.deletes += deletes_;
  if (sync_) ++engine_->counter.syncs;
  return status;
}

// Steps 2 to 4 of the order of publication (storage/rocks/published_state.h).
void WriteGroup::Publish() {
  for (size_t i = 0; i < commits_.size(); ++i) committed_to_[i]->NoteCommit(*commits_[i].writes, commits_[i].timestamp);
  if (new_ceiling_) clock_->SetCeiling(*new_ceiling_);
  clock_->RaiseTo(raise_to_);
  for (auto& [key, staged] : staged_) {
    RocksKeyspace& keyspace = AsRocks(*staged.keyspace);
    if (staged.changed_otherwise) keyspace.ForgetRecent(std::max(clock_->last(), staged.state.newest));
    if (staged.forgotten) keyspace.MarkGone();
    keyspace.SetState(std::move(staged.state));
  }
}

absl::StatusOr<Timestamp> NewestPresent(const RocksKeyspace& keyspace) {
  const std::unique_ptr<rocksdb::Iterator> it(keyspace.db()->NewIterator(rocksdb::ReadOptions(), keyspace.changes()));
  it->SeekToLast();
  ++keyspace.counter().iterator_steps;
  RETURN_IF_ERROR(FromRocks(it->status(), "read the end of the change index"));
  if (!it->Valid()) return kTimestampZero;
  std::string_view key = it->key().ToStringView();
  Timestamp ts;
  if (!TakeFixed64BigEndian(&key, &ts.ns)) return absl::DataLossError("change index entry does not decode");
  return ts;
}

}  // namespace anabranch
