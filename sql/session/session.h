// The room session/: a session: transactions, prepared statements, cursors, settings, and who else is there. May use the
// rooms before it.
//
// One SQL session in one virtual cluster: transaction state, prepared statements' meaning, execution. Knows nothing of
// sockets or of the wire format; the pgwire server drives it.
//
// One clear pipeline: Parse (text -> Statement, no catalog) -> Prepare (bind against the catalog of a transaction's
// snapshot, plan) -> Execute (the plan, bound again only if the catalog changed).
//
// Used by one thread.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/parse/parse.h"
#include "sql/stored/session_context.h"
#include "sql/value/result.h"
#include "sql/value/type_name.h"

namespace anabranch {

// What a client is told of a prepared statement.
struct StatementDescription {
  std::vector<SqlType> parameters;
  std::vector<ColumnDescription> columns;
  bool returns_rows = false;  // set for SELECT, which may have no columns
};

// A statement with its plan; see sql/session/prepared_statement.h. Used by the session's thread.
class PreparedStatement;
class PreparedStatements;
using PreparedRef = std::shared_ptr<PreparedStatement>;

// A statement to run, with what it is run with.
struct Command {
  StatementRef statement;
  PreparedRef prepared = nullptr;  // null: it is bound for this one run
  Row parameters = {};             // a value for each of those of `prepared`
  // Not empty: `prepared` is of a statement like this one, and the parameters are the literals of this text.
  std::string text = {};
};

// A query whose rows are taken piece by piece. Ends with its transaction. Must not outlive the session.
class Cursor {
 public:
  virtual ~Cursor() = default;
  // Gives at most `rows_max` rows. nullopt: there may be more; else the command tag. An error ends it, and fails the block.
  virtual absl::StatusOr<std::optional<std::string>> Fetch(size_t rows_max, ResultSink& sink, std::stop_token stop) = 0;
};

// COPY table FROM STDIN, between CopyInResponse and CopyDone.
class CopyIn {
 public:
  virtual ~CopyIn() = default;
  virtual size_t column_count() const = 0;
  virtual absl::Status Data(std::string_view bytes, std::stop_token stop) = 0;  // in pieces of any size
  virtual absl::StatusOr<std::string> Done(std::stop_token stop) = 0;           // the command tag, "COPY 3"
};

struct Timeouts;

enum class TransactionStatus : char { kIdle = 'I', kInTransaction = 'T', kFailed = 'E' };

class SqlSession {
 public:
  static std::unique_ptr<SqlSession> Create(SessionContext context);
  virtual ~SqlSession() = default;  // rolls back

  virtual const SessionContext& context() const = 0;  // whose it is, and where

  // Splits and parses a query string. 42601 for what does not parse, 0A000 naming what is not supported, 54000 beyond
  // kStatementBytesMax. An empty string gives no statements.
  virtual absl::StatusOr<std::vector<StatementRef>> Parse(std::string_view text) = 0;
  // As above, to be run once: what was run before, but for its literals, is neither parsed nor planned again.
  virtual absl::StatusOr<std::vector<Command>> ParseCommands(std::string_view text) = 0;

  // One statement, or none. `hints`: parameter types given by the client (kUnknown where it gave none). A text that was
  // prepared before is not parsed again, nor planned while nothing changed: drivers prepare without a name what they run.
  virtual absl::StatusOr<PreparedRef> Prepare(std::string_view text, const std::vector<SqlType>& hints) = 0;
  virtual PreparedStatements& prepared() = 0;  // by name

  // Runs one statement and returns its command tag ("INSERT 0 1"). In an aborted transaction everything but COMMIT/ROLLBACK
  // is 25P02. An error aborts the open transaction block, or rolls back the implicit one. Cancelled (57014) when `stop` is
  // requested.
  virtual absl::StatusOr<std::string> Execute(const Command& command, ResultSink& sink, std::stop_token stop) = 0;
  // A query, to be fetched. REQUIRES: a transaction block, IsQuery(*command.prepared): it reads, and locks nothing.
  virtual absl::StatusOr<std::unique_ptr<Cursor>> OpenCursor(const Command& command, std::stop_token stop) = 0;
  static bool IsQuery(const PreparedStatement& prepared);

  // A simple query string of several statements is one implicit transaction, as in PostgreSQL: Begin before the first, End
  // after the last (commit) or on error (rollback). Nothing happens for explicit blocks.
  virtual void BeginImplicitBlock() = 0;
  virtual absl::Status EndImplicitBlock(bool commit) = 0;

  static bool IsCopyIn(const Statement& statement);
  virtual absl::StatusOr<std::unique_ptr<CopyIn>> BeginCopy(const StatementRef& statement, std::stop_token stop) = 0;

  virtual TransactionStatus status() const = 0;
  virtual uint64_t commits() const = 0;  // so far, of transactions that wrote
  // A session setting's value ("server_version", "application_name", ...); 42704 for an unknown one.
  virtual absl::StatusOr<std::string> Setting(const std::string& name) const = 0;
  // What the client asks for when it connects; RESET comes back to it.
  virtual absl::Status SetSettingAtStart(const std::string& name, const std::string& value) = 0;
  // As they are set now.
  virtual const TimeZone& zone() const = 0;
  virtual const Timeouts& timeouts() const = 0;
  // Settings changed since the last call whose new value clients must be told (ParameterStatus).
  virtual std::vector<std::pair<std::string, std::string>> TakeReportedSettings() = 0;
};

}  // namespace anabranch
