// For tests of stream/: the two ends of a connection in this process, with a bounded buffer in each direction.
#pragma once

#include <poll.h>

#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "base/status.h"
#include "stream/transport.h"

namespace anabranch {

class TestPipe {
 public:
  static constexpr size_t kBufferBytes = 1 << 20;

  // False once closed.
  bool Push(std::string_view frame) {
    std::lock_guard lock(mutex_);
    if (closed_) return false;
    bytes_ += frame.size();
    frames_.emplace_back(frame);
    readable_.Signal();
    if (bytes_ >= kBufferBytes) writable_.Clear();
    return true;
  }
  std::optional<std::string> Pop() {
    std::lock_guard lock(mutex_);
    if (frames_.empty()) {
      if (!closed_) readable_.Clear();
      return std::nullopt;
    }
    std::string frame = std::move(frames_.front());
    frames_.pop_front();
    bytes_ -= frame.size();
    if (bytes_ < kBufferBytes) writable_.Signal();
    return frame;
  }
  void Close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    readable_.Signal();
    writable_.Signal();
  }
  bool closed() const {
    std::lock_guard lock(mutex_);
    return closed_;
  }
  const WakeEvent& readable() const { return readable_; }
  const WakeEvent& writable() const { return writable_; }

  TestPipe() { writable_.Signal(); }

 private:
  mutable std::mutex mutex_;
  std::deque<std::string> frames_;
  size_t bytes_ = 0;
  bool closed_ = false;
  WakeEvent readable_;
  WakeEvent writable_;
};

class TestTransport final : public FrameTransport {
 public:
  TestTransport(std::shared_ptr<TestPipe> in, std::shared_ptr<TestPipe> out) : in_(std::move(in)), out_(std::move(out)) {}
  ~TestTransport() override { Close(); }

  void Close() {
    in_->Close();
    out_->Close();
  }

  absl::Status Send(std::string_view frame, WakeEvent* wake) override {
    if (Wait(out_->writable(), -1, wake) == Waited::kWoken) return absl::CancelledError("woken");
    return out_->Push(frame) ? absl::OkStatus() : absl::UnavailableError("the peer closed");
  }
  absl::StatusOr<std::optional<std::string>> Receive(int timeout_ms, WakeEvent* wake) override {
    const uint64_t deadline_ns = SystemClock()->MonotonicNs() + static_cast<uint64_t>(timeout_ms) * 1'000'000;
    while (true) {
      if (auto frame = in_->Pop()) return frame;
      if (in_->closed()) return absl::UnavailableError("the peer closed");
      const uint64_t now_ns = SystemClock()->MonotonicNs();
      const int left_ms = now_ns >= deadline_ns ? 0 : static_cast<int>((deadline_ns - now_ns) / 1'000'000 + 1);
      if (Wait(in_->readable(), left_ms, wake) != Waited::kReady) return std::optional<std::string>();
    }
  }

 private:
  enum class Waited { kReady, kWoken, kTimeout };
  static Waited Wait(const WakeEvent& event, int timeout_ms, WakeEvent* wake) {
    pollfd fds[] = {{event.fd(), POLLIN, 0}, {wake == nullptr ? -1 : wake->fd(), POLLIN, 0}};
    poll(fds, 2, timeout_ms);
    if (fds[1].revents != 0) return Waited::kWoken;
    return fds[0].revents != 0 ? Waited::kReady : Waited::kTimeout;
  }

  const std::shared_ptr<TestPipe> in_;
  const std::shared_ptr<TestPipe> out_;
};

inline std::pair<std::unique_ptr<TestTransport>, std::unique_ptr<TestTransport>> ConnectedTransports() {
  auto one = std::make_shared<TestPipe>();
  auto other = std::make_shared<TestPipe>();
  return {std::make_unique<TestTransport>(one, other), std::make_unique<TestTransport>(other, one)};
}

}  // namespace anabranch
