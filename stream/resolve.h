// Names of hosts made addresses. The system's resolver knows no deadline and cannot be stopped, so it runs on a thread of
// its own; who asked waits no longer than he wants, and an answer that comes later reaches nobody.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace anabranch {

inline constexpr int kLookupsMax = 16;  // under way in this process, those that nobody waits for any more included

// The addresses of a name as numbers, best first. Blocks; called on a thread of its own, which may outlive the caller's wait.
using Lookup = std::function<absl::StatusOr<std::vector<std::string>>(const std::string& host)>;
absl::StatusOr<std::vector<std::string>> SystemLookup(const std::string& host);

// 08001: no such name, no answer in time, or too many lookups without one. Cancelled with `stop`.
absl::StatusOr<std::vector<std::string>> Resolve(const std::string& host, uint64_t deadline_ns, const std::stop_token& stop,
                                                 Lookup lookup = SystemLookup);

}  // namespace anabranch
