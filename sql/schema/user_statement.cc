#include "sql/schema/user_statement.h"

#include <algorithm>

#include "base/status.h"
#include "sql/parse/statement.h"
#include "sql/parse/tree.h"
#include "sql/stored/privilege.h"
#include "sql/stored/scram.h"
#include "sql/stored/user.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;
using Specs = google::protobuf::RepeatedPtrField<Node>;

absl::Status NoSuchRole(std::string_view name) {
  return SqlError(sqlstate::kUndefinedObject, fmt::format("role \"{}\" does not exist", name));
}

absl::StatusOr<Identity> IdentityOf(const Execution& execution) {
  return Authorization(&execution.evaluation.session->user, execution.transaction, nullptr).ReadIdentity();
}

absl::StatusOr<bool> MayCreateRoles(const Identity& identity, const Execution& execution) {
  if (identity.admin) return true;
  ASSIGN_OR_RETURN(const UserRef user, FindUser(*execution.transaction, identity.user));
  return user && user->create_role;
}

// Whether to act as `role` gives what only an administrator hands out: everything, or a system privilege.
absl::StatusOr<bool> IsPowerful(const std::string& role, const Execution& execution) {
  ASSIGN_OR_RETURN(const Identity identity, Authorization(&role, execution.transaction, nullptr).ReadIdentity());
  return identity.admin || identity.system_privileges != 0;
}

absl::Status LockUsers(std::vector<std::string> names, const Execution& execution) {
  std::sort(names.begin(), names.end());  // one order for all: no deadlocks
  for (const std::string& name : names) {
    RETURN_IF_ERROR(execution.transaction->Lock(UserKey(name), LockMode::kExclusive, execution.stop));
  }
  return execution.transaction->BeginStatement();
}

absl::StatusOr<std::vector<std::string>> RoleNames(const Specs& specs, const Execution& execution) {
  std::vector<std::string> names;
  for (const Node& spec : specs) {
    ASSIGN_OR_RETURN(std::string name, RoleName(spec.role_spec(), execution));
    if (name.empty()) return SqlError(sqlstate::kReservedName, "role name \"public\" is reserved");
    names.push_back(std::move(name));
  }
  return names;
}

// The options of CREATE and ALTER USER, put over *user. Memberships are not among them.
class UserOptions {
 public:
  UserOptions(const Specs& options, const Execution& execution) : options_(options), execution_(execution) {}

