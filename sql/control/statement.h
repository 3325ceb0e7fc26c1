// The statements of ours that PostgreSQL's grammar does not have, from text to one of these shapes. Tokenised
// by libpg_query's scanner, so quoting, comments and keywords follow PostgreSQL; the grammar is in system_parser.cc.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "tenant/spec.h"

namespace anabranch {

struct CreateVirtualCluster {
  std::string name;
  bool if_not_exists = false;
  // Set for FROM REPLICATION OF ... ON ...
  std::optional<std::string> source_name;
  std::string uri;
  ReplicationOptions replication;
};
struct AlterVirtualCluster {
  enum class Action { kPause, kResume, kComplete, kCancel, kStartReplication, kStartService, kStopService, kSetSetting };
  VirtualClusterSpec target;
  Action action = Action::kPause;
  FailoverTarget failover_target;  // kComplete
  std::string source_name;         // kStartReplication
  std::string uri;
  ReplicationOptions replication;
  std::string setting;                       // kSetSetting
  std::optional<std::string> setting_value;  // unset: back to the default
};
struct DropVirtualCluster {
  VirtualClusterSpec target;
  bool if_exists = false;
};
struct ShowVirtualClusters {
  std::optional<VirtualClusterSpec> target;  // unset: all
  bool with_replication_status = false;
};
// SHOW CLUSTER SETTING ... FOR VIRTUAL CLUSTER ...
struct ShowSetting {
  std::string setting;
  VirtualClusterSpec target;
};
struct ShowFingerprints {
  VirtualClusterSpec target;
  std::optional<std::string> start_timestamp;
  std::optional<std::string> as_of;
};

// A struct and not an alias, so that those who only pass it on need not know what it can be.
struct SystemStatement : std::variant<CreateVirtualCluster, AlterVirtualCluster, DropVirtualCluster, ShowVirtualClusters,
                                      ShowSetting, ShowFingerprints> {
  using variant::variant;
};
using SystemStatementRef = std::shared_ptr<const SystemStatement>;

// Null: the text does not begin like a statement of ours, and is PostgreSQL's business. 42601 with the position for a
// mistake in ours; 0A000 naming the clause for what is announced and this version does not do.
absl::StatusOr<SystemStatementRef> ParseSystemStatement(std::string_view text);

// True for SHOW statements, whose rows may be selected from: SELECT ... FROM [SHOW ...].
bool ReturnsRows(const SystemStatement& statement);

}  // namespace anabranch
