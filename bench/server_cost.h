// What a server costs, as the kernel counts it.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "absl/status/statusor.h"

namespace anabranch {

// Seconds of CPU that the process and its children have used so far, those that have ended included. PostgreSQL's processes are
// children of one.
double CpuSeconds(pid_t server);

// Bytes that those processes' open TCP connections to `port` of this machine have carried so far, both ways, without headers.
absl::StatusOr<uint64_t> BytesCarried(pid_t server, uint16_t port);

}  // namespace anabranch
