#include "sql/wire/server.h"

#include <poll.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <system_error>

#include "base/log.h"
#include "base/status.h"

namespace anabranch {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr int kListenBacklog = 512;
// Out of file descriptors or memory: the waiting client stays in the backlog, and asking again at once would only spin.
constexpr int kAcceptPauseMs = 100;

}  // namespace

struct SqlServer::Listener {
  asio::io_context context;  // never runs; every wait is a poll()
  tcp::acceptor acceptor{context};
};

absl::StatusOr<std::unique_ptr<SqlServer>> SqlServer::Listen(const std::string& host, uint16_t port, Clock* clock,
                                                             Random* random) {
  auto listener = std::make_unique<Listener>();
  boost::system::error_code error;
  tcp::resolver resolver(listener->context);
  const auto found = resolver.resolve(host.empty() ? "0.0.0.0" : host, std::to_string(port),
                                      tcp::resolver::passive | tcp::resolver::numeric_service, error);
  const auto refused = [&](std::string_view what) {
    return SqlError(sqlstate::kInvalidParameterValue,
                    fmt::format("cannot {} SQL address {}:{}: {}", what, host, port, error.message()));
  };
  if (error || found.empty()) return refused("resolve the");
  const tcp::endpoint endpoint = found.begin()->endpoint();
  tcp::acceptor& acceptor = listener->acceptor;
  if (acceptor.open(endpoint.protocol(), error)) return refused("open the");
  acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!acceptor.bind(endpoint, error)) acceptor.listen(kListenBacklog, error);
  if (error == asio::error::address_in_use) {
    return SqlError(sqlstate::kObjectInUse,
                    fmt::format("port {} on {} is in use: stop the process that listens there, or give another "
                                "--listen-addr (port 0 picks a free one)",
                                port, host));
  }
  if (error) return refused("listen on the");
  acceptor.non_blocking(true, error);
  const uint16_t bound_port = acceptor.local_endpoint(error).port();
  return std::unique_ptr<SqlServer>(new SqlServer(std::move(listener), bound_port, clock, random));
}

SqlServer::SqlServer(std::unique_ptr<Listener> listener, uint16_t port, Clock* clock, Random* random)
    : listener_(std::move(listener)), port_(port), clock_(clock), registry_(clock, random) {}

SqlServer::~SqlServer() { Drain(); }

void SqlServer::Serve(VirtualClusters* clusters, SystemStatements* system) {
  environment_ = {clusters, system, &registry_, clock_, &sequences_};
  accept_thread_ = std::thread([this] { AcceptLoop(); });
}

void SqlServer::TerminateSessions(TenantId tenant, const absl::Status& why) { registry_.EndTenant(tenant, why); }

void SqlServer::Drain() {
  {
    std::lock_guard lock(threads_mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  wake_.Signal();
  if (accept_thread_.joinable()) accept_thread_.join();
  boost::system::error_code ignored;
  listener_->acceptor.close(ignored);
  registry_.EndAll(
      SqlError(sqlstate::kAdminShutdown, "terminating connection due to administrator command: the node is shutting down"),
      kDrainGraceMs);
  for (SessionThread& session : threads_) session.thread.join();  // nobody adds or takes any more
  threads_.clear();
}

void SqlServer::AcceptLoop() {
  int pause_ms = 0;
  while (true) {
    pollfd fds[2] = {{wake_.fd(), POLLIN, 0}, {listener_->acceptor.native_handle(), POLLIN, 0}};
    poll(fds, pause_ms > 0 ? 1 : 2, pause_ms > 0 ? pause_ms : -1);
    if (fds[0].revents != 0) {
      wake_.Clear();
      JoinFinished();
      std::lock_guard lock(threads_mutex_);
      if (stopping_) return;
    }
    pause_ms = AcceptOne();
  }
}

int SqlServer::AcceptOne() {
  boost::system::error_code error;
  tcp::socket socket(listener_->context);
  listener_->acceptor.accept(socket, error);
  if (!error) {
    const int fd = socket.release(error);
    if (!error) StartSession(fd);
    return 0;
  }
  const bool nobody = error == asio::error::would_block || error == asio::error::try_again ||
                      error == asio::error::interrupted || error == asio::error::connection_aborted;
  if (nobody) return 0;
  Log(LogLevel::kWarning, "sql.accept_failed", "error=\"{}\" pause_ms={}", error.message(), kAcceptPauseMs);
  return kAcceptPauseMs;
}

void SqlServer::StartSession(int fd) {
  std::shared_ptr<SessionControl> control = registry_.Add();
  if (control == nullptr) {
    close(fd);
    return;
  }
  std::lock_guard lock(threads_mutex_);
  SessionThread& session = threads_.emplace_back();
  try {
    session.thread = std::thread([this, fd, control, &session] {
      ServeSession(fd, *control, environment_);
      registry_.Remove(*control);
      {
        std::lock_guard finished_lock(threads_mutex_);
        session.finished = true;
      }
      wake_.Signal();
    });
  } catch (const std::system_error& error) {  // the machine has no thread left
    Log(LogLevel::kWarning, "sql.session_refused", "error=\"{}\"", error.what());
    threads_.pop_back();
    registry_.Remove(*control);
    close(fd);
  }
}

void SqlServer::JoinFinished() {
  std::list<SessionThread> finished;
  {
    std::lock_guard lock(threads_mutex_);
    for (auto it = threads_.begin(); it != threads_.end();) {
      const auto next = std::next(it);
      if (it->finished) finished.splice(finished.end(), threads_, it);
      it = next;
    }
  }
  for (SessionThread& session : finished) session.thread.join();
}

}  // namespace anabranch
