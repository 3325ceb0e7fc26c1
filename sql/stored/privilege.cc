#include "sql/stored/privilege.h"

#include <algorithm>
#include <deque>

#include "base/status.h"

namespace anabranch {
namespace {

uint32_t Bit(Privilege privilege) { return static_cast<uint32_t>(privilege); }

// Adds to *identity what `find` says `identity->user` is a member of, over as many steps as there are.
template <typename Find>
absl::Status Expand(const Find& find, Identity* identity) {
  std::deque<std::string> open = {identity->user};
  while (!open.empty()) {
    const std::string role = std::move(open.front());
    open.pop_front();
    if (identity->Has(role)) continue;
    identity->roles.push_back(role);
    ASSIGN_OR_RETURN(const UserRef user, find(role));
    if (!user) continue;
    identity->admin = identity->admin || user->superuser;
    identity->system_privileges |= user->system_privileges;
    for (const Membership& membership : user->roles) open.push_back(membership.role);
  }
  return absl::OkStatus();
}

// Those of the user itself and of everyone need no look at roles.
uint32_t GrantedDirectly(const std::vector<Grant>& grants, const std::string& user) {
  uint32_t granted = 0;
  for (const Grant& grant : grants) {
    if (grant.grantee.empty() || grant.grantee == user) granted |= grant.privileges;
  }
  return granted;
}

}  // namespace

const std::vector<PrivilegeName>& PrivilegeNames() {
  static const std::vector<PrivilegeName> kNames = {
      {Privilege::kInsert, "INSERT", 'a'},     {Privilege::kSelect, "SELECT", 'r'},
      {Privilege::kUpdate, "UPDATE", 'w'},     {Privilege::kDelete, "DELETE", 'd'},
      {Privilege::kTruncate, "TRUNCATE", 'D'}, {Privilege::kReferences, "REFERENCES", 'x'},
      {Privilege::kTrigger, "TRIGGER", 't'},   {Privilege::kUsage, "USAGE", 'U'},
  };
  return kNames;
}

std::optional<Privilege> PrivilegeNamed(std::string_view name) {
  for (const PrivilegeName& known : PrivilegeNames()) {
    const auto same = [](char a, char b) { return a == (b >= 'a' && b <= 'z' ? b - 'a' + 'A' : b); };
    if (std::equal(known.name.begin(), known.name.end(), name.begin(), name.end(), same)) return known.privilege;
  }
  return std::nullopt;
}

absl::StatusOr<Identity> ReadIdentity(const TransactionContext& context, const std::string& user) {
  const std::unique_ptr<Transaction> transaction = Transaction::Begin(context, IsolationLevel::kReadCommitted);
  RETURN_IF_ERROR(transaction->BeginStatement());
  return Authorization(&user, transaction.get(), nullptr).ReadIdentity();
}

absl::StatusOr<bool> IsAdmin(const TransactionContext& context, const std::string& user) {
  if (user == kRootUser) return true;
  ASSIGN_OR_RETURN(const Identity identity, ReadIdentity(context, user));
  return identity.admin;
}

bool Identity::Has(std::string_view role) const { return std::find(roles.begin(), roles.end(), role) != roles.end(); }

Identity IdentityOf(const std::vector<UserRef>& users, const std::string& user) {
  Identity identity{.user = user};
  Expand(
      [&](const std::string& role) -> absl::StatusOr<UserRef> {
        const auto found = std::find_if(users.begin(), users.end(), [&](const UserRef& u) { return u->name == role; });
        return found == users.end() ? UserRef() : *found;
      },
      &identity)
      .IgnoreError();  // nothing is read
  return identity;
}

uint32_t GrantedTo(const std::vector<Grant>& grants, const Identity& identity) {
  uint32_t granted = 0;
  for (const Grant& grant : grants) {
    if (grant.grantee.empty() || identity.Has(grant.grantee)) granted |= grant.privileges;
  }
  return granted;
}

uint32_t GrantableBy(const std::vector<Grant>& grants, const Identity& identity) {
  uint32_t grantable = 0;
  for (const Grant& grant : grants) {
    if (identity.Has(grant.grantee)) grantable |= grant.grantable;
  }
  return grantable;
}

absl::Status Authorization::Check(const Table& table, Privilege privilege) const {
  ASSIGN_OR_RETURN(const bool allowed, Allows(table.owner, table.grants, privilege));
  if (allowed) return absl::OkStatus();
  return SqlError(sqlstate::kInsufficientPrivilege, fmt::format("permission denied for table {}", table.name));
}

absl::Status Authorization::Check(const Sequence& sequence, Privilege privilege) const {
  ASSIGN_OR_RETURN(const bool allowed, Allows(sequence.owner, sequence.grants, privilege));
  if (allowed) return absl::OkStatus();
  return SqlError(sqlstate::kInsufficientPrivilege, fmt::format("permission denied for sequence {}", sequence.name));
}

absl::Status Authorization::CheckReads(const std::vector<TableRef>& tables) const {
  for (const TableRef& table : tables) RETURN_IF_ERROR(Check(*table, Privilege::kSelect));
  return absl::OkStatus();
}

absl::Status Authorization::CheckOwner(std::string_view kind, std::string_view name, const std::string& owner) const {
  ASSIGN_OR_RETURN(const bool allowed, Allows(owner, {}, Privilege::kTrigger));
  if (allowed) return absl::OkStatus();
  return SqlError(sqlstate::kInsufficientPrivilege, fmt::format("must be owner of {} {}", kind, name));
}

absl::StatusOr<bool> Authorization::Allows(const std::string& owner, const std::vector<Grant>& grants,
                                           Privilege privilege) const {
  if (*user_ == kRootUser || *user_ == owner) return true;
  if ((GrantedDirectly(grants, *user_) & Bit(privilege)) != 0) return true;
  ASSIGN_OR_RETURN(const Identity identity, ReadIdentity());
  return identity.admin || identity.Has(owner) || (GrantedTo(grants, identity) & Bit(privilege)) != 0;
}

absl::StatusOr<Identity> Authorization::ReadIdentity() const {
  Identity identity{.user = *user_};
  const auto find = [&](const std::string& role) -> absl::StatusOr<UserRef> {
    if (tables_ != nullptr) RETURN_IF_ERROR(tables_->NoteKey(*transaction_, UserKey(role)));
    return FindUser(*transaction_, role);
  };
  RETURN_IF_ERROR(Expand(find, &identity));
  return identity;
}

}  // namespace anabranch
