#include "sql/wire/session.h"

#include "base/log.h"
#include "base/serving_thread.h"
#include "base/status.h"
#include "sql/stored/privilege.h"
#include "sql/stored/user.h"
#include "sql/value/settings.h"
#include "sql/wire/authentication.h"
#include "sql/wire/extended.h"
#include "sql/wire/replication.h"
#include "sql/wire/startup.h"

namespace anabranch {
namespace {

// Sends rows as they are made.
class StreamingSink : public ResultSink {
 public:
  // A wait for the client ends when `wake` is set.
  StreamingSink(PgConnection* connection, WakeEvent* wake, const SqlSession& sql)
      : connection_(connection), wake_(wake), sql_(sql) {}

  absl::Status Columns(const std::vector<ColumnDescription>& columns) override {
    columns_ = columns;
    AppendRowDescription(connection_->out(), columns_, {});
    return absl::OkStatus();
  }
  absl::Status AddRow(const Row& row) override {
    AppendDataRow(connection_->out(), row, columns_, {}, sql_.zone());
    return connection_->FlushIfFull(wake_);
  }
  void Notice(std::string_view sqlstate, const std::string& message) override {
    AppendNotice(connection_->out(), sqlstate, message);
  }
  absl::Status BeginCopyOut(size_t columns) override {
    AppendCopyOutResponse(connection_->out(), columns);
    return absl::OkStatus();
  }
  absl::Status CopyData(std::string_view line) override {
    AppendCopyDataHeader(connection_->out(), line.size());
    connection_->out()->append(line);
    return connection_->FlushIfFull(wake_);
  }
  absl::Status EndCopyOut() override {
    AppendBare(connection_->out(), BareMessage::kCopyDone);
    return absl::OkStatus();
  }

 private:
  PgConnection* connection_;
  WakeEvent* const wake_;
  const SqlSession& sql_;
  std::vector<ColumnDescription> columns_;
};

class WireSession {
 public:
  WireSession(ClientSocket client, SessionControl& control, const ServerEnvironment& environment)
      : control_(control),
        environment_(environment),
        connection_(std::move(client), control.end_now(), environment.clock) {}

  void Serve(const StartupMessage& message) {
    absl::Status end = Start(message);
    if (end.ok()) end = Run();
    if (!control_.end_reason().ok()) end = control_.end_reason();
    extended_.reset();  // its portals read in the transaction
    sql_.reset();       // rolls back before the client hears that the session is over
    if (connection_.gone()) return;
    if (!end.ok()) AppendError(connection_.out(), Severity::kFatal, end);
    connection_.FlushLastWords();
  }

 private:
  absl::Status Start(const StartupMessage& message) {
    ASSIGN_OR_RETURN(const StartupRequest startup, InterpretStartup(message));
    RETURN_IF_ERROR(Connect(startup));
    for (const auto& [name, value] : startup.settings) RETURN_IF_ERROR(sql_->SetSettingAtStart(name, value));
    Greet(startup);
    return connection_.Flush();
  }

  absl::Status Connect(const StartupRequest& startup) {
    ASSIGN_OR_RETURN(served_,
                     FindAndRegister([&] { return environment_.clusters->Connect(startup.virtual_cluster); },
                                     [&](TenantId tenant) { environment_.registry->SetTenant(control_, tenant); }));
    RETURN_IF_ERROR(CheckClient(startup));
    SessionContext context;
    context.transaction = served_->context;
    context.virtual_cluster = served_->name;
    context.user = startup.user;
    ASSIGN_OR_RETURN(context.admin, IsAdmin(served_->context, startup.user));
    context.tenant = served_->id;
    context.process_id = control_.process_id();
    context.sessions = environment_.registry;
    context.system = environment_.system;
    context.sequences = environment_.sequences;
    sql_ = SqlSession::Create(std::move(context));
    extended_ = std::make_unique<ExtendedProtocol>(SessionParts{connection_, control_, *sql_});
    return absl::OkStatus();
  }

  absl::Status CheckClient(const StartupRequest& startup) {
    Authenticator* const authenticator = environment_.authenticator;
    RETURN_IF_ERROR(authenticator == nullptr ? CheckLogin(served_->context, startup.user)
                                             : authenticator->Authenticate(connection_, served_->context, served_->id,
                                                                           startup.user, served_->name));
    return environment_.registry->Admit(control_, startup.user);
  }

