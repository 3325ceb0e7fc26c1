// A soak: two real clusters under load, a failover and a failback each minute, for as long as asked. It ends with status 0 only if every
// sum and fingerprint was right and neither cluster grew: memory, descriptors and threads stay within what the first minutes needed.
//   soak [--minutes=N] [--quick]
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "CLI/CLI.hpp"
#include "base/random.h"
#include "base/status.h"
#include "base/system_time.h"
#include "fmt/format.h"
#include "node/demo/cluster_process.h"
#include "node/demo/interrupt.h"
#include "node/demo/progress.h"
#include "node/demo/sql_client.h"
#include "node/demo/wait.h"
#include "node/demo/workload.h"

namespace anabranch {
namespace {

constexpr int kConnections = 8;
constexpr uint64_t kSampleEveryMs = 1000;
constexpr uint64_t kWaitMs = 60'000;
constexpr uint64_t kCleanUpTimeoutMs = 2000;
constexpr double kGrowthMost = 1.10;  // of memory over what the first minutes needed
// History is collected while the soak runs, and every failback still finds its own.
constexpr char kHistorySeconds[] = "60";

struct SoakOptions {
  int minutes = 30;
  int settling_minutes = 5;
  int minute_seconds = 60;
  int64_t accounts = 100'000;
};

// What a cluster holds of the machine.
struct Held {
  double bytes = 0;         // resident
  int64_t descriptors = 0;  // but for files: sockets, events, timers
  int64_t threads = 0;
};

Held HeldBy(const ClusterProcess& cluster) {
  Held held{.bytes = static_cast<double>(cluster.ResidentBytes())};
  const std::string process = fmt::format("/proc/{}", cluster.pid());
  std::error_code gone;  // a descriptor may be closed while it is looked at
  for (const auto& entry : std::filesystem::directory_iterator(process + "/fd", gone))
    held.descriptors += std::filesystem::read_symlink(entry.path(), gone).is_relative() ? 1 : 0;  // "socket:[7]" is no path
  for (const auto& entry : std::filesystem::directory_iterator(process + "/task", gone)) held.threads += entry.exists(gone);
  return held;
}

// The most of each minute, by cluster.
struct Minute {
  Held most[2];
};

class Soak {
 public:
  explicit Soak(SoakOptions options);
  int Run();

 private:
  absl::Status Story();
  absl::Status Start();
  absl::Status RunMinute(int minute);
  absl::Status FailOver();
  absl::Status FailBack();
  // With the load at rest: the bank against the ledger, and both clusters at one timestamp. Then the journal begins anew, so that the data
  // stay as large as they are.
  absl::Status Audit();
  void BeginLoad();
  // Loads on, and samples, until `seconds` of this minute are over.
  void Watch(const Stopwatch& minute, double seconds);
  void JudgeGrowth();

  absl::Status Control(int cluster, const std::string& statement) {
    return QueryOnce(clusters_[cluster].Uri("system"), statement).status();
  }
  absl::StatusOr<Timestamp> AskTimestamp(int cluster, const std::string& virtual_cluster, const std::string& query);
  absl::Status WaitReplicated(int standby, Timestamp at);

