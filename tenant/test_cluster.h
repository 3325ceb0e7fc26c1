// For tests of tenant/: a physical cluster in this process, with a real store and a real socket that speaks as much of the
// PostgreSQL protocol as a standby needs.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <list>
#include <mutex>
#include <thread>

#include "base/check.h"
#include "base/coding.h"
#include "base/random.h"
#include "base/status.h"
#include "base/wake_event.h"
#include "gtest/gtest.h"
#include "storage/mvcc_reader.h"
#include "storage/store.h"
#include "stream/live_feed.h"
#include "tenant/virtual_clusters.h"

namespace anabranch {

// One accepted connection: blocking reads that a stop ends.
class TestConnection final : public FrameTransport {
 public:
  TestConnection(int fd, std::stop_token stop) : fd_(fd), stop_(std::move(stop)), on_stop_(stop_, Signal{&stopped_}) {}
  ~TestConnection() override { close(fd_); }

  absl::Status Send(std::string_view frame, WakeEvent* wake) override { return Put('d', frame, wake); }

  absl::StatusOr<std::optional<std::string>> Receive(int timeout_ms, WakeEvent* wake) override {
    while (true) {
      char type = 0;
      std::string body;
      if (Take(&type, &body)) {
        if (type == 'd') return std::optional<std::string>(std::move(body));
        copy_done_ = copy_done_ || type == 'c';
        return absl::UnavailableError("the peer ended the copy");
      }
      ASSIGN_OR_RETURN(const bool more, Read(timeout_ms, wake));
      if (!more) return std::optional<std::string>();
    }
  }

  absl::Status Put(char type, std::string_view body, WakeEvent* wake = nullptr) {
    std::string message(1, type);
    AppendInt32(&message, static_cast<uint32_t>(body.size() + 4));
    message.append(body);
    return PutRaw(message, wake);
  }
  absl::Status PutRaw(std::string_view bytes, WakeEvent* wake = nullptr) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) {
        bytes.remove_prefix(static_cast<size_t>(sent));
        continue;
      }
      if (sent < 0 && errno != EAGAIN) return absl::UnavailableError("the peer is gone");
      ASSIGN_OR_RETURN(const bool ready, Wait(POLLOUT, -1, wake));
      if (!ready) return absl::CancelledError("woken");
    }
    return absl::OkStatus();
  }
  // The next message. False when the connection ends.
  bool Next(char* type, std::string* body) {
    while (!Take(type, body)) {
      const auto more = Read(-1, nullptr);
      if (!more.ok() || !*more) return false;
    }
    return true;
  }
  bool NextStartup(uint32_t* code) {
    std::string body;
    while (!TakeSized(0, &body)) {
      const auto more = Read(-1, nullptr);
      if (!more.ok() || !*more) return false;
    }
    *code = Int32At(body, 0);
    return true;
  }
  bool copy_done() const { return copy_done_; }

  static void AppendInt32(std::string* out, uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
  }

 private:
  struct Signal {
    WakeEvent* event;
    void operator()() const { event->Signal(); }
  };

  static uint32_t Int32At(std::string_view bytes, size_t at) {
    uint32_t value = 0;
    for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
  }
  bool TakeSized(size_t header, std::string* body) {
    if (buffer_.size() < header + 4) return false;
    const size_t size = Int32At(buffer_, header);
    if (buffer_.size() < header + size) return false;
    *body = buffer_.substr(header + 4, size - 4);
    buffer_.erase(0, header + size);
    return true;
  }
  bool Take(char* type, std::string* body) {
    const char first = buffer_.empty() ? 0 : buffer_[0];
    if (!TakeSized(1, body)) return false;
    *type = first;
    return true;
  }
  absl::StatusOr<bool> Wait(short events, int timeout_ms, WakeEvent* wake) {
    pollfd fds[] = {{fd_, events, 0}, {stopped_.fd(), POLLIN, 0}, {wake == nullptr ? -1 : wake->fd(), POLLIN, 0}};
    poll(fds, 3, timeout_ms);
    if (fds[1].revents != 0) return absl::UnavailableError("the server stops");
    return fds[0].revents != 0;
  }
  absl::StatusOr<bool> Read(int timeout_ms, WakeEvent* wake) {
    ASSIGN_OR_RETURN(const bool ready, Wait(POLLIN, timeout_ms, wake));
    if (!ready) return false;
    char bytes[65536];
    const ssize_t got = recv(fd_, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) return absl::UnavailableError("the peer closed");
    buffer_.append(bytes, static_cast<size_t>(got));
    return true;
  }

  const int fd_;
  const std::stop_token stop_;
  WakeEvent stopped_;
  const std::stop_callback<Signal> on_stop_;
  std::string buffer_;
  bool copy_done_ = false;
};