  void Greet(const StartupRequest& startup) {
    std::string* out = connection_.out();
    if (startup.minor_version > 0 || !startup.unknown_protocol_options.empty()) {
      AppendNegotiateProtocolVersion(out, startup.unknown_protocol_options);
    }
    AppendAuthenticationOk(out);
    for (const auto& [name, value] : sql_->TakeReportedSettings()) AppendParameterStatus(out, name, value);
    AppendBackendKeyData(out, control_.process_id(), control_.secret());
    AppendReadyForQuery(out, sql_->status());
    asked_ = true;
  }

  // Until the client leaves (OK) or the session must end (why).
  absl::Status Run() {
    while (true) {
      RETURN_IF_ERROR(control_.end_reason());
      ASSIGN_OR_RETURN(const FrontendMessage message, NextMessage());
      if (message.type == 'X') return absl::OkStatus();
      RETURN_IF_ERROR(Dispatch(message));
    }
  }

  // An error if the client, being asked for the next statement, says nothing for longer than it may.
  absl::StatusOr<FrontendMessage> NextMessage() {
    const bool in_block = sql_->status() != TransactionStatus::kIdle;
    const Timeouts& timeouts = sql_->timeouts();
    const int idle_ms = in_block ? timeouts.idle_in_transaction_ms : timeouts.idle_session_ms;
    if (!std::exchange(asked_, false) || idle_ms == 0) return connection_.ReadMessage(control_.end_idle());
    ASSIGN_OR_RETURN(std::optional<FrontendMessage> message,
                     connection_.TryReadMessage(idle_ms, control_.end_idle()->wake()));
    if (message) return *std::move(message);
    RETURN_IF_ERROR(control_.end_reason());
    if (in_block) {
      return SqlError(sqlstate::kIdleInTransactionTimeout, "terminating connection due to idle-in-transaction timeout");
    }
    return SqlError(sqlstate::kIdleSessionTimeout, "terminating connection due to idle-session timeout");
  }

  absl::Status Dispatch(const FrontendMessage& message) {
    if (extended_->skipping() && message.type != 'S') return absl::OkStatus();
    switch (message.type) {
      case 'Q':
        return SimpleQuery(message);
      case 'S': {
        const absl::Status status = extended_->Sync();
        if (!status.ok()) RETURN_IF_ERROR(Report(status));
        return Ready();
      }
      case 'H':
        return connection_.Flush();
      case 'P':
      case 'B':
      case 'D':
      case 'E':
      case 'C': {
        const absl::Status status = extended_->Handle(message);
        if (status.ok()) return connection_.FlushIfFull();
        extended_->Fail();
        return Report(status);
      }
      case 'd':
      case 'c':
      case 'f':
        return absl::OkStatus();  // of a COPY that has already failed here
      case 'F':
        RETURN_IF_ERROR(Report(SqlError(sqlstate::kFeatureNotSupported, "the function call protocol is not supported")));
        return Ready();
      default:
        return SqlError(sqlstate::kProtocolViolation,
                        fmt::format("unexpected message type 0x{:02x}", static_cast<uint8_t>(message.type)));
    }
  }

  absl::Status Ready() {
    ReportSettings();
    AppendReadyForQuery(connection_.out(), sql_->status());
    asked_ = true;
    RETURN_IF_ERROR(connection_.Flush());
    // Not those of `system`: threads that their statements begin would keep how theirs is scheduled.
    const uint64_t commits = sql_->commits();
    if (served_->id != kSystemTenantId) thread_.Served(commits != std::exchange(commits_, commits));
    return absl::OkStatus();
  }

  absl::Status SimpleQuery(const FrontendMessage& message) {
    absl::Status status = extended_->BeforeSimpleQuery();
    if (status.ok()) status = RunQuery(message);
    if (!status.ok()) RETURN_IF_ERROR(Report(status));
    return Ready();
  }

  absl::Status RunQuery(const FrontendMessage& message) {
    if (message.too_large) return TooLarge();
    ASSIGN_OR_RETURN(const std::string query, DecodeQuery(message.body));
    if (IsReplicationCommand(query)) {
      if (served_->id != kSystemTenantId) {
        return SqlError(sqlstate::kInsufficientPrivilege, "only the system virtual cluster can serve a replication stream",
                        "Connect with options=-ccluster=system.");
      }
      return RunReplicationCommand(query, SessionParts{connection_, control_, *sql_}, *environment_.clusters);
    }
    ASSIGN_OR_RETURN(const std::vector<Command> commands, sql_->ParseCommands(query));
    if (commands.empty()) AppendBare(connection_.out(), BareMessage::kEmptyQueryResponse);
    return RunCommands(commands);
  }

