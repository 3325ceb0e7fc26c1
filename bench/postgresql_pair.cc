#include "bench/postgresql_pair.h"

#include <arpa/inet.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <sstream>

#include "base/check.h"
#include "base/status.h"
#include "bench/server_cost.h"
#include "fmt/format.h"
#include "node/demo/wait.h"

namespace anabranch {
namespace {

constexpr uint64_t kStartTimeoutMs = 30'000;
constexpr char kPrograms[] = "/usr/lib/postgresql/15/bin/";
constexpr uint64_t kWriteTimeoutMs = 30'000;
constexpr char kSlot[] = "standby";

// One that nobody listens on now.
uint16_t FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  CHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0, "a free port");
  CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0, "the port");
  close(fd);
  return ntohs(address.sin_port);
}

std::vector<std::string> Unprivileged() {
  std::vector<std::string> command = {"setpriv", "--pdeathsig=QUIT"};
  if (geteuid() == 0) command.insert(command.end(), {"--reuid=postgres", "--regid=postgres", "--init-groups"});
  return command;
}

// A folder of its own for the unprivileged user.
absl::Status MakeFolder(const std::string& path) {
  std::filesystem::create_directory(path);
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  if (geteuid() != 0) return absl::OkStatus();
  const passwd* const user = getpwnam("postgres");
  if (user == nullptr) return absl::NotFoundError("there is no user postgres: install postgresql-15");
  if (chown(path.c_str(), user->pw_uid, user->pw_gid) != 0) return absl::UnavailableError("chown " + path);
  return absl::OkStatus();
}

// Bytes that pg_rewind --progress says: "need to copy 12 MB" are binary ones.
absl::StatusOr<uint64_t> RewoundBytes(const std::string& output) {
  const std::string before = "need to copy ";
  const size_t at = output.find(before);
  if (at == std::string::npos) return absl::InternalError("pg_rewind does not say what it copied: " + output);
  return std::stoull(output.substr(at + before.size())) * (uint64_t{1} << 20);
}

}  // namespace

PostgresqlPair::PostgresqlPair(const std::string& directory) : directory_(directory), ports_{FreePort(), FreePort()} {}

// SIGQUIT: it ends its processes and frees its shared memory, without a checkpoint.
PostgresqlPair::~PostgresqlPair() {
  for (ServerProgram& server : servers_) {
    if (server.running()) server.Stop(SIGQUIT);
  }
}

void PostgresqlPair::SendKill() {
  for (const ServerProgram& server : servers_) server.SendSignal(SIGQUIT);
}

std::string PostgresqlPair::Uri(int node) const {
  return fmt::format("postgresql://postgres@127.0.0.1:{}/postgres", ports_[node]);
}

ReplicatedPair::Node PostgresqlPair::NodeOf(int node) const {
  return {.pid = servers_[node].pid(), .port = ports_[node], .data_uri = Uri(node), .status_uri = Uri(node)};
}

