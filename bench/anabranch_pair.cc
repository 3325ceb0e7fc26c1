#include "bench/anabranch_pair.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <filesystem>

#include "base/status.h"
#include "base/system_time.h"
#include "bench/server_cost.h"
#include "fmt/format.h"
#include "node/demo/wait.h"

namespace anabranch {
namespace {

constexpr uint64_t kStatusTimeoutMs = 60'000;

absl::StatusOr<std::string> Fingerprint(SqlClient& system, const std::string& at) {
  return QueryValue(
      system,
      "SELECT fingerprint FROM [SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER main AS OF SYSTEM TIME " + at + "]");
}

// Copies one file and syncs it.
absl::Status CopyFile(const std::filesystem::path& from, const std::filesystem::path& to) {
  const int in = open(from.c_str(), O_RDONLY | O_CLOEXEC);
  const int out = open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  ssize_t sent = in < 0 || out < 0 ? -1 : 1;
  while (sent > 0) sent = sendfile(out, in, nullptr, 1 << 20);
  const bool copied = sent == 0 && fdatasync(out) == 0;
  if (in >= 0) close(in);
  if (out >= 0) close(out);
  return copied ? absl::OkStatus() : absl::UnavailableError("cannot copy " + from.string());
}

}  // namespace

AnabranchPair::AnabranchPair(const std::string& program, const std::string& directory)
    : clusters_{
          ClusterProcess({.program = program, .directory = directory, .name = "a", .flags = {"--virtualized"}}),
          ClusterProcess({.program = program, .directory = directory, .name = "b", .flags = {"--virtualized-empty"}})} {}

ReplicatedPair::Node AnabranchPair::NodeOf(const ClusterProcess& cluster) {
  const std::string& address = cluster.address();
  return {.pid = cluster.pid(),
          .port = static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))),
          .data_uri = cluster.Uri("main"),
          .status_uri = cluster.Uri("system")};
}

absl::Status AnabranchPair::Start() {
  for (int cluster : {0, 1}) {
    RETURN_IF_ERROR(clusters_[cluster].Start());
    ASSIGN_OR_RETURN(systems_[cluster], SqlClient::Connect(clusters_[cluster].Uri("system")));
  }
  return absl::OkStatus();
}

void AnabranchPair::SendKill() {
  for (const ClusterProcess& cluster : clusters_) cluster.SendKill();
}

absl::Status AnabranchPair::Control(int cluster, const std::string& statement) {
  return systems_[cluster]->Query(statement).status();
}

std::string AnabranchPair::reached_query() const {
  return "SELECT replicated_time, replicated_time FROM [SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS]";
}

// A decimal, or replicated_time as SHOW has it.
absl::StatusOr<Position> AnabranchPair::ParsePosition(const std::string& text) const {
  if (text.find(':') == std::string::npos) {
    ASSIGN_OR_RETURN(const Timestamp at, ParseHlc(text));
    return at.ns;
  }
  ASSIGN_OR_RETURN(const int64_t ns, ParseTimestampTzNs(text));
  return static_cast<Position>(ns);
}

absl::StatusOr<CopyCost> AnabranchPair::Copy() {
  RETURN_IF_ERROR(Control(1 - primary_, "DROP VIRTUAL CLUSTER IF EXISTS main IMMEDIATE"));
  const double source_cpu_s = CpuSeconds(primary_cluster().pid());
  const double standby_cpu_s = CpuSeconds(standby_cluster().pid());
  const Stopwatch watch;
  RETURN_IF_ERROR(Control(1 - primary_, "CREATE VIRTUAL CLUSTER main FROM " + Source()));
  RETURN_IF_ERROR(WaitApplied(*this, 1));
  return CopyCost{.seconds = watch.Seconds(),
                  .source_cpu_s = CpuSeconds(primary_cluster().pid()) - source_cpu_s,
                  .standby_cpu_s = CpuSeconds(standby_cluster().pid()) - standby_cpu_s};
}

absl::StatusOr<AnabranchPair::PlainCopy> AnabranchPair::CopyFiles() const {
  const std::filesystem::path copies = standby_cluster().store_path() + ".copies";
  std::filesystem::create_directory(copies);
  PlainCopy copy;
  const Stopwatch watch;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(standby_cluster().store_path())) {
    if (entry.path().extension() != ".sst") continue;
    copy.bytes += static_cast<double>(entry.file_size());
    RETURN_IF_ERROR(CopyFile(entry.path(), copies / entry.path().filename()));
  }
  copy.seconds = watch.Seconds();
  std::filesystem::remove_all(copies);
  return copy;
}

