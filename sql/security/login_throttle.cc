#include "sql/security/login_throttle.h"

#include <algorithm>

#include "base/status.h"
#include "sql/stored/scram.h"

namespace anabranch {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;

uint64_t WaitSeconds(int failures) {
  const int doublings = std::min(failures - kLoginFailuresFree - 1, 30);
  return doublings < 0 ? 0 : std::min<uint64_t>(kLoginWaitSecondsMax, uint64_t{kLoginWaitSecondsMin} << doublings);
}

}  // namespace

// The user comes last, for it may hold every character.
LoginThrottle::Key LoginThrottle::KeyOf(const LoginAttempt& attempt) {
  return Sha256(fmt::format("{} {} {}", attempt.tenant.value(), attempt.address, attempt.user));
}

absl::Status LoginThrottle::Check(const LoginAttempt& attempt) {
  std::lock_guard lock(mutex_);
  return CheckLocked(KeyOf(attempt), attempt);
}

absl::Status LoginThrottle::CheckLocked(const Key& key, const LoginAttempt& attempt) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return absl::OkStatus();
  const uint64_t now_ns = clock_->MonotonicNs();
  if (now_ns > found->second.wait_until_ns + kLoginWaitSecondsMax * kSecondNs) {
    EraseLocked(found);
    return absl::OkStatus();
  }
  if (now_ns >= found->second.wait_until_ns) return absl::OkStatus();
  return SqlError(sqlstate::kInvalidAuthorizationSpecification,
                  fmt::format("too many failed logins of user \"{}\" from {}", attempt.user, attempt.address),
                  fmt::format("Try again in {} s.", (found->second.wait_until_ns - now_ns + kSecondNs - 1) / kSecondNs));
}

absl::Status LoginThrottle::Settle(const LoginAttempt& attempt, bool proved) {
  std::lock_guard lock(mutex_);
  const Key key = KeyOf(attempt);
  RETURN_IF_ERROR(CheckLocked(key, attempt));
  if (proved) {
    if (const auto found = entries_.find(key); found != entries_.end()) EraseLocked(found);
    return absl::OkStatus();
  }
  const auto [entry, added] = entries_.try_emplace(key);
  if (!added) order_.erase(entry->second.place);
  entry->second.place = order_.insert(order_.end(), key);
  ++entry->second.failures;
  entry->second.wait_until_ns = clock_->MonotonicNs() + WaitSeconds(entry->second.failures) * kSecondNs;
  if (entries_.size() > kLoginFailuresKept) EraseLocked(entries_.find(order_.front()));
  return absl::OkStatus();
}

void LoginThrottle::EraseLocked(Entries::iterator entry) {
  order_.erase(entry->second.place);
  entries_.erase(entry);
}

}  // namespace anabranch
