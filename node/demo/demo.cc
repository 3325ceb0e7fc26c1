// `anabranch demo`: the whole story on this machine, with real processes that know each other only by their SQL ports.
// Everything it claims it checks through SQL, as a client would.
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/random.h"
#include "base/status.h"
#include "base/system_time.h"
#include "fmt/format.h"
#include "node/commands.h"
#include "node/demo/cluster_process.h"
#include "node/demo/interrupt.h"
#include "node/demo/progress.h"
#include "node/demo/sql_client.h"
#include "node/demo/wait.h"
#include "node/demo/workload.h"

namespace anabranch {
namespace {

constexpr uint64_t kSampleEveryMs = 50;
constexpr uint64_t kCatchUpTimeoutMs = 60'000;
constexpr int kConnections = 8;
constexpr uint64_t kTransfersOnNewPrimary = 2000;  // before the old one comes back
constexpr uint64_t kTransfersOnOldPrimary = 200;   // that only the old one will have

struct DemoOptions {
  int64_t rows = 100'000;
  int seconds = 8;
  bool hold = false;
  bool keep = false;
  bool secure = false;
};

// The columns of SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS that the story follows.
struct StandbyStatus {
  std::string state;
  uint64_t replicated_ns = 0;  // 0 while there is none
  std::optional<int64_t> lag_ns;
  std::string last_error;
};

absl::StatusOr<StandbyStatus> ReadStandby(SqlClient& system) {
  ASSIGN_OR_RETURN(const SqlRows rows, system.Query("SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS"));
  StandbyStatus status;
  status.state = rows.Value(0, "status");
  status.last_error = rows.Value(0, "last_error");
  if (const std::string time = rows.Value(0, "replicated_time"); time != "NULL") {
    ASSIGN_OR_RETURN(const int64_t ns, ParseTimestampTzNs(time));
    status.replicated_ns = static_cast<uint64_t>(ns);
  }
  if (const std::string lag = rows.Value(0, "replication_lag"); lag != "NULL") {
    ASSIGN_OR_RETURN(status.lag_ns, ParseIntervalNs(lag));
  }
  return status;
}

absl::StatusOr<Timestamp> ReadTimestamp(SqlClient& client, const std::string& query) {
  ASSIGN_OR_RETURN(const SqlRows rows, client.Query(query));
  if (rows.rows.empty()) return absl::InternalError("no row from " + query);
  return ParseHlc(rows.rows[0][0].value_or(""));
}

// The number after `key` in the first line of `log` that has `event`; "unknown" if there is none.
std::string LoggedNumber(const std::string& log, const std::string& event, const std::string& key) {
  const size_t line = log.find(event);
  const size_t at = line == std::string::npos ? line : log.find(key, line);
  if (at == std::string::npos) return "unknown";
  const size_t begin = at + key.size();
  return log.substr(begin, log.find_first_not_of("0123456789", begin) - begin);
}

double PercentileMs(std::vector<int64_t> samples_ns, double percentile) {
  if (samples_ns.empty()) return 0;
  std::sort(samples_ns.begin(), samples_ns.end());
  const size_t at = static_cast<size_t>(percentile / 100 * static_cast<double>(samples_ns.size() - 1) + 0.5);
  return static_cast<double>(samples_ns[at]) / 1e6;
}

class Demo {
 public:
  Demo(DemoOptions options, const std::string& program);
  int Run();

 private:
  // The stages, in order.
  absl::Status StartClusters();
  absl::Status LoadPrimary();
  absl::Status Replicate();
  absl::Status WatchUnderLoad();
  absl::Status KillAndFailOver();
  absl::Status UseNewPrimary();
  absl::Status BringBackOldPrimary();
  absl::Status FailBack();
  absl::Status Compare();

  absl::Status Story();
  void PrintSummary();
  void PrintHold();
  void CleanUp();
  std::string WorkloadLine() const;
  // Shows progress until the standby at `system` has replicated up to `target`.
  absl::Status WaitReplicated(SqlClient& system, uint64_t target_ns);
  absl::StatusOr<std::unique_ptr<SqlClient>> ConnectTo(const ClusterProcess& cluster, const std::string& virtual_cluster) {
    return SqlClient::Connect(cluster.Uri(virtual_cluster));
  }
  TransferWorkload::Options WorkloadOn(const ClusterProcess& cluster) {
    return {.uri = cluster.Uri("main"),
            .connections = kConnections,
            .accounts = options_.rows,
            .seed = random_.Next() % 1'000'000};
  }

