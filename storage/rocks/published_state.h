// Internal to storage/: a keyspace's state as its readers see it, and the order of publication, which is stated here and
// nowhere else.
//
// The writer thread makes a group visible in these steps, one after the other:
//
//   1  WriteGroup::WriteBatch     The group is in the log, synced if a member needs it, and in the memtables: iterators
//                                 over RocksDB that are made from here on hold it, and `meta` answers with it.
//   2  RocksKeyspace::NoteCommit  RecentVersions holds the versions of the group's commits.
//   3  HybridClock                A ceiling that was in the batch counts; the clock is above what Hide found.
//   4  for each keyspace with a new state:
//      a  ForgetRecent            Where versions changed in other ways than by commits, none of RecentVersions counts.
//      b  PublishedState::Set     The whole state; then what is read of it by itself: rewinds, whether anything is hidden,
//                                 floor, system_newest, and, last, the frontier and where the keyspace resolves.
//   5  Writer::AdvanceVisible     `visible` is at or above every commit of the group.
//   6  CommitRequest::published   The commits' locks are given back.
//   7  Request::Finish            The callers wake.
//   8  CommitObserver             The live feed is handed the group.
//
// What is seen too early does no harm: until 5 a group's commits are above every timestamp that a reader can be given, and
// until 4b ingested versions are above the frontier, or were there before. What is seen too late would do harm. So
// timestamps move last, each reader takes its timestamp first, and everything else that it then sees is no older:
//
//   Store::Resolved reads `visible`, then resolves_at(). A keyspace that came under ingestion in between is judged by its
//     frontier, or by a `visible` from before, up to which it was whole. The other way round, `visible` might cover what
//     had been ingested meanwhile, in part.
//   Whoever reads at that timestamp finds state, floor, RecentVersions and iterators at least as new as it: 1 to 4 come
//     before 5, and the rest of 4b before resolves_at().
//   Transaction::system_version reads system_newest() after the snapshot's timestamp, so it covers every change that the
//     snapshot sees.
//   KeyspaceIterator::Open takes hiding(), the iterator, hiding() again until both answers are the same, and then floor().
//     An interval is retired once its versions are erased: an iterator from before that, read with a state from after it,
//     would show them, and read the other way round hide what came in their place (R7). The floor is published before
//     anything below it is erased: one that is read after the iterator was made tells what may be missing in it (R8).
//   Who follows the frontier (TransactionContext::follows) takes its timestamp from frontier(), which a failover to it
//     leaves as it is; opens the iterator; and then asks whether rewinds() is what it was. Nothing at or below the frontier
//     is hidden or erased before that has changed, so an iterator from before a change shows the moment whole, and one from
//     after it is refused.
//   A keyspace that is held for a large commit (storage/api/store.h) resolves below it from a step 4b that comes before
//     `visible` passes the commit's timestamp, to the one that comes after its files are adopted: whoever reads in between
//     takes a timestamp below it.
//   Whoever is given a lock resolves after it, and so sees what the last holder committed: 6 is after 5 (R3).
//   Whoever is acknowledged can read its own commit: 7 is after 5.
//   CommitObserver::OnPublished is told `visible`: no commit at or below it follows (R2), and what it is handed can be
//   read.
//
// A record of `meta` can be read from 1 on, and the state that goes with it only from 4b on: in between, the state is one
// group behind the record. What must not meet that is decided in a MetaUpdate, on the writer thread, where both are of one
// moment. Owners' epochs are judged there, too, by the staged states (storage/commit/write_group.h) and not by these (R4).
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "storage/api/keyspace.h"

namespace anabranch {

// Every statement asks for parts of the state: those are read by themselves, without the lock, which all sessions would
// wait for. Set by the writer thread, read by any.
class PublishedState {
 public:
  // After the change is durable: step 4b.
  void Set(KeyspaceState state) {
    const auto next = std::make_shared<const KeyspaceState>(std::move(state));
    {
      std::lock_guard lock(mutex_);
      whole_ = next;
    }
    rewinds_.store(next->rewinds, std::memory_order_release);
    hides_.store(!next->hidden.empty(), std::memory_order_release);
    floor_ns_.store(next->floor.ns, std::memory_order_release);
    system_newest_ns_.store(next->system_newest.ns, std::memory_order_release);
    frontier_ns_.store(next->frontier.ns, std::memory_order_release);
    const Timestamp resolves_at = next->ingesting ? next->frontier : next->held_at.value_or(kTimestampMax);
    resolves_at_ns_.store(resolves_at.ns, std::memory_order_release);
  }

  std::shared_ptr<const KeyspaceState> whole() const {
    std::lock_guard lock(mutex_);
    return whole_;
  }
  // Where the keyspace resolves; nullopt: where the store does. What the other methods say after it is no older.
  std::optional<Timestamp> resolves_at() const {
    const Timestamp at{resolves_at_ns_.load(std::memory_order_acquire)};
    return at == kTimestampMax ? std::nullopt : std::optional(at);
  }
  // As KeyspaceState's; what the other methods say after it is no older.
  Timestamp frontier() const { return {frontier_ns_.load(std::memory_order_acquire)}; }
  uint64_t rewinds() const { return rewinds_.load(std::memory_order_acquire); }
  Timestamp floor() const { return {floor_ns_.load(std::memory_order_acquire)}; }
  Timestamp system_newest() const { return {system_newest_ns_.load(std::memory_order_acquire)}; }
  // The whole state, if it hides anything; null: nothing is hidden.
  std::shared_ptr<const KeyspaceState> hiding() const { return hides_.load(std::memory_order_acquire) ? whole() : nullptr; }

 private:
  // Copies of fields of whole_, set after it; frontier_ns_ and resolves_at_ns_ last.
  std::atomic<uint64_t> rewinds_{0};
  std::atomic<bool> hides_{false};
  std::atomic<uint64_t> floor_ns_{0};
  std::atomic<uint64_t> system_newest_ns_{0};
  std::atomic<uint64_t> frontier_ns_{0};
  std::atomic<uint64_t> resolves_at_ns_{0};
  mutable std::mutex mutex_;
  std::shared_ptr<const KeyspaceState> whole_;  // guarded by mutex_
};

}  // namespace anabranch
