// GRANT and REVOKE SYSTEM, SHOW SYSTEM GRANTS; and who may run which statement.
#include "base/status.h"
#include "fmt/format.h"
#include "sql/control/run.h"
#include "sql/stored/system_privilege.h"

namespace anabranch {

absl::Status CheckMayRun(const StatementInfo& info, const SessionContext& session) {
  ASSIGN_OR_RETURN(const Identity identity, ReadIdentity(session.transaction, session.user));
  switch (info.privilege) {
    case StatementPrivilege::kManageVirtualCluster:
      return CheckSystemPrivilege(identity, SystemPrivilege::kManageVirtualCluster);
    case StatementPrivilege::kManageVirtualClusterAndReplicationDest:
      RETURN_IF_ERROR(CheckSystemPrivilege(identity, SystemPrivilege::kManageVirtualCluster));
      return CheckSystemPrivilege(identity, SystemPrivilege::kReplicationDest);
    case StatementPrivilege::kAdmin:
      break;
  }
  return CheckAdmin(identity, info.name);
}

CommandTag RunStatement(const ChangeSystemGrants& change, const Running& running) {
  std::vector<SystemPrivilege> privileges;
  for (const std::string& name : change.privileges) {
    ASSIGN_OR_RETURN(privileges.emplace_back(), SystemPrivilegeNamed(name));
  }
  if (change.all) {
    for (const SystemPrivilegeName& known : kSystemPrivilegeNames) privileges.push_back(known.privilege);
  }
  RETURN_IF_ERROR(UpdateSystemGrants(running.session.transaction,
                                     change.grant ? SystemGrantChange::kGrant : SystemGrantChange::kRevoke, privileges,
                                     change.users, running.stop));
  return std::string(InfoOf(running.statement).command);
}

Columns ColumnsOf(const ShowSystemGrants&) {
  return {{"grantee", SqlType::kText}, {"privilege_type", SqlType::kText}, {"is_grantable", SqlType::kBool}};
}

CommandTag RunStatement(const ShowSystemGrants& show, const Running& running) {
  ASSIGN_OR_RETURN(const std::vector<SystemGrant> grants, ReadSystemGrants(running.session.transaction, show.users));
  RETURN_IF_ERROR(running.sink.Columns(ColumnsOf(show)));
  // Only an administrator grants, so nobody may pass on what it was granted.
  for (const SystemGrant& grant : grants) {
    RETURN_IF_ERROR(running.sink.AddRow({grant.grantee, std::string(ToString(grant.privilege)), false}));
  }
  return fmt::format("SHOW {}", grants.size());
}

}  // namespace anabranch
