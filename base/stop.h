// Statements and jobs that were asked to end.
#pragma once

#include <stop_token>

#include "absl/status/status.h"
#include "base/status.h"

namespace anabranch {

// 57014 once `stop` is requested. Who knows why it was says so in the place of this text.
inline absl::Status CheckStop(const std::stop_token& stop) {
  if (!stop.stop_requested()) return absl::OkStatus();
  return SqlError(sqlstate::kQueryCanceled, "canceling statement due to user request");
}

}  // namespace anabranch