absl::Status AnabranchPair::WaitStatus(const std::string& status) {
  std::string now;
  const bool reached = WaitUntil(kStatusTimeoutMs, [&] {
    const auto shown =
        QueryValue(*systems_[1 - primary_], "SELECT status FROM [SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS]");
    now = shown.ok() ? *shown : MessageOf(shown.status());
    return now == status;
  });
  return reached ? absl::OkStatus() : absl::DeadlineExceededError("the standby is '" + now + "', not '" + status + "'");
}

absl::Status AnabranchPair::Pause() {
  RETURN_IF_ERROR(Control(1 - primary_, "ALTER VIRTUAL CLUSTER main PAUSE REPLICATION"));
  RETURN_IF_ERROR(WaitStatus("replication paused"));
  std::string connected;
  const bool gone = WaitUntil(kStatusTimeoutMs, [&] {
    const auto streams = QueryValue(*systems_[primary_], "SELECT count(connected_since) FROM [SHOW REPLICATION STREAMS]");
    connected = streams.ok() ? *streams : MessageOf(streams.status());
    return connected == "0";
  });
  return gone ? absl::OkStatus() : absl::DeadlineExceededError("streams still connected: " + connected);
}

absl::Status AnabranchPair::Resume() { return Control(1 - primary_, "ALTER VIRTUAL CLUSTER main RESUME REPLICATION"); }

absl::StatusOr<std::vector<Step>> AnabranchPair::FailOver(int /*round*/) {
  const int promoted = 1 - primary_;
  const std::string uri = clusters_[promoted].Uri("main");
  std::vector<Step> steps;
  const auto step = [&steps](const char* name, const auto& work) -> absl::Status {
    const Stopwatch watch;
    RETURN_IF_ERROR(work());
    steps.push_back({name, watch.Milliseconds()});
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(step("COMPLETE REPLICATION",
                       [&] { return Control(promoted, "ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO LATEST"); }));
  RETURN_IF_ERROR(
      step("START SERVICE", [&] { return Control(promoted, "ALTER VIRTUAL CLUSTER main START SERVICE SHARED"); }));
  RETURN_IF_ERROR(step("connect and write", [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const auto client, SqlClient::Connect(uri));
    return client->Query(kMarkerUpdate).status();
  }));
  primary_ = promoted;
  return steps;
}

absl::StatusOr<FailbackCost> AnabranchPair::FailBack() {
  FailbackCost cost;
  const Stopwatch stop;
  RETURN_IF_ERROR(Control(1 - primary_, "ALTER VIRTUAL CLUSTER main STOP SERVICE"));
  cost.stop_s = stop.Seconds();
  ASSIGN_OR_RETURN(const auto data, SqlClient::Connect(primary().data_uri));
  ASSIGN_OR_RETURN(const Position position, ReadPosition(*this, *data, position_query()));
  const Stopwatch watch;
  RETURN_IF_ERROR(Control(1 - primary_, "ALTER VIRTUAL CLUSTER main START " + Source()));
  RETURN_IF_ERROR(WaitApplied(*this, position));
  cost.seconds = watch.Seconds();
  ASSIGN_OR_RETURN(cost.bytes, BytesCarried(standby_cluster().pid(), primary().port));
  ASSIGN_OR_RETURN(const std::string copies,
                   QueryValue(*systems_[1 - primary_],
                              "SELECT initial_copies FROM [SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS]"));
  if (copies != "0") return absl::InternalError("the failback copied everything");
  return cost;
}

absl::Status AnabranchPair::CheckEqual() {
  ASSIGN_OR_RETURN(const auto data, SqlClient::Connect(primary().data_uri));
  ASSIGN_OR_RETURN(const std::string at, QueryValue(*data, position_query()));
  ASSIGN_OR_RETURN(const Position position, ParsePosition(at));
  RETURN_IF_ERROR(WaitApplied(*this, position));
  ASSIGN_OR_RETURN(const std::string here, Fingerprint(*systems_[primary_], at));
  ASSIGN_OR_RETURN(const std::string there, Fingerprint(*systems_[1 - primary_], at));
  if (here != there) return absl::DataLossError(fmt::format("fingerprints differ at {}: {} and {}", at, here, there));
  return absl::OkStatus();
}

}  // namespace anabranch
