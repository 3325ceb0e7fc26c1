#include "storage/commit/meta_update.h"

#include <algorithm>
#include <memory>

#include "base/status.h"
#include "storage/rocks/meta_format.h"

namespace anabranch {

absl::StatusOr<std::optional<std::string>> MetaUpdateImpl::GetBefore(std::string_view key) {
  return ReadMeta(*engine_, key);
}

void MetaUpdateImpl::Refuse(absl::Status status) {
  if (status_.ok()) status_ = std::move(status);
}

bool MetaUpdateImpl::IsThere(const KeyspaceRef& keyspace) {
  if (!AsRocks(*keyspace).gone()) return true;
  Refuse(FencedError(fmt::format("keyspace {} was dropped", keyspace->incarnation().value())));
  return false;
}

// Protections are read from the database: an earlier update is in it, and a later one is judged against the raised floor.
absl::StatusOr<Timestamp> MetaUpdateImpl::LeastProtected(const KeyspaceRef& keyspace) {
  Timestamp least = kTimestampMax;
  const std::string prefix = MetaProtectPrefix(keyspace->incarnation());
  const std::unique_ptr<rocksdb::Iterator> it(engine_->db->NewIterator(rocksdb::ReadOptions(), engine_->meta));
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
    ++engine_->counter.iterator_steps;
    Timestamp protected_at;
    if (!DecodeTimestamp(it->value().ToStringView(), &protected_at)) {
      return absl::DataLossError(fmt::format("protection record {} does not decode", it->key().ToString()));
    }
    least = std::min(least, protected_at);
  }
  RETURN_IF_ERROR(FromRocks(it->status(), "read protections"));
  return least;
}

Epoch StagedKeyspace::BumpEpoch() {
  if (!update_->IsThere(keyspace_)) return Epoch();
  const Epoch next(update_->group_->StateOf(keyspace_).epoch.value() + 1);
  update_->group_->Change(keyspace_, [&](KeyspaceState& state) { state.epoch = next; });
  return next;
}

// An update is a group of its own and this is the only thread that writes, so the end of the change index is the newest
// version.
Timestamp StagedKeyspace::Hide(Timestamp after) {
  if (!update_->IsThere(keyspace_)) return kTimestampZero;
  WriteGroup& group = *update_->group_;
  if (const Timestamp floor = group.StateOf(keyspace_).floor; after < floor) {  // R6, R8: what stood at `after` is gone
    update_->Refuse(SqlError(sqlstate::kInvalidParameterValue,
                             fmt::format("history at {} was garbage collected: the oldest timestamp kept is {}",
                                         FormatHlc(after), FormatHlc(floor))));
    return kTimestampZero;
  }
  const absl::StatusOr<Timestamp> newest = NewestPresent(AsRocks(*keyspace_));
  if (!newest.ok()) {
    update_->Refuse(newest.status());
    return kTimestampZero;
  }
  if (absl::Status ahead = group.CheckVersion(std::max(*newest, after));
      !ahead.ok()) {  // R2: the clock goes along for good
    update_->Refuse(std::move(ahead));
    return kTimestampZero;
  }
  group.RaiseClock(std::max(*newest, after));
  group.Change(keyspace_, [&](KeyspaceState& state) {
    state.newest = *newest;
    if (*newest <= after) return;
    if (after < state.frontier) ++state.rewinds;
    state.system_newest = std::max(*newest, update_->visible_);
    const auto same = std::find_if(state.hidden.begin(), state.hidden.end(),
                                   [&](const HiddenInterval& interval) { return interval.after == after; });
    if (same != state.hidden.end()) {
      same->upto = std::max(same->upto, *newest);
    } else {
      state.hidden.push_back({after, *newest});
    }
  });
  return *newest;
}

void StagedKeyspace::RetireHidden(Timestamp after) {
  if (!update_->IsThere(keyspace_)) return;
  std::vector<HiddenInterval> hidden = update_->group_->StateOf(keyspace_).hidden;
  const auto retired =
      std::find_if(hidden.begin(), hidden.end(), [&](const HiddenInterval& interval) { return interval.after == after; });
  if (retired == hidden.end()) return;
  // One seek proves that the sweep is done; what is left would come back to life.
  RocksKeyspace& rocks = AsRocks(*keyspace_);
  const std::unique_ptr<rocksdb::Iterator> it(rocks.db()->NewIterator(rocksdb::ReadOptions(), rocks.changes()));
  it->Seek(EncodeTimestamp(after.Next()));
  ++rocks.counter().iterator_steps;
  if (!it->status().ok()) return update_->Refuse(FromRocks(it->status(), "retire hidden interval"));
  if (it->Valid() && it->key().compare(EncodeTimestamp(retired->upto.Next())) < 0) {
    return update_->Refuse(SqlError(sqlstate::kObjectNotInPrerequisiteState,
                                    fmt::format("hidden interval above {} of keyspace {} is not swept", FormatHlc(after),
                                                keyspace_->incarnation().value())));
  }
  hidden.erase(retired);
  update_->group_->Change(keyspace_, [&](KeyspaceState& state) { state.hidden = std::move(hidden); });
}

