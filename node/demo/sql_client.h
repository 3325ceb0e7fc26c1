// A libpq connection whose every wait has a deadline, with errors as Status: SqlStateOf, MessageOf and HintOf
// (base/status.h) say what the server said. 08006 stands for a connection that was lost or a server that did not answer in
// time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

struct pg_conn;
struct pg_result;

namespace anabranch {

struct SqlRows {
  std::vector<std::string> columns;
  std::vector<std::vector<std::optional<std::string>>> rows;
  std::string tag;  // "INSERT 0 1"

  // Column `name` of row `row`; "NULL" for NULL, empty for what is not there.
  std::string Value(size_t row, std::string_view name) const;
  // "1,a;2,b": rows by ';', values by ','.
  std::string ToText() const;
};

// Used by one thread, except Cancel().
class SqlClient {
 public:
  static constexpr uint64_t kConnectTimeoutMs = 10'000;
  static constexpr uint64_t kQueryTimeoutMs = 60'000;

  static absl::StatusOr<std::unique_ptr<SqlClient>> Connect(const std::string& uri,
                                                            uint64_t timeout_ms = kConnectTimeoutMs);
  ~SqlClient();
  SqlClient(const SqlClient&) = delete;
  SqlClient& operator=(const SqlClient&) = delete;

  // Runs a query string; the rows of its last statement.
  absl::StatusOr<SqlRows> Query(const std::string& text, uint64_t timeout_ms = kQueryTimeoutMs);
  // The same through the extended protocol, with text parameters.
  absl::StatusOr<SqlRows> QueryParams(const std::string& text, const std::vector<std::string>& parameters,
                                      uint64_t timeout_ms = kQueryTimeoutMs);
  // COPY ... FROM STDIN: `next` gives the data piece by piece, an empty piece ends it.
  absl::StatusOr<SqlRows> CopyIn(const std::string& statement, const std::function<std::string()>& next,
                                 uint64_t timeout_ms = kQueryTimeoutMs);
  // Asks the server to cancel what runs. Thread-safe.
  absl::Status Cancel();

 private:
  explicit SqlClient(pg_conn* connection) : connection_(connection) {}

  absl::StatusOr<SqlRows> Finish(uint64_t deadline_ns);
  // The next result, null at the end of the query.
  absl::StatusOr<pg_result*> NextResult(uint64_t deadline_ns);
  absl::Status WaitSocket(short events, uint64_t deadline_ns);
  absl::Status FlushOutput(uint64_t deadline_ns);
  absl::Status ConnectionLost() const;

  pg_conn* connection_;
};

// Connects, runs one query string and disconnects.
absl::StatusOr<SqlRows> QueryOnce(const std::string& uri, const std::string& text,
                                  uint64_t timeout_ms = SqlClient::kQueryTimeoutMs);

}  // namespace anabranch