  // Several statements are one implicit transaction. It commits before the last one is reported as complete.
  absl::Status RunCommands(const std::vector<Command>& commands) {
    const bool block = commands.size() > 1;
    if (block) sql_->BeginImplicitBlock();
    for (size_t i = 0; i < commands.size(); ++i) {
      absl::StatusOr<std::string> tag = RunCommand(commands[i]);
      if (block && tag.ok() && i + 1 == commands.size()) {
        if (absl::Status committed = sql_->EndImplicitBlock(true); !committed.ok()) return committed;
      } else if (block && !tag.ok()) {
        sql_->EndImplicitBlock(false).IgnoreError();  // what matters is the error that caused it
      }
      if (!tag.ok()) return tag.status();
      ReportSettings();
      AppendCommandComplete(connection_.out(), *tag);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> RunCommand(const Command& command) {
    const SessionParts parts{connection_, control_, *sql_};
    const TimedStatement timed(parts);
    if (SqlSession::IsCopyIn(*command.statement)) return RunCopyIn(parts, command.statement, timed.stop());
    StreamingSink sink(&connection_, control_.wake_statement(), *sql_);
    return sql_->Execute(command, sink, timed.stop());
  }

  void ReportSettings() {
    for (const auto& [name, value] : sql_->TakeReportedSettings()) AppendParameterStatus(connection_.out(), name, value);
  }

  // Tells the client that its statement failed. An error: the session is over because of it.
  absl::Status Report(const absl::Status& status) {
    if (connection_.gone()) return status;
    RETURN_IF_ERROR(control_.end_reason());
    if (SqlStateOf(status) == sqlstate::kAdminShutdown) return status;
    // What was stopped says only that; why is known where the stop was asked for.
    const absl::Status stopped = absl::IsCancelled(status) ? control_.stop_reason() : absl::OkStatus();
    AppendError(connection_.out(), Severity::kError, stopped.ok() ? status : stopped);
    return connection_.FlushIfFull();
  }

  SessionControl& control_;
  const ServerEnvironment& environment_;
  PgConnection connection_;
  std::optional<ServedVirtualCluster> served_;
  std::unique_ptr<SqlSession> sql_;
  std::unique_ptr<ExtendedProtocol> extended_;
  ServingThread thread_;
  uint64_t commits_ = 0;  // of the session, when thread_ was told last
  bool asked_ = false;    // for a statement: nothing has come since ReadyForQuery
};

}  // namespace

void ServeSession(ClientSocket client, const StartupMessage& message, SessionControl& control,
                  const ServerEnvironment& environment) {
  WireSession(std::move(client), control, environment).Serve(message);
}

absl::StatusOr<ServedVirtualCluster> FindAndRegister(const std::function<absl::StatusOr<ServedVirtualCluster>()>& find,
                                                     const std::function<void(TenantId)>& register_with) {
  ASSIGN_OR_RETURN(ServedVirtualCluster found, find());
  while (true) {
    const TenantId registered = found.id;
    register_with(registered);
    ASSIGN_OR_RETURN(found, find());
    if (found.id == registered) return found;
  }
}

absl::Status TooLarge() {
  return SqlError(sqlstate::kProgramLimitExceeded,
                  fmt::format("the message is larger than the limit for statements, {} MiB", kStatementBytesMax >> 20));
}

TimedStatement::TimedStatement(const SessionParts& parts)
    : control_(parts.control),
      stop_(control_.BeginStatement(SessionControl::StatementKind::kOrdinary, parts.sql.timeouts().statement_ms)) {}

absl::StatusOr<std::string> RunCopyIn(const SessionParts& parts, const StatementRef& statement, std::stop_token stop) {
  ASSIGN_OR_RETURN(const std::unique_ptr<CopyIn> copy, parts.sql.BeginCopy(statement, stop));
  AppendCopyInResponse(parts.connection.out(), copy->column_count());
  RETURN_IF_ERROR(parts.connection.Flush(parts.control.wake_statement()));
  while (true) {
    ASSIGN_OR_RETURN(const FrontendMessage message, parts.connection.ReadMessage(parts.control.wake_statement()));
    switch (message.type) {
      case 'd':
        if (message.too_large) return TooLarge();
        RETURN_IF_ERROR(copy->Data(message.body, stop));
        break;
      case 'c':
        return copy->Done(stop);
      case 'f': {
        ASSIGN_OR_RETURN(const std::string reason, DecodeCopyFail(message.body));
        return SqlError(sqlstate::kQueryCanceled, fmt::format("COPY from stdin failed: {}", reason));
      }
      case 'H':
      case 'S':
        break;  // of an extended query's Execute
      default:
        return SqlError(sqlstate::kProtocolViolation, fmt::format("unexpected message type 0x{:02x} during COPY from stdin",
                                                                  static_cast<uint8_t>(message.type)));
    }
  }
}

}  // namespace anabranch
