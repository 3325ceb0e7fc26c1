// The users (roles) of a virtual cluster, kept in its keyspace:
//   4 | name      -> user.User
// `root` and the role `admin` are there without being kept; root is kept once something about it was changed.
//
// The users of the virtual cluster `system` are kept in its keyspace in the same way.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/value/datum.h"
#include "storage/mvcc/transaction.h"

namespace anabranch {

inline constexpr uint64_t kUsersTableId = 4;
inline constexpr std::string_view kRootUser = "root";
inline constexpr std::string_view kAdminRole = "admin";
inline constexpr int kNoConnectionLimit = -1;

struct Membership {
  std::string role;
  bool admin_option = false;  // may grant the role to others
};

struct User {
  uint64_t id = 0;  // of the keyspace's ids; 0: root or admin
  std::string name;
  bool login = false;
  bool superuser = false;
  bool create_role = false;
  bool create_db = false;
  bool inherit = true;
  int connection_limit = kNoConnectionLimit;
  std::optional<TimestampTz> valid_until = std::nullopt;
  std::string password = {};  // a SCRAM-SHA-256 verifier; empty: none
  std::vector<Membership> roles = {};
  uint32_t system_privileges = 0;  // SystemPrivilege bits (sql/stored/system_privilege.h)

  const Membership* FindRole(std::string_view role) const;
};
using UserRef = std::shared_ptr<const User>;

std::string EncodeUser(const User& user);
absl::StatusOr<UserRef> DecodeUser(std::string_view bytes);  // XX001

std::string UserKey(std::string_view name);

// What is there without being kept; null for another name.
UserRef BuiltInUser(std::string_view name);

// Null if there is none.
absl::StatusOr<UserRef> FindUser(Transaction& transaction, std::string_view name);
// Locks the user's key against everyone; who it is now, null if nobody.
absl::StatusOr<UserRef> LockUser(Transaction& transaction, std::string_view name, std::stop_token stop);
// By name, with those not kept.
absl::StatusOr<std::vector<UserRef>> ReadUsers(Transaction& transaction);

// In a transaction of its own; null if there is none.
absl::StatusOr<UserRef> ReadUser(const TransactionContext& context, const std::string& name);
// Whether the password is no longer valid.
bool IsExpired(const User& user, uint64_t wall_ns);
// Whether someone may begin a session: 28000 for who is not there or has not LOGIN.
absl::Status CheckLogin(const TransactionContext& context, const std::string& user);

}  // namespace anabranch
