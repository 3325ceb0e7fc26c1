// A duplex, ordered pipe of encoded frames between the two clusters. There are two implementations, one per socket library:
// the server's side of COPY BOTH (sql/) and libpq's (stream/source_client.cc).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/wake_event.h"

namespace anabranch {

inline constexpr size_t kPieceBytes = 16 << 10;
inline constexpr int kTakesNothingMs = 60'000;  // the default of the setting physical_replication.silence_window

// Used by one thread.
class FrameTransport {
 public:
  virtual ~FrameTransport() = default;

  // The peer's address and port; empty if nobody knows.
  virtual std::string PeerAddress() const { return ""; }

  // How long a peer may take nothing before it counts as gone.
  virtual void SetTakesNothingMs(int /*ms*/) {}
  // Called before each piece of a frame is sent, of kPieceBytes at most: it waits as long as it wants and says whether it did;
  // an error of it is the send's. What was waited for is sent at once, so bytes come steadily however slow they may be.
  using Pace = std::function<absl::StatusOr<bool>(size_t bytes, WakeEvent* wake)>;
  virtual void SetPace(Pace /*pace*/) {}

  // Grows whenever something comes from the peer, be it a part of a frame. Those who do not ask need not know.
  virtual uint64_t heard() const { return 0; }

  // Hands the frame to the socket. Blocks while the peer takes nothing; `wake` set ends that wait with Cancelled. An error
  // means the connection is gone, or the peer took nothing for takes_nothing_ms.
  virtual absl::Status Send(std::string_view frame, WakeEvent* wake) = 0;

  // Send, of each in this order. What is small enough goes to the socket together, so that the peer takes it in one go.
  virtual absl::Status SendAll(const std::vector<std::string>& frames, WakeEvent* wake) {
    for (const std::string& frame : frames) {
      if (absl::Status status = Send(frame, wake); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  // The next frame; nullopt after timeout_ms (0: only what is here already) or as soon as `wake` is set. Unavailable when
  // the peer closed.
  virtual absl::StatusOr<std::optional<std::string>> Receive(int timeout_ms, WakeEvent* wake) = 0;
};

}  // namespace anabranch