  const DemoOptions options_;
  TemporaryFolder folder_{"anabranch-demo"};
  const std::string program_;
  const std::string certs_dir_;  // empty: not secure
  ClusterProcess a_;             // the first primary
  ClusterProcess b_;             // its standby
  InterruptGuard interrupt_;
  Progress progress_;
  Random random_;
  TransferLedger ledger_;
  TransferLedger lost_ledger_;  // what clients of the old primary still wrote there after the failover
  std::unique_ptr<TransferWorkload> workload_;
  std::unique_ptr<SqlClient> b_system_;
  std::unique_ptr<SqlClient> b_main_;

  uint64_t loaded_bytes_ = 0;
  double copy_seconds_ = 0;
  std::vector<int64_t> lags_ns_;
  uint64_t transfers_under_load_ = 0;
  double load_seconds_ = 0;
  Timestamp failover_time_;
  double failover_ms_ = 0;
  size_t undone_transfers_ = 0;
  std::string undone_versions_ = "unknown";
  double failback_seconds_ = 0;
  bool equal_ = false;
};

Demo::Demo(DemoOptions options, const std::string& program)
    : options_(options),
      program_(program),
      certs_dir_(options.secure ? folder_.path() + "/certs" : ""),
      a_({.program = program,
          .directory = folder_.path(),
          .name = "a",
          .flags = {"--virtualized", "--cluster-name=a"},
          .certs_dir = certs_dir_}),
      b_({.program = program,
          .directory = folder_.path(),
          .name = "b",
          .flags = {"--virtualized-empty", "--cluster-name=b"},
          .certs_dir = certs_dir_}),
      interrupt_([this] { CleanUp(); }) {
  if (options_.keep) folder_.Keep();
}

// On the interrupt's thread: the main thread may be anywhere.
void Demo::CleanUp() {
  a_.SendKill();
  b_.SendKill();
  if (options_.keep) return;
  WaitUntil(2000, [this] {
    folder_.Remove();
    return !std::filesystem::exists(folder_.path());
  });
}

std::string Demo::WorkloadLine() const {
  return workload_ == nullptr ? "" : fmt::format("{} transfers committed", workload_->committed());
}

absl::Status Demo::StartClusters() {
  progress_.Stage("Starting two clusters: A, the primary, and B, empty");
  if (options_.secure) RETURN_IF_ERROR(MakeCertificates(program_, certs_dir_));
  RETURN_IF_ERROR(a_.Start());
  RETURN_IF_ERROR(b_.Start());
  progress_.Note(fmt::format("A: {}   B: {}   stores and logs in {}", a_.address(), b_.address(), folder_.path()));
  return absl::OkStatus();
}

absl::Status Demo::LoadPrimary() {
  progress_.Stage(fmt::format("Loading {} accounts into A with COPY", options_.rows));
  ASSIGN_OR_RETURN(const auto client, ConnectTo(a_, "main"));
  const Stopwatch watch;
  ASSIGN_OR_RETURN(loaded_bytes_, CreateBank(*client, options_.rows, [this](int64_t sent) {
                     progress_.Live(fmt::format("{} of {} rows sent", sent, options_.rows));
                   }));
  const double megabytes = static_cast<double>(loaded_bytes_) / 1e6;
  progress_.Note(fmt::format("{} rows, {:.1f} MB in {:.2f} s: {:.1f} MB/s", options_.rows, megabytes, watch.Seconds(),
                             megabytes / watch.Seconds()));
  return absl::OkStatus();
}

absl::Status Demo::WaitReplicated(SqlClient& system, uint64_t target_ns) {
  const Stopwatch watch;
  StandbyStatus status;
  while (watch.Milliseconds() < kCatchUpTimeoutMs) {
    ASSIGN_OR_RETURN(status, ReadStandby(system));
    if (status.state == "replicating" && status.replicated_ns != 0 && status.replicated_ns >= target_ns)
      return absl::OkStatus();
    if (status.state == "replication error") break;
    progress_.Live(fmt::format("{:<26} {:.1f} s   {}", status.state, watch.Seconds(), WorkloadLine()));
    Pause(kSampleEveryMs);
  }
  return absl::DeadlineExceededError(
      fmt::format("the standby did not catch up: {}, last error {}", status.state, status.last_error));
}

absl::Status Demo::Replicate() {
  progress_.Stage(fmt::format("{} connections move money on A; B begins to replicate it", kConnections));
  workload_ = std::make_unique<TransferWorkload>(WorkloadOn(a_), &ledger_);
  ASSIGN_OR_RETURN(b_system_, ConnectTo(b_, "system"));
  const Stopwatch watch;
  RETURN_IF_ERROR(
      b_system_->Query(fmt::format("CREATE VIRTUAL CLUSTER main FROM REPLICATION OF main ON '{}'", a_.Uri("system")))
          .status());
  RETURN_IF_ERROR(WaitReplicated(*b_system_, 1));
  copy_seconds_ = watch.Seconds();
  progress_.Note(fmt::format(
      "initial copy: {} rows and what was written meanwhile, complete and durable on B after {:.2f} s ({:.1f} MB/s)",
      options_.rows, copy_seconds_, static_cast<double>(loaded_bytes_) / 1e6 / copy_seconds_));
  return absl::OkStatus();
}

absl::Status Demo::WatchUnderLoad() {
  progress_.Stage(fmt::format("Replicating live for {} s", options_.seconds));
  const uint64_t committed_before = workload_->committed();
  uint64_t last_replicated_ns = 0;
  bool went_back = false;
  const Stopwatch watch;
  while (watch.Seconds() < options_.seconds) {
    ASSIGN_OR_RETURN(const StandbyStatus status, ReadStandby(*b_system_));
    if (status.lag_ns.has_value()) lags_ns_.push_back(*status.lag_ns);
    went_back = went_back || status.replicated_ns < last_replicated_ns;
    last_replicated_ns = status.replicated_ns;
    progress_.Live(fmt::format("{:<12} lag {:7.1f} ms   {:7.0f} transfers/s   {}", status.state,
                               static_cast<double>(status.lag_ns.value_or(0)) / 1e6,
                               static_cast<double>(workload_->committed() - committed_before) / watch.Seconds(),
                               WorkloadLine()));
    Pause(kSampleEveryMs);
  }
  load_seconds_ = watch.Seconds();
  transfers_under_load_ = workload_->committed() - committed_before;
  progress_.Check(transfers_under_load_ > 0,
                  fmt::format("the primary worked: {} transfers, lag p50 {:.0f} ms, p99 {:.0f} ms", transfers_under_load_,
                              PercentileMs(lags_ns_, 50), PercentileMs(lags_ns_, 99)));
  progress_.Check(!went_back, "replicated_time never went back");
  return absl::OkStatus();
}

absl::Status Demo::KillAndFailOver() {
  const int in_flight = workload_->in_flight();
  a_.Kill();
  progress_.Stage(fmt::format("A is dead (SIGKILL, {} transactions in flight). B takes over", in_flight));
  const Stopwatch watch;
  ASSIGN_OR_RETURN(failover_time_, ReadTimestamp(*b_system_, "ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO LATEST"));
  RETURN_IF_ERROR(b_system_->Query("ALTER VIRTUAL CLUSTER main START SERVICE SHARED").status());
  ASSIGN_OR_RETURN(b_main_, ConnectTo(b_, "main"));
  RETURN_IF_ERROR(b_main_->Query("UPDATE accounts SET balance = balance WHERE id = 0").status());
  failover_ms_ = watch.Milliseconds();
  workload_->Stop();
  progress_.Note(fmt::format("failover_time {}; first write accepted {:.0f} ms after the statement",
                             FormatHlc(failover_time_), failover_ms_));
  ASSIGN_OR_RETURN(const BankAudit audit, AuditBank(*b_main_, ledger_, failover_time_));
  progress_.Check(audit.accounts == options_.rows && audit.SumHeld(),
                  fmt::format("the sum held: {} accounts, {} in all", audit.accounts, audit.sum));
  progress_.Check(audit.missing.empty(),
                  fmt::format("every acknowledged transfer up to failover_time is there ({} in the journal, {} missing)",
                              audit.journal.size(), audit.missing.size()));
  progress_.Check(audit.unexpected.empty(),
                  fmt::format("none of the {} later ones is", ledger_.CommittedAfter(failover_time_).size()));
  return absl::OkStatus();
}

absl::Status Demo::UseNewPrimary() {
  progress_.Stage("The workload moves to B");
  ledger_.KeepUpTo(failover_time_);
  workload_ = std::make_unique<TransferWorkload>(WorkloadOn(b_), &ledger_);
  const bool writes = WaitUntil(10'000, [this] {
    progress_.Live(WorkloadLine());
    return workload_->committed() >= kTransfersOnNewPrimary;
  });
  progress_.Check(writes, fmt::format("B accepts writes: {}", WorkloadLine()));
  return absl::OkStatus();
}

absl::Status Demo::BringBackOldPrimary() {
  progress_.Stage("A comes back with writes that B never saw, and clients that still use it");
  RETURN_IF_ERROR(a_.Start());
  // Ids above all others, so that both histories' transfers can be told apart.
  lost_ledger_.StartAbove(1'000'000'000);
  {
    TransferWorkload late(WorkloadOn(a_), &lost_ledger_);
    progress_.Check(WaitUntil(10'000, [&] { return late.committed() >= kTransfersOnOldPrimary; }),
                    "A still serves: it does not know of the failover");
  }
  ASSIGN_OR_RETURN(const auto a_main, ConnectTo(a_, "main"));
  ASSIGN_OR_RETURN(const SqlRows journal, a_main->Query("SELECT id FROM transfers"));
  const std::map<int64_t, Timestamp> kept = ledger_.Acknowledged();
  undone_transfers_ = std::count_if(journal.rows.begin(), journal.rows.end(),
                                    [&](const auto& row) { return !kept.contains(std::stoll(row[0].value_or("0"))); });
  progress_.Note(fmt::format("{} transfers are on A alone", undone_transfers_));
  return absl::OkStatus();
}

absl::Status Demo::FailBack() {
  progress_.Stage("Failback: A undoes what diverged and follows B, without a new copy");
  const Stopwatch watch;
  ASSIGN_OR_RETURN(const auto a_system, ConnectTo(a_, "system"));
  RETURN_IF_ERROR(a_system->Query("ALTER VIRTUAL CLUSTER main STOP SERVICE").status());
  ASSIGN_OR_RETURN(const Timestamp caught_up, ReadTimestamp(*b_main_, "SELECT cluster_logical_timestamp()"));
  RETURN_IF_ERROR(
      a_system->Query(fmt::format("ALTER VIRTUAL CLUSTER main START REPLICATION OF main ON '{}'", b_.Uri("system")))
          .status());
  RETURN_IF_ERROR(WaitReplicated(*a_system, caught_up.ns));
  failback_seconds_ = watch.Seconds();
  undone_versions_ = LoggedNumber(a_.Log(), "failback.reverted", "versions=");
  ASSIGN_OR_RETURN(const SqlRows shown, a_system->Query("SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS"));
  progress_.Check(shown.Value(0, "initial_copies") == "0",
                  fmt::format("caught up after {:.2f} s, while B served; {} new copies", failback_seconds_,
                              shown.Value(0, "initial_copies")));
  return absl::OkStatus();
}

absl::Status Demo::Compare() {
  progress_.Stage("Comparing A and B at one timestamp");
  workload_->Stop();
  ASSIGN_OR_RETURN(const BankAudit audit, AuditBank(*b_main_, ledger_, kTimestampMax));
  progress_.Check(audit.SumHeld() && audit.missing.empty(),
                  fmt::format("B: sum held, all {} acknowledged transfers there", ledger_.Acknowledged().size()));
  ASSIGN_OR_RETURN(const Timestamp at, ReadTimestamp(*b_main_, "SELECT cluster_logical_timestamp()"));
  ASSIGN_OR_RETURN(const auto a_system, ConnectTo(a_, "system"));
  RETURN_IF_ERROR(WaitReplicated(*a_system, at.ns));
  const std::string statement =
      fmt::format("SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER main AS OF SYSTEM TIME {}", FormatHlc(at));
  ASSIGN_OR_RETURN(const SqlRows on_a, a_system->Query(statement));
  ASSIGN_OR_RETURN(const SqlRows on_b, b_system_->Query(statement));
  equal_ = !on_a.rows.empty() && !on_a.Value(0, "fingerprint").empty() &&
           on_a.Value(0, "fingerprint") == on_b.Value(0, "fingerprint");
  progress_.Check(equal_, fmt::format("fingerprints at {}: A {}, B {}", FormatHlc(at), on_a.Value(0, "fingerprint"),
                                      on_b.Value(0, "fingerprint")));
  return absl::OkStatus();
}

absl::Status Demo::Story() {
  RETURN_IF_ERROR(StartClusters());
  RETURN_IF_ERROR(LoadPrimary());
  RETURN_IF_ERROR(Replicate());
  RETURN_IF_ERROR(WatchUnderLoad());
  RETURN_IF_ERROR(KillAndFailOver());
  RETURN_IF_ERROR(UseNewPrimary());
  RETURN_IF_ERROR(BringBackOldPrimary());
  RETURN_IF_ERROR(FailBack());
  return Compare();
}

void Demo::PrintSummary() {
  const double megabytes = static_cast<double>(loaded_bytes_) / 1e6;
  progress_.Summary({
      {"rows loaded", fmt::format("{} ({:.1f} MB)", options_.rows, megabytes)},
      {"initial copy under load", fmt::format("{:.1f} MB/s", megabytes / copy_seconds_)},
      {"transfers on the primary", fmt::format("{:.0f} per s", static_cast<double>(transfers_under_load_) / load_seconds_)},
      {"replication lag p50 / p99",
       fmt::format("{:.0f} / {:.0f} ms", PercentileMs(lags_ns_, 50), PercentileMs(lags_ns_, 99))},
      {"failover, statement to first write", fmt::format("{:.0f} ms", failover_ms_)},
      {"failback, statement to caught up", fmt::format("{:.2f} s", failback_seconds_)},
      {"versions undone on A", fmt::format("{} ({} transfers)", undone_versions_, undone_transfers_)},
      {"A and B equal", equal_ ? "yes" : "no"},
      {"every check held", progress_.all_held() ? "yes" : "no"},
  });
}

void Demo::PrintHold() {
  std::printf("B serves main, A follows it. Paste:\n");
  std::printf("  psql '%s'      # main on B\n", b_.Uri("main").c_str());
  std::printf("  psql '%s'    # system on B\n", b_.Uri("system").c_str());
  std::printf("  psql '%s'    # system on A: SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS\n",
              a_.Uri("system").c_str());
  std::printf("Logs: %s %s\nCtrl-C stops both and removes %s\n", a_.log_path().c_str(), b_.log_path().c_str(),
              folder_.path().c_str());
  std::fflush(stdout);
}

int Demo::Run() {
  const absl::Status told = Story();
  if (interrupt_.interrupted()) interrupt_.WaitForEnd(InterruptGuard::kInterruptedStatus);
  if (!told.ok()) {
    folder_.Keep();  // its logs say more
    progress_.Check(false, fmt::format("{} {}", SqlStateOf(told), MessageOf(told)));
    progress_.Note(fmt::format("the logs are kept: {} {}", a_.log_path(), b_.log_path()));
    return 1;
  }
  PrintSummary();
  progress_.Note(fmt::format("{:.0f} s in all", progress_.Seconds()));
  if (options_.hold) {
    PrintHold();
    interrupt_.WaitForEnd(0);
  }
  return progress_.all_held() ? 0 : 1;
}

}  // namespace

void AddDemoCommand(CLI::App& app, const char* /*argv0*/, int* exit_status) {
  auto options = std::make_shared<DemoOptions>();
  CLI::App* command = app.add_subcommand("demo",
                                         "Two clusters on this machine: live load, replication, failover, failback, proof "
                                         "of equality; exits 0 only if every check held");
  command->add_option("--rows", options->rows, "Accounts to load [rows]")
      ->check(CLI::Range(100, 100'000'000))
      ->capture_default_str();
  command->add_option("--seconds", options->seconds, "How long to watch replication under load [s]")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  command->add_flag("--hold", options->hold, "At the end leave both clusters up and print psql lines; Ctrl-C ends");
  command->add_flag("--secure", options->secure, "With TLS and client certificates, made for the occasion");
  command->add_flag("--keep", options->keep, "Keep the stores and logs (default: removed at the end)");
  command->callback([options, exit_status] { *exit_status = Demo(*options, OwnProgram()).Run(); });
}

}  // namespace anabranch
