#include "sql/wire/server.h"

#include <sys/socket.h>

#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "sql/wire/message.h"

namespace anabranch {
namespace {

// Of a client that becomes no session, if it takes the words at once.
void Refuse(const ClientSocket& client, const absl::Status& why) {
  std::string words;
  AppendError(&words, Severity::kFatal, why);
  if (client.tls() == nullptr) {
    send(client.fd(), words.data(), words.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } else {
    client.tls()->Send(words);
    client.tls()->SayGoodbye();
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqlServer>> SqlServer::Listen(const std::string& host, uint16_t port, Clock* clock) {
  ASSIGN_OR_RETURN(std::unique_ptr<Reception> reception, Reception::Listen(host, port));
  return std::unique_ptr<SqlServer>(new SqlServer(std::move(reception), clock));
}

SqlServer::SqlServer(std::unique_ptr<Reception> reception, Clock* clock)
    : reception_(std::move(reception)), clock_(clock), registry_(clock), authenticator_(clock) {}

SqlServer::~SqlServer() { Drain(); }

void SqlServer::Serve(VirtualClusters* clusters, SystemStatements* system, const TlsCredentials* credentials) {
  environment_ = {clusters, system, &registry_, clock_, &sequences_, credentials == nullptr ? nullptr : &authenticator_};
  reception_->Open(credentials, [this](Arrival arrival) { Receive(std::move(arrival)); });
}

void SqlServer::TerminateSessions(TenantId tenant, const absl::Status& why) { registry_.EndTenant(tenant, why); }

void SqlServer::Drain() {
  {
    std::lock_guard lock(threads_mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  const absl::Status why =
      SqlError(sqlstate::kAdminShutdown, "terminating connection due to administrator command: the node is shutting down");
  reception_->Close(why);
  registry_.EndAll(why, kDrainGraceMs);
  for (SessionThread& session : threads_) session.thread.join();  // nobody adds or takes any more
  threads_.clear();
}

void SqlServer::Receive(Arrival arrival) {
  if (const auto* cancel = std::get_if<CancelRequest>(&arrival.request)) {
    registry_.Cancel(cancel->process_id, cancel->secret);
    return;
  }
  StartSession(std::move(arrival.client), std::get<StartupMessage>(std::move(arrival.request)));
}

void SqlServer::StartSession(ClientSocket client, StartupMessage startup) {
  const absl::StatusOr<std::shared_ptr<SessionControl>> added = registry_.Add();
  if (!added.ok()) return Refuse(client, added.status());
  const std::shared_ptr<SessionControl>& control = *added;
  std::lock_guard lock(threads_mutex_);
  SessionThread& session = threads_.emplace_back();
  try {
    session.thread = std::thread(
        [this, control, &session](ClientSocket socket, const StartupMessage& message) {
          ServeSession(std::move(socket), message, *control, environment_);
          registry_.Remove(*control);
          {
            std::lock_guard finished_lock(threads_mutex_);
            session.finished = true;
          }
          reception_->Post([this] { JoinFinished(); });
        },
        std::move(client), std::move(startup));
  } catch (const std::system_error& error) {  // the machine has no thread left
    Log(LogLevel::kWarning, "sql.session_refused", "error=\"{}\"", error.what());
    threads_.pop_back();
    registry_.Remove(*control);
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
