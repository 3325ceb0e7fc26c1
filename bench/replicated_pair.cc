#include "bench/replicated_pair.h"

#include "base/status.h"
#include "fmt/format.h"
#include "node/demo/wait.h"

namespace anabranch {
namespace {
constexpr uint64_t kLookEveryMs = 5;  // what is waited for takes longer, and looking costs the standby something
constexpr double kCatchUpTimeoutS = 120;
}  // namespace

absl::StatusOr<std::string> QueryValue(SqlClient& client, const std::string& query) {
  ASSIGN_OR_RETURN(const SqlRows rows, client.Query(query));
  if (rows.rows.empty() || rows.rows[0].empty()) return absl::InternalError("no row from " + query);
  return rows.rows[0][0].value_or("NULL");
}

absl::StatusOr<Position> ReadPosition(const ReplicatedPair& pair, SqlClient& primary_data, const std::string& query) {
  ASSIGN_OR_RETURN(const std::string text, QueryValue(primary_data, query));
  return pair.ParsePosition(text);
}

absl::StatusOr<Reached> ReadReached(const ReplicatedPair& pair, SqlClient& standby_status) {
  ASSIGN_OR_RETURN(const SqlRows rows, standby_status.Query(pair.reached_query()));
  Reached reached;
  if (rows.rows.empty()) return reached;
  if (rows.rows[0][0].has_value()) {
    ASSIGN_OR_RETURN(reached.durable, pair.ParsePosition(*rows.rows[0][0]));
  }
  if (rows.rows[0][1].has_value()) {
    ASSIGN_OR_RETURN(reached.applied, pair.ParsePosition(*rows.rows[0][1]));
  }
  return reached;
}

absl::Status WaitApplied(const ReplicatedPair& pair, Position position) {
  ASSIGN_OR_RETURN(const auto standby, SqlClient::Connect(pair.standby().status_uri));
  const Stopwatch watch;
  Reached reached;
  while (watch.Seconds() < kCatchUpTimeoutS) {
    ASSIGN_OR_RETURN(reached, ReadReached(pair, *standby));
    if (reached.applied >= position) return absl::OkStatus();
    Pause(kLookEveryMs);
  }
  return absl::DeadlineExceededError(fmt::format("the standby is at {} and does not reach {}", reached.applied, position));
}

absl::Status WaitCaughtUp(const ReplicatedPair& pair) {
  ASSIGN_OR_RETURN(const auto primary, SqlClient::Connect(pair.primary().data_uri));
  ASSIGN_OR_RETURN(const Position position, ReadPosition(pair, *primary, pair.position_query()));
  return WaitApplied(pair, position);
}

}  // namespace anabranch
