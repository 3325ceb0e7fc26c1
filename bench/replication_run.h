// One run of the replication benchmark: the measurements, and the rows that come of them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "bench/anabranch_pair.h"
#include "bench/lag_probe.h"
#include "bench/postgresql_pair.h"
#include "bench/replication_table.h"

namespace anabranch {

struct ReplicationOptions {
  int scale = 20;  // in 100,000 accounts
  int clients = 8;
  int seconds = 5;
  int rounds = 5;
  int idle_seconds = 10;
  std::string json;  // empty: none
};

// What the rounds gave, for one side.
struct Measured {
  // Of the initial copy.
  std::vector<double> copy_rows_per_s;
  std::vector<double> copy_bytes_per_s;
  std::vector<double> copy_source_cpu;  // seconds per MB, as all CPU below
  std::vector<double> copy_standby_cpu;
  // Of TPC-B, without and with the stream.
  std::vector<double> alone_tps;
  std::vector<double> streaming_tps;
  std::vector<double> streaming_share;    // of alone
  std::vector<double> source_cpu_share;   // per transaction, of alone
  std::vector<double> standby_cpu_share;  // per transaction, of the primary's
  std::vector<double> source_stream_cpu;  // what a stream adds
  std::vector<double> standby_stream_cpu;
  std::vector<double> wire_share;  // bytes over the wire per byte of changed rows
  std::vector<double> catch_up_tps;
  std::vector<double> catch_up_share;  // of the speed under load
  std::vector<double> lag_p50;
  std::vector<double> lag_p99;
  std::vector<double> lag_max;
  std::vector<double> applied_p50;
  std::vector<double> applied_p99;
  std::vector<std::pair<double, double>> lag_points;  // of all rounds, one after the other
  // Of the idle stream.
  std::vector<double> idle_source_cpu;  // percent of a core
  std::vector<double> idle_standby_cpu;
  std::vector<double> idle_bytes_per_s;
  // Of failovers, by their first step: in all; and by step.
  std::map<std::string, std::vector<double>> failover_ms;
  std::map<std::string, std::vector<double>> step_ms;
  // Of failbacks, by the percentage that diverged.
  std::map<int, std::vector<double>> failback_s;
  std::map<int, std::vector<double>> stop_s;
  std::map<int, std::vector<double>> failback_wire_share;
};

// Used once, by one thread.
class ReplicationRun {
 public:
  // The pairs are not owned and have not been started.
  ReplicationRun(ReplicationOptions options, AnabranchPair* ours, PostgresqlPair* postgresql);

  // Prints the table as it grows. An error if anything went otherwise than it must, data that differ included; no speed is one.
  absl::Status Run();

 private:
  struct Side {
    ReplicatedPair* pair = nullptr;
    Measured measured{};
  };
  struct Load {
    double transactions = 0;
    double tps = 0;
    double primary_cpu_s = 0;
    double standby_cpu_s = 0;
  };

  absl::Status Prepare(Side& side);
  absl::Status MeasureRows();
  absl::Status CopyOnce(Side& side);
  absl::Status LoadOnce(Side& side);
  absl::Status StreamingOnce(Side& side, const Load& alone);
  absl::Status LagOnce(Side& side);  // in a load of its own: looking costs the standby something
  absl::Status IdleOnce();
  absl::Status FailOverAndBack(Side& side, int percent, int round);
  // TPC-B by pgbench; `length` is -T or -t with its value.
  absl::StatusOr<Load> RunLoad(const ReplicatedPair& pair, const std::vector<std::string>& length);
  // Rewrites the accounts whose numbers end in `from` up to, not including, `to`, of 100.
  absl::Status Rewrite(const std::string& uri, int from, int to, int round);
  absl::Status CheckEqual();

  absl::Status CopyRows();
  absl::Status LoadRows();
  absl::Status IdleRows();
  absl::Status FailoverRows();
  void Row(const std::string& name, const std::string& unit, std::vector<double> Measured::*values, Target target = {});
  int64_t accounts() const { return int64_t{100'000} * options_.scale; }

  const ReplicationOptions options_;
  AnabranchPair* const ours_pair_;
  Side ours_;
  Side postgresql_;
  ReplicationTable table_;
  // Bytes of rows as text: of all accounts; of one; that one transaction of TPC-B changes.
  double loaded_bytes_ = 0;
  double account_bytes_ = 0;
  double transaction_bytes_ = 0;
  // Of ours: the files that a copy makes, and its speed as a share of copying them plainly.
  double file_bytes_ = 0;
  std::vector<double> plain_copy_share_;
};

}  // namespace anabranch
