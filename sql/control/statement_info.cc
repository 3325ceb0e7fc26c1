#include "sql/control/statement_info.h"

namespace anabranch {
namespace {

using enum StatementPrivilege;

constexpr bool kReads = true;

StatementInfo Create(std::string_view name, StatementPrivilege privilege = kManageVirtualCluster) {
  return {name, "CREATE VIRTUAL CLUSTER", privilege};
}
StatementInfo Alter(std::string_view name, StatementPrivilege privilege = kManageVirtualCluster) {
  return {name, "ALTER VIRTUAL CLUSTER", privilege};
}

// The table. A shape without a line here does not compile.
StatementInfo Of(const FromNothing&) { return Create("CREATE VIRTUAL CLUSTER"); }
StatementInfo Of(const FromReplication&) {
  return Create("CREATE VIRTUAL CLUSTER ... FROM REPLICATION", kManageVirtualClusterAndReplicationDest);
}
StatementInfo Of(const FromClone&) { return Create("CREATE VIRTUAL CLUSTER ... FROM CLONE"); }

StatementInfo Of(const PauseReplication&) { return Alter("ALTER VIRTUAL CLUSTER ... PAUSE REPLICATION"); }
StatementInfo Of(const ResumeReplication&) { return Alter("ALTER VIRTUAL CLUSTER ... RESUME REPLICATION"); }
StatementInfo Of(const CancelReplication&) { return Alter("ALTER VIRTUAL CLUSTER ... CANCEL REPLICATION"); }
StatementInfo Of(const CompleteReplication&) { return Alter("ALTER VIRTUAL CLUSTER ... COMPLETE REPLICATION"); }
StatementInfo Of(const UndoCompleteReplication&) { return Alter("ALTER VIRTUAL CLUSTER ... UNDO COMPLETE REPLICATION"); }
StatementInfo Of(const StartReplication&) {
  return Alter("ALTER VIRTUAL CLUSTER ... START REPLICATION", kManageVirtualClusterAndReplicationDest);
}
StatementInfo Of(const SetReplication& set) {
  return Alter("ALTER VIRTUAL CLUSTER ... SET REPLICATION",
               set.source_uri ? kManageVirtualClusterAndReplicationDest : kManageVirtualCluster);
}
StatementInfo Of(const Switchover&) { return Alter("ALTER VIRTUAL CLUSTER ... SWITCHOVER"); }
StatementInfo Of(const VerifyVirtualCluster&) { return Alter("ALTER VIRTUAL CLUSTER ... VERIFY"); }
StatementInfo Of(const ResetData&) { return Alter("ALTER VIRTUAL CLUSTER ... RESET DATA"); }
StatementInfo Of(const StartService&) { return Alter("ALTER VIRTUAL CLUSTER ... START SERVICE"); }
StatementInfo Of(const StopService&) { return Alter("ALTER VIRTUAL CLUSTER ... STOP SERVICE"); }
StatementInfo Of(const RenameVirtualCluster&) { return Alter("ALTER VIRTUAL CLUSTER ... RENAME TO"); }
StatementInfo Of(const ChangeCapabilities& change) {
  if (change.all) {
    return Alter(change.grant ? "ALTER VIRTUAL CLUSTER ... GRANT ALL CAPABILITIES"
                              : "ALTER VIRTUAL CLUSTER ... REVOKE ALL CAPABILITIES");
  }
  return Alter(change.grant ? "ALTER VIRTUAL CLUSTER ... GRANT CAPABILITY" : "ALTER VIRTUAL CLUSTER ... REVOKE CAPABILITY");
}
StatementInfo Of(const SetVirtualClusterSetting& set) {
  return Alter(set.value ? "ALTER VIRTUAL CLUSTER ... SET CLUSTER SETTING"
                         : "ALTER VIRTUAL CLUSTER ... RESET CLUSTER SETTING");
}

StatementInfo Of(const DropVirtualCluster&) { return {"DROP VIRTUAL CLUSTER", "DROP VIRTUAL CLUSTER"}; }
StatementInfo Of(const ShowVirtualClusters&) { return {"SHOW VIRTUAL CLUSTER", "SHOW", kManageVirtualCluster, kReads}; }
StatementInfo Of(const ShowFingerprints&) {
  return {"SHOW EXPERIMENTAL_FINGERPRINTS", "SHOW", kManageVirtualCluster, kReads};
}
StatementInfo Of(const ShowLostWrites&) { return {"SHOW LOST WRITES", "SHOW", kAdmin, kReads}; }
StatementInfo Of(const ShowFailovers&) { return {"SHOW FAILOVERS", "SHOW", kManageVirtualCluster, kReads}; }
StatementInfo Of(const ShowReplicationStreams&) {
  return {"SHOW REPLICATION STREAMS", "SHOW", kManageVirtualCluster, kReads};
}
StatementInfo Of(const ExplainLag&) { return {"EXPLAIN LAG", "EXPLAIN", kManageVirtualCluster, kReads}; }

StatementInfo Of(const CreateExternalConnection&) {
  return {"CREATE EXTERNAL CONNECTION", "CREATE EXTERNAL CONNECTION", kAdmin};
}
StatementInfo Of(const AlterExternalConnection&) {
  return {"ALTER EXTERNAL CONNECTION", "ALTER EXTERNAL CONNECTION", kAdmin};
}
StatementInfo Of(const DropExternalConnection&) { return {"DROP EXTERNAL CONNECTION", "DROP EXTERNAL CONNECTION", kAdmin}; }
StatementInfo Of(const ShowExternalConnections&) { return {"SHOW EXTERNAL CONNECTIONS", "SHOW", kAdmin, kReads}; }

StatementInfo Of(const ChangeSystemGrants& change) {
  return change.grant ? StatementInfo{"GRANT SYSTEM", "GRANT", kAdmin} : StatementInfo{"REVOKE SYSTEM", "REVOKE", kAdmin};
}
StatementInfo Of(const ShowSystemGrants&) { return {"SHOW SYSTEM GRANTS", "SHOW", kAdmin, kReads}; }

StatementInfo Of(const SetClusterSetting& set) {
  return set.value ? StatementInfo{"SET CLUSTER SETTING", "SET CLUSTER SETTING", kAdmin}
                   : StatementInfo{"RESET CLUSTER SETTING", "SET CLUSTER SETTING", kAdmin};
}
// The settings of a virtual cluster are its manager's business, those of the physical cluster an administrator's.
StatementInfo Of(const ShowClusterSetting& show) {
  return {"SHOW CLUSTER SETTING", "SHOW", show.target ? kManageVirtualCluster : kAdmin, kReads};
}
StatementInfo Of(const ShowClusterSettings& show) {
  return {"SHOW CLUSTER SETTINGS", "SHOW", show.target ? kManageVirtualCluster : kAdmin, kReads};
}

StatementInfo Of(const ShowJobs& show) {
  return {show.ids.empty() ? "SHOW JOBS" : "SHOW JOB", "SHOW", kManageVirtualCluster, kReads};
}
StatementInfo Of(const ControlJobs& control) {
  switch (control.verb) {
    case ControlJobs::Verb::kCancel:
      return {"CANCEL JOB", "CANCEL JOBS"};
    case ControlJobs::Verb::kPause:
      return {"PAUSE JOB", "PAUSE JOBS"};
    case ControlJobs::Verb::kResume:
      break;
  }
  return {"RESUME JOB", "RESUME JOBS"};
}

// By what is inside.
StatementInfo Of(const CreateVirtualCluster& create) {
  return std::visit([](const auto& from) { return Of(from); }, create.from);
}
StatementInfo Of(const AlterVirtualCluster& alter) {
  return std::visit([](const auto& action) { return Of(action); }, alter.action);
}
// Whatever is explained: nothing is started.
StatementInfo Of(const ExplainSystemStatement&) { return {"EXPLAIN", "EXPLAIN", kManageVirtualCluster, kReads}; }

}  // namespace

StatementInfo InfoOf(const SystemStatement& statement) {
  return std::visit([](const auto& shape) { return Of(shape); }, static_cast<const SystemStatement::variant&>(statement));
}

}  // namespace anabranch
