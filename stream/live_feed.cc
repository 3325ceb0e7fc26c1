#include "stream/live_feed.h"

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <utility>

namespace anabranch {
namespace {

struct Entry {
  PublishedCommit commit;
  size_t bytes;
};

struct ReaderState {
  uint64_t next;           // the index of the entry that Take gives next
  Timestamp joined_at;     // as LiveReader::joined_at says
  bool signalled = false;  // one signal per Take, not per commit
  WakeEvent* wake;
};

// Entries are numbered from the ring's beginning; the oldest one kept is `first`.
struct Ring {
  std::deque<Entry> entries;
  uint64_t first = 0;
  size_t bytes = 0;
  std::vector<ReaderState*> readers;

  // What BytesAbove tells: everything since the ring was made, dropped or not.
  struct Mark {
    Timestamp upto;
    uint64_t bytes;  // of the commits up to there
  };
  Timestamp since;
  Timestamp newest;
  uint64_t committed_bytes = 0;
  uint64_t mark_bytes = kBehindMarkBytes;
  std::deque<Mark> marks;

  uint64_t end() const { return first + entries.size(); }

  void DropFirst(std::vector<PublishedCommit>* dropped) {
    bytes -= entries.front().bytes;
    dropped->push_back(std::move(entries.front().commit));
    entries.pop_front();
    ++first;
  }
  void DropTaken(std::vector<PublishedCommit>* dropped) {
    uint64_t needed = end();
    for (const ReaderState* reader : readers) needed = std::min(needed, reader->next);
    while (first < needed) DropFirst(dropped);
  }
  void Count(Timestamp ts, uint64_t payload_bytes) {
    newest = ts;
    committed_bytes += payload_bytes;
    if (committed_bytes - (marks.empty() ? 0 : marks.back().bytes) < mark_bytes) return;
    marks.push_back({ts, committed_bytes});
    if (marks.size() < kBehindMarksMax) return;
    for (size_t i = 0; 2 * i + 1 < marks.size(); ++i) marks[i] = marks[2 * i + 1];
    marks.resize(marks.size() / 2);
    mark_bytes *= 2;
  }
  std::optional<uint64_t> BytesAbove(Timestamp after) const {
    if (after >= newest) return after >= since ? std::optional<uint64_t>(0) : std::nullopt;
    const auto above =
        std::upper_bound(marks.begin(), marks.end(), after, [](Timestamp ts, const Mark& mark) { return ts < mark.upto; });
    if (above != marks.begin()) return committed_bytes - std::prev(above)->bytes;
    return after >= since ? std::optional<uint64_t>(committed_bytes) : std::nullopt;
  }
};

class Feed final : public LiveFeed {
 public:
  explicit Feed(Store* store) : store_(store) { store_->SetObserver(this); }
  ~Feed() override { store_->SetObserver(nullptr); }

  std::unique_ptr<LiveReader> Subscribe(const KeyspaceRef& keyspace, WakeEvent* wake) override;

  std::optional<uint64_t> BytesAbove(const IncarnationId& incarnation, Timestamp after) override {
    std::lock_guard lock(mutex_);
    const auto found = rings_.find(incarnation);
    return found == rings_.end() ? std::nullopt : found->second.BytesAbove(after);
  }

  void SetBytesMax(size_t bytes) override {
    std::lock_guard lock(mutex_);
    bytes_max_ = bytes;
  }

  void OnPublished(const std::vector<PublishedCommit>& commits, Timestamp resolved, const HeldKeyspaces& held) override {
    std::vector<PublishedCommit> dropped;  // outlives the lock: commits are freed without the mutex
    std::lock_guard lock(mutex_);
    resolved_ = resolved;
    held_ = held;
    if (rings_.empty()) return;
    for (const PublishedCommit& commit : commits) {
      if (const auto found = rings_.find(commit.incarnation); found != rings_.end())
        Append(found->second, commit, &dropped);
    }
  }

  LiveChunk Take(const IncarnationId& incarnation, ReaderState* reader, size_t max_bytes);

  void Unsubscribe(const IncarnationId& incarnation, const ReaderState* reader) {
    std::vector<PublishedCommit> dropped;
    std::lock_guard lock(mutex_);
    const auto found = rings_.find(incarnation);
    std::erase(found->second.readers, reader);
    found->second.DropTaken(&dropped);
    if (found->second.readers.empty()) rings_.erase(found);
  }

