// A duplex, ordered pipe of encoded frames between the two clusters. There are two implementations, one per socket library:
// the server's side of COPY BOTH (sql/) and libpq's (stream/source_client.cc).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/wake_event.h"

namespace anabranch {

// Used by one thread.
class FrameTransport {
 public:
  virtual ~FrameTransport() = default;

  // The peer's address and port; empty if nobody knows.
  virtual std::string PeerAddress() const { return ""; }

  // Hands the frame to the socket. Blocks while the peer takes nothing; `wake` set ends that wait with Cancelled. An error
  // means the connection is gone.
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
