#include "storage/mvcc/lock_table.h"

#include <condition_variable>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "base/check.h"
#include "base/status.h"

namespace anabranch {
namespace {

struct Waiter;

// What an owner took, once: a lock, or kExclusive where it held kShared.
struct Taken {
  std::string_view key;  // into the table's own copy
  bool upgrade = false;
};

struct Owner {
  std::vector<Taken> taken;  // in the order of taking
  Owner* session = nullptr;  // the outermost owner: a node of the graph of waits
  // Of a session.
  Waiter* waiting = nullptr;  // of it, or of an owner within it: one at a time
  uint64_t visited = 0;       // the number of the last deadlock search that came to it
  size_t within = 0;          // owners
  size_t bytes = 0;           // of the locks that they and it hold
};

struct Holder {
  Owner* owner;
  LockMode mode;
};

struct Entry {
  absl::InlinedVector<Holder, 1> holders;
  Waiter* first = nullptr;  // the queue: first come, first served; an upgrade goes to the front
  Waiter* last = nullptr;
};

// One request that waits. Lives on the waiting thread's stack.
struct Waiter {
  Owner* owner;
  Entry* entry;
  std::string_view key;
  LockMode mode;
  bool granted = false;
  Waiter* before = nullptr;
  Waiter* after = nullptr;
  std::condition_variable_any wakeup = {};
};

bool Conflicts(LockMode a, LockMode b) { return a == LockMode::kExclusive || b == LockMode::kExclusive; }

Holder* FindHolder(Entry& entry, const Owner* owner) {
  for (Holder& holder : entry.holders) {
    if (holder.owner == owner) return &holder;
  }
  return nullptr;
}

// Whether the owner's session holds it, in this owner or in another.
bool IsHeldBySession(const Entry& entry, const Owner* owner) {
  for (const Holder& holder : entry.holders) {
    if (holder.owner->session == owner->session) return true;
  }
  return false;
}

bool Grantable(const Entry& entry, const Owner* owner, LockMode mode) {
  for (const Holder& holder : entry.holders) {
    if (holder.owner->session != owner->session && Conflicts(holder.mode, mode)) return false;
  }
  return true;
}

struct KeyHash {
  using is_transparent = void;
  size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
};

class Table final : public LockTable {
 public:
  explicit Table(size_t bytes_max) : bytes_max_(bytes_max) {}

  void Nest(LockOwner inner_id, LockOwner outer_id) override {
    const auto lock = Enter();
    Owner* const session = OwnerOf(outer_id)->session;
    Owner* const inner = OwnerOf(inner_id);
    CHECK(inner->taken.empty() && inner->session == inner, "an owner became part of another with locks of its own");
    inner->session = session;
    ++session->within;
  }

  absl::Status Lock(LockOwner owner_id, std::string_view key, LockMode mode, std::stop_token stop,
                    std::chrono::milliseconds timeout) override {
    auto lock = Enter();
    Owner* owner = OwnerOf(owner_id);
    RETURN_IF_ERROR(CheckRoom(owner, key));
    const auto found = FindEntry(key);
    Entry* entry = &found->second;
    if (GrantAtOnce(entry, owner, found->first, mode)) return absl::OkStatus();
    Waiter waiter{.owner = owner, .entry = entry, .key = found->first, .mode = mode};
    return Wait(lock, waiter, IsHeldBySession(*entry, owner), std::move(stop), timeout);
  }

  absl::StatusOr<bool> TryLock(LockOwner owner_id, std::string_view key, LockMode mode) override {
    const auto lock = Enter();
    Owner* const owner = OwnerOf(owner_id);
    RETURN_IF_ERROR(CheckRoom(owner, key));
    const auto found = FindEntry(key);
    return GrantAtOnce(&found->second, owner, found->first, mode);
  }

  LockMark Mark(LockOwner owner_id) override {
    const auto lock = Enter();
    const auto found = owners_.find(owner_id);
    return found == owners_.end() ? 0 : found->second.taken.size();
  }

  void ReleaseSince(LockOwner owner_id, LockMark mark) override {
    for (bool more = true; more;) {
      const auto lock = Enter();
      const auto found = owners_.find(owner_id);
      more = found != owners_.end() && !GiveBack(&found->second, mark);
    }
  }