// Answers REPLICATION_STREAM statements for one VirtualClusters.
class TestServer {
 public:
  explicit TestServer(VirtualClusters* clusters, uint16_t port) : clusters_(clusters) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    CHECK(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "bind");
    CHECK(listen(listener_, 64) == 0, "listen");
    socklen_t length = sizeof(address);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this](std::stop_token stop) { Accept(std::move(stop)); });
  }
  ~TestServer() {
    thread_.request_stop();
    thread_.join();
    close(listener_);
  }
  uint16_t port() const { return port_; }

 private:
  void Accept(std::stop_token stop) {
    WakeEvent stopped;
    const std::stop_callback on_stop(stop, [&stopped] { stopped.Signal(); });
    std::list<std::jthread> connections;
    while (!stop.stop_requested()) {
      pollfd fds[] = {{listener_, POLLIN, 0}, {stopped.fd(), POLLIN, 0}};
      poll(fds, 2, -1);
      if (fds[0].revents == 0) continue;
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      connections.emplace_back([this, fd, stop] {
        TestConnection connection(fd, stop);
        Serve(connection, stop);
      });
    }
  }

  void Serve(TestConnection& connection, const std::stop_token& stop) {
    uint32_t code = 0;
    constexpr uint32_t kProtocol3 = 196608;
    while (connection.NextStartup(&code) && code != kProtocol3) {
      if (!connection.PutRaw("N").ok()) return;  // no TLS, no GSS
    }
    if (code != kProtocol3 || !connection.Put('R', std::string(4, '\0')).ok() || !connection.Put('Z', "I").ok()) return;
    char type = 0;
    std::string body;
    while (connection.Next(&type, &body) && type != 'X') {
      if (type != 'Q') continue;
      const absl::Status status = Answer(connection, body, stop);
      if (absl::IsUnavailable(status)) return;
      if (!status.ok()) {
        std::string fields = "SERROR";
        fields += '\0' + ("C" + SqlStateOf(status)) + '\0' + ("M" + MessageOf(status)) + '\0';
        if (!HintOf(status).empty()) fields += "H" + HintOf(status) + '\0';
        if (!connection.Put('E', fields + '\0').ok()) return;
      }
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
    const std::string value = ToHex(response->SerializeAsString());
    std::string description("\0\1r\0", 4);
    description += std::string(6, '\0');
    TestConnection::AppendInt32(&description, 25);  // text
    description += std::string("\xff\xff\xff\xff\xff\xff\0\0", 8);
    RETURN_IF_ERROR(connection.Put('T', description));
    std::string row("\0\1", 2);
    TestConnection::AppendInt32(&row, static_cast<uint32_t>(value.size()));
    RETURN_IF_ERROR(connection.Put('D', row + value));
    return connection.Put('C', std::string("SELECT 1\0", 9));
  }
  absl::Status Answer(TestConnection& connection, const std::string& query, const std::stop_token& stop) {
    if (query.find("STREAM OPEN") != std::string::npos) {
      return Row(connection, clusters_->OpenStream(Parse<wire::OpenRequest>(query), stop));
    }
    if (query.find("STREAM FINISH") != std::string::npos) {
      return Row(connection, clusters_->FinishStream(Parse<wire::FinishRequest>(query)));
    }
    RETURN_IF_ERROR(connection.Put('W', std::string(3, '\0')));
    if (query.find("STREAM COPY") != std::string::npos) {
      RETURN_IF_ERROR(clusters_->ServeCopy(Parse<wire::CopyRequest>(query), connection, stop));
    } else {
      RETURN_IF_ERROR(clusters_->ServeSubscription(Parse<wire::SubscribeRequest>(query), connection, stop));
    }
    RETURN_IF_ERROR(connection.Put('c', ""));
    while (!connection.copy_done()) {
      const auto frame = connection.Receive(-1, nullptr);
      if (!frame.ok() && !connection.copy_done()) return frame.status();
    }
    return connection.Put('C', std::string("COPY 0\0", 7));
  }

  VirtualClusters* const clusters_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::jthread thread_;
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
    auto store = Store::Open({.dir = dir_ + "/store", .random = &random_, .block_cache_bytes = 8 << 20});
    CHECK(store.ok(), store.status().ToString().c_str());
    store_ = *std::move(store);
    feed_ = LiveFeed::Create(store_.get());
    auto clusters = VirtualClusters::Open({.store = store_.get(), .feed = feed_.get(), .virtualization = virtualization_});
    CHECK(clusters.ok(), clusters.status().ToString().c_str());
    clusters_ = *std::move(clusters);
    server_ = std::make_unique<TestServer>(clusters_.get(), port_);
    port_ = server_->port();
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
  void Reconnect() { server_ = std::make_unique<TestServer>(clusters_.get(), port_); }

  VirtualClusters* operator->() { return clusters_.get(); }
  Store* store() { return store_.get(); }
  const std::string& dir() const { return dir_; }
  std::string uri() const {
    return fmt::format("postgresql://root:secret@127.0.0.1:{}?sslmode=disable&gssencmode=disable", port_);
  }

  // Writes as a session of the virtual cluster does.
  absl::StatusOr<Timestamp> Put(const std::string& vc, const std::string& key, const std::string& value) {
    ASSIGN_OR_RETURN(const ServedVirtualCluster served, clusters_->Connect(vc));
    WriteSet writes{{key, {WriteKind::kPut, value}}};
    return store_->Commit({.keyspace = served.context.keyspace,
                           .epoch = served.context.epoch,
                           .writes = std::make_shared<const WriteSet>(std::move(writes)),
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
