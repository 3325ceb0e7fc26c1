// PostgreSQL 15 with a physical standby, in settings as they come except those named below. As root, its processes run as user postgres.
#pragma once

#include "bench/program.h"
#include "bench/replicated_pair.h"

namespace anabranch {

class PostgresqlPair final : public ReplicatedPair {
 public:
  // The first two are for pg_rewind; the third, so that a standby does not wait 5 s before it looks for its source again. A slot at the
  // primary keeps what a standby has not got.
  static constexpr char kSettings[] = "wal_log_hints=on wal_keep_size=64MB wal_retrieve_retry_interval=100ms";

  // Data and logs are made in `directory`, which user postgres can pass through.
  explicit PostgresqlPair(const std::string& directory);
  ~PostgresqlPair() override;

  absl::Status Start() override;
  void SendKill() override;
  // pg_basebackup; the standby then starts.
  absl::StatusOr<CopyCost> Copy() override;
  absl::Status Pause() override;
  absl::Status Resume() override;
  // A checkpoint of the old primary, not counted, keeps what pg_rewind repeats small. Even rounds: pg_promote() in an open connection. Odd rounds: pg_ctl promote. Then a write in an open connection.
  absl::StatusOr<std::vector<Step>> FailOver(int round) override;
  // The new primary's checkpoint, which pg_rewind needs, is not counted; pg_rewind and the start are.
  absl::StatusOr<FailbackCost> FailBack() override;
  absl::Status CheckEqual() override;

  Node primary() const override { return NodeOf(primary_); }
  Node standby() const override { return NodeOf(1 - primary_); }
  std::string position_query() const override { return "SELECT pg_current_wal_flush_lsn()"; }
  std::string commit_position_query() const override { return position_query(); }
  std::string reached_query() const override;
  absl::StatusOr<Position> ParsePosition(const std::string& text) const override;

 private:
  Node NodeOf(int node) const;
  std::string Folder(int node) const { return directory_ + (node == 0 ? "/pa" : "/pb"); }
  std::string Uri(int node) const;
  // The command that runs one of PostgreSQL's programs.
  static std::vector<std::string> Command(const std::string& program, const std::vector<std::string>& arguments);
  // Returns once it answers.
  absl::Status StartServer(int node);
  // Whatever slot the node has.
  absl::Status DropSlot(int node);
  // Where the standby's stream comes from; empty: from nowhere.
  absl::Status SetSource(const std::string& conninfo);

  const std::string directory_;
  ServerProgram servers_[2];
  const uint16_t ports_[2];
  int primary_ = 0;
};

}  // namespace anabranch