  void ReleaseAll(LockOwner owner_id) override {
    for (bool more = true; more;) {
      const auto lock = Enter();
      const auto found = owners_.find(owner_id);
      if (found == owners_.end()) return;
      more = !GiveBack(&found->second, 0);
      if (!more) Forget(found);
    }
  }

  bool ReleaseFew(LockOwner owner_id) override {
    const auto lock = Enter();
    const auto found = owners_.find(owner_id);
    if (found == owners_.end()) return true;
    if (found->second.taken.size() > kLocksReleasedAtOnce) return false;
    GiveBack(&found->second, 0);
    Forget(found);
    return true;
  }

  size_t held_count() const override {
    const auto lock = Enter();
    return held_count_;
  }

  size_t waiting_count() const override {
    const auto lock = Enter();
    return waiting_count_;
  }

 private:
  using Entries = std::unordered_map<std::string, Entry, KeyHash, std::equal_to<>>;

  using Owners = std::unordered_map<LockOwner, Owner>;

  // Whoever waits for the mutex comes before one who has just given it back.
  std::unique_lock<std::mutex> Enter() const {
    const std::lock_guard next(next_);
    return std::unique_lock(mutex_);
  }

  // All below REQUIRE: mutex_ held.

  Owner* OwnerOf(LockOwner id) {
    Owner& owner = owners_[id];
    if (owner.session == nullptr) owner.session = &owner;
    return &owner;
  }

  void Forget(Owners::iterator owner) {
    Owner* const session = owner->second.session;
    CHECK(owner->second.within == 0, "a transaction ended before one within it");
    if (session != &owner->second) --session->within;
    owners_.erase(owner);
  }

  absl::Status CheckRoom(Owner* owner, std::string_view key) {
    const size_t bytes = key.size() + kLockOverheadBytes;
    const bool holds_few = owner->session->bytes + bytes <= bytes_max_ / kLockFewParts;
    if (bytes_ + bytes <= bytes_max_ - (holds_few ? 0 : bytes_max_ / kLockParts)) return absl::OkStatus();
    const auto found = entries_.find(key);  // what it holds already takes nothing more
    if (found != entries_.end() && FindHolder(found->second, owner) != nullptr) return absl::OkStatus();
    return SqlError(sqlstate::kOutOfMemory,
                    fmt::format("the locks of this virtual cluster would take more than {} MiB", bytes_max_ >> 20),
                    "Lock fewer rows in one transaction, or end other transactions first.");
  }

  Entries::iterator FindEntry(std::string_view key) {
    const auto found = entries_.find(key);
    return found == entries_.end() ? entries_.emplace(std::string(key), Entry()).first : found;
  }

  // False: others are before it. An entry that was made for it is granted.
  bool GrantAtOnce(Entry* entry, Owner* owner, std::string_view key, LockMode mode) {
    const Holder* held = FindHolder(*entry, owner);
    if (held != nullptr && (held->mode == LockMode::kExclusive || mode == LockMode::kShared)) return true;
    // Whose session holds it already does not queue up behind those who wait for it.
    const bool queues = entry->first != nullptr && !IsHeldBySession(*entry, owner);
    if (queues || !Grantable(*entry, owner, mode)) return false;
    Grant(entry, owner, key, mode);
    return true;
  }

  // The newest first, so that an upgrade finds its lock still held. False: there is more to give back.
  bool GiveBack(Owner* owner, LockMark mark) {
    CHECK(owner->session->waiting == nullptr, "a transaction gave locks back while it waited for one");
    for (size_t given = 0; owner->taken.size() > mark; ++given) {
      if (given == kLocksReleasedAtOnce) return false;
      const Taken taken = owner->taken.back();
      owner->taken.pop_back();
      const auto entry = entries_.find(taken.key);
      Holder* const holder = FindHolder(entry->second, owner);
      if (taken.upgrade) {
        holder->mode = LockMode::kShared;
      } else {
        entry->second.holders.erase(holder);
        --held_count_;
        owner->session->bytes -= taken.key.size() + kLockOverheadBytes;
        bytes_ -= taken.key.size() + kLockOverheadBytes;
      }
      GrantWaiters(&entry->second);
      if (entry->second.holders.empty() && entry->second.first == nullptr) entries_.erase(entry);
    }
    return true;
  }

