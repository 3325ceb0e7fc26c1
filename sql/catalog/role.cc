// pg_roles and what describes users and their memberships.
#include "sql/catalog/object.h"

namespace anabranch {
namespace {

Datum TimeOrNull(const std::optional<TimestampTz>& time) {
  if (!time) return Null();
  return *time;
}

// Passwords are shown to nobody, as in pg_roles.
void MakeRoles(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const UserRef& user : snapshot.users) {
    rows->Add()
        .Set("rolname", user->name)
        .Set("rolsuper", user->superuser)
        .Set("rolinherit", user->inherit)
        .Set("rolcreaterole", user->create_role)
        .Set("rolcreatedb", user->create_db)
        .Set("rolcanlogin", user->login)
        .Set("rolconnlimit", int64_t{user->connection_limit})
        .Set("rolvaliduntil", TimeOrNull(user->valid_until))
        .Set("rolbypassrls", user->superuser)
        .Set("oid", UserOid(*user));
  }
}

void MakeUsers(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const UserRef& user : snapshot.users) {
    if (!user->login) continue;
    rows->Add()
        .Set("usename", user->name)
        .Set("usesysid", UserOid(*user))
        .Set("usecreatedb", user->create_db)
        .Set("usesuper", user->superuser)
        .Set("usebypassrls", user->superuser)
        .Set("valuntil", TimeOrNull(user->valid_until));
  }
}

void MakeMembers(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const UserRef& user : snapshot.users) {
    for (const Membership& membership : user->roles) {
      rows->Add()
          .Set("roleid", snapshot.OwnerOid(membership.role))
          .Set("member", UserOid(*user))
          .Set("grantor", snapshot.OwnerOid(std::string(kRootUser)))
          .Set("admin_option", membership.admin_option);
    }
  }
}

void MakeGroups(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const UserRef& group : snapshot.users) {
    if (group->login) continue;
    std::vector<int64_t> members;
    for (const UserRef& user : snapshot.users) {
      if (user->FindRole(group->name) != nullptr) members.push_back(UserOid(*user));
    }
    rows->Add().Set("groname", group->name).Set("grosysid", UserOid(*group)).Set("grolist", NumbersValue(members));
  }
}

}  // namespace

std::span<const CatalogDefinition> RoleCatalogs() {
  static const CatalogDefinition kAll[] = {
      {"pg_roles", 0,
       "rolname name, rolsuper bool, rolinherit bool, rolcreaterole bool, rolcreatedb bool, rolcanlogin bool, "
       "rolreplication bool = f, rolconnlimit int4, rolpassword text = ********, rolvaliduntil timestamptz, "
       "rolbypassrls bool, rolconfig text[], oid oid",
       MakeRoles},
      {"pg_authid", 1260,
       "oid oid, rolname name, rolsuper bool, rolinherit bool, rolcreaterole bool, rolcreatedb bool, rolcanlogin bool, "
       "rolreplication bool = f, rolbypassrls bool, rolconnlimit int4, rolpassword text, rolvaliduntil timestamptz",
       MakeRoles},
      {"pg_user", 0,
       "usename name, usesysid oid, usecreatedb bool, usesuper bool, userepl bool = f, usebypassrls bool, "
       "passwd text = ********, valuntil timestamptz, useconfig text[]",
       MakeUsers},
      {"pg_auth_members", 1261, "roleid oid, member oid, grantor oid, admin_option bool", MakeMembers},
      {"pg_group", 0, "groname name, grosysid oid, grolist oid[]", MakeGroups},
  };
  return kAll;
}

}  // namespace anabranch
