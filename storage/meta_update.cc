#include "storage/meta_update.h"

#include <algorithm>
#include <memory>

#include "base/status.h"
#include "storage/meta_format.h"

namespace anabranch {

absl::StatusOr<std::optional<std::string>> MetaUpdateImpl::Get(std::string_view key) { return ReadMeta(*engine_, key); }

void MetaUpdateImpl::Refuse(absl::Status status) {
  if (status_.ok()) status_ = std::move(status);
}

bool MetaUpdateImpl::IsThere(const KeyspaceRef& keyspace) {
  if (!AsRocks(*keyspace).gone()) return true;
  Refuse(FencedError(fmt::format("keyspace {} was dropped", keyspace->incarnation().value())));
  return false;
}

Epoch MetaUpdateImpl::BumpEpoch(const KeyspaceRef& keyspace) {
  if (!IsThere(keyspace)) return Epoch();
  KeyspaceState& state = group_->ChangeState(keyspace);
  state.epoch = Epoch(state.epoch.value() + 1);
  return state.epoch;
}

// An update is a group of its own and this is the only thread that writes, so the end of the change index is the newest
// version.
Timestamp MetaUpdateImpl::Hide(const KeyspaceRef& keyspace, Timestamp after) {
  if (!IsThere(keyspace)) return kTimestampZero;
  if (const Timestamp floor = group_->StateOf(keyspace).floor; after < floor) {  // R6, R8: what stood at `after` is gone
    Refuse(SqlError(sqlstate::kInvalidParameterValue,
                    fmt::format("history at {} was garbage collected: the oldest timestamp kept is {}", FormatHlc(after),
                                FormatHlc(floor))));
    return kTimestampZero;
  }
  const absl::StatusOr<Timestamp> newest = NewestPresent(AsRocks(*keyspace));
  if (!newest.ok()) {
    Refuse(newest.status());
    return kTimestampZero;
  }
  group_->RaiseClock(std::max(*newest, after));
  KeyspaceState& state = group_->ChangeState(keyspace);
  state.newest = *newest;
  if (*newest <= after) return *newest;
  state.system_newest = std::max(*newest, visible_);
  const auto same = std::find_if(state.hidden.begin(), state.hidden.end(),
                                 [&](const HiddenInterval& interval) { return interval.after == after; });
  if (same != state.hidden.end()) {
    same->upto = std::max(same->upto, *newest);
  } else {
    state.hidden.push_back({after, *newest});
  }
  return *newest;
}

void MetaUpdateImpl::RetireHidden(const KeyspaceRef& keyspace, Timestamp after) {
  if (!IsThere(keyspace)) return;
  std::vector<HiddenInterval>& hidden = group_->ChangeState(keyspace).hidden;
  const auto retired =
      std::find_if(hidden.begin(), hidden.end(), [&](const HiddenInterval& interval) { return interval.after == after; });
  if (retired == hidden.end()) return;
  // One seek proves that the sweep is done; what is left would come back to life.
  RocksKeyspace& rocks = AsRocks(*keyspace);
  const std::unique_ptr<rocksdb::Iterator> it(rocks.db()->NewIterator(rocksdb::ReadOptions(), rocks.changes()));
  it->Seek(EncodeTimestamp(after.Next()));
  ++rocks.counter().iterator_steps;
  if (!it->status().ok()) return Refuse(FromRocks(it->status(), "retire hidden interval"));
  if (it->Valid() && it->key().compare(EncodeTimestamp(retired->upto.Next())) < 0) {
    return Refuse(SqlError(sqlstate::kObjectNotInPrerequisiteState,
                           fmt::format("hidden interval above {} of keyspace {} is not swept", FormatHlc(after),
                                       keyspace->incarnation().value())));
  }
  hidden.erase(retired);
}

void MetaUpdateImpl::SetIngesting(const KeyspaceRef& keyspace, bool ingesting, Timestamp frontier) {
  if (!IsThere(keyspace)) return;
  group_->ChangeState(keyspace).ingesting = ingesting;
  group_->ChangeFrontier(keyspace, frontier);
}

void MetaUpdateImpl::Publish(const KeyspaceRef& keyspace) {
  if (IsThere(keyspace)) group_->ChangeState(keyspace).published = true;
}

void MetaUpdateImpl::MarkDropping(const KeyspaceRef& keyspace) {
  if (IsThere(keyspace)) group_->ChangeState(keyspace).dropping = true;
}

// Protections are read from the database: an earlier update is in it, and a later one is judged against the raised floor.
Timestamp MetaUpdateImpl::RaiseFloor(const KeyspaceRef& keyspace, Timestamp wanted) {
  if (!IsThere(keyspace)) return kTimestampZero;
  const KeyspaceState& state = group_->StateOf(keyspace);
  Timestamp limit = std::min(wanted, state.ingesting ? state.frontier : visible_);
  for (const HiddenInterval& interval : state.hidden) limit = std::min(limit, interval.after);
  const std::string prefix = MetaProtectPrefix(keyspace->incarnation());
  const std::unique_ptr<rocksdb::Iterator> it(engine_->db->NewIterator(rocksdb::ReadOptions(), engine_->meta));
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
    ++engine_->counter.iterator_steps;
    Timestamp protected_at;
    if (!DecodeTimestamp(it->value().ToStringView(), &protected_at)) {
      Refuse(absl::DataLossError(fmt::format("protection record {} does not decode", it->key().ToString())));
      return state.floor;
    }
    limit = std::min(limit, protected_at);
  }
  if (!it->status().ok()) Refuse(FromRocks(it->status(), "read protections"));
  if (limit > state.floor && status_.ok()) group_->ChangeState(keyspace).floor = limit;
  return state.floor;
}

void MetaUpdateImpl::CarryHidden(const KeyspaceRef& keyspace, const std::vector<HiddenInterval>& hidden) {
  if (IsThere(keyspace)) group_->ChangeState(keyspace).hidden = hidden;
}

absl::Status MetaUpdateImpl::Forget(const KeyspaceRef& keyspace) {
  if (!IsThere(keyspace)) return status_;
  const KeyspaceState& state = group_->StateOf(keyspace);
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
