#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/status.h"
#include "fmt/format.h"
#include "node/commands.h"
#include "node/health.h"
#include "node/sql_url_file.h"
#include "sql/control/executor.h"
#include "sql/wire/server.h"
#include "storage/api/store.h"
#include "stream/live_feed.h"
#include "tenant/virtual_clusters.h"

namespace anabranch {
namespace {

struct StartFlags {
  std::string store = "anabranch-data";
  std::string listen_addr = "127.0.0.1:26257";
  std::string http_addr = "127.0.0.1:8080";
  std::string certs_dir;
  std::string cluster_name;
  bool virtualized = false;
  bool virtualized_empty = false;
  bool insecure = false;
};

struct Address {
  std::string host;
  uint16_t port = 0;
};

// HOST:PORT, [V6]:PORT, :PORT (every interface).
absl::StatusOr<Address> ParseAddress(const std::string& flag, const std::string& text) {
  const auto malformed = [&] {
    return SqlError(sqlstate::kInvalidParameterValue,
                    fmt::format("{}={}: expected HOST:PORT, for example 127.0.0.1:0", flag, text));
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return malformed();
  Address address;
  address.host = text.substr(0, colon);
  if (address.host.starts_with('[') && address.host.ends_with(']'))
    address.host = address.host.substr(1, address.host.size() - 2);
  const std::string digits = text.substr(colon + 1);
  if (digits.empty() || digits.size() > 5 || digits.find_first_not_of("0123456789") != std::string::npos)
    return malformed();
  const int port = std::stoi(digits);
  if (port > UINT16_MAX) return malformed();
  address.port = static_cast<uint16_t>(port);
  return address;
}

// What a client on this machine can connect to.
std::string ClientAddress(const std::string& host, uint16_t port) {
  if (host.empty() || host == "0.0.0.0") return fmt::format("127.0.0.1:{}", port);
  if (host == "::") return fmt::format("[::1]:{}", port);
  return host.find(':') != std::string::npos ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

absl::Status CheckSecurity(const StartFlags& flags) {
  if (!flags.certs_dir.empty()) {
    return SqlError(sqlstate::kFeatureNotSupported,
                    "--certs-dir: TLS is not in this version; run with --insecure on a network that you trust");
  }
  if (!flags.insecure) {
    return SqlError(
        sqlstate::kFeatureNotSupported,
        "TLS and passwords are not in this version, so whoever reaches the port may do everything; if only those you "
        "trust can reach it, run with --insecure");
  }
  return absl::OkStatus();
}

Virtualization VirtualizationOf(const StartFlags& flags) {
  if (flags.virtualized) return Virtualization::kVirtualized;
  return flags.virtualized_empty ? Virtualization::kVirtualizedEmpty : Virtualization::kUnspecified;
}

// The signals that end the node are taken by sigwait on the main thread; blocked before any other thread starts, so all
// inherit it.
sigset_t BlockSignals() {
  signal(SIGPIPE, SIG_IGN);
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  return ending;
}

// Sessions, wake events and the store's files together need more descriptors than the usual soft limit of 1,024.
void RaiseOpenFilesLimit() {
  constexpr rlim_t kOpenFilesWanted = 16'384;
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= kOpenFilesWanted) return;
  limit.rlim_cur = std::min(kOpenFilesWanted, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < kOpenFilesWanted) {
    Log(LogLevel::kWarning, "node.open_files_limited", "limit={} wanted={}", limit.rlim_cur, kOpenFilesWanted);
  }
}

// Everything a node consists of, bottom up. Members end in reverse order.
class Node {
 public:
  absl::Status Start(const StartFlags& flags) {
    RETURN_IF_ERROR(CheckSecurity(flags));
    ASSIGN_OR_RETURN(const Address sql_address, ParseAddress("--listen-addr", flags.listen_addr));
    ASSIGN_OR_RETURN(const Address http_address, ParseAddress("--http-addr", flags.http_addr));
    // The ports first: whether they are free is known at once, and clients that come early wait instead of being refused.
    ASSIGN_OR_RETURN(server_, SqlServer::Listen(sql_address.host, sql_address.port, SystemClock(), &random_));
    ASSIGN_OR_RETURN(http_, HttpServer::Listen(http_address.host, http_address.port));
    StoreOptions options;
    options.dir = flags.store;
    options.random = &random_;
    ASSIGN_OR_RETURN(store_, Store::Open(std::move(options)));
    feed_ = LiveFeed::Create(store_.get());
    ASSIGN_OR_RETURN(clusters_, VirtualClusters::Open({store_.get(), feed_.get(), VirtualizationOf(flags)}));
    system_ = SystemStatements::Create(clusters_.get());
    clusters_->SetSessionStopper(
        [this](TenantId tenant, const absl::Status& why) { server_->TerminateSessions(tenant, why); });
    const std::string sql_url = fmt::format("postgresql://root@{}", ClientAddress(sql_address.host, server_->port()));
    const std::string http_url = fmt::format("http://{}", ClientAddress(http_address.host, http_->port()));
    RETURN_IF_ERROR(WriteSqlUrl(flags.store, sql_url));
    store_dir_ = flags.store;
    server_->Serve(clusters_.get(), system_.get());
    http_->Serve(fmt::format("{{\"status\":\"ok\",\"cluster_id\":\"{}\",\"cluster_name\":\"{}\"}}\n",
                             store_->cluster_id().value(), flags.cluster_name));
    fmt::print(
        stderr,
        "WARNING: --insecure: no encryption and no passwords. Whoever reaches {} can read, change and drop everything.\n",
        ClientAddress(sql_address.host, server_->port()));
    Log(LogLevel::kInfo, "node.started", "cluster_id={} cluster_name={} store={} sql={} http={}",
        store_->cluster_id().value(), flags.cluster_name, flags.store, sql_url, http_url);
    fmt::print("sql: {}\nhttp: {}\n", sql_url, http_url);
    std::fflush(stdout);
    return absl::OkStatus();
  }

  ~Node() {
    if (server_ != nullptr) server_->Drain();
    if (!store_dir_.empty()) RemoveSqlUrl(store_dir_);
    http_.reset();
    system_.reset();
    clusters_.reset();
    feed_.reset();
    store_.reset();
  }

 private:
  Random random_;
  std::unique_ptr<SqlServer> server_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<LiveFeed> feed_;
  std::unique_ptr<VirtualClusters> clusters_;
  std::unique_ptr<SystemStatements> system_;
  std::string store_dir_;
};

int RunNode(const StartFlags& flags) {
  const sigset_t ending = BlockSignals();
  RaiseOpenFilesLimit();
  Node node;
  if (const absl::Status started = node.Start(flags); !started.ok()) {
    std::string line = fmt::format("{}{}{}", MessageOf(started), HintOf(started).empty() ? "" : ": ", HintOf(started));
    std::replace(line.begin(), line.end(), '\n', ' ');
    fmt::print(stderr, "anabranch: {}\n", line);
    return 1;
  }
  int received = 0;
  sigwait(&ending, &received);
  Log(LogLevel::kInfo, "node.draining", "signal={}", received);
  return 0;
}

}  // namespace

void AddStartCommand(CLI::App& app, int* exit_status) {
  CLI::App* command = app.add_subcommand("start-single-node", "Run a one-node cluster until SIGTERM or SIGINT");
  const auto flags = std::make_shared<StartFlags>();
  command->add_option("--store", flags->store, "Folder of the store; made if it is not there")
      ->type_name("DIR")
      ->capture_default_str();
  command
      ->add_option("--listen-addr", flags->listen_addr,
                   "Where SQL clients and other clusters connect; port 0 picks a free one")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  command->add_option("--http-addr", flags->http_addr, "Where /health is served; port 0 picks a free one")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  CLI::Option* virtualized =
      command->add_flag("--virtualized", flags->virtualized,
                        "On a new store, create the virtual clusters system and main (also what no flag means)");
  command
      ->add_flag("--virtualized-empty", flags->virtualized_empty,
                 "On a new store, create the virtual cluster system only: for a standby")
      ->excludes(virtualized);
  command->add_flag("--insecure", flags->insecure,
                    "No encryption and no passwords; required in this version, which has neither");
  command->add_option("--certs-dir", flags->certs_dir, "Folder of certificates; refused in this version, which has no TLS")
      ->type_name("DIR");
  command
      ->add_option("--cluster-name", flags->cluster_name,
                   "A name to tell clusters apart in logs and /health (default: none)")
      ->type_name("NAME")
      ->check([](const std::string& name) {
        const bool plain = name.size() <= 64 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
                             return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
                           });
        return plain ? std::string() : std::string("a cluster name has at most 64 letters, digits, '-', '_' and '.'");
      });
  command->callback([flags, exit_status] { *exit_status = RunNode(*flags); });
}

}  // namespace anabranch
