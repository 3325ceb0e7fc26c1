// Slows down whoever guesses passwords: after some failures in a row of one user from one address, logins of that user from
// there are refused for a while that grows with each further failure. Whether the user exists makes no difference. Users are
// those of one virtual cluster.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/ids.h"

namespace anabranch {

inline constexpr int kLoginFailuresFree = 5;          // in a row, without any wait
inline constexpr int kLoginWaitSecondsMin = 1;        // after the next one; doubles with each
inline constexpr int kLoginWaitSecondsMax = 60;       // and is forgotten when so long has passed beyond the wait
inline constexpr size_t kLoginFailuresKept = 10'000;  // pairs of user and address; the oldest are forgotten

struct LoginAttempt {
  TenantId tenant;
  const std::string& user;
  const std::string& address;
};

// Thread-safe.
class LoginThrottle {
 public:
  explicit LoginThrottle(Clock* clock) : clock_(clock) {}  // not owned

  // 28000 while this user must wait.
  absl::Status Check(const LoginAttempt& attempt);
  // What came of an attempt that was checked. 28000 if others failed meanwhile, so that this user must wait by now: then the
  // client must not learn it, or many attempts at a time would be as many guesses.
  absl::Status Settle(const LoginAttempt& attempt, bool proved);

 private:
  using Key = std::string;  // a hash: what an entry takes does not depend on what a client sent
  struct Entry {
    int failures = 0;
    uint64_t wait_until_ns = 0;
    std::list<Key>::iterator place;
  };
  using Entries = std::map<Key, Entry>;

  static Key KeyOf(const LoginAttempt& attempt);
  absl::Status CheckLocked(const Key& key, const LoginAttempt& attempt);
  void EraseLocked(Entries::iterator entry);

  Clock* const clock_;
  std::mutex mutex_;
  Entries entries_;       // this and below: guarded by mutex_
  std::list<Key> order_;  // the one that failed last is the last
};

}  // namespace anabranch
