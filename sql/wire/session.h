// One client's session on the wire, from its first byte to its last: startup, simple queries, COPY FROM STDIN; extended
// queries and replication streams are in files of their own.
#pragma once

#include <functional>

#include "base/clock.h"
#include "sql/control/statement.h"
#include "sql/session/registry.h"
#include "sql/session/session.h"
#include "sql/wire/connection.h"
#include "tenant/virtual_clusters.h"

namespace anabranch {

class Authenticator;
class SequenceBlocks;

// What all sessions share. Nothing is owned.
struct ServerEnvironment {
  VirtualClusters* clusters = nullptr;
  SystemStatements* system = nullptr;
  SessionRegistry* registry = nullptr;
  Clock* clock = nullptr;
  SequenceBlocks* sequences = nullptr;
  Authenticator* authenticator = nullptr;  // null: any existing user is let in
};

// Serves the client, who began with `message`, until it leaves or `control` ends the session. On return the session holds
// nothing any more: no locks, no keyspace. Blocks; one thread per session.
void ServeSession(ClientSocket client, const StartupMessage& message, SessionControl& control,
                  const ServerEnvironment& environment);

// What the parts of a running session share. An error that they return is the statement's, unless connection.gone() or
// control.end_reason() says that the session is over.
struct SessionParts {
  PgConnection& connection;
  SessionControl& control;
  SqlSession& sql;
};

// A statement of the session, under its statement_timeout, for as long as this lives.
class TimedStatement {
 public:
  explicit TimedStatement(const SessionParts& parts);
  ~TimedStatement() { control_.EndStatement(); }
  TimedStatement(const TimedStatement&) = delete;
  TimedStatement& operator=(const TimedStatement&) = delete;

  const std::stop_token& stop() const { return stop_; }

 private:
  SessionControl& control_;
  const std::stop_token stop_;
};

// Runs a COPY FROM STDIN, from CopyInResponse to its command tag.
absl::StatusOr<std::string> RunCopyIn(const SessionParts& parts, const StatementRef& statement, std::stop_token stop);

// STOP SERVICE first marks the virtual cluster as stopping, then ends the sessions that are registered. So: find it, register,
// find it again. Whoever registers too late to be ended is refused by the second look. A name may lead elsewhere by then,
// after a RENAME or a change of the default target: then all of it again, for that one.
absl::StatusOr<ServedVirtualCluster> FindAndRegister(const std::function<absl::StatusOr<ServedVirtualCluster>()>& find,
                                                     const std::function<void(TenantId)>& register_with);

absl::Status TooLarge();  // 54000 for a message beyond kMessageBytesMax

}  // namespace anabranch