  const SoakOptions options_;
  TemporaryFolder folder_{"anabranch-soak"};
  ClusterProcess clusters_[2];
  InterruptGuard interrupt_;
  Progress progress_;
  Random random_;
  std::unique_ptr<TransferLedger> ledger_ = std::make_unique<TransferLedger>();
  std::unique_ptr<TransferWorkload> workload_;
  int primary_ = 0;
  std::vector<Minute> minutes_;
  uint64_t committed_ = 0;
  uint64_t given_up_ = 0;  // acknowledged above a failover time
};

Soak::Soak(SoakOptions options)
    : options_(options),
      clusters_{
          ClusterProcess(
              {.program = ANABRANCH_PROGRAM, .directory = folder_.path(), .name = "a", .flags = {"--virtualized"}}),
          ClusterProcess(
              {.program = ANABRANCH_PROGRAM, .directory = folder_.path(), .name = "b", .flags = {"--virtualized-empty"}})},
      interrupt_([this] {
        for (const ClusterProcess& cluster : clusters_) cluster.SendKill();
        WaitUntil(kCleanUpTimeoutMs, [this] {
          folder_.Remove();
          return !std::filesystem::exists(folder_.path());
        });
      }) {}

absl::StatusOr<Timestamp> Soak::AskTimestamp(int cluster, const std::string& virtual_cluster, const std::string& query) {
  ASSIGN_OR_RETURN(const SqlRows rows, QueryOnce(clusters_[cluster].Uri(virtual_cluster), query));
  if (rows.rows.empty()) return absl::InternalError("no row from " + query);
  return ParseHlc(rows.rows[0][0].value_or(""));
}

absl::Status Soak::WaitReplicated(int standby, Timestamp at) {
  std::string seen;
  const bool reached = WaitUntil(kWaitMs, [&] {
    const auto rows = QueryOnce(clusters_[standby].Uri("system"), "SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS");
    seen = rows.ok() ? rows->ToText() : MessageOf(rows.status());
    if (!rows.ok() || rows->Value(0, "status") != "replicating") return false;
    const auto replicated_ns = ParseTimestampTzNs(rows->Value(0, "replicated_time"));
    return replicated_ns.ok() && static_cast<uint64_t>(*replicated_ns) >= at.ns;
  });
  return reached ? absl::OkStatus() : absl::DeadlineExceededError("the standby did not catch up: " + seen);
}

absl::Status Soak::Start() {
  progress_.Stage(fmt::format("Two clusters, {} accounts, {} connections", options_.accounts, kConnections));
  for (ClusterProcess& cluster : clusters_) RETURN_IF_ERROR(cluster.Start());
  ASSIGN_OR_RETURN(const auto client, SqlClient::Connect(clusters_[0].Uri("main")));
  RETURN_IF_ERROR(CreateBank(*client, options_.accounts).status());
  RETURN_IF_ERROR(
      Control(0, fmt::format("ALTER VIRTUAL CLUSTER main SET CLUSTER SETTING gc.ttlseconds = {}", kHistorySeconds)));
  RETURN_IF_ERROR(
      Control(1, fmt::format("CREATE VIRTUAL CLUSTER main FROM REPLICATION OF main ON '{}' WITH RETENTION = '{}s'",
                             clusters_[0].Uri("system"), kHistorySeconds)));
  RETURN_IF_ERROR(WaitReplicated(1, kTimestampZero));
  return Control(1, fmt::format("ALTER VIRTUAL CLUSTER main SET CLUSTER SETTING gc.ttlseconds = {}", kHistorySeconds));
}

// One string with both hosts: the clients find the primary by themselves.
void Soak::BeginLoad() {
  workload_ = std::make_unique<TransferWorkload>(
      TransferWorkload::Options{
          .uri = fmt::format("postgresql://root@{},{}/defaultdb?options=-ccluster%3Dmain&target_session_attrs=read-write",
                             clusters_[0].address(), clusters_[1].address()),
          .connections = kConnections,
          .accounts = options_.accounts,
          .seed = random_.Next() % 1'000'000},
      ledger_.get());
}

void Soak::Watch(const Stopwatch& minute, double seconds) {
  do {
    for (int cluster : {0, 1}) {
      const Held held = HeldBy(clusters_[cluster]);
      Held& most = minutes_.back().most[cluster];
      most = {std::max(most.bytes, held.bytes), std::max(most.descriptors, held.descriptors),
              std::max(most.threads, held.threads)};
    }
    progress_.Live(fmt::format("minute {}: {} transfers, A {:.0f} MB, B {:.0f} MB", minutes_.size(), workload_->committed(),
                               minutes_.back().most[0].bytes / 1e6, minutes_.back().most[1].bytes / 1e6));
    Pause(kSampleEveryMs);
  } while (minute.Seconds() < seconds);
}

// The old primary's clients lose it in the middle of their work. What they committed above the failover time is lost with it.
absl::Status Soak::FailOver() {
  RETURN_IF_ERROR(Control(primary_, "ALTER VIRTUAL CLUSTER main STOP SERVICE"));
  if (!WaitUntil(kWaitMs, [this] { return workload_->in_flight() == 0; }))
    return absl::DeadlineExceededError("transfers are still under way after STOP SERVICE");
  primary_ = 1 - primary_;
  ASSIGN_OR_RETURN(const Timestamp at,
                   AskTimestamp(primary_, "system", "ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO LATEST"));
  const size_t acknowledged = ledger_->Acknowledged().size();
  ledger_->KeepUpTo(at);
  given_up_ += acknowledged - ledger_->Acknowledged().size();
  return Control(primary_, "ALTER VIRTUAL CLUSTER main START SERVICE SHARED");
}

absl::Status Soak::FailBack() {
  const int standby = 1 - primary_;
  RETURN_IF_ERROR(
      Control(standby, fmt::format("ALTER VIRTUAL CLUSTER main START REPLICATION OF main ON '{}' WITH RETENTION = '{}s'",
                                   clusters_[primary_].Uri("system"), kHistorySeconds)));
  ASSIGN_OR_RETURN(const Timestamp now, AskTimestamp(primary_, "main", "SELECT cluster_logical_timestamp()"));
  return WaitReplicated(standby, now);
}

absl::Status Soak::Audit() {
  ASSIGN_OR_RETURN(const auto client, SqlClient::Connect(clusters_[primary_].Uri("main")));
  ASSIGN_OR_RETURN(const BankAudit audit, AuditBank(*client, *ledger_, kTimestampMax));
  ASSIGN_OR_RETURN(const Timestamp at, AskTimestamp(primary_, "main", "SELECT cluster_logical_timestamp()"));
  RETURN_IF_ERROR(WaitReplicated(1 - primary_, at));
  const std::string statement =
      fmt::format("SELECT fingerprint FROM [SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER main AS OF SYSTEM TIME {}]",
                  FormatHlc(at));
  ASSIGN_OR_RETURN(const SqlRows on_a, QueryOnce(clusters_[0].Uri("system"), statement));
  ASSIGN_OR_RETURN(const SqlRows on_b, QueryOnce(clusters_[1].Uri("system"), statement));
  const bool right = audit.accounts == options_.accounts && audit.SumHeld() && audit.missing.empty() &&
                     on_a.rows.size() == 1 && on_a.ToText() == on_b.ToText();
  progress_.Check(right,
                  fmt::format("minute {}: {} transfers, {} missing, sum {}, fingerprints {} and {}", minutes_.size(),
                              workload_->committed(), audit.missing.size(), audit.sum, on_a.ToText(), on_b.ToText()));
  RETURN_IF_ERROR(client->Query("TRUNCATE transfers").status());
  const int64_t last_id = ledger_->NextId();
  workload_.reset();
  ledger_ = std::make_unique<TransferLedger>();
  ledger_->StartAbove(last_id);
  return absl::OkStatus();
}

absl::Status Soak::RunMinute(int minute) {
  minutes_.emplace_back();
  const Stopwatch watch;
  BeginLoad();
  Watch(watch, options_.minute_seconds / 3.0);
  RETURN_IF_ERROR(FailOver());
  const uint64_t committed_before = workload_->committed();
  if (!WaitUntil(kWaitMs, [&] { return workload_->committed() > committed_before; }))
    return absl::DeadlineExceededError("nobody writes after failover " + std::to_string(minute) + ": " +
                                       workload_->last_error());
  Watch(watch, options_.minute_seconds / 2.0);
  RETURN_IF_ERROR(FailBack());
  Watch(watch, options_.minute_seconds);
  workload_->Stop();
  committed_ += workload_->committed();
  return Audit();
}

void Soak::JudgeGrowth() {
  const auto settling = std::min(minutes_.begin() + options_.settling_minutes, minutes_.end());
  if (settling == minutes_.end()) {
    progress_.Note(fmt::format("growth is judged after {} minutes", options_.settling_minutes));
    return;
  }
  for (int cluster : {0, 1}) {
    const auto most = [cluster](auto begin, auto end, auto value) {
      double largest = 0;
      for (auto minute = begin; minute != end; ++minute)
        largest = std::max(largest, static_cast<double>(value(minute->most[cluster])));
      return largest;
    };
    const auto judge = [&](const char* what, double factor, double unit, auto value) {
      const double before = most(minutes_.begin(), settling, value);
      const double after = most(settling, minutes_.end(), value);
      progress_.Check(after <= before * factor,
                      fmt::format("{}: at most {:.0f} {}, in the first {} minutes {:.0f}", cluster == 0 ? "A" : "B",
                                  after / unit, what, options_.settling_minutes, before / unit));
    };
    judge("MB of memory", kGrowthMost, 1e6, [](const Held& held) { return held.bytes; });
    judge("descriptors but for files", 1, 1, [](const Held& held) { return held.descriptors; });
    judge("threads", 1, 1, [](const Held& held) { return held.threads; });
  }
}

absl::Status Soak::Story() {
  RETURN_IF_ERROR(Start());
  progress_.Stage(fmt::format("{} minutes: a failover and a failback in each", options_.minutes));
  for (int minute = 1; minute <= options_.minutes; ++minute) RETURN_IF_ERROR(RunMinute(minute));
  JudgeGrowth();
  for (ClusterProcess& cluster : clusters_) {
    ASSIGN_OR_RETURN(const int status, cluster.Stop());
    progress_.Check(status == 0, fmt::format("{} drained and ended with status {}", cluster.name(), status));
  }
  return absl::OkStatus();
}

int Soak::Run() {
  const absl::Status told = Story();
  if (interrupt_.interrupted()) interrupt_.WaitForEnd(InterruptGuard::kInterruptedStatus);
  if (!told.ok()) progress_.Check(false, fmt::format("{} {}", SqlStateOf(told), MessageOf(told)));
  progress_.Note(fmt::format("{} transfers over {} failovers, {} acknowledged above a failover time", committed_,
                             minutes_.size(), given_up_));
  if (progress_.all_held()) return 0;
  folder_.Keep();
  progress_.Note("stores and logs are kept: " + folder_.path());
  return 1;
}

}  // namespace
}  // namespace anabranch

int main(int argc, char** argv) {
  anabranch::SoakOptions options;
  bool quick = false;
  CLI::App app(
      "Failover and failback each minute under load; sums, fingerprints, memory, descriptors and threads are checked");
  app.name("./dev soak");
  app.add_option("--minutes", options.minutes, "How long [min]")->check(CLI::Range(1, 10'000))->capture_default_str();
  app.add_flag("--quick", quick, "Minutes of 3 seconds and few rows, to see that it runs");
  CLI11_PARSE(app, argc, argv);
  if (quick) options = {.minutes = 4, .settling_minutes = 5, .minute_seconds = 3, .accounts = 1000};
  return anabranch::Soak(options).Run();
}
