// The live feed: what the writer thread publishes, kept in one bounded ring per keyspace that has a reader. A reader that
// falls off the ring continues from the change index and rejoins; a writer never waits for it.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/wake_event.h"
#include "storage/api/store.h"

namespace anabranch {

inline constexpr size_t kLiveFeedBytesMax = 32 << 20;  // of commits kept for one keyspace's readers, unless it is set
// How far behind a reader's peer is, is told to this many bytes; coarser, by a power of two, when that takes too many marks.
inline constexpr size_t kBehindMarkBytes = 64 << 10;
inline constexpr size_t kBehindMarksMax = 4096;

// What a reader takes in one go. If `lost`, everything in (after, resolved] must be read from the change index instead.
struct LiveChunk {
  std::vector<PublishedCommit> commits;  // ascending, bounded by the caller's max_bytes
  Timestamp resolved;                    // every commit at or below this is in this chunk or an earlier one (or lost)
  bool lost = false;
};

// One subscription. Take() is called by one thread; destroying it ends the subscription.
class LiveReader {
 public:
  virtual ~LiveReader() = default;
  // Everything published since the last Take, or since joined_at(). Does not block.
  virtual LiveChunk Take(size_t max_bytes) = 0;
  // Visible timestamp when the subscription began: later commits come through the ring, earlier ones from the change index.
  virtual Timestamp joined_at() const = 0;
};

// Thread-safe. Installs itself as the store's observer.
class LiveFeed : public CommitObserver {
 public:
  static std::unique_ptr<LiveFeed> Create(Store* store);
  // `wake` (not owned, outlives the reader) is set when there is something to take.
  virtual std::unique_ptr<LiveReader> Subscribe(const KeyspaceRef& keyspace, WakeEvent* wake) = 0;
  // Instead of kLiveFeedBytesMax, from the next commit on.
  virtual void SetBytesMax(size_t bytes) = 0;
  // How much was committed above `after`: at least that, and at most kBehindMarkBytes and one commit more. nullopt: unknown,
  // for some of it came before the readers that the keyspace has now, or it has none.
  virtual std::optional<uint64_t> BytesAbove(const IncarnationId& incarnation, Timestamp after) = 0;
};

}  // namespace anabranch