  absl::Status Apply(User* user) {
    std::vector<std::string_view> seen;
    for (const Node& node : options_) {
      const pg_query::DefElem& option = node.def_elem();
      if (std::find(seen.begin(), seen.end(), option.defname()) != seen.end()) {
        return SqlError(sqlstate::kSyntaxError, "conflicting or redundant options");
      }
      seen.push_back(option.defname());
      RETURN_IF_ERROR(ApplyOne(option, user));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status ApplyOne(const pg_query::DefElem& option, User* user) {
    const std::string& name = option.defname();
    const bool on = option.arg().boolean().boolval();
    if (name == "canlogin") {
      user->login = on;
    } else if (name == "superuser") {
      user->superuser = on;
    } else if (name == "createrole") {
      user->create_role = on;
    } else if (name == "createdb") {
      user->create_db = on;
    } else if (name == "inherit") {
      user->inherit = on;
    } else if (name == "connectionlimit") {
      user->connection_limit = option.arg().integer().ival();
      if (user->connection_limit < kNoConnectionLimit) {
        return SqlError(sqlstate::kInvalidParameterValue,
                        fmt::format("invalid connection limit: {}", user->connection_limit));
      }
    } else if (name == "validUntil") {
      ASSIGN_OR_RETURN(const Datum time,
                       FromText(SqlType::kTimestampTz, StringOf(option.arg()), execution_.evaluation.zone()));
      user->valid_until = std::get<TimestampTz>(time);
    } else if (name == "password") {
      user->password = option.has_arg() ? Verifier(StringOf(option.arg())) : "";
    } else if (on && name == "isreplication") {
      return UnsupportedError("REPLICATION of a user");
    } else if (on && name == "bypassrls") {
      return UnsupportedError("BYPASSRLS of a user");
    } else if (name != "isreplication" && name != "bypassrls") {
      return UnsupportedError(fmt::format("the option {} of a user", name));
    }
    return absl::OkStatus();
  }

  static std::string Verifier(const std::string& password) {
    return password.empty() || ParseScramVerifier(password) ? password : MakeScramVerifier(password);
  }

  const Specs& options_;
  const Execution& execution_;
};

absl::Status MustBeSuperuser(std::string_view what) {
  return SqlError(sqlstate::kInsufficientPrivilege, fmt::format("must be superuser to {}", what));
}

// Whether `role` is `name` or a member of it over any number of steps.
absl::StatusOr<bool> IsMember(const std::string& role, const std::string& name, const Execution& execution) {
  ASSIGN_OR_RETURN(const Identity identity, Authorization(&role, execution.transaction, nullptr).ReadIdentity());
  return identity.Has(name);
}

absl::Status CheckName(const std::string& name) {
  if (name.starts_with("pg_") || name == "public" || name == "none") {
    return SqlError(sqlstate::kReservedName, fmt::format("role name \"{}\" is reserved", name));
  }
  return absl::OkStatus();
}

// What keeps a user from being dropped; empty: nothing.
absl::StatusOr<std::string> WhatDependsOn(const std::string& name, const Execution& execution) {
  std::vector<TableRef> tables;
  std::vector<SequenceRef> sequences;
  RETURN_IF_ERROR(ReadDescriptors(*execution.transaction, &tables, &sequences));
  const auto look = [&](std::string_view kind, const auto& relation) -> std::string {
    if (relation.owner == name) return fmt::format("owner of {} {}", kind, relation.name);
    const bool named = std::any_of(relation.grants.begin(), relation.grants.end(),
                                   [&](const Grant& grant) { return grant.grantee == name || grant.grantor == name; });
    return named ? fmt::format("privileges for {} {}", kind, relation.name) : "";
  };
  for (const TableRef& table : tables) {
    if (std::string found = look("table", *table); !found.empty()) return found;
  }
  for (const SequenceRef& sequence : sequences) {
    if (std::string found = look("sequence", *sequence); !found.empty()) return found;
  }
  return std::string();
}

// Those who were members of `role` are so no more.
absl::Status RemoveMembers(const std::string& role, const Execution& execution) {
  ASSIGN_OR_RETURN(const std::vector<UserRef> users, ReadUsers(*execution.transaction));
  for (const UserRef& member : users) {
    if (member->FindRole(role) == nullptr) continue;
    ASSIGN_OR_RETURN(const UserRef locked, LockUser(*execution.transaction, member->name, execution.stop));
    if (!locked) continue;
    User changed = *locked;
    std::erase_if(changed.roles, [&](const Membership& membership) { return membership.role == role; });
    RETURN_IF_ERROR(execution.transaction->Put(UserKey(changed.name), EncodeUser(changed)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> RunUserStatement(const Node& tree, const Execution& execution, ResultSink& sink) {
  absl::Status status;
  if (tree.has_create_role_stmt()) {
    status = CreateUser(tree.create_role_stmt(), execution);
  } else if (tree.has_alter_role_stmt()) {
    status = AlterUser(tree.alter_role_stmt(), execution);
  } else if (tree.has_drop_role_stmt()) {
    status = DropUsers(tree.drop_role_stmt(), execution, sink);
  } else if (tree.has_grant_role_stmt()) {
    status = GrantRoles(tree.grant_role_stmt(), execution, sink);
  } else {
    status = GrantPrivileges(tree.grant_stmt(), execution, sink);
  }
  RETURN_IF_ERROR(status);
  return std::string(UserStatementName(tree));
}

absl::StatusOr<std::string> RoleName(const pg_query::RoleSpec& role, const Execution& execution) {
  switch (role.roletype()) {
    case pg_query::ROLESPEC_CSTRING:
      return role.rolename();
    case pg_query::ROLESPEC_PUBLIC:
      return std::string();
    default:
      return execution.evaluation.session->user;
  }
}

absl::Status CreateUser(const pg_query::CreateRoleStmt& create, const Execution& execution) {
  const std::string& name = create.role();
  RETURN_IF_ERROR(CheckName(name));
  User user{.name = name, .login = create.stmt_type() == pg_query::ROLESTMT_USER};
  RETURN_IF_ERROR(UserOptions(create.options(), execution).Apply(&user));
  RETURN_IF_ERROR(LockUsers({name}, execution));
  ASSIGN_OR_RETURN(const Identity identity, IdentityOf(execution));
  ASSIGN_OR_RETURN(const bool may, MayCreateRoles(identity, execution));
  if (!may) return SqlError(sqlstate::kInsufficientPrivilege, "permission denied to create role");
  if (user.superuser && !identity.admin) return MustBeSuperuser("create superusers");
  ASSIGN_OR_RETURN(const UserRef existing, LockUser(*execution.transaction, name, execution.stop));
  if (existing) return SqlError(sqlstate::kDuplicateObject, fmt::format("role \"{}\" already exists", name));
  ASSIGN_OR_RETURN(user.id, AllocateIds(execution.evaluation.session->transaction, 1, execution.stop));
  return execution.transaction->Put(UserKey(name), EncodeUser(user));
}

absl::Status AlterUser(const pg_query::AlterRoleStmt& alter, const Execution& execution) {
  ASSIGN_OR_RETURN(const std::string name, RoleName(alter.role(), execution));
  RETURN_IF_ERROR(LockUsers({name}, execution));
  ASSIGN_OR_RETURN(const UserRef existing, LockUser(*execution.transaction, name, execution.stop));
  if (!existing) return NoSuchRole(name);
  if (name == kAdminRole) {
    return SqlError(sqlstate::kInsufficientPrivilege, fmt::format("the role \"{}\" cannot be altered", kAdminRole));
  }
  User user = *existing;
  RETURN_IF_ERROR(UserOptions(alter.options(), execution).Apply(&user));
  ASSIGN_OR_RETURN(const Identity identity, IdentityOf(execution));
  ASSIGN_OR_RETURN(const bool may, MayCreateRoles(identity, execution));
  const bool own_password =
      name == identity.user && alter.options_size() == 1 && alter.options(0).def_elem().defname() == "password";
  if (!may && !own_password) return SqlError(sqlstate::kInsufficientPrivilege, "permission denied");
  ASSIGN_OR_RETURN(const bool powerful, IsPowerful(name, execution));
  if (!identity.admin && (powerful || user.superuser) && !own_password) {
    return MustBeSuperuser("alter superuser roles or change superuser attribute");
  }
  if (name == kRootUser && (!user.superuser || !user.login)) {
    return SqlError(sqlstate::kInsufficientPrivilege, "the user \"root\" must keep SUPERUSER and LOGIN");
  }
  return execution.transaction->Put(UserKey(name), EncodeUser(user));
}

absl::Status DropUsers(const pg_query::DropRoleStmt& drop, const Execution& execution, ResultSink& sink) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, RoleNames(drop.roles(), execution));
  RETURN_IF_ERROR(LockUsers(names, execution));
  ASSIGN_OR_RETURN(const Identity identity, IdentityOf(execution));
  ASSIGN_OR_RETURN(const bool may, MayCreateRoles(identity, execution));
  if (!may) return SqlError(sqlstate::kInsufficientPrivilege, "permission denied to drop role");
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const UserRef user, LockUser(*execution.transaction, name, execution.stop));
    if (!user) {
      if (!drop.missing_ok()) return NoSuchRole(name);
      sink.Notice("00000", fmt::format("role \"{}\" does not exist, skipping", name));
      continue;
    }
    if (name == identity.user) return SqlError(sqlstate::kObjectInUse, "current user cannot be dropped");
    if (BuiltInUser(name) != nullptr) {
      return SqlError(sqlstate::kDependentObjectsStillExist,
                      fmt::format("cannot drop role {} because it is required by the database system", name));
    }
    ASSIGN_OR_RETURN(const bool powerful, IsPowerful(name, execution));
    if (powerful && !identity.admin) return MustBeSuperuser("drop superusers");
    ASSIGN_OR_RETURN(const std::string dependent, WhatDependsOn(name, execution));
    if (!dependent.empty()) {
      return SqlError(sqlstate::kDependentObjectsStillExist,
                      fmt::format("role \"{}\" cannot be dropped because some objects depend on it: {}", name, dependent),
                      "Drop what it owns, or REVOKE what it was granted.");
    }
    RETURN_IF_ERROR(RemoveMembers(name, execution));
    RETURN_IF_ERROR(execution.transaction->Delete(UserKey(name)));
  }
  return absl::OkStatus();
}

absl::Status GrantRoles(const pg_query::GrantRoleStmt& grant, const Execution& execution, ResultSink& sink) {
  ASSIGN_OR_RETURN(const std::vector<std::string> members, RoleNames(grant.grantee_roles(), execution));
  std::vector<std::string> names = members;
  for (const Node& node : grant.granted_roles()) names.push_back(node.access_priv().priv_name());
  RETURN_IF_ERROR(LockUsers(names, execution));
  ASSIGN_OR_RETURN(const Identity identity, IdentityOf(execution));
  ASSIGN_OR_RETURN(const UserRef self, FindUser(*execution.transaction, identity.user));
  for (const Node& node : grant.granted_roles()) {
    const std::string& role = node.access_priv().priv_name();
    ASSIGN_OR_RETURN(const UserRef granted, LockUser(*execution.transaction, role, execution.stop));
    if (!granted) return NoSuchRole(role);
    const Membership* own = self ? self->FindRole(role) : nullptr;
    ASSIGN_OR_RETURN(const bool powerful, IsPowerful(role, execution));
    const bool creates = self && self->create_role && !powerful;
    if (!identity.admin && !creates && (own == nullptr || !own->admin_option)) {
      return SqlError(sqlstate::kInsufficientPrivilege, fmt::format("must have admin option on role \"{}\"", role));
    }
    for (const std::string& name : members) {
      ASSIGN_OR_RETURN(const UserRef member, LockUser(*execution.transaction, name, execution.stop));
      if (!member) return NoSuchRole(name);
      const bool already = member->FindRole(role) != nullptr;
      if (grant.is_grant()) {
        ASSIGN_OR_RETURN(const bool circle, IsMember(role, name, execution));
        if (circle)
          return SqlError(sqlstate::kInvalidGrantOperation,
                          fmt::format("role \"{}\" is a member of role \"{}\"", role, name));
        if (already && (!grant.admin_opt() || member->FindRole(role)->admin_option)) {
          sink.Notice("00000", fmt::format("role \"{}\" is already a member of role \"{}\"", name, role));
          continue;
        }
      } else if (!already) {
        sink.Notice("01000", fmt::format("role \"{}\" is not a member of role \"{}\"", name, role));
        continue;
      }
      if (name == kRootUser && !grant.is_grant() && role == kAdminRole) {
        return SqlError(sqlstate::kInsufficientPrivilege, "the user \"root\" must keep the role \"admin\"");
      }
      User changed = *member;
      // REVOKE ADMIN OPTION FOR leaves the membership.
      const bool remains = grant.is_grant() || grant.admin_opt();
      std::erase_if(changed.roles, [&](const Membership& membership) { return membership.role == role; });
      if (remains) changed.roles.push_back({role, grant.is_grant() && grant.admin_opt()});
      RETURN_IF_ERROR(execution.transaction->Put(UserKey(name), EncodeUser(changed)));
    }
  }
  return absl::OkStatus();
}

}  // namespace anabranch