std::vector<std::string> PostgresqlPair::Command(const std::string& program, const std::vector<std::string>& arguments) {
  std::vector<std::string> command = Unprivileged();
  command.push_back(kPrograms + program);
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

absl::Status PostgresqlPair::StartServer(int node) {
  std::vector<std::string> arguments = {"-D", Folder(node), "-k", "",
                                        "-h", "127.0.0.1",  "-p", std::to_string(ports_[node])};
  std::istringstream settings(kSettings);
  for (std::string setting; settings >> setting;) arguments.insert(arguments.end(), {"-c", setting});
  RETURN_IF_ERROR(servers_[node].Start(Command("postgres", arguments), Folder(node) + ".log"));
  absl::Status answered;
  WaitUntil(kStartTimeoutMs, [&] {
    answered = QueryOnce(Uri(node), "SELECT 1").status();
    return answered.ok();
  });
  return WithContext(answered, "PostgreSQL does not start");
}

absl::Status PostgresqlPair::Start() {
  RETURN_IF_ERROR(MakeFolder(Folder(0)));
  RETURN_IF_ERROR(RunProgram(Command("initdb", {"-D", Folder(0), "-U", "postgres", "-A", "trust", "--no-sync"})).status());
  return StartServer(0);
}

std::string PostgresqlPair::reached_query() const { return "SELECT pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()"; }

// "16/B374D848"
absl::StatusOr<Position> PostgresqlPair::ParsePosition(const std::string& text) const {
  const size_t slash = text.find('/');
  if (slash == std::string::npos) return absl::InternalError("'" + text + "' is no place in PostgreSQL's log");
  return (std::stoull(text, nullptr, 16) << 32) + std::stoull(text.substr(slash + 1), nullptr, 16);
}

absl::StatusOr<CopyCost> PostgresqlPair::Copy() {
  const int made = 1 - primary_;
  if (servers_[made].running()) servers_[made].Stop(SIGQUIT);
  RETURN_IF_ERROR(DropSlot(primary_));
  std::filesystem::remove_all(Folder(made));
  RETURN_IF_ERROR(MakeFolder(Folder(made)));
  const double source_cpu_s = CpuSeconds(servers_[primary_].pid());
  ASSIGN_OR_RETURN(const ProgramResult copied,
                   RunProgram(Command("pg_basebackup", {"-D", Folder(made), "-d", Uri(primary_), "-X", "stream", "-c",
                                                        "fast", "-R", "-C", "-S", kSlot})));
  const CopyCost cost = {.seconds = copied.seconds,
                         .source_cpu_s = CpuSeconds(servers_[primary_].pid()) - source_cpu_s,
                         .standby_cpu_s = copied.cpu_seconds};
  RETURN_IF_ERROR(StartServer(made));
  RETURN_IF_ERROR(WaitCaughtUp(*this));
  return cost;
}

absl::Status PostgresqlPair::DropSlot(int node) {
  absl::Status dropped;
  WaitUntil(kStartTimeoutMs, [&] {  // a standby that has ended holds it for a moment
    dropped = QueryOnce(Uri(node), "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots").status();
    return dropped.ok();
  });
  return dropped;
}

absl::Status PostgresqlPair::SetSource(const std::string& conninfo) {
  ASSIGN_OR_RETURN(const auto standby, SqlClient::Connect(Uri(1 - primary_)));
  RETURN_IF_ERROR(standby->Query("ALTER SYSTEM SET primary_conninfo = '" + conninfo + "'").status());
  return standby->Query("SELECT pg_reload_conf()").status();
}

absl::Status PostgresqlPair::Pause() {
  RETURN_IF_ERROR(SetSource(""));
  ASSIGN_OR_RETURN(const auto primary, SqlClient::Connect(Uri(primary_)));
  std::string streams;
  const bool gone = WaitUntil(kStartTimeoutMs, [&] {
    const auto counted = QueryValue(*primary, "SELECT count(*) FROM pg_stat_replication");
    streams = counted.ok() ? *counted : MessageOf(counted.status());
    return streams == "0";
  });
  return gone ? absl::OkStatus() : absl::DeadlineExceededError("PostgreSQL's streams are still there: " + streams);
}

absl::Status PostgresqlPair::Resume() {
  return SetSource(fmt::format("host=127.0.0.1 port={} user=postgres", ports_[primary_]));
}

absl::StatusOr<std::vector<Step>> PostgresqlPair::FailOver(int round) {
  const int promoted = 1 - primary_;
  ASSIGN_OR_RETURN(const auto client, SqlClient::Connect(Uri(promoted)));
  RETURN_IF_ERROR(QueryOnce(Uri(primary_), "CHECKPOINT").status());
  RETURN_IF_ERROR(WaitCaughtUp(*this));
  std::vector<Step> steps;
  const Stopwatch promotion;
  if (round % 2 == 0) {
    RETURN_IF_ERROR(client->Query("SELECT pg_promote(false)").status());  // not waiting: it looks every 100 ms only
    steps.push_back({"pg_promote()", promotion.Milliseconds()});
  } else {
    RETURN_IF_ERROR(RunProgram(Command("pg_ctl", {"promote", "-D", Folder(promoted)})).status());
    steps.push_back({"pg_ctl promote", promotion.Milliseconds()});
  }
  const Stopwatch write;
  absl::Status written = client->Query(kMarkerUpdate).status();
  while (SqlStateOf(written) == sqlstate::kReadOnlySqlTransaction && write.Milliseconds() < kWriteTimeoutMs) {
    anabranch::Pause(1);
    written = client->Query(kMarkerUpdate).status();
  }
  RETURN_IF_ERROR(written);
  steps.push_back({"first write", write.Milliseconds()});
  primary_ = promoted;
  RETURN_IF_ERROR(client->Query(fmt::format("SELECT pg_create_physical_replication_slot('{}', true)", kSlot)).status());
  return steps;
}

absl::StatusOr<FailbackCost> PostgresqlPair::FailBack() {
  const int rewound = 1 - primary_;
  ASSIGN_OR_RETURN(const auto data, SqlClient::Connect(Uri(primary_)));
  RETURN_IF_ERROR(data->Query("CHECKPOINT").status());
  FailbackCost cost;
  const Stopwatch stop;
  servers_[rewound].Stop(SIGINT);
  cost.stop_s = stop.Seconds();
  ASSIGN_OR_RETURN(const Position position, ReadPosition(*this, *data, position_query()));
  const Stopwatch watch;
  ASSIGN_OR_RETURN(const ProgramResult result,
                   RunProgram(Command("pg_rewind", {"-D", Folder(rewound), "-R", "--progress", "--source-server",
                                                    fmt::format("host=127.0.0.1 port={} user=postgres dbname=postgres",
                                                                ports_[primary_])})));
  RETURN_IF_ERROR(StartServer(rewound));
  RETURN_IF_ERROR(WaitApplied(*this, position));
  cost.seconds = watch.Seconds();
  RETURN_IF_ERROR(DropSlot(rewound));  // of when it was the primary
  ASSIGN_OR_RETURN(cost.bytes, RewoundBytes(result.output));
  return cost;
}

absl::Status PostgresqlPair::CheckEqual() {
  RETURN_IF_ERROR(WaitCaughtUp(*this));
  for (const std::string table : {"pgbench_accounts", "pgbench_branches", "pgbench_tellers", "pgbench_history", "marker"}) {
    const std::string query =
        fmt::format("SELECT count(*) || ':' || sum(hashtextextended(t::text, 0)::numeric) FROM {} t", table);
    ASSIGN_OR_RETURN(const SqlRows here, QueryOnce(Uri(primary_), query));
    ASSIGN_OR_RETURN(const SqlRows there, QueryOnce(Uri(1 - primary_), query));
    if (here.ToText() != there.ToText())
      return absl::DataLossError(fmt::format("PostgreSQL's {} differs: {} and {}", table, here.ToText(), there.ToText()));
  }
  return absl::OkStatus();
}

}  // namespace anabranch
