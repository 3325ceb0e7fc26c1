// Two clusters of ours: virtual cluster `main` of one is replicated to the other.
#pragma once

#include "bench/replicated_pair.h"
#include "node/demo/cluster_process.h"

namespace anabranch {

class AnabranchPair final : public ReplicatedPair {
 public:
  // Stores and logs are made in `directory`.
  AnabranchPair(const std::string& program, const std::string& directory);

  absl::Status Start() override;
  void SendKill() override;
  absl::StatusOr<CopyCost> Copy() override;
  absl::Status Pause() override;
  absl::Status Resume() override;
  // COMPLETE REPLICATION, START SERVICE, and a write in a new connection.
  absl::StatusOr<std::vector<Step>> FailOver(int round) override;
  absl::StatusOr<FailbackCost> FailBack() override;
  absl::Status CheckEqual() override;

  Node primary() const override { return NodeOf(primary_cluster()); }
  Node standby() const override { return NodeOf(standby_cluster()); }
  std::string position_query() const override { return "SELECT cluster_logical_timestamp()"; }
  std::string commit_position_query() const override { return "SHOW COMMIT TIMESTAMP"; }
  std::string reached_query() const override;
  absl::StatusOr<Position> ParsePosition(const std::string& text) const override;

  struct PlainCopy {
    double bytes = 0;
    double seconds = 0;
  };
  // Copies the standby's data files plainly and syncs each: what the disk takes for them.
  absl::StatusOr<PlainCopy> CopyFiles() const;

 private:
  static Node NodeOf(const ClusterProcess& cluster);
  const ClusterProcess& primary_cluster() const { return clusters_[primary_]; }
  const ClusterProcess& standby_cluster() const { return clusters_[1 - primary_]; }
  // Runs a statement in the cluster's system virtual cluster, in a connection that stays open.
  absl::Status Control(int cluster, const std::string& statement);
  std::string Source() const { return "REPLICATION OF main ON '" + primary_cluster().Uri("system") + "'"; }
  absl::Status WaitStatus(const std::string& status);

  ClusterProcess clusters_[2];
  std::unique_ptr<SqlClient> systems_[2];
  int primary_ = 0;
};

}  // namespace anabranch