void StagedKeyspace::Unhide(Timestamp after) {
  if (!update_->IsThere(keyspace_)) return;
  WriteGroup& group = *update_->group_;
  const KeyspaceState state = group.StateOf(keyspace_);
  const auto hidden = std::find_if(state.hidden.begin(), state.hidden.end(),
                                   [&](const HiddenInterval& interval) { return interval.after == after; });
  if (hidden == state.hidden.end()) return;
  const absl::StatusOr<Timestamp> newest = NewestPresent(AsRocks(*keyspace_));
  if (!newest.ok()) return update_->Refuse(newest.status());
  if (*newest != hidden->upto) {
    return update_->Refuse(SqlError(
        sqlstate::kObjectNotInPrerequisiteState,
        fmt::format("hidden interval above {} of keyspace {} is not as it was: its newest "
                    "version was at {}, and is at {}",
                    FormatHlc(after), keyspace_->incarnation().value(), FormatHlc(hidden->upto), FormatHlc(*newest))));
  }
  group.Change(keyspace_, [&](KeyspaceState& staged) {
    staged.hidden.erase(staged.hidden.begin() + (hidden - state.hidden.begin()));
    staged.system_newest = std::max(staged.system_newest, update_->visible_);
  });
}

void StagedKeyspace::SetIngesting(bool ingesting, Timestamp frontier) {
  if (!update_->IsThere(keyspace_)) return;
  update_->group_->Change(keyspace_, [&](KeyspaceState& state) {
    state.ingesting = ingesting;
    if (frontier < state.frontier) ++state.rewinds;
  });
  update_->group_->ChangeFrontier(keyspace_, frontier);
}

void StagedKeyspace::EndFollowers() {
  if (!update_->IsThere(keyspace_)) return;
  update_->group_->Change(keyspace_, [](KeyspaceState& state) { ++state.rewinds; });
}

void StagedKeyspace::Publish() {
  if (!update_->IsThere(keyspace_)) return;
  update_->group_->Change(keyspace_, [](KeyspaceState& state) { state.published = true; });
}

void StagedKeyspace::MarkDropping() {
  if (!update_->IsThere(keyspace_)) return;
  update_->group_->Change(keyspace_, [](KeyspaceState& state) { state.dropping = true; });
}

Timestamp StagedKeyspace::RaiseFloor(Timestamp wanted) {
  if (!update_->IsThere(keyspace_)) return kTimestampZero;
  const KeyspaceState state = update_->group_->StateOf(keyspace_);
  const absl::StatusOr<Timestamp> least_protected = update_->LeastProtected(keyspace_);
  if (!least_protected.ok()) {
    update_->Refuse(least_protected.status());
    return state.floor;
  }
  Timestamp limit = std::min({wanted, state.ingesting ? state.frontier : update_->visible_, *least_protected});
  for (const HiddenInterval& interval : state.hidden) limit = std::min(limit, interval.after);
  if (limit <= state.floor || !update_->status_.ok()) return state.floor;
  update_->group_->Change(keyspace_, [&](KeyspaceState& staged) { staged.floor = limit; });
  return limit;
}

void MetaUpdateImpl::CarryHidden(const KeyspaceRef& keyspace, const std::vector<HiddenInterval>& hidden) {
  if (IsThere(keyspace)) group_->Change(keyspace, [&](KeyspaceState& state) { state.hidden = hidden; });
}

absl::Status MetaUpdateImpl::Forget(const KeyspaceRef& keyspace) {
  if (!IsThere(keyspace)) return status_;
  const KeyspaceState state = group_->StateOf(keyspace);
  if (state.published && !state.dropping) {
    return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                    fmt::format("keyspace {} is live and was not marked for dropping", keyspace->incarnation().value()));
  }
  const std::string prefix = MetaProtectPrefix(keyspace->incarnation());
  const std::unique_ptr<rocksdb::Iterator> it(engine_->db->NewIterator(rocksdb::ReadOptions(), engine_->meta));
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
    ++engine_->counter.iterator_steps;
    group_->DeleteMeta(it->key().ToStringView());
  }
  RETURN_IF_ERROR(FromRocks(it->status(), "read protections"));
  group_->Forget(keyspace);
  return absl::OkStatus();
}

}  // namespace anabranch
