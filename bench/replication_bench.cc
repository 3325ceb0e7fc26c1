// Replication against PostgreSQL 15's physical replication, in turns on one machine, with the same rows and the same durability.
//   replication_bench [FLAG...]; --help lists the flags.
#include <sys/statfs.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include "CLI/CLI.hpp"
#include "base/status.h"
#include "bench/program.h"
#include "bench/replication_run.h"
#include "fmt/format.h"
#include "node/demo/cluster_process.h"
#include "node/demo/interrupt.h"
#include "node/demo/wait.h"

namespace anabranch {
namespace {

constexpr uint64_t kCleanUpTimeoutMs = 5000;  // the servers end meanwhile

void SetQuick(ReplicationOptions& options) {
  options.scale = 1;
  options.clients = 2;
  options.seconds = 1;
  options.rounds = 1;
  options.idle_seconds = 1;
}

bool InMemory(const std::string& path) {
  struct statfs file_system {};
  return statfs(path.c_str(), &file_system) == 0 && file_system.f_type == 0x01021994;  // tmpfs
}

absl::Status PrintTitle(const ReplicationOptions& options, const std::string& folder) {
  ASSIGN_OR_RETURN(const ProgramResult version, RunProgram({ANABRANCH_PROGRAM, "version"}));
  double load_average = 0;
  std::ifstream("/proc/loadavg") >> load_average;
  const unsigned cores = std::thread::hardware_concurrency();
  fmt::print("ours: {}PostgreSQL 15 with {}\n", version.output, PostgresqlPair::kSettings);
  fmt::print("{} cores, load average {:.2f}; both nodes of both, and the clients, on this machine over loopback TCP\n",
             cores, load_average);
  fmt::print(
      "Scale {}; {} clients for {} s; ours and PostgreSQL in turns, {} rounds; medians. MB: 10^6 bytes of rows as text.\n",
      options.scale, options.clients, options.seconds, options.rounds);
  fmt::print(
      "Lag: a marker is committed every {} ms under the load; from the acknowledgement of its commit until the standby, "
      "looked at\n"
      "every {} ms, says that it is durable there: ours by replicated_time, PostgreSQL by pg_last_wal_receive_lsn (synced; "
      "applied:\n"
      "pg_last_wal_replay_lsn).\n",
      LagProbe::kMarkEveryMs, LagProbe::kLookEveryMs);
  if (load_average > cores / 4.0) fmt::print("WARNING: the machine is busy; these figures are not for keeping.\n");
  if (InMemory(folder)) fmt::print("WARNING: the files are in memory, where a sync costs nothing: set TMPDIR.\n");
  std::fflush(stdout);
  return absl::OkStatus();
}

int Run(const ReplicationOptions& options) {
  TemporaryFolder folder("anabranch-bench");
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0711));  // user postgres passes through
  AnabranchPair ours(ANABRANCH_PROGRAM, folder.path());
  PostgresqlPair postgresql(folder.path());
  InterruptGuard interrupt([&] {
    ours.SendKill();
    postgresql.SendKill();
    WaitUntil(kCleanUpTimeoutMs, [&] {
      folder.Remove();
      return !std::filesystem::exists(folder.path());
    });
  });
  const Stopwatch since_start;
  const auto run = [&]() -> absl::Status {
    RETURN_IF_ERROR(PrintTitle(options, folder.path()));
    return ReplicationRun(options, &ours, &postgresql).Run();
  };
  const absl::Status done = run();
  if (interrupt.interrupted()) interrupt.WaitForEnd(InterruptGuard::kInterruptedStatus);
  if (done.ok()) {
    fmt::print("{:.0f} s in all\n", since_start.Seconds());
    return 0;
  }
  folder.Keep();
  fmt::print(stderr, "replication_bench: {} {}\nstores and logs are kept: {}\n", SqlStateOf(done), MessageOf(done),
             folder.path());
  return 1;
}

}  // namespace
}  // namespace anabranch

int main(int argc, char** argv) {
  anabranch::ReplicationOptions options;
  bool quick = false;
  CLI::App app("Replication against PostgreSQL 15's physical replication, in turns");
  app.name("./dev bench replication");
  app.add_option("--scale", options.scale, "Rows to replicate [100,000 accounts]")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--clients", options.clients, "Connections of the load")->check(CLI::Range(1, 100))->capture_default_str();
  app.add_option("--seconds", options.seconds, "Length of each load [s]")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  app.add_option("--rounds", options.rounds, "Measurements of each side, of which the median counts")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--idle-seconds", options.idle_seconds, "How long the idle streams are watched [s]")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  app.add_option("--json", options.json, "File for the rows as JSON; the lag over time goes beside it, as .svg");
  app.add_flag("--quick", quick, "Small and short, to see that it runs; the other flags but --json do not count");
  CLI11_PARSE(app, argc, argv);
  if (quick) anabranch::SetQuick(options);
  return anabranch::Run(options);
}
