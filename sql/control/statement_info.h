// What is true of a statement of ours whatever its operands are: the one table beside the shapes. Messages, read-only
// transactions, privileges and hints go by it.
#pragma once

#include <string_view>

#include "sql/control/statement.h"

namespace anabranch {

// Who may run a statement, besides administrators.
enum class StatementPrivilege {
  kManageVirtualCluster,
  kManageVirtualClusterAndReplicationDest,  // starts a stream into this cluster
  kAdmin,                                   // none besides
};

struct StatementInfo {
  std::string_view name;     // "ALTER VIRTUAL CLUSTER ... RENAME TO"
  std::string_view command;  // "ALTER VIRTUAL CLUSTER": the command tag, and the name in a refusal that concerns them all
  StatementPrivilege privilege = StatementPrivilege::kManageVirtualCluster;
  bool reads_only = false;  // changes nothing, so that a read-only transaction may run it
};

StatementInfo InfoOf(const SystemStatement& statement);

}  // namespace anabranch
