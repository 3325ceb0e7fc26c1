#include "sql/stored/system_privilege.h"

#include <algorithm>

#include "base/quote.h"
#include "base/status.h"

namespace anabranch {
namespace {

uint32_t Bit(SystemPrivilege privilege) { return static_cast<uint32_t>(privilege); }

// What it takes to pass as having `privilege`.
uint32_t BitsFor(SystemPrivilege privilege) {
  if (privilege != SystemPrivilege::kReplicationSource) return Bit(privilege);
  return Bit(privilege) | Bit(SystemPrivilege::kReplication);
}

std::string KnownNames() {
  std::string names;
  for (const SystemPrivilegeName& known : kSystemPrivilegeNames) {
    if (!names.empty()) names += ", ";
    names += known.name;
  }
  return names;
}

bool SameWord(std::string_view upper, std::string_view word) {
  const auto same = [](char a, char b) { return a == (b >= 'a' && b <= 'z' ? b - 'a' + 'A' : b); };
  return std::equal(upper.begin(), upper.end(), word.begin(), word.end(), same);
}

absl::Status NoSuchGrantee(std::string_view name) {
  return SqlError(sqlstate::kUndefinedObject, fmt::format("role \"{}\" does not exist", name),
                  fmt::format("CREATE USER {}, in the system virtual cluster.", QuotedIdentifier(name)));
}

}  // namespace

std::string_view ToString(SystemPrivilege privilege) {
  const auto found = std::find_if(kSystemPrivilegeNames.begin(), kSystemPrivilegeNames.end(),
                                  [&](const SystemPrivilegeName& known) { return known.privilege == privilege; });
  return found == kSystemPrivilegeNames.end() ? "unknown" : found->name;
}

absl::StatusOr<SystemPrivilege> SystemPrivilegeNamed(std::string_view name) {
  for (const SystemPrivilegeName& known : kSystemPrivilegeNames) {
    if (SameWord(known.name, name)) return known.privilege;
  }
  return SqlError(sqlstate::kSyntaxError, fmt::format("not a valid privilege: \"{}\"", name),
                  fmt::format("The system privileges are {}.", KnownNames()));
}

absl::Status CheckSystemPrivilege(const Identity& identity, SystemPrivilege privilege) {
  if (identity.admin || (identity.system_privileges & BitsFor(privilege)) != 0) return absl::OkStatus();
  return SqlError(sqlstate::kInsufficientPrivilege,
                  fmt::format("user {} does not have {} system privilege", identity.user, ToString(privilege)),
                  fmt::format("GRANT SYSTEM {} TO {}, as an administrator, in the system virtual cluster.",
                              ToString(privilege), QuotedIdentifier(identity.user)));
}

absl::Status CheckAdmin(const Identity& identity, std::string_view statement) {
  if (identity.admin) return absl::OkStatus();
  return SqlError(sqlstate::kInsufficientPrivilege,
                  fmt::format("user {} does not have the {} role, which {} requires", identity.user, kAdminRole, statement),
                  fmt::format("GRANT {} TO {}, as an administrator, in the system virtual cluster.", kAdminRole,
                              QuotedIdentifier(identity.user)));
}

absl::StatusOr<std::vector<SystemGrant>> ReadSystemGrants(const TransactionContext& context,
                                                          const std::vector<std::string>& grantees) {
  const std::unique_ptr<Transaction> transaction = Transaction::Begin(context, IsolationLevel::kReadCommitted);
  RETURN_IF_ERROR(transaction->BeginStatement());
  ASSIGN_OR_RETURN(const std::vector<UserRef> users, ReadUsers(*transaction));
  for (const std::string& grantee : grantees) {
    const auto same = [&](const UserRef& user) { return user->name == grantee; };
    if (std::none_of(users.begin(), users.end(), same)) return NoSuchGrantee(grantee);
  }
  std::vector<SystemGrant> grants;
  for (const UserRef& user : users) {
    if (!grantees.empty() && std::find(grantees.begin(), grantees.end(), user->name) == grantees.end()) continue;
    for (const SystemPrivilegeName& known : kSystemPrivilegeNames) {
      if ((user->system_privileges & Bit(known.privilege)) != 0) grants.push_back({user->name, known.privilege});
    }
  }
  return grants;
}

absl::Status UpdateSystemGrants(const TransactionContext& context, SystemGrantChange change,
                                const std::vector<SystemPrivilege>& privileges, std::vector<std::string> grantees,
                                const std::stop_token& stop) {
  const bool grants = change == SystemGrantChange::kGrant;
  uint32_t bits = 0;
  // REPLICATIONSOURCE is taken away under its older name, too.
  for (const SystemPrivilege privilege : privileges) bits |= grants ? Bit(privilege) : BitsFor(privilege);
  std::sort(grantees.begin(), grantees.end());  // one order for all: no deadlocks
  const std::unique_ptr<Transaction> transaction = Transaction::Begin(context, IsolationLevel::kReadCommitted);
  RETURN_IF_ERROR(transaction->BeginStatement());
  for (const std::string& grantee : grantees) {
    ASSIGN_OR_RETURN(const UserRef user, LockUser(*transaction, grantee, stop));
    if (!user) return NoSuchGrantee(grantee);
    const uint32_t changed_to = grants ? user->system_privileges | bits : user->system_privileges & ~bits;
    if (changed_to == user->system_privileges) continue;
    User changed = *user;
    changed.system_privileges = changed_to;
    RETURN_IF_ERROR(transaction->Put(UserKey(grantee), EncodeUser(changed)));
  }
  return transaction->Commit().status();
}

}  // namespace anabranch
