// For tests of a source by what it is asked: A's `main`, and a StreamSource over A's store that the test alone asks.
#pragma once

#include <future>
#include <memory>
#include <string>

#include "stream/frame.h"
#include "tenant/catalog/catalog.h"
#include "tenant/source/source.h"
#include "tenant/testing/replication_fixture.h"

namespace anabranch {

inline constexpr uint64_t kMinuteNs = 60ull * 1'000'000'000;
inline constexpr uint64_t kHourNs = 60 * kMinuteNs;

// A standby that takes frames and says nothing, until it is told to leave.
class SilentStandby final : public FrameTransport {
 public:
  absl::Status Send(std::string_view, WakeEvent*) override {
    std::lock_guard lock(mutex_);
    connected_ = true;
    changed_.notify_all();
    return absl::OkStatus();
  }
  absl::StatusOr<std::optional<std::string>> Receive(int timeout_ms, WakeEvent*) override {
    std::unique_lock lock(mutex_);
    const auto timeout = std::chrono::milliseconds(std::min<unsigned>(static_cast<unsigned>(timeout_ms), kWaitMs));
    changed_.wait_for(lock, timeout, [this] { return left_; });
    if (left_) return absl::UnavailableError("the standby has left");
    return std::optional<std::string>();
  }
  void Leave() {
    std::lock_guard lock(mutex_);
    left_ = true;
    changed_.notify_all();
  }
  bool connected() {  // a frame came
    std::lock_guard lock(mutex_);
    return connected_;
  }

 private:
  static constexpr unsigned kWaitMs = 20;  // it does not hear of what ends its waits

  std::mutex mutex_;
  std::condition_variable changed_;
  bool connected_ = false;
  bool left_ = false;
};

class SourceFixture : public ReplicationFixture {
 protected:
  void SetUp() override {
    Fill(a_, "k", 3);
    Restart();
  }
  // As a restart of A does, which takes `down_ns`.
  void Restart(uint64_t down_ns = 0) {
    source_.reset();
    a_.clock().Advance(down_ns);
    source_ = std::make_unique<StreamSource>(StreamSource::Options{
        .store = a_.store(),
        .feed = a_.feed(),
        .wait_swept = [](TenantId, std::stop_token) { return absl::OkStatus(); },
        .settled = [](const catalog::TenantRecord&) {},
    });
    ASSERT_TRUE(source_->Recover().ok());
  }
  wire::OpenRequest NewStream() {
    wire::OpenRequest request;
    request.set_protocol_version(kProtocolVersion);
    request.set_clock_ns(a_.store()->visible().ns);
    request.set_source_tenant("main");
    request.set_destination_cluster_id(kStandby);
    request.set_destination_tenant("main");
    return request;
  }
  absl::StatusOr<wire::OpenResponse> Open(const wire::OpenRequest& request, const StreamUser& user = kRoot) {
    return source_->Open(request, user, {});
  }
  // A stream of which the standby has come back, with nothing copied.
  wire::OpenRequest Claimed(const StreamUser& user = kRoot) {
    wire::OpenRequest request = NewStream();
    const auto opened = Open(request, user);
    EXPECT_TRUE(opened.ok()) << opened.status();
    request.set_stream_id(opened->stream_id());
    EXPECT_TRUE(Open(request, user).ok());
    return request;
  }
  absl::Status Subscribe(uint64_t stream, SilentStandby& standby, const StreamUser& user = kRoot) {
    wire::SubscribeRequest request;
    request.set_stream_id(stream);
    request.set_destination_cluster_id(kStandby);
    request.set_after(a_.store()->visible().ns);
    request.add_spans();
    request.set_credit_bytes(kCreditWindowBytes);
    return source_->ServeSubscription(request, user, standby, {});
  }
  // Once the first frame has come, unless it ends before that.
  std::future<absl::Status> Connect(uint64_t stream, SilentStandby& standby, const StreamUser& user = kRoot) {
    std::future<absl::Status> served =
        std::async(std::launch::async, [=, this, &standby] { return Subscribe(stream, standby, user); });
    const auto ended = [&] { return served.wait_for(std::chrono::seconds(0)) == std::future_status::ready; };
    EXPECT_TRUE(Eventually([&] { return standby.connected() || ended(); }));
    EXPECT_FALSE(ended());
    return served;
  }
  size_t Streams() { return LoadStreams(a_.store())->size(); }
  std::string StreamStateOf() { return source_->Streams()->front().state; }

  static constexpr char kStandby[] = "0123456789abcdef0123456789abcdef";
  std::unique_ptr<StreamSource> source_;
};

}  // namespace anabranch