 private:
  void Append(Ring& ring, const PublishedCommit& commit, std::vector<PublishedCommit>* dropped) {
    const size_t bytes = sizeof(Entry) + commit.writes->memory_bytes();
    ring.entries.push_back({commit, bytes});
    ring.bytes += bytes;
    ring.Count(commit.timestamp, commit.writes->payload_bytes());
    while (ring.bytes > bytes_max_) ring.DropFirst(dropped);
    for (ReaderState* reader : ring.readers) {
      if (!std::exchange(reader->signalled, true)) reader->wake->Signal();
    }
  }

  // REQUIRES: mutex_ held
  Timestamp ResolvedIn(const IncarnationId& incarnation) const {
    const auto held = held_.find(incarnation);
    return held == held_.end() ? resolved_ : std::min(resolved_, held->second);
  }

  Store* const store_;
  std::mutex mutex_;
  size_t bytes_max_ = kLiveFeedBytesMax;  // guarded by mutex_; of each ring
  Timestamp resolved_;                    // guarded by mutex_; of the last OnPublished, and so is held_
  HeldKeyspaces held_;                    // guarded by mutex_
  std::map<IncarnationId, Ring> rings_;   // guarded by mutex_; of the keyspaces that have readers
};

class Reader final : public LiveReader {
 public:
  Reader(Feed* feed, IncarnationId incarnation, std::unique_ptr<ReaderState> state)
      : feed_(feed), incarnation_(std::move(incarnation)), state_(std::move(state)) {}
  ~Reader() override { feed_->Unsubscribe(incarnation_, state_.get()); }

  LiveChunk Take(size_t max_bytes) override { return feed_->Take(incarnation_, state_.get(), max_bytes); }
  Timestamp joined_at() const override { return state_->joined_at; }

 private:
  Feed* const feed_;
  const IncarnationId incarnation_;
  const std::unique_ptr<ReaderState> state_;  // guarded by the feed's mutex, all but joined_at
};

std::unique_ptr<LiveReader> Feed::Subscribe(const KeyspaceRef& keyspace, WakeEvent* wake) {
  std::lock_guard lock(mutex_);
  // Before the first tick: what is published after this instant is above `visible` and comes through OnPublished; what is
  // on its way there already is not above it, and Take skips it.
  if (resolved_.IsZero()) resolved_ = store_->visible();
  const auto [found, made] = rings_.try_emplace(keyspace->incarnation());
  Ring& ring = found->second;
  const Timestamp joined_at = ResolvedIn(keyspace->incarnation());
  if (made) ring.since = joined_at;
  auto state = std::make_unique<ReaderState>(ReaderState{.next = ring.end(), .joined_at = joined_at, .wake = wake});
  ring.readers.push_back(state.get());
  return std::make_unique<Reader>(this, keyspace->incarnation(), std::move(state));
}

LiveChunk Feed::Take(const IncarnationId& incarnation, ReaderState* reader, size_t max_bytes) {
  std::vector<PublishedCommit> dropped;
  std::lock_guard lock(mutex_);
  Ring& ring = rings_.at(incarnation);
  LiveChunk chunk;
  reader->signalled = false;
  if (reader->next < ring.first) {
    chunk.lost = true;
    reader->next = ring.end();
  }
  size_t bytes = 0;
  while (reader->next < ring.end() && bytes < max_bytes) {
    const Entry& entry = ring.entries[reader->next++ - ring.first];
    if (entry.commit.timestamp <= reader->joined_at) continue;
    bytes += entry.bytes;
    chunk.commits.push_back(entry.commit);
  }
  if (reader->next == ring.end()) {
    chunk.resolved = ResolvedIn(incarnation);
  } else {
    chunk.resolved = chunk.commits.back().timestamp;  // the rest of the ring is above the last commit of this chunk
    reader->signalled = true;
    reader->wake->Signal();
  }
  ring.DropTaken(&dropped);
  return chunk;
}

}  // namespace

std::unique_ptr<LiveFeed> LiveFeed::Create(Store* store) { return std::make_unique<Feed>(store); }

}  // namespace anabranch
