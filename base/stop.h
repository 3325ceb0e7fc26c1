// Statements and jobs that were asked to end.
#pragma once

#include <stop_token>

#include "absl/status/status.h"

namespace anabranch {

// Cancelled (57014) once `stop` is requested. Whoever requested it knows why, and tells the client (sql/wire/session.cc).
inline absl::Status CheckStop(const std::stop_token& stop) {
  return stop.stop_requested() ? absl::CancelledError("stopped") : absl::OkStatus();
}

}  // namespace anabranch
