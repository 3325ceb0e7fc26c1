// For tests of tenant/: a physical cluster in this process, with a real store and a real socket that speaks as much of the
// PostgreSQL protocol as a standby needs.
#pragma once

#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>

#include "base/check.h"
#include "base/clock.h"
#include "base/coding.h"
#include "base/random.h"
#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/api/store.h"
#include "storage/mvcc/reader.h"
#include "stream/live_feed.h"
#include "stream/test_connection.h"
#include "tenant/catalog/limits.h"
#include "tenant/virtual_clusters.h"

namespace anabranch {

inline const StreamUser kRoot{.name = "root", .admin = true};

// What a test does to a server between the answer to an OPEN and its way back.
struct OpenHook {
  std::function<void()> answered = nullptr;                  // called on the connection's thread; may be null
  int opens_left = INT_MAX;                                  // after that many, every connection ends at its next request
  StreamUser user = kRoot;                                   // as whom every connection has logged in
  std::function<void(wire::OpenResponse&)> forge = nullptr;  // what the peer hears instead of an answer; may be null
  std::function<void()> finished = nullptr;                  // called like `answered`, after a FINISH; may be null
};

// Answers REPLICATION_STREAM statements for one VirtualClusters.
class TestServer {
 public:
  TestServer(VirtualClusters* clusters, uint16_t port, OpenHook hook = {})
      : clusters_(clusters),
        hook_(std::move(hook)),
        opens_left_(hook_.opens_left),
        listener_(port, [this](TestConnection& connection) { Serve(connection); }) {}
  ~TestServer() { stop_.request_stop(); }

  uint16_t port() const { return listener_.port(); }

 private:
  void Serve(TestConnection& connection) {
    if (!connection.Start()) return;
    std::string body;
    for (char type = connection.Next(&body); type != 0 && type != 'X'; type = connection.Next(&body)) {
      if (type != 'Q') continue;
      if (opens_left_ <= 0) return;
      const absl::Status status = Answer(connection, body, stop_.get_token());
      if (absl::IsUnavailable(status)) return;
      if (!status.ok() && !connection.PutError(status).ok()) return;
      if (!connection.Put('Z', "I").ok()) return;
    }
  }

  template <typename Request>
  static Request Parse(const std::string& body) {
    const size_t from = body.find('\'') + 1;
    std::string bytes;
    Request request;
    CHECK(FromHex(body.substr(from, body.find('\'', from) - from), &bytes) && request.ParseFromString(bytes), "request");
    return request;
  }
  template <typename Response>
  static absl::Status Row(TestConnection& connection, const absl::StatusOr<Response>& response) {
    RETURN_IF_ERROR(response.status());
    return connection.PutRow(ToHex(response->SerializeAsString()));
  }
  absl::Status Answer(TestConnection& connection, const std::string& query, const std::stop_token& stop) {
    if (query.find("STREAM OPEN") != std::string::npos) {
      absl::StatusOr<wire::OpenResponse> response =
          clusters_->OpenStream(Parse<wire::OpenRequest>(query), hook_.user, stop);
      --opens_left_;
      if (hook_.answered) hook_.answered();
      if (hook_.forge && response.ok()) hook_.forge(*response);
      return Row(connection, response);
    }
    if (query.find("STREAM FINISH") != std::string::npos) {
      const absl::Status status = Row(connection, clusters_->FinishStream(Parse<wire::FinishRequest>(query), hook_.user));
      if (hook_.finished) hook_.finished();
      return status;
    }
    RETURN_IF_ERROR(connection.Put('W', std::string(3, '\0')));
    if (query.find("STREAM COPY") != std::string::npos) {
      RETURN_IF_ERROR(clusters_->ServeCopy(Parse<wire::CopyRequest>(query), hook_.user, connection, stop));
    } else {
      RETURN_IF_ERROR(clusters_->ServeSubscription(Parse<wire::SubscribeRequest>(query), hook_.user, connection, stop));
    }
    RETURN_IF_ERROR(connection.Put('c', ""));
    while (!connection.copy_done()) {
      const auto frame = connection.Receive(-1, nullptr);
      if (!frame.ok() && !connection.copy_done()) return frame.status();
    }
    return connection.Put('C', std::string("COPY 0\0", 7));
  }

  VirtualClusters* const clusters_;
  const OpenHook hook_;
  std::atomic<int> opens_left_;
  std::stop_source stop_;
  TestListener listener_;
};

// The machine's clocks, ahead of them by as much as a test says. Thread-safe.
class ShiftedClock final : public Clock {
 public:
  uint64_t WallNs() const override { return SystemClock()->WallNs() + wall_ahead_ns_; }
  uint64_t MonotonicNs() const override { return SystemClock()->MonotonicNs() + monotonic_ahead_ns_; }
  void Advance(uint64_t ns) {  // as if that time had passed
    StepWall(ns);
    monotonic_ahead_ns_ += ns;
  }
  void StepWall(uint64_t ns) { wall_ahead_ns_ += ns; }

