// The room control/: the statements of ours, VIRTUAL CLUSTER and its kind: their grammar, and what runs them on tenant/.
// May use value/, stored/ and tenant/.
//
// The statements of ours that PostgreSQL's grammar does not have, from text to one of these shapes. A shape holds what was
// written, checked as far as one can without knowing the cluster. The grammar is in grammar.cc; what is true of a
// statement whatever its operands are, such as its name and privilege, in statement_info.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "tenant/catalog/capability.h"
#include "tenant/catalog/spec.h"

namespace anabranch {

struct SystemStatement;
using SystemStatementRef = std::shared_ptr<const SystemStatement>;

// OF vc ON 'uri'. The address is a connection string, or the name of an external connection.
struct ReplicationSource {
  VirtualClusterSpec virtual_cluster;  // in the other cluster
  std::string uri;
};

// --- CREATE VIRTUAL CLUSTER [IF NOT EXISTS] name [LIKE vc] ... ---
struct FromNothing {};
struct FromReplication {
  ReplicationSource source;
  ReplicationOptions options;
};
struct FromClone {
  VirtualClusterSpec source;
  std::optional<std::string> as_of;  // a time expression
};
struct CreateVirtualCluster {
  std::string name;
  bool if_not_exists = false;
  std::optional<VirtualClusterSpec> like;  // never together with FromClone
  std::variant<FromNothing, FromReplication, FromClone> from;
};

// --- ALTER VIRTUAL CLUSTER vc ... ---
struct PauseReplication {};
struct ResumeReplication {};
struct CancelReplication {};
struct CompleteReplication {
  FailoverTarget to;
  bool with_fence = false;
  bool with_fingerprint = false;
};
struct UndoCompleteReplication {};
struct StartReplication {
  ReplicationSource source;
  ReplicationOptions options;
};
// At least one of them is set.
struct SetReplication {
  std::optional<uint64_t> retention_ns;
  std::optional<uint64_t> expiration_window_ns;
  bool read_virtual_cluster = false;
  std::optional<std::string> source_uri;
};
struct Switchover {
  std::optional<uint64_t> pause_budget_ns;
};
struct VerifyVirtualCluster {};
struct ResetData {
  std::string to;  // a time expression
};
struct StartService {};
struct StopService {};
struct RenameVirtualCluster {
  std::string name;
};
struct CapabilityValue {
  Capability capability = {};
  std::optional<std::string> value;  // as written; always unset in REVOKE
};
struct ChangeCapabilities {
  bool grant = false;
  bool all = false;
  std::vector<CapabilityValue> capabilities;  // each once; empty with `all`
};
struct SetVirtualClusterSetting {
  std::string setting;
  std::optional<std::string> value;  // unset: back to the default
};
struct AlterVirtualCluster {
  VirtualClusterSpec target;
  std::variant<PauseReplication, ResumeReplication, CancelReplication, CompleteReplication, UndoCompleteReplication,
               StartReplication, SetReplication, Switchover, VerifyVirtualCluster, ResetData, StartService, StopService,
               RenameVirtualCluster, ChangeCapabilities, SetVirtualClusterSetting>
      action;
};

struct DropVirtualCluster {
  VirtualClusterSpec target;
  bool if_exists = false;
  bool immediate = false;
};

// --- What virtual clusters are shown of ---
struct ShowVirtualClusters {
  std::optional<VirtualClusterSpec> target;  // unset: all
  bool with_replication_status = false;
  bool with_capabilities = false;
  bool with_prior_replication_details = false;
};
struct ShowFingerprints {
  VirtualClusterSpec target;
  std::optional<std::string> start_timestamp;
  std::optional<std::string> as_of;
};
struct ShowLostWrites {
  VirtualClusterSpec target;
};
struct ShowFailovers {};
struct ShowReplicationStreams {};
// EXPLAIN in front of DROP, or of ALTER with COMPLETE or START REPLICATION, RESET DATA, SWITCHOVER.
struct ExplainSystemStatement {
  SystemStatementRef statement;
};
struct ExplainLag {
  VirtualClusterSpec target;
};

// --- External connections ---
struct CreateExternalConnection {
  std::string name;
  bool if_not_exists = false;
  std::string uri;
};
struct AlterExternalConnection {
  std::string name;
  bool if_exists = false;
  std::string uri;
};
struct DropExternalConnection {
  std::string name;
  bool if_exists = false;
};
struct ShowExternalConnections {
  std::optional<std::string> name;  // unset: all
};

// --- GRANT | REVOKE SYSTEM, SHOW SYSTEM GRANTS ---
struct ChangeSystemGrants {
  bool grant = false;
  bool all = false;
  std::vector<std::string> privileges;  // in upper case; empty with `all`
  std::vector<std::string> users;
};
struct ShowSystemGrants {
  std::vector<std::string> users;  // empty: all
};

// --- Cluster settings ---
struct SetClusterSetting {
  std::string setting;
  std::optional<std::string> value;  // unset: back to the default
};
struct ShowClusterSetting {
  std::string setting;
  std::optional<VirtualClusterSpec> target;  // unset: the physical cluster
};
struct ShowClusterSettings {
  bool only_public = true;                   // unless ALL is written
  std::optional<VirtualClusterSpec> target;  // unset: the physical cluster
};

// --- Jobs ---
struct ShowJobs {
  std::vector<uint64_t> ids;  // empty: all
  bool when_complete = false;
};
struct ControlJobs {
  enum class Verb { kCancel, kPause, kResume };
  Verb verb = Verb::kCancel;
  std::vector<uint64_t> ids;
};

// A struct and not an alias, so that those who only pass it on need not know what it can be.
struct SystemStatement : std::variant<CreateVirtualCluster, AlterVirtualCluster, DropVirtualCluster, ShowVirtualClusters,
                                      ShowFingerprints, ShowLostWrites, ShowFailovers, ShowReplicationStreams,
                                      ExplainSystemStatement, ExplainLag, CreateExternalConnection, AlterExternalConnection,
                                      DropExternalConnection, ShowExternalConnections, ChangeSystemGrants, ShowSystemGrants,
                                      SetClusterSetting, ShowClusterSetting, ShowClusterSettings, ShowJobs, ControlJobs> {
  using variant::variant;
};

// Null: the text does not begin like a statement of ours, and is PostgreSQL's business. 42601 for a mistake in ours, with
// its location in `text`, what is expected there and the page that says more; 0A000 naming the clause for what
// CockroachDB has and we do not.
absl::StatusOr<SystemStatementRef> ParseSystemStatement(std::string_view text);

// True for SHOW and EXPLAIN, whose rows may be selected from: SELECT ... FROM [SHOW ...].
bool ReturnsRows(const SystemStatement& statement);

}  // namespace anabranch
