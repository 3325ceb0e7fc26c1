#include "bench/replication_run.h"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <thread>

#include "base/status.h"
#include "bench/lag_plot.h"
#include "bench/program.h"
#include "bench/server_cost.h"
#include "fmt/format.h"
#include "node/demo/wait.h"

namespace anabranch {
namespace {

constexpr double kMegabyte = 1e6;
constexpr int kAccountsPerStatement = 100'000;
constexpr uint64_t kRestTimeoutMs = 120'000;
constexpr double kRestingCpu = 0.03;  // of a core, of each server
constexpr uint64_t kRestSampleMs = 500;
constexpr int kDivergedPercents[] = {1, 10};

// The number after `name` in pgbench's report.
absl::StatusOr<double> Reported(const std::string& report, const std::string& name) {
  const size_t at = report.find(name);
  if (at == std::string::npos) return absl::InternalError("pgbench did not say '" + name + "': " + report);
  return std::stod(report.substr(at + name.size()));
}

absl::StatusOr<double> QueryNumber(const std::string& uri, const std::string& query) {
  ASSIGN_OR_RETURN(const auto client, SqlClient::Connect(uri));
  ASSIGN_OR_RETURN(const std::string value, QueryValue(*client, query));
  return std::stod(value);
}

// Written out, and with nothing to do.
absl::Status WaitAtRest(const ReplicatedPair& pair) {
  const auto busy = [](pid_t pid, double before) {
    return CpuSeconds(pid) - before > kRestingCpu * static_cast<double>(kRestSampleMs) / 1e3;
  };
  const bool rests = WaitUntil(kRestTimeoutMs, [&] {
    const double primary = CpuSeconds(pair.primary().pid);
    const double standby = CpuSeconds(pair.standby().pid);
    Pause(kRestSampleMs);
    return !busy(pair.primary().pid, primary) && !busy(pair.standby().pid, standby);
  });
  return rests ? absl::OkStatus() : absl::DeadlineExceededError("the servers do not come to rest");
}

// What both nodes and the stream between them have used so far.
struct Usage {
  double primary_cpu_s = 0;
  double standby_cpu_s = 0;
  uint64_t bytes = 0;
};

absl::StatusOr<Usage> UsageOf(const ReplicatedPair& pair) {
  const pid_t standby = pair.standby().pid;
  ASSIGN_OR_RETURN(const uint64_t bytes, BytesCarried(standby, pair.primary().port));
  return Usage{.primary_cpu_s = CpuSeconds(pair.primary().pid), .standby_cpu_s = CpuSeconds(standby), .bytes = bytes};
}

double Total(const std::vector<Step>& steps) {
  return std::accumulate(steps.begin(), steps.end(), 0.0, [](double sum, const Step& step) { return sum + step.ms; });
}

}  // namespace

ReplicationRun::ReplicationRun(ReplicationOptions options, AnabranchPair* ours, PostgresqlPair* postgresql)
    : options_(std::move(options)), ours_pair_(ours), ours_{.pair = ours}, postgresql_{.pair = postgresql} {}

absl::Status ReplicationRun::Run() {
  // A file that cannot be written is found now.
  if (!options_.json.empty()) RETURN_IF_ERROR(table_.WriteJson(options_.json));
  for (Side* side : {&ours_, &postgresql_}) RETURN_IF_ERROR(Prepare(*side));
  table_.PrintHead();
  RETURN_IF_ERROR(CopyRows());
  RETURN_IF_ERROR(LoadRows());
  RETURN_IF_ERROR(IdleRows());
  RETURN_IF_ERROR(FailoverRows());
  if (options_.json.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(table_.WriteJson(options_.json));
  return WriteLagPlot(
      std::filesystem::path(options_.json).replace_extension(".svg").string(),
      fmt::format("Lag of the standby under TPC-B with {} clients: durable there after the commit was acknowledged",
                  options_.clients),
      {{"ours", "#0b6", ours_.measured.lag_points}, {"PostgreSQL 15", "#36c", postgresql_.measured.lag_points}});
}

void ReplicationRun::Row(const std::string& name, const std::string& unit, std::vector<double> Measured::*values,
                         Target target) {
  table_.Add({name, unit, ours_.measured.*values, postgresql_.measured.*values, target});
}

absl::Status ReplicationRun::CheckEqual() {
  RETURN_IF_ERROR(ours_.pair->CheckEqual());
  return postgresql_.pair->CheckEqual();
}

// --- Data ---

absl::Status ReplicationRun::Prepare(Side& side) {
  RETURN_IF_ERROR(side.pair->Start());
  const std::string uri = side.pair->primary().data_uri;
  RETURN_IF_ERROR(RunProgram({"pgbench", "-i", "-q", "-s", std::to_string(options_.scale), uri}).status());
  RETURN_IF_ERROR(QueryOnce(uri, "CREATE TABLE marker (k int PRIMARY KEY, n int)").status());
  RETURN_IF_ERROR(QueryOnce(uri, "INSERT INTO marker VALUES (1, 0)").status());
  return WithContext(RunLoad(*side.pair, {"-t", "100"}).status(), "before the first copy");
}

// Both sides have the same rows: PostgreSQL is asked for their sizes.
absl::Status ReplicationRun::MeasureRows() {
  const std::string uri = postgresql_.pair->primary().data_uri;
  const auto bytes_per_row = [&uri](const std::string& table) {
    return QueryNumber(uri, "SELECT avg(octet_length(t::text)) FROM " + table + " t");
  };
  ASSIGN_OR_RETURN(account_bytes_, bytes_per_row("pgbench_accounts"));
  loaded_bytes_ = account_bytes_ * static_cast<double>(accounts());
  transaction_bytes_ = account_bytes_;
  for (const std::string table : {"pgbench_branches", "pgbench_tellers", "pgbench_history"}) {
    ASSIGN_OR_RETURN(const double bytes, bytes_per_row(table));
    transaction_bytes_ += bytes;
  }
  return absl::OkStatus();
}

absl::Status ReplicationRun::Rewrite(const std::string& uri, int from, int to, int round) {
  ASSIGN_OR_RETURN(const auto client, SqlClient::Connect(uri));
  for (int64_t first = 1; first <= accounts(); first += kAccountsPerStatement) {
    RETURN_IF_ERROR(
        client
            ->Query(fmt::format("UPDATE pgbench_accounts SET filler = md5('{0}/' || aid::text) || md5(aid::text || '/{0}') "
                                "WHERE aid BETWEEN {1} AND {2} AND aid % 100 >= {3} AND aid % 100 < {4}",
                                round, first, first + kAccountsPerStatement - 1, from, to))
            .status());
  }
  return absl::OkStatus();
}

absl::StatusOr<ReplicationRun::Load> ReplicationRun::RunLoad(const ReplicatedPair& pair,
                                                             const std::vector<std::string>& length) {
  const ReplicatedPair::Node primary = pair.primary();
  const pid_t standby = pair.standby().pid;
  const std::string clients = std::to_string(options_.clients);
  const std::string threads =
      std::to_string(std::min<int>(options_.clients, static_cast<int>(std::thread::hardware_concurrency())));
  std::vector<std::string> command = {"pgbench", "-n", "-b", "tpcb-like", "-M", "prepared", "-c", clients, "-j", threads};
  command.insert(command.end(), length.begin(), length.end());
  command.push_back(primary.data_uri);
  const double primary_cpu_s = CpuSeconds(primary.pid);
  const double standby_cpu_s = standby > 0 ? CpuSeconds(standby) : 0;
  ASSIGN_OR_RETURN(const ProgramResult result, RunProgram(command));
  Load load = {.primary_cpu_s = CpuSeconds(primary.pid) - primary_cpu_s,
               .standby_cpu_s = standby > 0 ? CpuSeconds(standby) - standby_cpu_s : 0};
  ASSIGN_OR_RETURN(load.transactions, Reported(result.output, "number of transactions actually processed: "));
  ASSIGN_OR_RETURN(load.tps, Reported(result.output, "\ntps = "));
  if (load.transactions == 0 || result.output.find("number of failed transactions: 0 (") == std::string::npos)
    return absl::InternalError("transactions failed: " + result.output);
  return load;
}

// --- The initial copy ---

absl::Status ReplicationRun::CopyOnce(Side& side) {
  RETURN_IF_ERROR(QueryOnce(side.pair->primary().data_uri, "CHECKPOINT").status());
  ASSIGN_OR_RETURN(const CopyCost cost, side.pair->Copy());
  Measured& measured = side.measured;
  measured.copy_rows_per_s.push_back(static_cast<double>(accounts()) / cost.seconds);
  measured.copy_bytes_per_s.push_back(loaded_bytes_ / cost.seconds / kMegabyte);
  measured.copy_source_cpu.push_back(cost.source_cpu_s / (loaded_bytes_ / kMegabyte));
  measured.copy_standby_cpu.push_back(cost.standby_cpu_s / (loaded_bytes_ / kMegabyte));
  if (side.pair != ours_pair_) return absl::OkStatus();
  ASSIGN_OR_RETURN(const AnabranchPair::PlainCopy plain, ours_pair_->CopyFiles());
  plain_copy_share_.push_back(plain.seconds / cost.seconds);
  file_bytes_ = plain.bytes;
  return absl::OkStatus();
}

absl::Status ReplicationRun::CopyRows() {
  RETURN_IF_ERROR(MeasureRows());
  for (int round = 0; round < options_.rounds; ++round) {
    for (Side* side : {&ours_, &postgresql_}) RETURN_IF_ERROR(CopyOnce(*side));
  }
  for (const Side* side : {&ours_, &postgresql_}) {
    ASSIGN_OR_RETURN(const double rows,
                     QueryNumber(side->pair->primary().data_uri, "SELECT count(*) FROM pgbench_accounts"));
    if (rows != static_cast<double>(accounts())) return absl::DataLossError(fmt::format("{} accounts are loaded", rows));
  }
  RETURN_IF_ERROR(CheckEqual());
  table_.BeginGroup(
      "copy",
      fmt::format("Initial copy of {} rows, {:.0f} MB (ours: statement to complete and durable; PostgreSQL: pg_basebackup)",
                  accounts(), loaded_bytes_ / kMegabyte));
  Row("speed", "rows/s", &Measured::copy_rows_per_s, {.least_ratio = 1.5});
  Row("speed", "MB/s", &Measured::copy_bytes_per_s);
  table_.Add({fmt::format("of a plain copy of the same files, {:.0f} MB", file_bytes_ / kMegabyte),
              "",
              plain_copy_share_,
              {},
              {.least = 0.6}});
  Row("CPU of the source", "s/MB", &Measured::copy_source_cpu);
  Row("CPU of the standby", "s/MB", &Measured::copy_standby_cpu);
  return absl::OkStatus();
}

// --- Under load ---

absl::Status ReplicationRun::LoadOnce(Side& side) {
  const ReplicatedPair& pair = *side.pair;
  const std::vector<std::string> length = {"-T", std::to_string(options_.seconds)};
  RETURN_IF_ERROR(side.pair->Pause());
  ASSIGN_OR_RETURN(const Load alone, RunLoad(pair, length));
  const Stopwatch catch_up;
  RETURN_IF_ERROR(side.pair->Resume());
  RETURN_IF_ERROR(WaitCaughtUp(pair));
  side.measured.catch_up_tps.push_back(alone.transactions / catch_up.Seconds());
  RETURN_IF_ERROR(StreamingOnce(side, alone));
  return LagOnce(side);
}

absl::Status ReplicationRun::StreamingOnce(Side& side, const Load& alone) {
  const ReplicatedPair& pair = *side.pair;
  Measured& measured = side.measured;
  ASSIGN_OR_RETURN(const uint64_t bytes_before, BytesCarried(pair.standby().pid, pair.primary().port));
  ASSIGN_OR_RETURN(const Load load, RunLoad(pair, {"-T", std::to_string(options_.seconds)}));
  RETURN_IF_ERROR(WaitCaughtUp(pair));
  ASSIGN_OR_RETURN(const uint64_t bytes_after, BytesCarried(pair.standby().pid, pair.primary().port));
  const double changed_bytes = load.transactions * transaction_bytes_;
  const double source_cpu = load.primary_cpu_s / load.transactions;
  const double source_cpu_alone = alone.primary_cpu_s / alone.transactions;
  measured.alone_tps.push_back(alone.tps);
  measured.streaming_tps.push_back(load.tps);
  measured.streaming_share.push_back(load.tps / alone.tps);
  measured.catch_up_share.push_back(measured.catch_up_tps.back() / load.tps);
  measured.source_cpu_share.push_back(source_cpu / source_cpu_alone);
  measured.standby_cpu_share.push_back(load.standby_cpu_s / load.primary_cpu_s);
  measured.source_stream_cpu.push_back((source_cpu - source_cpu_alone) / (transaction_bytes_ / kMegabyte));
  measured.standby_stream_cpu.push_back(load.standby_cpu_s / (changed_bytes / kMegabyte));
  measured.wire_share.push_back(static_cast<double>(bytes_after - bytes_before) / changed_bytes);
  return absl::OkStatus();
}

absl::Status ReplicationRun::LagOnce(Side& side) {
  ASSIGN_OR_RETURN(const auto probe, LagProbe::Start(*side.pair));
  RETURN_IF_ERROR(RunLoad(*side.pair, {"-T", std::to_string(options_.seconds)}).status());
  ASSIGN_OR_RETURN(const std::vector<LagSample> samples, probe->Finish());
  Measured& measured = side.measured;
  const double began_s = options_.seconds * static_cast<double>(measured.lag_max.size());
  std::vector<double> durable_ms;
  std::vector<double> applied_ms;
  for (const LagSample& sample : samples) {
    durable_ms.push_back(sample.durable_ms);
    applied_ms.push_back(sample.applied_ms);
    measured.lag_points.emplace_back(began_s + sample.at_s, sample.durable_ms);
  }
  measured.lag_p50.push_back(Percentile(durable_ms, 50));
  measured.lag_p99.push_back(Percentile(durable_ms, 99));
  measured.lag_max.push_back(Percentile(durable_ms, 100));
  measured.applied_p50.push_back(Percentile(applied_ms, 50));
  measured.applied_p99.push_back(Percentile(applied_ms, 99));
  return absl::OkStatus();
}

absl::Status ReplicationRun::LoadRows() {
  for (Side* side : {&ours_, &postgresql_}) RETURN_IF_ERROR(RunLoad(*side->pair, {"-T", "1"}).status());
  for (int round = 0; round < options_.rounds; ++round) {
    for (Side* side : {&ours_, &postgresql_}) RETURN_IF_ERROR(LoadOnce(*side));
  }
  RETURN_IF_ERROR(CheckEqual());
  table_.BeginGroup("load", fmt::format("TPC-B, prepared, {} clients; a transaction changes {:.0f} bytes of rows",
                                        options_.clients, transaction_bytes_));
  Row("speed without a standby", "tx/s", &Measured::alone_tps);
  Row("speed with a standby", "tx/s", &Measured::streaming_tps, {.least_ratio = 2});
  Row("  of the speed without", "", &Measured::streaming_share);
  Row("primary's CPU per transaction, of that without", "", &Measured::source_cpu_share, {.most = 1.05});
  Row("standby's CPU per transaction, of the primary's", "", &Measured::standby_cpu_share, {.most = 0.10, .most_ratio = 1});
  Row("CPU that the stream adds to the primary", "s/MB", &Measured::source_stream_cpu);
  Row("CPU of the standby", "s/MB", &Measured::standby_stream_cpu);
  Row("bytes over the wire per byte of changed rows", "", &Measured::wire_share, {.most = 0.6, .most_ratio = 1});
  Row("lag p50", "ms", &Measured::lag_p50, {.most = 3, .most_ratio = 1});
  Row("lag p99", "ms", &Measured::lag_p99, {.most = 15, .most_ratio = 1});
  Row("lag max", "ms", &Measured::lag_max);
  Row("lag p50 until applied", "ms", &Measured::applied_p50);
  Row("lag p99 until applied", "ms", &Measured::applied_p99);
  Row(fmt::format("catch-up after a pause of {} s", options_.seconds), "tx/s", &Measured::catch_up_tps);
  Row("  of the speed with a standby", "", &Measured::catch_up_share, {.least = 3});
  return absl::OkStatus();
}

// --- At rest ---

absl::Status ReplicationRun::IdleOnce() {
  const std::vector<Side*> sides = {&ours_, &postgresql_};
  for (const Side* side : sides) RETURN_IF_ERROR(WaitAtRest(*side->pair));
  std::vector<Usage> before;
  const Stopwatch watch;
  for (const Side* side : sides) {
    ASSIGN_OR_RETURN(const Usage usage, UsageOf(*side->pair));
    before.push_back(usage);
  }
  Pause(static_cast<uint64_t>(options_.idle_seconds) * 1000);
  const double seconds = watch.Seconds();
  for (size_t i = 0; i < sides.size(); ++i) {
    ASSIGN_OR_RETURN(const Usage usage, UsageOf(*sides[i]->pair));
    Measured& measured = sides[i]->measured;
    measured.idle_source_cpu.push_back((usage.primary_cpu_s - before[i].primary_cpu_s) / seconds * 100);
    measured.idle_standby_cpu.push_back((usage.standby_cpu_s - before[i].standby_cpu_s) / seconds * 100);
    measured.idle_bytes_per_s.push_back(static_cast<double>(usage.bytes - before[i].bytes) / seconds);
  }
  return absl::OkStatus();
}

absl::Status ReplicationRun::IdleRows() {
  RETURN_IF_ERROR(IdleOnce());
  table_.BeginGroup("idle", fmt::format("Idle stream, {} s", options_.idle_seconds));
  Row("CPU of the source", "% of a core", &Measured::idle_source_cpu, {.most = 0.5});
  Row("CPU of the standby", "% of a core", &Measured::idle_standby_cpu, {.most = 0.5});
  Row("over the wire", "bytes/s", &Measured::idle_bytes_per_s, {.most = 2048});
  return absl::OkStatus();
}

// --- Failover and failback ---

absl::Status ReplicationRun::FailOverAndBack(Side& side, int percent, int round) {
  ReplicatedPair& pair = *side.pair;
  RETURN_IF_ERROR(WaitCaughtUp(pair));
  const std::string query = "SELECT n FROM marker WHERE k = 1";
  ASSIGN_OR_RETURN(const double marked, QueryNumber(pair.primary().data_uri, query));
  const std::string old_uri = pair.primary().data_uri;
  ASSIGN_OR_RETURN(const std::vector<Step> steps, pair.FailOver(round));
  ASSIGN_OR_RETURN(const double found, QueryNumber(pair.primary().data_uri, query));
  if (found != marked + 1)
    return absl::DataLossError(fmt::format("the marker was {} and is {} after a failover", marked, found));
  side.measured.failover_ms[steps[0].name].push_back(Total(steps));
  for (const Step& step : steps) side.measured.step_ms[step.name].push_back(step.ms);

  RETURN_IF_ERROR(Rewrite(old_uri, 0, percent, round));
  RETURN_IF_ERROR(Rewrite(pair.primary().data_uri, percent, 2 * percent, round));
  ASSIGN_OR_RETURN(const FailbackCost cost, pair.FailBack());
  side.measured.failback_s[percent].push_back(cost.seconds);
  side.measured.stop_s[percent].push_back(cost.stop_s);
  side.measured.failback_wire_share[percent].push_back(static_cast<double>(cost.bytes) / (loaded_bytes_ * percent / 100));
  return absl::OkStatus();
}

absl::Status ReplicationRun::FailoverRows() {
  int round = 0;
  for (const int percent : kDivergedPercents) {
    for (int of_percent = 0; of_percent < options_.rounds; ++of_percent, ++round) {
      for (Side* side : {&ours_, &postgresql_}) RETURN_IF_ERROR(FailOverAndBack(*side, percent, round));
    }
    RETURN_IF_ERROR(CheckEqual());
  }
  Measured& ours = ours_.measured;
  Measured& postgresql = postgresql_.measured;
  const std::vector<double>& failover_ms = ours.failover_ms["COMPLETE REPLICATION"];
  table_.BeginGroup("failover",
                    "Failover, the primary alive: statement to first write acknowledged (ours: in a new connection, "
                    "PostgreSQL: in an open one)");
  table_.Add({"against pg_promote() in an open connection",
              "ms",
              failover_ms,
              postgresql.failover_ms["pg_promote()"],
              {.most = 5}});
  table_.Add({"against pg_ctl promote", "ms", failover_ms, postgresql.failover_ms["pg_ctl promote"], {.most = 5}});
  for (const auto& [name, values] : ours.step_ms) table_.Add({"  of ours: " + name, "ms", values, {}, {}});
  for (const int percent : kDivergedPercents) {
    table_.BeginGroup(
        fmt::format("failback {} %", percent),
        fmt::format("Failback after {} % of the rows changed at the old primary and {} % others at the new one", percent,
                    percent));
    table_.Add({"statement to caught up (pg_rewind and start)",
                "s",
                ours.failback_s[percent],
                postgresql.failback_s[percent],
                {.most_ratio = 0.2}});
    table_.Add({"  before it: stop the old primary", "s", ours.stop_s[percent], postgresql.stop_s[percent], {}});
    table_.Add({"bytes over the wire per byte that changed",
                "",
                ours.failback_wire_share[percent],
                postgresql.failback_wire_share[percent],
                {.most = 1.2}});
  }
  return absl::OkStatus();
}

}  // namespace anabranch
