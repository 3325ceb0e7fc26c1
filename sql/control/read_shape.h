// From what matched the grammar to the shape of the statement: one function per shape that holds anything. Internal to
// sql/control/; grammar.cc has the productions whose rules these look for.
#pragma once

#include "absl/status/status.h"
#include "sql/control/notation.h"
#include "sql/control/statement.h"

namespace anabranch {

// What a shape holds nothing of.
template <typename Shape>
absl::Status ReadShape(const SyntaxMatch&, Shape*) {
  static_assert(std::is_empty_v<Shape>, "a shape with contents needs a function that reads them");
  return absl::OkStatus();
}

absl::Status ReadShape(const SyntaxMatch& match, CreateVirtualCluster* create);
absl::Status ReadShape(const SyntaxMatch& match, DropVirtualCluster* drop);
absl::Status ReadShape(const SyntaxMatch& match, ShowVirtualClusters* show);
absl::Status ReadShape(const SyntaxMatch& match, ShowFingerprints* show);
absl::Status ReadShape(const SyntaxMatch& match, ShowLostWrites* show);
absl::Status ReadShape(const SyntaxMatch& match, ExplainLag* explain);
absl::Status ReadShape(const SyntaxMatch& match, CreateExternalConnection* create);
absl::Status ReadShape(const SyntaxMatch& match, AlterExternalConnection* alter);
absl::Status ReadShape(const SyntaxMatch& match, DropExternalConnection* drop);
absl::Status ReadShape(const SyntaxMatch& match, ShowExternalConnections* show);
absl::Status ReadShape(const SyntaxMatch& match, ChangeSystemGrants* change);
absl::Status ReadShape(const SyntaxMatch& match, ShowSystemGrants* show);
absl::Status ReadShape(const SyntaxMatch& match, SetClusterSetting* set);
absl::Status ReadShape(const SyntaxMatch& match, ShowClusterSetting* show);
absl::Status ReadShape(const SyntaxMatch& match, ShowClusterSettings* show);
absl::Status ReadShape(const SyntaxMatch& match, ShowJobs* show);
absl::Status ReadShape(const SyntaxMatch& match, ControlJobs* control);

// The actions of ALTER VIRTUAL CLUSTER.
absl::Status ReadShape(const SyntaxMatch& match, CompleteReplication* complete);
absl::Status ReadShape(const SyntaxMatch& match, StartReplication* start);
absl::Status ReadShape(const SyntaxMatch& match, SetReplication* set);
absl::Status ReadShape(const SyntaxMatch& match, Switchover* switchover);
absl::Status ReadShape(const SyntaxMatch& match, ResetData* reset);
absl::Status ReadShape(const SyntaxMatch& match, RenameVirtualCluster* rename);
absl::Status ReadShape(const SyntaxMatch& match, ChangeCapabilities* change);
absl::Status ReadShape(const SyntaxMatch& match, SetVirtualClusterSetting* set);

// The virtual cluster that matched `rule`. 54000 for an id that none can have.
absl::StatusOr<VirtualClusterSpec> ReadVirtualCluster(const SyntaxMatch& match, std::string_view rule);

}  // namespace anabranch
