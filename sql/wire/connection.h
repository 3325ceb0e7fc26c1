// One client's socket: buffered, framed reads and writes that block and can be woken.
//
// What is to be sent is appended to out() and leaves when it is flushed or has grown to kFlushBytes, so results stream and
// are never held whole. Two events end waits: `end_now`, given at creation, ends every one; a caller's own event ends only
// the one it is given to. Two functions move bytes (ReadSome, WriteSome), through TLS if the client asked for it.
//
// Used by one thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/wake_event.h"
#include "sql/security/tls.h"
#include "sql/wire/message.h"

namespace anabranch {

inline constexpr size_t kFlushBytes = 64 << 10;
// How much is read ahead of the session while it waits for room to send (the other side may be sending, too).
inline constexpr size_t kReadAheadBytesMax = 1 << 20;
inline constexpr int kLastWordsTimeoutMs = 1'000;
inline constexpr size_t kPasswordMessageBytesMax = 4 << 10;

// A connected TCP socket, in blocking mode, with the channel of its finished TLS handshake. Closes it.
class ClientSocket {
 public:
  ClientSocket(int fd, std::unique_ptr<TlsChannel> tls) : fd_(fd), tls_(std::move(tls)) {}
  ~ClientSocket();
  ClientSocket(ClientSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)), tls_(std::move(other.tls_)) {}
  ClientSocket& operator=(ClientSocket&&) = delete;

  int fd() const { return fd_; }
  TlsChannel* tls() const { return tls_.get(); }  // null: not encrypted

 private:
  int fd_;
  std::unique_ptr<TlsChannel> tls_;
};

class PgConnection {
 public:
  // `end_now` and `clock` are not owned.
  PgConnection(ClientSocket client, WakeEvent* end_now, Clock* clock);
  ~PgConnection() = default;  // closes; what was not flushed is lost
  PgConnection(const PgConnection&) = delete;
  PgConnection& operator=(const PgConnection&) = delete;

  // Reads. Unavailable: the client is gone. Cancelled: an event is set. 08P01: what came is no message; nothing more can be
  // read.
  // What a client that is not known yet answers when it is asked who it is: at most kPasswordMessageBytesMax, and by
  // `deadline_ns` of the clock's monotonic time, else it is gone.
  absl::StatusOr<std::string> ReadPassword(uint64_t deadline_ns);
  absl::StatusOr<FrontendMessage> ReadMessage(WakeEvent* wake);
  // Where clients spend their time: between statements. REQUIRES: `end` is set whenever `end_now` is.
  absl::StatusOr<FrontendMessage> ReadMessage(EndEvent* end);
  // As ReadMessage, and leaves it to be read.
  absl::StatusOr<char> PeekType(EndEvent* end);
  // nullopt: no whole message after timeout_ms (0: only what is here already), or an event is set.
  absl::StatusOr<std::optional<FrontendMessage>> TryReadMessage(int timeout_ms, WakeEvent* wake);

  // Writes. Unavailable: the client is gone, or took nothing for takes_nothing_ms (0: waits for ever). Cancelled: `end_now`
  // or `wake` is set before all was taken.
  std::string* out() { return &out_; }
  absl::Status Flush(WakeEvent* wake = nullptr, int takes_nothing_ms = 0);
  absl::Status FlushIfFull(WakeEvent* wake = nullptr) { return out_.size() < kFlushBytes ? absl::OkStatus() : Flush(wake); }
  // Before closing: sends what can be sent within kLastWordsTimeoutMs, whatever events are set.
  void FlushLastWords();

  const TlsChannel* tls() const { return tls_; }  // null: not encrypted
  // "192.0.2.7:41122" or "[2001:db8::7]:41122"; empty if the socket has none.
  std::string PeerAddress() const;
  std::string PeerHost() const;  // without the port and brackets

  // True once a read or write found the client gone: there is nobody to tell anything.
  bool gone() const { return gone_; }

 private:
  friend class HangupWatch;
  enum class ReadEvent { kData, kWoken, kTimeout };

  // Waits until something was read, at most until deadline_ns (0: for ever).
  absl::StatusOr<ReadEvent> WaitAndRead(WakeEvent* wake, uint64_t deadline_ns);
  // Bytes moved; 0 if it would block. With `end`: waits for some; Cancelled once it is set.
  absl::StatusOr<size_t> ReadSome(EndEvent* end = nullptr);
  absl::StatusOr<size_t> WriteSome(std::string_view bytes);
  size_t Buffered() const { return in_end_ - in_at_; }
  std::string TakeBytes(size_t size);
  absl::Status ClientGone(std::string_view why);
  absl::StatusOr<std::optional<FrontendMessage>> TakeMessage();  // nullopt: not all of it is here
  int PollTimeoutMs(uint64_t deadline_ns) const;                 // -1: for ever

  const ClientSocket client_;
  const int socket_;       // of client_
  TlsChannel* const tls_;  // of client_
  WakeEvent* end_now_;
  Clock* clock_;
  std::string in_;  // read, not yet taken from in_at_ to in_end_; then room
  size_t in_at_ = 0;
  size_t in_end_ = 0;
  size_t read_bytes_;      // how much the next read asks for
  size_t skip_bytes_ = 0;  // of a message that is too large, still to be read past
  char skipped_type_ = 0;
  std::string out_;
  bool gone_ = false;
};

// While it lives, a stop is requested once the client has closed the connection, or `outer` asks for it: for a statement that
// takes long, reads nothing and is of no use to anybody else. A thread of its own; `connection` must outlive it.
class HangupWatch {
 public:
  HangupWatch(const PgConnection& connection, std::stop_token outer);
  ~HangupWatch();
  HangupWatch(const HangupWatch&) = delete;
  HangupWatch& operator=(const HangupWatch&) = delete;

  std::stop_token token() const { return stop_.get_token(); }

 private:
  std::stop_source stop_;
  const std::stop_callback<std::function<void()>> on_outer_;
  WakeEvent over_;
  std::thread thread_;
};

}  // namespace anabranch
