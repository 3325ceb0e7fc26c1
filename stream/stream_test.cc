// Two real stores and a stream between them.
#include <filesystem>
#include <future>

#include "base/coding.h"
#include "base/crc32c.h"
#include "storage/mvcc/fingerprint.h"
#include "storage/testing/test_store.h"
#include "storage/transfer.h"
#include "stream/file_name.h"
#include "stream/frame.h"
#include "stream/ingestion.h"
#include "stream/ingestion_sink.h"
#include "stream/producer.h"
#include "stream/source_client.h"
#include "stream/test_source.h"
#include "stream/test_transport.h"

namespace anabranch {
namespace {

namespace fs = std::filesystem;

// A frontier that a test can wait for.
class Watched {
 public:
  void Set(Timestamp ts) {
    std::lock_guard lock(mutex_);
    EXPECT_GE(ts, value_);
    value_ = ts;
    moved_.notify_all();
  }
  bool AwaitAtLeast(Timestamp ts, int seconds = 20) {
    std::unique_lock lock(mutex_);
    return moved_.wait_for(lock, std::chrono::seconds(seconds), [&] { return value_ >= ts; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable moved_;
  Timestamp value_;
};

class StreamTest : public StoreFixture {
 protected:
  StreamTest() : feed_(LiveFeed::Create(store_.get())), source_(NewKeyspace()) {
    auto standby = Store::Open({.dir = dir_ + "/standby", .random = &random_, .block_cache_bytes = 8 << 20});
    CHECK(standby.ok(), standby.status().ToString().c_str());
    standby_store_ = *std::move(standby);
  }
  ~StreamTest() override {
    feed_.reset();
    source_.reset();
    standby_.reset();
    standby_store_.reset();
  }

  // The initial copy by hand: export, move, import.
  void CopyToStandby() {
    auto manifest = ExportKeyspace(store_.get(), source_, dir_ + "/export");
    ASSERT_TRUE(manifest.ok()) << manifest.status();
    Adopt(FromWire(ToWire(*manifest)), dir_ + "/export");
  }
  void Adopt(const TransferManifest& manifest, const std::string& dir) {
    auto imported = ImportKeyspace(standby_store_.get(), manifest, dir);
    ASSERT_TRUE(imported.ok()) << imported.status();
    standby_ = *imported;
    start_at_ = manifest.copied_from;
    first_frontier_ = manifest.copied_upto;
    const absl::Status status = standby_store_->UpdateMeta([&](MetaUpdate& update) {
      update.Stage(standby_).Publish();
      update.Stage(standby_).SetIngesting(true, kTimestampZero);
      return absl::OkStatus();
    });
    ASSERT_TRUE(status.ok()) << status;
  }

  SubscriptionOptions Subscription(wire::SubscribeRequest request) {
    if (request.credit_bytes() == 0) request.set_credit_bytes(kCreditWindowBytes);
    return {.store = store_.get(),
            .feed = feed_.get(),
            .keyspace = source_,
            .request = std::move(request),
            .checkpoint_interval_ns = interval_ms_ * 1'000'000,
            .on_acknowledged = [this](Timestamp frontier, Timestamp) {
              acknowledged_.Set(frontier);
              return absl::OkStatus();
            }};
  }
  IngestionOptions Ingestion(std::string uri = "") {
    Epoch epoch;
    const absl::Status status = standby_store_->UpdateMeta([&](MetaUpdate& update) {
      epoch = update.Stage(standby_).BumpEpoch();
      return absl::OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status;
    IngestionOptions options;
    options.store = standby_store_.get();
    options.keyspace = standby_;
    options.epoch = epoch;
    options.uri = std::move(uri);
    options.stream.add_partitions();
    options.stream.set_checkpoint_interval_ms(interval_ms_);
    options.drain = &drain_;
    options.after = std::max(standby_->state()->frontier, start_at_);
    options.first_frontier = first_frontier_;
    options.retained = [](Timestamp frontier) { return frontier; };
    options.on_frontier = [this](Timestamp frontier, int64_t) {
      EXPECT_GE(frontier, first_frontier_);
      replicated_.Set(frontier);
    };
    return options;
  }

  // A connection with a thread on each side, from the standby's frontier.
  struct Connection {
    std::unique_ptr<TestTransport> source_end;
    std::unique_ptr<TestTransport> standby_end;
    std::stop_source stop;
    std::future<absl::Status> producing;
    std::future<absl::Status> ingesting;
    ~Connection() { Close(); }
    void Close() {
      stop.request_stop();
      if (producing.valid()) producing.wait();
      if (ingesting.valid()) ingesting.wait();
    }
  };
  std::unique_ptr<Connection> Connect() {
    auto connection = std::make_unique<Connection>();
    std::tie(connection->source_end, connection->standby_end) = ConnectedTransports();
    IngestionOptions options = Ingestion();
    wire::SubscribeRequest request;
    request.set_after(options.after.ns);
    connection->producing = std::async(std::launch::async, [this, request, c = connection.get()] {
      const absl::Status status = ServeSubscription(Subscription(request), *c->source_end, c->stop.get_token());
      c->source_end->Close();
      return status;
    });
    connection->ingesting = std::async(std::launch::async, [this, options = std::move(options), c = connection.get()] {
      auto sink = IngestionSink::Create(options);
      if (!sink.ok()) return sink.status();
      const absl::Status status = IngestPartition(**sink, 0, *c->standby_end, c->stop.get_token());
      c->standby_end->Close();
      return status;
    });
    return connection;
  }

  void ExpectEqualAt(Timestamp at) {
    ASSERT_TRUE(replicated_.AwaitAtLeast(at));
    ASSERT_TRUE(store_->WaitVisible(at, {}).ok());
    const auto ours = ComputeFingerprint(store_.get(), source_, kTimestampZero, at, {});
    const auto theirs = ComputeFingerprint(standby_store_.get(), standby_, kTimestampZero, at, {});
    ASSERT_TRUE(ours.ok() && theirs.ok()) << ours.status() << theirs.status();
    EXPECT_EQ(ours->digest, theirs->digest);
    EXPECT_EQ(ours->versions, theirs->versions);
    EXPECT_GT(ours->versions, 0u);
  }
  Timestamp CommitMany(int commits, const std::string& value) {
    Timestamp last;
    for (int i = 0; i < commits; ++i) last = CommitPut(source_, "key" + std::to_string(i % 17), value + std::to_string(i));
    return last;
  }
  absl::Status Refusal(wire::SubscribeRequest request) {
    auto [ours, theirs] = ConnectedTransports();
    return ServeSubscription(Subscription(std::move(request)), *ours, {});
  }

  std::unique_ptr<LiveFeed> feed_;
  KeyspaceRef source_;
  std::unique_ptr<Store> standby_store_;
  KeyspaceRef standby_;
  Timestamp start_at_;
  Timestamp first_frontier_;
  uint64_t interval_ms_ = kCheckpointIntervalMs;
  SourceDrain drain_;
  Watched replicated_;
  Watched acknowledged_;
};

TEST_F(StreamTest, CopyThenStream) {
  CommitMany(50, "before");
  CopyToStandby();
  CommitMany(20, "between");
  const auto connection = Connect();
  const Timestamp last = CommitMany(50, "live");
  ExpectEqualAt(last);
  EXPECT_TRUE(acknowledged_.AwaitAtLeast(last));
  // Idle, it still moves on.
  const Timestamp later{store_->visible().ns + 300'000'000};
  EXPECT_TRUE(replicated_.AwaitAtLeast(later));
}

// Of a long interval nobody waits for the end while something is committed, nor when a drain is asked for.
TEST_F(StreamTest, WhatIsCommittedArrivesLongBeforeTheInterval) {
  CommitMany(1, "before");
  CopyToStandby();
  interval_ms_ = 10'000;
  const auto connection = Connect();
  for (int i = 0; i < 20; ++i) {
    const Timestamp last = CommitMany(1, "live" + std::to_string(i));
    ASSERT_TRUE(replicated_.AwaitAtLeast(last, /*seconds=*/5));
  }
}

TEST_F(StreamTest, ADrainTakesInAllThatWasCommittedBeforeIt) {
  CommitMany(1, "before");
  CopyToStandby();
  interval_ms_ = 10'000;
  const auto connection = Connect();
  ASSERT_TRUE(replicated_.AwaitAtLeast(CommitMany(1, "live")));
  for (int i = 0; i < 20; ++i) {
    const Timestamp last = CommitMany(10, "live" + std::to_string(i));
    drain_.Wait(/*budget_ms=*/20'000, {});
    ASSERT_GE(standby_->state()->frontier, last);
  }
  // Idle, too: everything up to now, though the next checkpoint is seconds away.
  const Timestamp idle = store_->visible();
  drain_.Wait(/*budget_ms=*/20'000, {});
  EXPECT_GE(standby_->state()->frontier, idle);
}

TEST_F(StreamTest, ADrainOfASourceThatSaysNothingEndsAtItsBudget) {
  CommitMany(1, "before");
  CopyToStandby();
  auto [ours, theirs] = ConnectedTransports();
  std::stop_source stop;
  auto sink = IngestionSink::Create(Ingestion());
  ASSERT_TRUE(sink.ok());
  auto ingesting =
      std::async(std::launch::async, [&, t = theirs.get()] { return IngestPartition(**sink, 0, *t, stop.get_token()); });
  ASSERT_TRUE(*ours->Receive(0, nullptr) == std::nullopt);
  drain_.Wait(/*budget_ms=*/50, {});
  stop.request_stop();
  ingesting.wait();
  drain_.Wait(/*budget_ms=*/20'000, {});  // nothing runs: at once
}

TEST_F(StreamTest, AReconnectGoesOnFromTheFrontier) {
  CommitMany(10, "before");
  CopyToStandby();
  auto connection = Connect();
  ExpectEqualAt(CommitMany(10, "first"));
  connection->standby_end->Close();
  EXPECT_TRUE(absl::IsUnavailable(connection->ingesting.get()));
  EXPECT_TRUE(connection->producing.get().ok());  // the peer closed
  CommitMany(500, "while away");
  connection = Connect();
  ExpectEqualAt(CommitMany(10, "again"));
}

TEST_F(StreamTest, StopEndsBothSides) {
  CommitMany(1, "x");
  CopyToStandby();
  auto connection = Connect();
  ExpectEqualAt(CommitMany(1, "y"));
  connection->stop.request_stop();
  EXPECT_TRUE(absl::IsCancelled(connection->ingesting.get()));
  EXPECT_TRUE(absl::IsCancelled(connection->producing.get()));
}

TEST_F(StreamTest, AFencedAttemptWritesNothingMore) {
  CommitMany(1, "x");
  CopyToStandby();
  auto connection = Connect();
  ExpectEqualAt(CommitMany(1, "y"));
  ASSERT_TRUE(standby_store_
                  ->UpdateMeta([&](MetaUpdate& update) {
                    update.Stage(standby_).BumpEpoch();
                    return absl::OkStatus();
                  })
                  .ok());
  const Timestamp frontier = standby_->state()->frontier;
  EXPECT_EQ(SqlStateOf(connection->ingesting.get()), "55000");
  EXPECT_EQ(standby_->state()->frontier, frontier);
}

TEST_F(StreamTest, TheLargestRowTravels) {
  CommitMany(1, "x");
  CopyToStandby();
  const auto connection = Connect();
  std::string noise(kValueBytesMax, '\0');
  for (size_t i = 0; i + 8 <= noise.size(); i += 8) {
    const uint64_t word = random_.Next();
    noise.replace(i, 8, reinterpret_cast<const char*>(&word), 8);
  }
  WriteSet writes;
  for (int i = 0; i < 3; ++i) writes["row" + std::to_string(i)] = {WriteKind::kPut, noise};
  ExpectEqualAt(CommitWrites(source_, std::move(writes)));
}

// Takes what is sent without ever acknowledging: a standby that hangs.
TEST_F(StreamTest, AHangingStandbyNeverBlocksCommitsAndItsStreamRejoins) {
  CommitMany(1, "x");
  CopyToStandby();
  auto [ours, theirs] = ConnectedTransports();
  std::stop_source stop;
  wire::SubscribeRequest request;
  request.set_after(start_at_.ns);
  auto producing = std::async(
      std::launch::async, [&, o = ours.get()] { return ServeSubscription(Subscription(request), *o, stop.get_token()); });
  std::string noise(1 << 20, '\0');
  for (size_t i = 0; i + 8 <= noise.size(); i += 8) {
    const uint64_t word = random_.Next();
    noise.replace(i, 8, reinterpret_cast<const char*>(&word), 8);
  }
  Timestamp last;
  const int commits = static_cast<int>((kLiveFeedBytesMax + kCreditWindowBytes) >> 20) + 16;
  for (int i = 0; i < commits; ++i) last = CommitPut(source_, "k" + std::to_string(i), noise);

  // Now it wakes up. More than a window was never under way, and nothing is missing.
  IngestionOptions options = Ingestion();
  auto sink = IngestionSink::Create(options);
  ASSERT_TRUE(sink.ok());
  auto ingesting =
      std::async(std::launch::async, [&, t = theirs.get()] { return IngestPartition(**sink, 0, *t, stop.get_token()); });
  ExpectEqualAt(last);
  stop.request_stop();
  ingesting.wait();
  producing.wait();
}

TEST_F(StreamTest, ACatchUpBelowTheFloorSaysThatHistoryIsGone) {
  CommitMany(5, "x");
  auto manifest = ExportKeyspace(store_.get(), source_, dir_ + "/export");
  ASSERT_TRUE(manifest.ok());
  manifest->floor = manifest->copied_from;
  auto imported = ImportKeyspace(store_.get(), *manifest, dir_ + "/export");
  ASSERT_TRUE(imported.ok()) << imported.status();
  Update([&](MetaUpdate& update) { update.Stage(*imported).Publish(); });
  source_ = *imported;
  wire::SubscribeRequest request;
  request.set_after(manifest->floor.ns - 1);
  const absl::Status gone = Refusal(request);
  EXPECT_EQ(SqlStateOf(gone), "55000") << gone;
  EXPECT_NE(HintOf(gone).find("CREATE VIRTUAL CLUSTER"), std::string::npos);
}

TEST_F(StreamTest, SubscriptionsThatCannotBeRightAreRefused) {
  wire::SubscribeRequest small;
  small.set_credit_bytes(1000);
  EXPECT_EQ(SqlStateOf(Refusal(small)), "22023");
  wire::SubscribeRequest ahead;
  ahead.set_after(store_->visible().ns + 60'000'000'000);
  EXPECT_EQ(SqlStateOf(Refusal(ahead)), "55000");
  Update([&](MetaUpdate& update) { update.Stage(source_).SetIngesting(true, Timestamp{1}); });
  EXPECT_EQ(SqlStateOf(Refusal({})), "55000");
  Update([&](MetaUpdate& update) {
    update.Stage(source_).SetIngesting(false, Timestamp{1});
    update.Stage(source_).MarkDropping();
  });
  EXPECT_EQ(SqlStateOf(Refusal({})), "55000");
}

TEST_F(StreamTest, AChangeOfHistoryEndsTheStream) {
  const Timestamp fork = CommitMany(1, "x");
  CopyToStandby();
  auto connection = Connect();
  ExpectEqualAt(CommitMany(3, "undone"));
  Update([&](MetaUpdate& update) {
    update.Stage(source_).BumpEpoch();
    update.Stage(source_).Hide(fork);
  });
  EXPECT_EQ(SqlStateOf(connection->producing.get()), "55000");
}

TEST_F(StreamTest, HiddenVersionsAreNotCaughtUpWith) {
  const Timestamp kept = CommitMany(1, "x");
  CopyToStandby();
  CommitMany(3, "undone");
  Update([&](MetaUpdate& update) {
    update.Stage(source_).BumpEpoch();
    update.Stage(source_).Hide(kept);
  });
  const auto connection = Connect();
  ExpectEqualAt(CommitMany(1, "new"));
}

// --- Over libpq ---

class SocketStreamTest : public StreamTest {
 protected:
  TestSource::Handlers Handlers() {
    return {.ask = [](const std::string&) -> absl::StatusOr<std::string> { return std::string(); },
            .copy =
                [this](const std::string& bytes, FrameTransport& transport) {
                  wire::CopyRequest request;
                  request.ParseFromString(bytes);
                  return ServeCopy(dir_ + "/export", request, transport, stop_.get_token());
                },
            .subscribe =
                [this](const std::string& bytes, FrameTransport& transport) {
                  wire::SubscribeRequest request;
                  request.ParseFromString(bytes);
                  return ServeSubscription(Subscription(request), transport, stop_.get_token());
                }};
  }
  // Enough for several files of several chunks.
  wire::OpenResponse ExportMuch() {
    std::string noise(200'000, '\0');
    for (int i = 0; i < 30; ++i) {
      for (size_t at = 0; at + 8 <= noise.size(); at += 8) {
        const uint64_t word = random_.Next();
        noise.replace(at, 8, reinterpret_cast<const char*>(&word), 8);
      }
      CommitPut(source_, "key" + std::to_string(i), noise);
    }
    auto manifest = ExportKeyspace(store_.get(), source_, dir_ + "/export");
    CHECK(manifest.ok(), manifest.status().ToString().c_str());
    wire::OpenResponse response;
    response.set_stream_id(7);
    *response.mutable_manifest() = ToWire(*manifest);
    return response;
  }
  std::string incoming() const { return dir_ + "/incoming"; }

  std::stop_source stop_;
};

TEST_F(SocketStreamTest, CopyThenStreamOverSockets) {
  TestSource source(Handlers());
  const wire::OpenResponse stream = ExportMuch();
  CopyProgress progress;
  const absl::Status copied =
      CopyFiles(source.uri(), ClusterId("b"), stream, incoming(), [&](const CopyProgress& p) { progress = p; }, {});
  ASSERT_TRUE(copied.ok()) << copied;
  EXPECT_EQ(progress.bytes_done, progress.bytes_total);
  EXPECT_GT(progress.bytes_total, 4'000'000u);
  EXPECT_EQ(progress.bytes_resent, 0u);
  Adopt(FromWire(stream.manifest()), incoming());
  std::stop_source stop;
  auto ingesting = std::async(std::launch::async, [&] { return RunIngestion(Ingestion(source.uri()), stop.get_token()); });
  ExpectEqualAt(CommitMany(200, "live"));
  stop.request_stop();
  EXPECT_TRUE(absl::IsCancelled(ingesting.get()));
}

TEST_F(SocketStreamTest, SeveralPartitionsMakeOneFrontier) {
  TestSource source(Handlers());
  CommitMany(10, "before");
  CopyToStandby();
  IngestionOptions options = Ingestion(source.uri());
  options.stream.mutable_partitions(0)->add_spans()->set_end("key5");
  options.stream.add_partitions()->add_spans()->set_start("key5");
  std::stop_source stop;
  auto ingesting = std::async(std::launch::async, [&] { return RunIngestion(options, stop.get_token()); });
  ExpectEqualAt(CommitMany(200, "live"));
  stop.request_stop();
  EXPECT_TRUE(absl::IsCancelled(ingesting.get()));
}

TEST_F(SocketStreamTest, PartitionsAndIntervalsThatNoSourceHasAreRefusedBeforeAnyConnection) {
  CommitMany(10, "before");
  CopyToStandby();
  const auto refusal = [&](const std::function<void(wire::OpenResponse&)>& change) {
    IngestionOptions options = Ingestion("postgresql://nobody@127.0.0.1:1");
    change(options.stream);
    return SqlStateOf(RunIngestion(std::move(options), {}));
  };
  EXPECT_EQ(refusal([](auto& stream) {
              while (stream.partitions_size() <= kPartitionsMax) stream.add_partitions();
            }),
            "08P01");
  EXPECT_EQ(refusal([](auto& stream) {
              for (int i = 0; i <= kPartitionSpansMax; ++i) stream.mutable_partitions(0)->add_spans();
            }),
            "08P01");
  EXPECT_EQ(refusal([](auto& stream) { stream.clear_partitions(); }), "08P01");
  for (const uint64_t interval_ms : {uint64_t{1}, kCheckpointIntervalMsMax + 1, UINT64_MAX}) {
    EXPECT_EQ(refusal([&](auto& stream) { stream.set_checkpoint_interval_ms(interval_ms); }), "08P01") << interval_ms;
  }
  EXPECT_EQ(refusal([](auto&) {}), "08001");
}

TEST_F(SocketStreamTest, AKilledSourceEndsTheAttempt) {
  auto source = std::make_unique<TestSource>(Handlers());
  CommitMany(10, "before");
  CopyToStandby();
  auto ingesting = std::async(std::launch::async, [&] { return RunIngestion(Ingestion(source->uri()), {}); });
  ExpectEqualAt(CommitMany(10, "live"));
  source->Kill();
  const absl::Status lost = ingesting.get();
  EXPECT_EQ(SqlStateOf(lost), "08006") << lost;
}

// A row that takes longer than the silence that is allowed passes all the same, in the first attempt.
TEST_F(SocketStreamTest, ALargeRowPassesASlowLink) {
  interval_ms_ = 20;
  const uint64_t silence_ms = interval_ms_ * kSilentIntervalsMax;
  std::atomic<int> attempts = 0;
  // Each frame in pieces, over three times the silence.
  struct Slow : FrameTransport {
    Slow(TestConnection* to, uint64_t frame_ms) : to(to), frame_ms(frame_ms) {}
    absl::Status Send(std::string_view frame, WakeEvent* wake) override {
      constexpr size_t kPieces = 30;
      std::string message("d");
      for (int shift = 24; shift >= 0; shift -= 8) message.push_back(static_cast<char>((frame.size() + 4) >> shift));
      message.append(frame);
      if (message.size() < (1 << 20)) return to->PutRaw(message, wake);
      const size_t piece = message.size() / kPieces + 1;
      for (size_t at = 0; at < message.size(); at += piece) {
        if (absl::Status sent = to->PutRaw(std::string_view(message).substr(at, piece), wake); !sent.ok()) return sent;
        std::unique_lock lock(mutex);
        link.wait_for(lock, std::chrono::milliseconds(frame_ms / kPieces));
      }
      return absl::OkStatus();
    }
    absl::StatusOr<std::optional<std::string>> Receive(int timeout_ms, WakeEvent* wake) override {
      return to->Receive(timeout_ms, wake);
    }
    TestConnection* const to;
    const uint64_t frame_ms;
    std::mutex mutex;
    std::condition_variable link;
  };
  TestSource::Handlers handlers = Handlers();
  handlers.subscribe = [&, serve = handlers.subscribe](const std::string& bytes, FrameTransport& transport) {
    ++attempts;
    Slow slow(dynamic_cast<TestConnection*>(&transport), 3 * silence_ms);
    return serve(bytes, slow);
  };
  TestSource source(std::move(handlers));
  CommitMany(1, "before");
  CopyToStandby();
  std::string noise(kValueBytesMax - 8, '\0');
  for (size_t i = 0; i + 8 <= noise.size(); i += 8) {
    const uint64_t word = random_.Next();
    noise.replace(i, 8, reinterpret_cast<const char*>(&word), 8);
  }
  const Timestamp last = CommitPut(source_, "row", noise);
  std::stop_source stop;
  auto ingesting = std::async(std::launch::async, [&] { return RunIngestion(Ingestion(source.uri()), stop.get_token()); });
  ExpectEqualAt(last);
  EXPECT_EQ(attempts, 1);
  stop.request_stop();
  EXPECT_TRUE(absl::IsCancelled(ingesting.get()));
}

TEST_F(SocketStreamTest, TheSourcesRefusalKeepsItsSqlStateAndHint) {
  TestSource::Handlers handlers = Handlers();
  handlers.ask = [](const std::string&) { return SqlError("42501", "no REPLICATIONSOURCE", "GRANT it."); };
  handlers.subscribe = [](const std::string&, FrameTransport&) {
    return SqlError("55000", "history is gone", "Make it again.");
  };
  TestSource source(std::move(handlers));
  auto client = SourceClient::Connect(source.uri(), {});
  ASSERT_TRUE(client.ok()) << client.status();
  const auto opened = (*client)->Open({});
  EXPECT_EQ(SqlStateOf(opened.status()), "42501");
  EXPECT_EQ(HintOf(opened.status()), "GRANT it.");
  CommitMany(1, "x");
  CopyToStandby();
  const absl::Status ended = RunIngestion(Ingestion(source.uri()), {});
  EXPECT_EQ(SqlStateOf(ended), "55000") << ended;
  EXPECT_EQ(HintOf(ended), "Make it again.");
}

TEST_F(SocketStreamTest, WhatTheSourceSaysIsShownAsALineWithoutTheSecret) {
  TestSource::Handlers handlers = Handlers();
  std::string sqlstate = "55000";
  handlers.ask = [&](const std::string&) {
    return SqlError(sqlstate, "s3cret \xff\x1b[2J is no\nFORGED", "Not s3cret" + std::string(1 << 20, '!'));
  };
  TestSource source(std::move(handlers));
  std::string uri = source.uri();
  auto client = SourceClient::Connect(uri.replace(uri.find("root@"), 4, "root:s3cret"), {});
  ASSERT_TRUE(client.ok()) << client.status();
  const absl::Status refused = (*client)->Open({}).status();
  EXPECT_EQ(SqlStateOf(refused), "55000");
  EXPECT_EQ(MessageOf(refused), "... ??[2J is no");
  EXPECT_EQ(HintOf(refused).substr(0, 8), "Not ...!");
  EXPECT_LE(HintOf(refused).size(), 1'000u);
  sqlstate = "x\xff";
  EXPECT_EQ(SqlStateOf((*client)->Open({}).status()), "08P01");
}

TEST_F(SocketStreamTest, OpenAndFinishAnswer) {
  TestSource::Handlers handlers = Handlers();
  handlers.ask = [](const std::string& bytes) -> absl::StatusOr<std::string> {
    wire::OpenRequest request;
    EXPECT_TRUE(request.ParseFromString(bytes));
    wire::OpenResponse response;
    response.set_stream_id(request.stream_id() + 1);
    return response.SerializeAsString();
  };
  TestSource source(std::move(handlers));
  auto client = SourceClient::Connect(source.uri(), {});
  ASSERT_TRUE(client.ok()) << client.status();
  wire::OpenRequest request;
  request.set_stream_id(41);
  const auto response = (*client)->Open(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->stream_id(), 42u);
  EXPECT_EQ((*client)->Open(request)->stream_id(), 42u);  // the connection goes on
}

// The source dies after `frames` chunks of all connections together.
TEST_F(SocketStreamTest, AnInterruptedCopyKeepsItsFinishedChunks) {
  const wire::OpenResponse stream = ExportMuch();
  std::atomic<int> left{3};
  struct Counting : FrameTransport {
    Counting(FrameTransport* to, std::atomic<int>* left) : to(to), left(left) {}
    absl::Status Send(std::string_view frame, WakeEvent* wake) override {
      if (--*left < 0) return absl::UnavailableError("killed");
      return to->Send(frame, wake);
    }
    absl::StatusOr<std::optional<std::string>> Receive(int timeout_ms, WakeEvent* wake) override {
      return to->Receive(timeout_ms, wake);
    }
    FrameTransport* const to;
    std::atomic<int>* const left;
  };
  TestSource::Handlers handlers = Handlers();
  handlers.copy = [&, serve = handlers.copy](const std::string& bytes, FrameTransport& transport) {
    Counting counting(&transport, &left);
    return serve(bytes, counting);
  };
  TestSource source(std::move(handlers));
  uint64_t received = 0;
  int attempts = 0;
  CopyProgress progress;
  absl::Status status;
  do {
    ASSERT_LT(++attempts, 50);
    left = 3;
    progress = {};
    uint64_t kept = 0;
    bool first = true;
    status = CopyFiles(source.uri(), ClusterId("b"), stream, incoming(),
                       [&](const CopyProgress& p) {
                         if (first) kept = p.bytes_done;
                         first = false;
                         progress = p;
                       },
                       {});
    EXPECT_LE(progress.bytes_resent, kCopyConnections * kFileChunkBytes);
    received = std::max(received, progress.bytes_done);
  } while (!status.ok());
  EXPECT_GT(attempts, 2);
  EXPECT_EQ(progress.bytes_done, progress.bytes_total);
  for (const wire::TransferFile& file : stream.manifest().files()) {
    const std::string family = file.family() == wire::TransferFile::DATA ? "/data/" : "/changes/";
    EXPECT_EQ(fs::file_size(incoming() + family + file.name()), file.size());
    EXPECT_FALSE(fs::exists(incoming() + family + file.name() + ".journal"));
  }
  Adopt(FromWire(stream.manifest()), incoming());
}

TEST_F(SocketStreamTest, ChunksThatNoLongerVerifyAreSentAgain) {
  const wire::OpenResponse stream = ExportMuch();
  const auto large = std::max_element(stream.manifest().files().begin(), stream.manifest().files().end(),
                                      [](const auto& a, const auto& b) { return a.size() < b.size(); });
  ASSERT_GT(large->size(), 2 * kFileChunkBytes);
  TestSource source(Handlers());
  ASSERT_TRUE(CopyFiles(source.uri(), ClusterId("b"), stream, incoming(), [](const CopyProgress&) {}, {}).ok());
  // As a crash would leave it: a whole part file, a journal of two chunks, the second damaged on disk.
  const std::string path =
      incoming() + (large->family() == wire::TransferFile::DATA ? "/data/" : "/changes/") + large->name();
  fs::rename(path, path + ".part");
  std::string contents(large->size(), '\0');
  FILE* part = fopen((path + ".part").c_str(), "r+");
  ASSERT_EQ(fread(contents.data(), 1, contents.size(), part), contents.size());
  FILE* journal = fopen((path + ".journal").c_str(), "w");
  for (int i = 0; i < 2; ++i) {
    std::string crc;
    PutFixed32(&crc, Crc32c(std::string_view(contents).substr(i * kFileChunkBytes, kFileChunkBytes)));
    fwrite(crc.data(), 1, crc.size(), journal);
  }
  fclose(journal);
  fseek(part, kFileChunkBytes + 5, SEEK_SET);
  fputc(~contents[kFileChunkBytes + 5], part);
  fclose(part);

  CopyProgress progress;
  ASSERT_TRUE(
      CopyFiles(source.uri(), ClusterId("b"), stream, incoming(), [&](const CopyProgress& p) { progress = p; }, {}).ok());
  EXPECT_EQ(progress.bytes_resent, large->size() - kFileChunkBytes);
  EXPECT_EQ(progress.bytes_done, progress.bytes_total);
  Adopt(FromWire(stream.manifest()), incoming());
}

TEST_F(SocketStreamTest, FilesOfAnotherCopyAreNotMistakenForThisOne) {
  wire::OpenResponse stream = ExportMuch();
  fs::create_directories(incoming() + "/data");
  const wire::TransferFile& first = stream.manifest().files(0);
  ASSERT_EQ(first.family(), wire::TransferFile::DATA);
  FILE* other = fopen((incoming() + "/data/" + first.name()).c_str(), "w");
  const std::string junk(first.size(), 'x');
  fwrite(junk.data(), 1, junk.size(), other);
  fclose(other);
  TestSource source(Handlers());
  ASSERT_TRUE(CopyFiles(source.uri(), ClusterId("b"), stream, incoming(), [](const CopyProgress&) {}, {}).ok());
  Adopt(FromWire(stream.manifest()), incoming());
}

TEST_F(SocketStreamTest, ACopyThatHasNoRoomIsRefusedWithNumbersBeforeItBegins) {
  wire::OpenResponse stream = ExportMuch();
  wire::TransferFile& huge = *stream.mutable_manifest()->add_files();
  huge.set_name("999999.sst");
  huge.set_size(uint64_t{1} << 50);
  std::atomic<int> asked = 0;
  TestSource::Handlers handlers = Handlers();
  handlers.copy = [&](const std::string&, FrameTransport&) {
    ++asked;
    return absl::OkStatus();
  };
  TestSource source(std::move(handlers));
  const absl::Status full = CopyFiles(source.uri(), ClusterId("b"), stream, incoming(), [](const CopyProgress&) {}, {});
  EXPECT_EQ(SqlStateOf(full), "53100") << full;
  EXPECT_NE(MessageOf(full).find("takes 10737418"), std::string::npos) << full;
  EXPECT_NE(MessageOf(full).find("MiB are free"), std::string::npos) << full;
  EXPECT_EQ(asked, 0);
}

TEST_F(SocketStreamTest, NothingIsWrittenOutsideTheFolder) {
  TestSource source(Handlers());
  for (const char* name : {"../evil", "", ".", "..", "a/b"}) {
    wire::OpenResponse stream;
    wire::TransferFile& file = *stream.mutable_manifest()->add_files();
    file.set_name(name);
    file.set_size(10);
    EXPECT_TRUE(
        absl::IsDataLoss(CopyFiles(source.uri(), ClusterId("b"), stream, incoming(), [](const CopyProgress&) {}, {})))
        << name;
    wire::CopyRequest request;
    request.set_name(name);
    auto [ours, theirs] = ConnectedTransports();
    EXPECT_TRUE(absl::IsDataLoss(ServeCopy(dir_, request, *ours, {}))) << name;
  }
  wire::OpenResponse empty;
  empty.mutable_manifest()->add_files()->set_name("x.sst");
  EXPECT_TRUE(absl::IsDataLoss(CopyFiles(source.uri(), ClusterId("b"), empty, incoming(), [](const CopyProgress&) {}, {})));
}

TEST_F(SocketStreamTest, AFileThatIsNotAsListedIsRefused) {
  wire::OpenResponse stream = ExportMuch();
  stream.mutable_manifest()->mutable_files(0)->set_size(stream.manifest().files(0).size() + 1);
  TestSource source(Handlers());
  EXPECT_FALSE(CopyFiles(source.uri(), ClusterId("b"), stream, incoming(), [](const CopyProgress&) {}, {}).ok());
  EXPECT_FALSE(fs::exists(incoming() + "/data/" + stream.manifest().files(0).name()));
}

}  // namespace
}  // namespace anabranch
