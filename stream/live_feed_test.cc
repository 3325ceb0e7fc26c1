#include "stream/live_feed.h"

#include <poll.h>

#include <thread>

#include "storage/testing/test_store.h"

namespace anabranch {
namespace {

bool IsSet(const WakeEvent& wake) {
  pollfd fd{wake.fd(), POLLIN, 0};
  return poll(&fd, 1, 0) == 1;
}

void AwaitWake(const WakeEvent& wake) {
  pollfd fd{wake.fd(), POLLIN, 0};
  ASSERT_EQ(poll(&fd, 1, 10'000), 1);
}

std::string KeysOf(const LiveChunk& chunk) {
  std::string keys;
  for (const PublishedCommit& commit : chunk.commits) {
    for (const WriteList::Entry write : *commit.writes) keys += std::string(write.key) + " ";
  }
  return keys;
}

class LiveFeedTest : public StoreFixture {
 protected:
  LiveFeedTest() : feed_(LiveFeed::Create(store_.get())), keyspace_(NewKeyspace()) {}
  ~LiveFeedTest() override {
    feed_.reset();
    keyspace_.reset();
  }
  // Past the notification of everything committed so far: groups are published in order.
  void Settle() { ASSERT_TRUE(store_->Sync().ok()); }

  std::unique_ptr<LiveFeed> feed_;
  KeyspaceRef keyspace_;
  WakeEvent wake_;
};

TEST_F(LiveFeedTest, EveryCommitAfterJoiningArrivesInOrder) {
  CommitPut(keyspace_, "before", "x");
  Settle();
  const auto reader = feed_->Subscribe(keyspace_, &wake_);
  const Timestamp first = CommitPut(keyspace_, "a", "1");
  const Timestamp second = CommitPut(keyspace_, "b", "2");
  Settle();
  EXPECT_TRUE(IsSet(wake_));
  const LiveChunk chunk = reader->Take(1 << 20);
  EXPECT_EQ(KeysOf(chunk), "a b ");
  EXPECT_EQ(chunk.commits[0].timestamp, first);
  EXPECT_EQ(chunk.commits[1].timestamp, second);
  EXPECT_GT(first, reader->joined_at());
  EXPECT_GE(chunk.resolved, second);
  EXPECT_FALSE(chunk.lost);
  EXPECT_TRUE(reader->Take(1 << 20).commits.empty());
}

TEST_F(LiveFeedTest, JoiningAmongRunningCommitsLeavesNoGap) {
  std::vector<Timestamp> committed;
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (int i = 0; i < 300; ++i) committed.push_back(CommitPut(keyspace_, "k" + std::to_string(i), "v"));
    done = true;
  });
  struct Joined {
    std::unique_ptr<LiveReader> reader;
    std::unique_ptr<WakeEvent> wake;
  };
  std::vector<Joined> readers;
  while (!done && readers.size() < 64) {
    auto wake = std::make_unique<WakeEvent>();
    auto reader = feed_->Subscribe(keyspace_, wake.get());
    readers.push_back({std::move(reader), std::move(wake)});
  }
  writer.join();
  Settle();
  for (const Joined& joined : readers) {
    std::vector<Timestamp> expected;
    for (const Timestamp ts : committed) {
      if (ts > joined.reader->joined_at()) expected.push_back(ts);
    }
    std::vector<Timestamp> seen;
    for (const PublishedCommit& commit : joined.reader->Take(SIZE_MAX).commits) seen.push_back(commit.timestamp);
    EXPECT_EQ(seen, expected);
  }
}

TEST_F(LiveFeedTest, ABoundedTakeResolvesOnlyWhatItGave) {
  const auto reader = feed_->Subscribe(keyspace_, &wake_);
  const Timestamp first = CommitPut(keyspace_, "a", "1");
  CommitPut(keyspace_, "b", "2");
  Settle();
  wake_.Clear();
  const LiveChunk chunk = reader->Take(1);
  EXPECT_EQ(KeysOf(chunk), "a ");
  EXPECT_EQ(chunk.resolved, first);
  EXPECT_TRUE(IsSet(wake_));  // the rest of the ring is there already
  EXPECT_EQ(KeysOf(reader->Take(1)), "b ");
}

TEST_F(LiveFeedTest, ResolvedMovesWithTicksAndDoesNotWake) {
  const auto reader = feed_->Subscribe(keyspace_, &wake_);
  const Timestamp before = reader->Take(1).resolved;
  const Timestamp later{before.ns + 3 * kTickIntervalNs};
  ASSERT_TRUE(store_->WaitVisible(later, {}).ok());
  Settle();
  EXPECT_GT(reader->Take(1).resolved, before);
  EXPECT_FALSE(IsSet(wake_));
}

TEST_F(LiveFeedTest, OneSignalPerTake) {
  const auto reader = feed_->Subscribe(keyspace_, &wake_);
  CommitPut(keyspace_, "a", "1");
  AwaitWake(wake_);
  wake_.Clear();
  CommitPut(keyspace_, "b", "2");
  Settle();
  EXPECT_FALSE(IsSet(wake_));
  EXPECT_EQ(KeysOf(reader->Take(1 << 20)), "a b ");
  CommitPut(keyspace_, "c", "3");
  AwaitWake(wake_);
}

TEST_F(LiveFeedTest, AReaderFallsOffAtTheBoundAndRejoins) {
  const auto slow = feed_->Subscribe(keyspace_, &wake_);
  WakeEvent other_wake;
  const auto fast = feed_->Subscribe(keyspace_, &other_wake);
  const std::string value(1 << 20, 'x');
  for (size_t i = 0; i + 1 < kLiveFeedBytesMax / value.size(); ++i) {
    CommitPut(keyspace_, "k", value);  // no writer waits though nobody takes
    Settle();
    EXPECT_EQ(fast->Take(SIZE_MAX).commits.size(), 1u);
  }
  const auto watcher = feed_->Subscribe(keyspace_, &other_wake);
  const Timestamp over_the_bound = CommitPut(keyspace_, "k", value);
  CommitPut(keyspace_, "k", value);
  Settle();
  const LiveChunk lost = slow->Take(SIZE_MAX);
  EXPECT_TRUE(lost.lost);
  EXPECT_TRUE(lost.commits.empty());
  EXPECT_GT(lost.resolved, over_the_bound);
  EXPECT_FALSE(fast->Take(SIZE_MAX).lost);  // the fast reader kept up
  EXPECT_EQ(watcher->Take(SIZE_MAX).commits.size(), 2u);

  CommitPut(keyspace_, "again", "1");
  Settle();
  const LiveChunk chunk = slow->Take(SIZE_MAX);
  EXPECT_FALSE(chunk.lost);
  EXPECT_EQ(KeysOf(chunk), "again ");
}

TEST_F(LiveFeedTest, JustBelowTheBoundNothingIsLost) {
  const auto reader = feed_->Subscribe(keyspace_, &wake_);
  const std::string value(1 << 20, 'x');
  const size_t fitting = kLiveFeedBytesMax / value.size() - 1;
  for (size_t i = 0; i < fitting; ++i) CommitPut(keyspace_, "k", value);
  Settle();
  const LiveChunk chunk = reader->Take(SIZE_MAX);
  EXPECT_FALSE(chunk.lost);
  EXPECT_EQ(chunk.commits.size(), fitting);
}

TEST_F(LiveFeedTest, ACommitLargerThanTheRingIsReadFromTheIndex) {
  const auto reader = feed_->Subscribe(keyspace_, &wake_);
  WriteSet writes;
  for (int i = 0; i < 5; ++i) writes["k" + std::to_string(i)] = {WriteKind::kPut, std::string(kValueBytesMax, 'x')};
  const Timestamp committed = CommitWrites(keyspace_, std::move(writes));
  Settle();
  EXPECT_TRUE(IsSet(wake_));
  const LiveChunk chunk = reader->Take(SIZE_MAX);
  EXPECT_TRUE(chunk.lost);
  EXPECT_GE(chunk.resolved, committed);
}

TEST_F(LiveFeedTest, BytesAboveAMoment) {
  const IncarnationId& incarnation = keyspace_->incarnation();
  EXPECT_EQ(feed_->BytesAbove(incarnation, store_->visible()), std::nullopt);  // nobody reads it
  const Timestamp before = CommitPut(keyspace_, "k", "before");
  Settle();
  const auto reader = feed_->Subscribe(keyspace_, &wake_);
  EXPECT_EQ(feed_->BytesAbove(incarnation, reader->joined_at()), 0u);
  EXPECT_EQ(feed_->BytesAbove(incarnation, before.Prev()), std::nullopt);  // some of it was there before
  const std::string value(kBehindMarkBytes, 'x');
  std::vector<Timestamp> commits;
  for (int i = 0; i < 4; ++i) commits.push_back(CommitPut(keyspace_, "k", value));
  Settle();
  for (const bool taken : {false, true}) {
    EXPECT_EQ(feed_->BytesAbove(incarnation, commits.back()), 0u);
    for (size_t i = 0; i < commits.size(); ++i) {
      const uint64_t above = *feed_->BytesAbove(incarnation, commits[i]);
      EXPECT_GE(above, (commits.size() - 1 - i) * value.size()) << i;
      EXPECT_LE(above, (commits.size() - i) * (value.size() + 64)) << i;
    }
    if (!taken) reader->Take(SIZE_MAX);
  }
}

TEST_F(LiveFeedTest, MarksStayFewHoweverMuchIsCommitted) {
  const auto reader = feed_->Subscribe(keyspace_, &wake_);
  WriteSet writes;
  for (int i = 0; i < 4; ++i) writes["k" + std::to_string(i)] = {WriteKind::kPut, std::string(kBehindMarkBytes / 2, 'x')};
  std::vector<Timestamp> commits;
  for (size_t i = 0; i < kBehindMarksMax + 10; ++i) {
    commits.push_back(CommitWrites(keyspace_, writes));
    reader->Take(SIZE_MAX);
  }
  Settle();
  const uint64_t each = *feed_->BytesAbove(keyspace_->incarnation(), reader->joined_at()) / commits.size();
  for (const size_t left : {size_t{0}, size_t{3}, commits.size() / 2}) {
    const uint64_t above = *feed_->BytesAbove(keyspace_->incarnation(), commits[commits.size() - 1 - left]);
    EXPECT_GE(above, left * each);
    EXPECT_LE(above, (left + 3) * each);
  }
}

TEST_F(LiveFeedTest, KeyspacesAreApart) {
  KeyspaceRef other = NewKeyspace();
  const auto reader = feed_->Subscribe(keyspace_, &wake_);
  CommitPut(other, "theirs", "1");
  CommitPut(keyspace_, "ours", "1");
  Settle();
  EXPECT_EQ(KeysOf(reader->Take(1 << 20)), "ours ");
}

}  // namespace
}  // namespace anabranch