  // `lock` holds mutex_.
  absl::Status Wait(std::unique_lock<std::mutex>& lock, Waiter& waiter, bool upgrade, std::stop_token stop,
                    std::chrono::milliseconds timeout) {
    Owner* const session = waiter.owner->session;
    Enqueue(waiter, upgrade);
    session->waiting = &waiter;
    absl::Status status;
    if (ClosesCycle(session)) {
      status = SqlError(sqlstate::kDeadlockDetected, "deadlock detected");
    } else {
      const auto granted = [&] { return waiter.granted; };
      if (timeout == kNoLockTimeout) {
        waiter.wakeup.wait(lock, stop, granted);
      } else {
        waiter.wakeup.wait_for(lock, stop, timeout, granted);
      }
      if (!waiter.granted) status = stop.stop_requested() ? Cancelled() : TimedOut();
    }
    session->waiting = nullptr;
    if (!status.ok()) {
      Dequeue(waiter);
      GrantWaiters(waiter.entry);  // those behind this waiter may go on
    }
    return status;
  }

  static absl::Status Cancelled() { return absl::CancelledError("stopped while waiting for a lock"); }
  static absl::Status TimedOut() {
    return SqlError(sqlstate::kLockNotAvailable, "canceling statement due to lock timeout");
  }

  void Enqueue(Waiter& waiter, bool at_front) {
    Entry& entry = *waiter.entry;
    waiter.before = at_front ? nullptr : entry.last;
    waiter.after = at_front ? entry.first : nullptr;
    (waiter.before ? waiter.before->after : entry.first) = &waiter;
    (waiter.after ? waiter.after->before : entry.last) = &waiter;
    ++waiting_count_;
  }

  void Dequeue(Waiter& waiter) {
    Entry& entry = *waiter.entry;
    (waiter.before ? waiter.before->after : entry.first) = waiter.after;
    (waiter.after ? waiter.after->before : entry.last) = waiter.before;
    --waiting_count_;
  }

  void Grant(Entry* entry, Owner* owner, std::string_view key, LockMode mode) {
    Holder* const holder = FindHolder(*entry, owner);
    owner->taken.push_back({.key = key, .upgrade = holder != nullptr});
    if (holder != nullptr) {
      holder->mode = mode;
      return;
    }
    entry->holders.push_back({owner, mode});
    ++held_count_;
    owner->session->bytes += key.size() + kLockOverheadBytes;
    bytes_ += key.size() + kLockOverheadBytes;
  }

  void GrantWaiters(Entry* entry) {
    while (entry->first != nullptr && Grantable(*entry, entry->first->owner, entry->first->mode)) {
      Waiter& waiter = *entry->first;
      Dequeue(waiter);
      Grant(entry, waiter.owner, waiter.key, waiter.mode);
      waiter.granted = true;
      waiter.wakeup.notify_one();
    }
  }

  // Whether the session `start`, which has just begun to wait, waits for itself. Every new cycle goes through the newest waiter, so no
  // other need be searched for.
  bool ClosesCycle(Owner* start) {
    ++searches_;
    std::vector<Owner*> pending{start};
    while (!pending.empty()) {
      const Waiter* waiter = pending.back()->waiting;
      pending.pop_back();
      if (waiter == nullptr) continue;
      bool cycle = false;
      const auto visit = [&](Owner* blocker) {
        cycle |= blocker == start;
        if (blocker->visited == searches_) return;
        blocker->visited = searches_;
        pending.push_back(blocker);
      };
      for (const Holder& holder : waiter->entry->holders) {
        Owner* const session = holder.owner->session;
        if (session != waiter->owner->session && Conflicts(holder.mode, waiter->mode)) visit(session);
      }
      // Of those ahead in the queue, back to the nearest exclusive one: it waits for the rest itself.
      for (const Waiter* ahead = waiter->before; ahead != nullptr; ahead = ahead->before) {
        if (Conflicts(ahead->mode, waiter->mode)) visit(ahead->owner->session);
        if (ahead->mode == LockMode::kExclusive) break;
      }
      if (cycle) return true;
    }
    return false;
  }

  const size_t bytes_max_;
  mutable std::mutex next_;   // held by who takes mutex_ next
  mutable std::mutex mutex_;  // guards everything below, and what it points to
  Entries entries_;           // of keys that are held or waited for
  Owners owners_;
  size_t bytes_ = 0;
  uint64_t searches_ = 0;
  size_t held_count_ = 0;
  size_t waiting_count_ = 0;
};

}  // namespace

std::unique_ptr<LockTable> LockTable::Create(size_t bytes_max) { return std::make_unique<Table>(bytes_max); }

}  // namespace anabranch
