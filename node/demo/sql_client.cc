#include "node/demo/sql_client.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cctype>

#include "base/clock.h"
#include "base/status.h"
#include "fmt/format.h"

namespace anabranch {
namespace {

uint64_t DeadlineAfter(uint64_t timeout_ms) { return SystemClock()->MonotonicNs() + timeout_ms * 1'000'000; }

std::string Trimmed(std::string text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  return text;
}

absl::Status ResultError(const PGresult* result) {
  const auto field = [result](int code) {
    const char* value = PQresultErrorField(result, code);
    return std::string(value == nullptr ? "" : value);
  };
  const std::string state = field(PG_DIAG_SQLSTATE);
  if (state.empty()) {  // libpq's own: the connection broke
    return SqlError(sqlstate::kConnectionFailure, Trimmed(PQresultErrorMessage(result)));
  }
  return SqlError(state, field(PG_DIAG_MESSAGE_PRIMARY), field(PG_DIAG_MESSAGE_HINT));
}

// libpq gives no SQLSTATE for a refused connection; in its verbose text "FATAL:  57P03: ..." there is one.
absl::Status ConnectError(PGconn* connection) {
  const std::string text = Trimmed(PQerrorMessage(connection));
  const size_t fatal = text.find("FATAL:  ");
  if (fatal == std::string::npos || text.size() < fatal + 14 || text[fatal + 13] != ':') {
    return SqlError(sqlstate::kSqlclientUnableToConnect, text);
  }
  std::string hint;
  if (const size_t at = text.find("HINT:  "); at != std::string::npos)
    hint = text.substr(at + 7, text.find('\n', at) - at - 7);
  return SqlError(text.substr(fatal + 8, 5), text.substr(fatal + 15, text.find('\n', fatal) - fatal - 15), hint);
}

SqlRows ReadRows(const PGresult* result) {
  SqlRows rows;
  rows.tag = PQcmdStatus(const_cast<PGresult*>(result));
  for (int column = 0; column < PQnfields(result); ++column) rows.columns.emplace_back(PQfname(result, column));
  for (int row = 0; row < PQntuples(result); ++row) {
    auto& values = rows.rows.emplace_back();
    for (int column = 0; column < PQnfields(result); ++column) {
      if (PQgetisnull(result, row, column)) {
        values.emplace_back(std::nullopt);
      } else {
        values.emplace_back(std::string(PQgetvalue(result, row, column), PQgetlength(result, row, column)));
      }
    }
  }
  return rows;
}

}  // namespace

std::string SqlRows::Value(size_t row, std::string_view name) const {
  const auto found = std::find(columns.begin(), columns.end(), name);
  if (found == columns.end() || row >= rows.size()) return "";
  return rows[row][found - columns.begin()].value_or("NULL");
}

std::string SqlRows::ToText() const {
  std::string text;
  for (const auto& row : rows) {
    if (!text.empty()) text += ';';
    for (size_t i = 0; i < row.size(); ++i) text += (i == 0 ? "" : ",") + row[i].value_or("NULL");
  }
  return text;
}

absl::StatusOr<std::unique_ptr<SqlClient>> SqlClient::Connect(const std::string& uri, uint64_t timeout_ms) {
  const uint64_t deadline = DeadlineAfter(timeout_ms);
  std::unique_ptr<SqlClient> client(new SqlClient(PQconnectStart(uri.c_str())));
  PGconn* connection = client->connection_;
  PQsetErrorVerbosity(connection, PQERRORS_VERBOSE);
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (next != PGRES_POLLING_OK) {
    if (next == PGRES_POLLING_FAILED || PQstatus(connection) == CONNECTION_BAD) return ConnectError(connection);
    RETURN_IF_ERROR(client->WaitSocket(next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline));
    next = PQconnectPoll(connection);
  }
  PQsetErrorVerbosity(connection, PQERRORS_DEFAULT);
  PQsetNoticeProcessor(
      connection, [](void*, const char*) {}, nullptr);
  return client;
}

SqlClient::~SqlClient() { PQfinish(connection_); }

absl::Status SqlClient::ConnectionLost() const {
  return SqlError(sqlstate::kConnectionFailure, Trimmed(PQerrorMessage(connection_)));
}

absl::Status SqlClient::WaitSocket(short events, uint64_t deadline_ns) {
  const uint64_t now = SystemClock()->MonotonicNs();
  pollfd descriptor{PQsocket(connection_), events, 0};
  const int left_ms = now >= deadline_ns ? 0 : static_cast<int>((deadline_ns - now) / 1'000'000) + 1;
  if (poll(&descriptor, 1, left_ms) == 0)
    return SqlError(sqlstate::kConnectionFailure, "the server did not answer in time");
  return absl::OkStatus();
}

absl::Status SqlClient::FlushOutput(uint64_t deadline_ns) {
  while (true) {
    const int left = PQflush(connection_);
    if (left < 0) return ConnectionLost();
    if (left == 0) return absl::OkStatus();
    RETURN_IF_ERROR(WaitSocket(POLLIN | POLLOUT, deadline_ns));
    if (PQconsumeInput(connection_) == 0) return ConnectionLost();
  }
}

absl::StatusOr<PGresult*> SqlClient::NextResult(uint64_t deadline_ns) {
  RETURN_IF_ERROR(FlushOutput(deadline_ns));
  while (PQisBusy(connection_)) {
    RETURN_IF_ERROR(WaitSocket(POLLIN, deadline_ns));
    if (PQconsumeInput(connection_) == 0) return ConnectionLost();
  }
  return PQgetResult(connection_);
}

absl::StatusOr<SqlRows> SqlClient::Finish(uint64_t deadline_ns) {
  SqlRows rows;
  absl::Status failed;
  while (true) {
    const absl::StatusOr<PGresult*> next = NextResult(deadline_ns);
    if (!next.ok()) return failed.ok() ? next.status() : failed;  // FATAL is followed by the end of the connection
    PGresult* const result = *next;
    if (result == nullptr) break;
    switch (PQresultStatus(result)) {
      case PGRES_COMMAND_OK:
      case PGRES_TUPLES_OK:
      case PGRES_EMPTY_QUERY:
        rows = ReadRows(result);
        break;
      case PGRES_COPY_IN:
        failed = SqlError(sqlstate::kProtocolViolation, "the statement wants COPY data");
        PQputCopyEnd(connection_, "no data");
        break;
      default:
        if (failed.ok()) failed = ResultError(result);
    }
    PQclear(result);
    if (PQstatus(connection_) == CONNECTION_BAD) return failed.ok() ? ConnectionLost() : failed;
  }
  if (!failed.ok()) return failed;
  return rows;
}

absl::StatusOr<SqlRows> SqlClient::Query(const std::string& text, uint64_t timeout_ms) {
  if (PQsendQuery(connection_, text.c_str()) == 0) return ConnectionLost();
  return Finish(DeadlineAfter(timeout_ms));
}

absl::StatusOr<SqlRows> SqlClient::QueryParams(const std::string& text, const std::vector<std::string>& parameters,
                                               uint64_t timeout_ms) {
  std::vector<const char*> values;
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  if (PQsendQueryParams(connection_, text.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr,
                        nullptr, 0) == 0) {
    return ConnectionLost();
  }
  return Finish(DeadlineAfter(timeout_ms));
}

absl::StatusOr<SqlRows> SqlClient::CopyIn(const std::string& statement, const std::function<std::string()>& next,
                                          uint64_t timeout_ms) {
  const uint64_t deadline = DeadlineAfter(timeout_ms);
  if (PQsendQuery(connection_, statement.c_str()) == 0) return ConnectionLost();
  ASSIGN_OR_RETURN(PGresult * begun, NextResult(deadline));
  const ExecStatusType status = PQresultStatus(begun);
  const absl::Status refused = status == PGRES_COPY_IN ? absl::OkStatus() : ResultError(begun);
  PQclear(begun);
  if (!refused.ok()) {
    (void)Finish(deadline);
    return refused;
  }
  for (std::string piece = next(); !piece.empty(); piece = next()) {
    if (PQputCopyData(connection_, piece.data(), static_cast<int>(piece.size())) < 0) return ConnectionLost();
    RETURN_IF_ERROR(FlushOutput(deadline));
  }
  if (PQputCopyEnd(connection_, nullptr) < 0) return ConnectionLost();
  return Finish(deadline);
}

absl::Status SqlClient::Cancel() {
  const std::unique_ptr<PGcancel, void (*)(PGcancel*)> cancel(PQgetCancel(connection_), PQfreeCancel);
  char error[256] = "";
  if (PQcancel(cancel.get(), error, sizeof(error)) == 0) return SqlError(sqlstate::kConnectionFailure, error);
  return absl::OkStatus();
}

absl::StatusOr<SqlRows> QueryOnce(const std::string& uri, const std::string& text, uint64_t timeout_ms) {
  ASSIGN_OR_RETURN(std::unique_ptr<SqlClient> client,
                   SqlClient::Connect(uri, std::min(timeout_ms, SqlClient::kConnectTimeoutMs)));
  return client->Query(text, timeout_ms);
}

}  // namespace anabranch
