// The room wire/: PostgreSQL's protocol v3 on sockets. May use all of sql/.
//
// The SQL port: PostgreSQL's protocol v3, one thread per session. What comes before a session waits in the reception.
//
// Threads, not coroutines: lock waits, commits and reads of the executor block, so coroutines would need the whole executor
// to be one; connections are limited (kConnectionsMax), and a blocked thread is what a waiting session is.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/ids.h"
#include "sql/session/registry.h"
#include "sql/stored/sequence.h"
#include "sql/wire/authentication.h"
#include "sql/wire/reception.h"
#include "sql/wire/session.h"

namespace anabranch {

inline constexpr int kDrainGraceMs = 3'000;

// Thread-safe.
class SqlServer {
 public:
  // Binds and listens; clients wait until Serve. An empty host means every interface, port 0 a free one. 55006 in one line
  // if the port is in use.
  static absl::StatusOr<std::unique_ptr<SqlServer>> Listen(const std::string& host, uint16_t port, Clock* clock);
  ~SqlServer();  // Drain

  uint16_t port() const { return reception_->port(); }

  // Starts taking clients. With credentials it speaks TLS and asks clients to prove who they are; without, any existing user
  // is let in. Not owned; all outlive this server or the call of Drain.
  void Serve(VirtualClusters* clusters, SystemStatements* system, const TlsCredentials* credentials = nullptr);
  // Ends the sessions in this virtual cluster with that error and returns when they are gone.
  void TerminateSessions(TenantId tenant, const absl::Status& why);
  // Takes no more clients and ends all sessions (57P01): idle ones at once, running statements after kDrainGraceMs. Returns
  // when all are gone.
  void Drain();

 private:
  struct SessionThread {
    std::thread thread;
    bool finished = false;  // guarded by threads_mutex_
  };

  SqlServer(std::unique_ptr<Reception> reception, Clock* clock);
  // On the reception's thread.
  void Receive(Arrival arrival);
  void StartSession(ClientSocket client, StartupMessage startup);
  void JoinFinished();

  const std::unique_ptr<Reception> reception_;
  Clock* const clock_;
  SessionRegistry registry_;
  SequenceBlocks sequences_;
  Authenticator authenticator_;
  ServerEnvironment environment_;
  std::mutex threads_mutex_;
  std::list<SessionThread> threads_;  // this and below: guarded by threads_mutex_
  bool stopping_ = false;
};

}  // namespace anabranch
