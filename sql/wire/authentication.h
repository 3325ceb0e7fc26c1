// Who a client is: by the rules of the cluster (tenant/catalog/authentication_rules.h), a certificate whose common name is
// the user, or a password by SCRAM-SHA-256, bound to the TLS channel where there is one.
//
// Users are those of the virtual cluster that the client wants. One that does not exist, has no password or whose password
// is no longer valid is asked as one with a password is, and refused in the same words.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/ids.h"
#include "sql/security/login_throttle.h"
#include "sql/wire/connection.h"
#include "storage/mvcc/transaction.h"

namespace anabranch {

namespace sqlstate {
inline constexpr std::string_view kInvalidPassword = "28P01";
}

inline constexpr int kAuthenticationTimeoutMs = 30'000;

// What the logins of a server share. Thread-safe.
class Authenticator {
 public:
  explicit Authenticator(Clock* clock);  // not owned

  // Asks the client and says in the log who came, from where and how. 28000: not in this way, or not permitted to log in;
  // 28P01: the password is wrong. `context` is that of the virtual cluster `tenant`, called `virtual_cluster`.
  absl::Status Authenticate(PgConnection& connection, const TransactionContext& context, TenantId tenant,
                            const std::string& user, const std::string& virtual_cluster);

 private:
  struct Login;

  absl::Status Judge(const Login& login, std::string* how);
  absl::Status CheckPassword(const Login& login);
  // What proves to the client that this node knows its password; nullopt: the client's is wrong.
  absl::StatusOr<std::optional<std::string>> AskForPassword(const Login& login);

  Clock* const clock_;
  LoginThrottle throttle_;
  const std::string mock_secret_;  // makes the salts of users that are not there
};

}  // namespace anabranch