 private:
  std::atomic<uint64_t> wall_ahead_ns_{0};
  std::atomic<uint64_t> monotonic_ahead_ns_{0};
};

// A node without its SQL layer. Stop and Start keep store and port.
class TestCluster {
 public:
  explicit TestCluster(Virtualization virtualization, uint64_t seed = 1) : virtualization_(virtualization), random_(seed) {
    std::string name = testing::TempDir() + "tenant-XXXXXX";
    CHECK(mkdtemp(name.data()) != nullptr, "no temporary folder");
    dir_ = name;
    Start();
  }
  ~TestCluster() {
    Stop();
    std::filesystem::remove_all(dir_);
  }

  void Start() {
    auto store = Store::Open({.dir = dir_ + "/store", .clock = &clock_, .random = &random_, .block_cache_bytes = 8 << 20});
    CHECK(store.ok(), store.status().ToString().c_str());
    store_ = *std::move(store);
    feed_ = LiveFeed::Create(store_.get());
    auto clusters = VirtualClusters::Open({.store = store_.get(), .feed = feed_.get(), .virtualization = virtualization_});
    CHECK(clusters.ok(), clusters.status().ToString().c_str());
    clusters_ = *std::move(clusters);
    server_ = std::make_unique<TestServer>(clusters_.get(), port_);
    port_ = server_->port();
  }
  void SetUndoWindow(const std::string& window) {
    EXPECT_TRUE(clusters_->SetClusterSetting("physical_replication.failover.undo_window", window).ok());
  }
  void SetLostWritesMax(uint64_t bytes) {
    EXPECT_TRUE(clusters_->SetClusterSetting(std::string(kLostWritesSetting), fmt::format("{}", bytes)).ok());
  }
  void Stop() {
    server_.reset();
    clusters_.reset();
    feed_.reset();
    store_.reset();
  }
  void Restart() {
    Stop();
    Start();
  }
  // As seen by a peer: connections end, and no new one is taken.
  void Disconnect() { server_.reset(); }
  void Reconnect(OpenHook hook = {}) {
    server_.reset();
    server_ = std::make_unique<TestServer>(clusters_.get(), port_, std::move(hook));
  }

  VirtualClusters* operator->() { return clusters_.get(); }
  Store* store() { return store_.get(); }
  LiveFeed* feed() { return feed_.get(); }
  ShiftedClock& clock() { return clock_; }
  const std::string& dir() const { return dir_; }
  uint16_t port() const { return port_; }
  std::string uri() const {
    return fmt::format("postgresql://root:secret@127.0.0.1:{}?sslmode=disable&gssencmode=disable", port_);
  }

  // Writes as a session of the virtual cluster does.
  absl::StatusOr<Timestamp> Put(const std::string& vc, const std::string& key, const std::string& value) {
    ASSIGN_OR_RETURN(const ServedVirtualCluster served, clusters_->Connect(vc));
    WriteSet writes{{key, {WriteKind::kPut, value}}};
    return store_->Commit({.keyspace = served.context.keyspace,
                           .epoch = served.context.epoch,
                           .writes = std::make_shared<const WriteList>(writes),
                           .validate_spans = {},
                           .validate_after = {}});
  }
  // The value as of now; "-" if there is none.
  std::string Get(const std::string& vc, const std::string& key) {
    const auto served = clusters_->Connect(vc);
    if (!served.ok()) return SqlStateOf(served.status());
    const auto reader = MvccReader::Open(store_.get(), served->context.keyspace, store_->visible());
    if (!reader.ok()) return SqlStateOf(reader.status());
    const auto value = (*reader)->Get(key);
    if (!value.ok()) return SqlStateOf(value.status());
    return *value ? (*value)->value : "-";
  }
  std::string StateOf(const std::string& vc) {
    const auto info = clusters_->Show(vc);
    return info.ok() ? std::string(ToString(info->data_state)) : SqlStateOf(info.status());
  }
  ReplicationStatus Status(const std::string& vc) {
    const auto info = clusters_->Show(vc);
    return info.ok() && info->replication ? *info->replication : ReplicationStatus();
  }
  uint64_t FingerprintAt(const std::string& vc, Timestamp at) {
    const auto row = clusters_->ShowFingerprint(vc, std::nullopt, FormatHlc(at), std::stop_token());
    EXPECT_TRUE(row.ok()) << row.status();
    return row.ok() ? row->fingerprint.digest : 0;
  }

 private:
  const Virtualization virtualization_;
  ShiftedClock clock_;
  Random random_;
  std::string dir_;
  uint16_t port_ = 0;
  std::unique_ptr<Store> store_;
  std::unique_ptr<LiveFeed> feed_;
  std::unique_ptr<VirtualClusters> clusters_;
  std::unique_ptr<TestServer> server_;
};

// True as soon as `condition` holds. For what has no event to wait on: states of another cluster.
template <typename Condition>
bool Eventually(const Condition& condition) {
  constexpr int kPollMs = 5;
  constexpr int kPollsMax = 6'000;
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  for (int i = 0; i < kPollsMax; ++i) {
    if (condition()) return true;
    never.wait_for(lock, std::chrono::milliseconds(kPollMs));
  }
  return false;
}

}  // namespace anabranch
