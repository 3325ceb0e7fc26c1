#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/status.h"
#include "fmt/format.h"
#include "node/commands.h"
#include "node/health.h"
#include "node/sql_url_file.h"
#include "sql/control/executor.h"
#include "sql/security/tls.h"
#include "sql/stored/user.h"
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
  std::string certs_dir = kDefaultCertsDir;
  std::string cluster_name;
  bool virtualized = false;
  bool virtualized_empty = false;
  bool insecure = false;
  bool accept_insecure_network = false;
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

bool IsLoopback(const std::string& host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

absl::Status CheckInsecureAddress(const StartFlags& flags, const std::string& flag, const Address& address) {
  if (!flags.insecure || flags.accept_insecure_network || IsLoopback(address.host)) return absl::OkStatus();
  return SqlError(sqlstate::kInvalidParameterValue,
                  fmt::format("{}={}:{}: with --insecure, whoever reaches this address can read, change and drop "
                              "everything; listen on 127.0.0.1, use certificates (--certs-dir), or give "
                              "--accept-insecure-network",
                              flag, address.host, address.port));
}

// Null: insecure.
absl::StatusOr<std::unique_ptr<TlsCredentials>> LoadCredentials(const StartFlags& flags) {
  if (flags.insecure) return nullptr;
  const CertsDir dir(flags.certs_dir);
  std::error_code ignored;
  if (!std::filesystem::exists(dir.node_certificate(), ignored)) {
    return SqlError(sqlstate::kInvalidParameterValue,
                    fmt::format("there is no node.crt in {0}; make the certificates with: "
                                "anabranch cert create-ca --certs-dir={0} && "
                                "anabranch cert create-node localhost 127.0.0.1 $(hostname) --certs-dir={0} && "
                                "anabranch cert create-client root --certs-dir={0}; or try it out on this machine "
                                "with --insecure",
                                flags.certs_dir));
  }
  return TlsCredentials::Load(dir, SystemClock());
}

// Reserved characters as %XX; a path's slashes stay.
std::string EscapeUriValue(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    const bool plain =
        std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("-._~/").find(c) != std::string_view::npos;
    escaped += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return escaped;
}

// What a client on this machine adds to its connection string, with the certificate of root if it is there.
std::string UrlParameters(const StartFlags& flags) {
  if (flags.insecure) return "";
  std::error_code error;
  const CertsDir dir(std::filesystem::absolute(flags.certs_dir, error));
  std::string parameters =
      fmt::format("?sslmode=verify-full&sslrootcert={}", EscapeUriValue(dir.ca_certificate().string()));
  if (std::filesystem::exists(dir.client_key(kRootUser), error)) {
    parameters += fmt::format("&sslcert={}&sslkey={}", EscapeUriValue(dir.client_certificate(kRootUser).string()),
                              EscapeUriValue(dir.client_key(kRootUser).string()));
  }
  return parameters;
}

Virtualization VirtualizationOf(const StartFlags& flags) {
  if (flags.virtualized) return Virtualization::kVirtualized;
  return flags.virtualized_empty ? Virtualization::kVirtualizedEmpty : Virtualization::kUnspecified;
}

// The signals are taken by sigwait on the main thread; blocked before any other thread starts, so all inherit it.
sigset_t BlockSignals(const StartFlags& flags) {
  signal(SIGPIPE, SIG_IGN);
  sigset_t taken;
  sigemptyset(&taken);
  sigaddset(&taken, SIGTERM);
  sigaddset(&taken, SIGINT);
  if (flags.insecure) {
    signal(SIGHUP, SIG_IGN);  // there is nothing to read again
  } else {
    sigaddset(&taken, SIGHUP);
  }
  pthread_sigmask(SIG_BLOCK, &taken, nullptr);
  return taken;
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
    ASSIGN_OR_RETURN(const Address sql_address, ParseAddress("--listen-addr", flags.listen_addr));
    ASSIGN_OR_RETURN(const Address http_address, ParseAddress("--http-addr", flags.http_addr));
    RETURN_IF_ERROR(CheckInsecureAddress(flags, "--listen-addr", sql_address));
    RETURN_IF_ERROR(CheckInsecureAddress(flags, "--http-addr", http_address));
    ASSIGN_OR_RETURN(credentials_, LoadCredentials(flags));
    // The ports first: whether they are free is known at once, and clients that come early wait instead of being refused.
    ASSIGN_OR_RETURN(server_, SqlServer::Listen(sql_address.host, sql_address.port, SystemClock()));
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
    const std::string sql_url =
        fmt::format("postgresql://root@{}{}", ClientAddress(sql_address.host, server_->port()), UrlParameters(flags));
    const std::string http_url =
        fmt::format("{}://{}", flags.insecure ? "http" : "https", ClientAddress(http_address.host, http_->port()));
    RETURN_IF_ERROR(WriteSqlUrl(flags.store, sql_url));
    store_dir_ = flags.store;
    server_->Serve(clusters_.get(), system_.get(), credentials_.get());
    http_->Serve(fmt::format("{{\"status\":\"ok\",\"cluster_id\":\"{}\",\"cluster_name\":\"{}\"}}\n",
                             store_->cluster_id().value(), flags.cluster_name),
                 credentials_.get());
    if (flags.insecure) {
      fmt::print(
          stderr,
          "WARNING: --insecure: no encryption and no passwords. Whoever reaches {} can read, change and drop everything.\n",
          ClientAddress(sql_address.host, server_->port()));
    }
    Log(LogLevel::kInfo, "node.started", "cluster_id={} cluster_name={} store={} sql={} http={}",
        store_->cluster_id().value(), flags.cluster_name, flags.store, sql_url, http_url);
    fmt::print("sql: {}\nhttp: {}\n", sql_url, http_url);
    std::fflush(stdout);
    return absl::OkStatus();
  }

  // REQUIRES: the node is secure.
  void ReloadCertificates() {
    if (const absl::Status read = credentials_->Reload(); !read.ok()) {
      Log(LogLevel::kError, "tls.reload_failed", "error=\"{}\"", MessageOf(read));
      return;
    }
    Log(LogLevel::kInfo, "tls.reloaded");
    credentials_->LogExpiry();
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
  std::unique_ptr<TlsCredentials> credentials_;
  std::unique_ptr<SqlServer> server_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<LiveFeed> feed_;
  std::unique_ptr<VirtualClusters> clusters_;
  std::unique_ptr<SystemStatements> system_;
  std::string store_dir_;
};

int RunNode(const StartFlags& flags) {
  const sigset_t taken = BlockSignals(flags);
  RaiseOpenFilesLimit();
  Node node;
  if (const absl::Status started = node.Start(flags); !started.ok()) {
    std::string line = fmt::format("{}{}{}", MessageOf(started), HintOf(started).empty() ? "" : ": ", HintOf(started));
    std::replace(line.begin(), line.end(), '\n', ' ');
    fmt::print(stderr, "anabranch: {}\n", line);
    return 1;
  }
  int received = 0;
  while (sigwait(&taken, &received) == 0 && received == SIGHUP) node.ReloadCertificates();
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
  CLI::Option* insecure = command->add_flag(
      "--insecure", flags->insecure, "No encryption and no passwords, on this machine's own addresses: to try things out");
  command
      ->add_flag("--accept-insecure-network", flags->accept_insecure_network,
                 "With --insecure, listen on addresses that others can reach, too")
      ->needs(insecure);
  command
      ->add_option("--certs-dir", flags->certs_dir,
                   "Folder of ca.crt, node.crt and node.key, which `anabranch cert` makes; read again on SIGHUP")
      ->type_name("DIR")
      ->excludes(insecure)
      ->capture_default_str();
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
