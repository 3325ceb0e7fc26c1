// One SQL session in one virtual cluster: transaction state, prepared statements' meaning, execution. Knows nothing of
// sockets or of the wire format; the pgwire server drives it.
//
// One clear pipeline: Parse (text -> Statement, no catalog) -> Describe/Execute (bind against the catalog of the
// transaction's snapshot, plan, run).
//
// Used by one thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/datum.h"
#include "storage/transaction.h"

namespace anabranch {

inline constexpr size_t kStatementBytesMax = 16 << 20;
inline constexpr size_t kQueryMemoryBytesMax = 64 << 20;  // sorts and aggregates of one query: 53200 beyond it

struct ColumnDescription {
  std::string name;
  SqlType type = SqlType::kText;
};

// Where a statement's rows go, as they are made. An error from a sink ends the statement with that error.
class ResultSink {
 public:
  virtual ~ResultSink() = default;
  virtual absl::Status Columns(const std::vector<ColumnDescription>& columns) = 0;  // once, before the first row
  virtual absl::Status AddRow(const Row& row) = 0;
  virtual void Notice(std::string_view sqlstate, const std::string& message) = 0;  // severity WARNING or NOTICE by class

  // COPY ... TO STDOUT: the lines that come between Begin and End, each with its line feed. 0A000 where there is no way to
  // send them.
  virtual absl::Status BeginCopyOut(size_t columns);
  virtual absl::Status CopyData(std::string_view line);
  virtual absl::Status EndCopyOut();
};

// A parsed statement; immutable and shared. `text` is its part of the query string.
class Statement;
using StatementRef = std::shared_ptr<const Statement>;

// What Describe answers for a prepared statement.
struct StatementDescription {
  std::vector<SqlType> parameters;
  std::vector<ColumnDescription> columns;
  bool returns_rows = false;  // set for SELECT, which may have no columns
};

// COPY table FROM STDIN, between CopyInResponse and CopyDone.
class CopyIn {
 public:
  virtual ~CopyIn() = default;
  virtual size_t column_count() const = 0;
  virtual absl::Status Data(std::string_view bytes, std::stop_token stop) = 0;  // in pieces of any size
  virtual absl::StatusOr<std::string> Done(std::stop_token stop) = 0;           // the command tag, "COPY 3"
};

enum class TransactionStatus : char { kIdle = 'I', kInTransaction = 'T', kFailed = 'E' };

// Runs the statements that PostgreSQL's grammar does not have and that need more than a keyspace: VIRTUAL CLUSTER, SHOW ...
// and so on. Implemented in sql/system_executor.h and given to sessions of the `system` virtual cluster; others have none.
class SystemStatements;
class SequenceBlocks;

struct SessionContext {
  TransactionContext transaction;
  std::string virtual_cluster;
  std::string user;
  SystemStatements* system = nullptr;   // not owned; null outside `system`
  SequenceBlocks* sequences = nullptr;  // not owned; shared by the sessions of a node
};

class SqlSession {
 public:
  static std::unique_ptr<SqlSession> Create(SessionContext context);
  virtual ~SqlSession() = default;  // rolls back

  // Splits and parses a query string. 42601 for what does not parse, 0A000 naming what is not supported, 54000 beyond
  // kStatementBytesMax. An empty string gives no statements.
  virtual absl::StatusOr<std::vector<StatementRef>> Parse(std::string_view text) = 0;

  // `hints`: parameter types given by the client (kUnknown where it gave none).
  virtual absl::StatusOr<StatementDescription> Describe(const StatementRef& statement,
                                                        const std::vector<SqlType>& hints) = 0;

  // Runs one statement and returns its command tag ("INSERT 0 1"). Parameters are text, nullopt for NULL. In an aborted
  // transaction everything but COMMIT/ROLLBACK is 25P02. An error aborts the open transaction block, or rolls back the
  // implicit one. Cancelled (57014) when `stop` is requested.
  virtual absl::StatusOr<std::string> Execute(const StatementRef& statement, const std::vector<SqlType>& parameter_types,
                                              const std::vector<std::optional<std::string>>& parameters, ResultSink& sink,
                                              std::stop_token stop) = 0;

  // A simple query string of several statements is one implicit transaction, as in PostgreSQL: Begin before the first, End
  // after the last (commit) or on error (rollback). Nothing happens for explicit blocks.
  virtual void BeginImplicitBlock() = 0;
  virtual absl::Status EndImplicitBlock(bool commit) = 0;

  static bool IsCopyIn(const Statement& statement);
  virtual absl::StatusOr<std::unique_ptr<CopyIn>> BeginCopy(const StatementRef& statement, std::stop_token stop) = 0;

  virtual TransactionStatus status() const = 0;
  // A session setting's value ("server_version", "application_name", ...); 42704 for an unknown one.
  virtual absl::StatusOr<std::string> Setting(const std::string& name) const = 0;
  virtual absl::Status SetSetting(const std::string& name, const std::string& value) = 0;
  // Settings changed since the last call whose new value clients must be told (ParameterStatus).
  virtual std::vector<std::pair<std::string, std::string>> TakeReportedSettings() = 0;
};

}  // namespace anabranch
