// The jobs of this node, as SHOW JOBS tells of them. There is no record of a job: what is shown is derived from the records of
// virtual clusters and streams and from what is under way, so the two can never disagree. A job is kept for as long as its
// record says something about it.
//
// An id is that of the stream or virtual cluster that the job belongs to, shifted, with the kind of the job in the lowest
// bits: it stays the same over restarts, and two jobs of one stream differ.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "tenant/catalog/catalog.h"
#include "tenant/catalog/stream_info.h"

namespace anabranch {

enum class JobKind : uint8_t {
  kIngestion = 1,    // the replication into a standby, all of it
  kInitialCopy = 2,  // its first part, for a new standby
  kUndo = 3,         // or for a failback
  kSweep = 4,        // removes what a failover or RESET DATA hid
  kDrop = 5,
  kProducer = 6,  // the source's side of a stream
};

enum class JobStatus { kPending, kRunning, kPaused, kSucceeded, kCanceled };
std::string_view ToString(JobStatus status);
std::string_view ToString(JobKind kind);  // CockroachDB's job_type where it has one
// Nothing will change about it any more.
inline bool IsFinal(JobStatus status) { return status == JobStatus::kSucceeded || status == JobStatus::kCanceled; }

struct JobInfo {
  int64_t id = 0;
  JobKind kind = JobKind::kIngestion;
  TenantId tenant;
  StreamId stream;  // of an ingestion, its parts, and a producer
  std::string description;
  std::string user_name;  // empty: unknown
  JobStatus status = JobStatus::kRunning;
  std::string running_status;
  uint64_t created_at_ns = 0;   // wall clock; zero: unknown
  uint64_t finished_at_ns = 0;  // likewise, and zero unless it is final
  std::optional<double> fraction_completed;
  std::string error;
};

int64_t JobIdOf(JobKind kind, StreamId stream);
int64_t JobIdOf(JobKind kind, TenantId tenant);

// What is under way, besides the record.
struct JobProgress {
  std::string step;
  std::optional<double> fraction;
  std::string last_error;
  bool hidden = false;    // something is to be swept
  bool sweeping = false;  // and is being swept now
};

// The jobs of one virtual cluster, but for its producers. Pure.
std::vector<JobInfo> JobsOf(const catalog::TenantRecord& record, const JobProgress& progress);
JobInfo JobOf(const ReplicationStreamInfo& stream);

}  // namespace anabranch
