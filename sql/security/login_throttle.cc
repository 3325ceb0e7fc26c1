#include "sql/security/login_throttle.h"

#include <algorithm>

#include "base/status.h"

namespace anabranch {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;

uint64_t WaitSeconds(int failures) {
  const int doublings = std::min(failures - kLoginFailuresFree - 1, 30);
  return doublings < 0 ? 0 : std::min<uint64_t>(kLoginWaitSecondsMax, uint64_t{kLoginWaitSecondsMin} << doublings);
}

}  // namespace

absl::Status LoginThrottle::Check(const std::string& user, const std::string& address) {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find({user, address});
  if (found == entries_.end()) return absl::OkStatus();
  const uint64_t now_ns = clock_->MonotonicNs();
  if (now_ns > found->second.wait_until_ns + kLoginWaitSecondsMax * kSecondNs) {
    EraseLocked(found);
    return absl::OkStatus();
  }
  if (now_ns >= found->second.wait_until_ns) return absl::OkStatus();
  return SqlError(sqlstate::kInvalidAuthorizationSpecification,
                  fmt::format("too many failed logins of user \"{}\" from {}", user, address),
                  fmt::format("Try again in {} s.", (found->second.wait_until_ns - now_ns + kSecondNs - 1) / kSecondNs));
}

void LoginThrottle::Failed(const std::string& user, const std::string& address) {
  std::lock_guard lock(mutex_);
  const auto [entry, added] = entries_.try_emplace({user, address});
  if (!added) order_.erase(entry->second.place);
  entry->second.place = order_.insert(order_.end(), entry->first);
  ++entry->second.failures;
  entry->second.wait_until_ns = clock_->MonotonicNs() + WaitSeconds(entry->second.failures) * kSecondNs;
  if (entries_.size() > kLoginFailuresKept) EraseLocked(entries_.find(order_.front()));
}

void LoginThrottle::Succeeded(const std::string& user, const std::string& address) {
  std::lock_guard lock(mutex_);
  if (const auto found = entries_.find({user, address}); found != entries_.end()) EraseLocked(found);
}

void LoginThrottle::EraseLocked(Entries::iterator entry) {
  order_.erase(entry->second.place);
  entries_.erase(entry);
}

}  // namespace anabranch
