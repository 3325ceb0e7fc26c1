// System privileges: what users may do with the virtual clusters of a physical cluster. GRANT SYSTEM gives them to users of
// the virtual cluster `system`; they are kept with the user (sql/stored/user.h) and, as that keyspace does, replicate with
// nothing. A role's are its members' too.
//
// They are read for each statement, so GRANT and REVOKE are in force at the next one of a running session.
#pragma once

#include <array>
#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/stored/privilege.h"

namespace anabranch {

// Bits of User::system_privileges, on disk too.
enum class SystemPrivilege : uint32_t {
  kManageVirtualCluster = 1,
  kReplicationDest = 2,
  kReplicationSource = 4,
  kReplication = 8,  // what REPLICATIONSOURCE was called before there were two: it stands for that one
};
inline constexpr uint32_t kAllSystemPrivileges = 15;

struct SystemPrivilegeName {
  SystemPrivilege privilege;
  std::string_view name;
};
inline constexpr std::array<SystemPrivilegeName, 4> kSystemPrivilegeNames = {{
    {SystemPrivilege::kManageVirtualCluster, "MANAGEVIRTUALCLUSTER"},
    {SystemPrivilege::kReplication, "REPLICATION"},
    {SystemPrivilege::kReplicationDest, "REPLICATIONDEST"},
    {SystemPrivilege::kReplicationSource, "REPLICATIONSOURCE"},
}};
std::string_view ToString(SystemPrivilege privilege);
// By name, in any case. 42601 for another one, with those that there are.
absl::StatusOr<SystemPrivilege> SystemPrivilegeNamed(std::string_view name);

// 42501 "user u does not have REPLICATIONDEST system privilege". An administrator has every one.
absl::Status CheckSystemPrivilege(const Identity& identity, SystemPrivilege privilege);
// 42501 "user u does not have the admin role, ..."; `statement` is what it is needed for.
absl::Status CheckAdmin(const Identity& identity, std::string_view statement);

struct SystemGrant {
  std::string grantee;
  SystemPrivilege privilege;
};
// What was granted to `grantees` themselves, or to anyone if there are none: by grantee and name of the privilege. 42704 for
// a grantee that does not exist. `context` is that of the keyspace that keeps the users.
absl::StatusOr<std::vector<SystemGrant>> ReadSystemGrants(const TransactionContext& context,
                                                          const std::vector<std::string>& grantees);

enum class SystemGrantChange { kGrant, kRevoke };
// Changes them all in one transaction, durable on return. 42704 for a grantee that does not exist; then nothing changes.
absl::Status UpdateSystemGrants(const TransactionContext& context, SystemGrantChange change,
                                const std::vector<SystemPrivilege>& privileges, std::vector<std::string> grantees,
                                const std::stop_token& stop);

}  // namespace anabranch
