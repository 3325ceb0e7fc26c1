// A primary and its standby, as the replication benchmark sees them: ours or PostgreSQL's. Both are nodes that change roles with
// every failover.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "node/demo/sql_client.h"

namespace anabranch {

// The table of one row by which moments are marked: marker (k int primary key, n int), k = 1.
inline constexpr char kMarkerUpdate[] = "UPDATE marker SET n = n + 1 WHERE k = 1";

// A point in a primary's history: nanoseconds of its clock, or a place in its log. Later is greater.
using Position = uint64_t;

// Up to where a standby has its primary's history.
struct Reached {
  Position durable = 0;  // survives whatever happens to both
  Position applied = 0;  // durable, and what a failover would show
};

struct CopyCost {
  double seconds = 0;
  double source_cpu_s = 0;
  double standby_cpu_s = 0;
};

struct Step {
  std::string name;
  double ms = 0;
};

struct FailbackCost {
  double stop_s = 0;   // taking the old primary out of service, before the statement
  double seconds = 0;  // from the statement until it has all that the new primary had then
  uint64_t bytes = 0;  // over the wire
};

// Used by one thread, except SendKill().
class ReplicatedPair {
 public:
  struct Node {
    pid_t pid = -1;
    uint16_t port = 0;
    std::string data_uri;    // for clients; the marker's table is there
    std::string status_uri;  // where `reached_query` is asked
  };

  virtual ~ReplicatedPair() = default;

  // Both nodes' processes that need not wait for a copy. The first primary has no data.
  virtual absl::Status Start() = 0;
  // Thread-safe. Nobody waits for their end.
  virtual void SendKill() = 0;
  // Makes the standby anew. The cost is that until it is complete and durable.
  virtual absl::StatusOr<CopyCost> Copy() = 0;
  // The stream stops; the standby stays up. Returns once the primary serves no stream.
  virtual absl::Status Pause() = 0;
  virtual absl::Status Resume() = 0;
  // The standby becomes the primary while the old one still serves; ends with the first write. `round` chooses among the ways
  // there are.
  virtual absl::StatusOr<std::vector<Step>> FailOver(int round) = 0;
  // The old primary becomes the standby of the new one.
  virtual absl::StatusOr<FailbackCost> FailBack() = 0;
  // An error if primary and standby, which has caught up, differ.
  virtual absl::Status CheckEqual() = 0;

  virtual Node primary() const = 0;
  virtual Node standby() const = 0;
  // At the primary's data: one row, the position of all that is committed.
  virtual std::string position_query() const = 0;
  // The same, right after the COMMIT of the session that asks.
  virtual std::string commit_position_query() const = 0;
  // At the standby's status: one row of two, NULL for none yet.
  virtual std::string reached_query() const = 0;
  virtual absl::StatusOr<Position> ParsePosition(const std::string& text) const = 0;
};

absl::StatusOr<std::string> QueryValue(SqlClient& client, const std::string& query);
absl::StatusOr<Position> ReadPosition(const ReplicatedPair& pair, SqlClient& primary_data, const std::string& query);
absl::StatusOr<Reached> ReadReached(const ReplicatedPair& pair, SqlClient& standby_status);
// Until the standby has applied all up to `position`.
absl::Status WaitApplied(const ReplicatedPair& pair, Position position);
// Until it has applied all that the primary has now.
absl::Status WaitCaughtUp(const ReplicatedPair& pair);

}  // namespace anabranch
