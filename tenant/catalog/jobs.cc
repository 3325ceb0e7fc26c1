#include "tenant/catalog/jobs.h"

#include "base/check.h"
#include "base/quote.h"
#include "fmt/format.h"
#include "stream/source_client.h"

namespace anabranch {
namespace {

constexpr int kKindBits = 3;
constexpr int kStreamShift = 4;  // what is left of a random id fits a positive int8 together with the kind

JobStatus StatusOfReplication(DataState state) {
  switch (state) {
    case DataState::kPaused:
    case DataState::kError:  // RESUME goes on from there
      return JobStatus::kPaused;
    default:
      return JobStatus::kRunning;
  }
}

std::string Describe(const catalog::TenantRecord& record) {
  const catalog::Replication& replication = record.replication();
  return replication.diverged_at() != 0
             ? fmt::format("ALTER VIRTUAL CLUSTER {} START REPLICATION OF {} ON '{}'", QuotedIdentifier(record.name()),
                           QuotedIdentifier(replication.source_tenant()), RedactUri(replication.uri()))
             : fmt::format("CREATE VIRTUAL CLUSTER {} FROM REPLICATION OF {} ON '{}'", QuotedIdentifier(record.name()),
                           QuotedIdentifier(replication.source_tenant()), RedactUri(replication.uri()));
}

JobInfo PartOf(const catalog::TenantRecord& record, JobKind kind, std::string description) {
  const catalog::Replication& replication = record.replication();
  JobInfo job;
  job.kind = kind;
  job.tenant = TenantId(record.id());
  job.stream = StreamId(replication.stream_id());
  job.id = JobIdOf(kind, job.stream);
  job.description = std::move(description);
  job.user_name = replication.created_by();
  job.created_at_ns = replication.created_at_ns();
  return job;
}

JobInfo Ingestion(const catalog::TenantRecord& record, const JobProgress& progress) {
  JobInfo job = PartOf(record, JobKind::kIngestion, Describe(record));
  const DataState state = StateOf(record);
  if (record.replication().phase() == catalog::Replication::DONE) {
    job.status = JobStatus::kSucceeded;
    job.finished_at_ns = record.replication().finished_at_ns();
    job.fraction_completed = 1;
    return job;
  }
  job.status = StatusOfReplication(state);
  job.running_status = ToString(state);
  job.error = progress.last_error;
  return job;
}

// The initial copy, or the undo of a failback: what comes before the stream flows.
JobInfo Preparation(const catalog::TenantRecord& record, const JobProgress& progress) {
  const catalog::Replication& replication = record.replication();
  const bool failback = replication.diverged_at() != 0;
  const bool under_way =
      replication.phase() == (failback ? catalog::Replication::REVERTING : catalog::Replication::COPYING);
  JobInfo job = failback ? PartOf(record, JobKind::kUndo,
                                  fmt::format("undo of {} above {}", QuotedIdentifier(record.name()),
                                              FormatHlc({replication.diverged_at()})))
                         : PartOf(record, JobKind::kInitialCopy,
                                  fmt::format("initial copy of {} as of {}", QuotedIdentifier(record.name()),
                                              FormatHlc({replication.start_at()})));
  if (under_way) {
    job.status = StatusOfReplication(StateOf(record));
    job.running_status = progress.step;
    job.fraction_completed = progress.fraction.value_or(0);
    job.error = progress.last_error;
    return job;
  }
  const bool done = failback ? replication.phase() == catalog::Replication::STREAMING ||
                                   record.failover_time() > replication.diverged_at()
                             : replication.initial_copies() != 0;
  job.status = done ? JobStatus::kSucceeded : JobStatus::kCanceled;
  job.finished_at_ns = failback ? replication.reverted_at_ns() : replication.adopted_at_ns();
  if (done) job.fraction_completed = 1;
  return job;
}

JobInfo OfTenant(const catalog::TenantRecord& record, JobKind kind, std::string description) {
  JobInfo job;
  job.kind = kind;
  job.tenant = TenantId(record.id());
  job.id = JobIdOf(kind, job.tenant);
  job.description = std::move(description);
  return job;
}

JobInfo Sweep(const catalog::TenantRecord& record, const JobProgress& progress) {
  JobInfo job =
      OfTenant(record, JobKind::kSweep, fmt::format("removal of what was undone in {}", QuotedIdentifier(record.name())));
  if (!progress.hidden) {
    job.status = JobStatus::kSucceeded;
    job.fraction_completed = 1;
    return job;
  }
  job.status = progress.sweeping ? JobStatus::kRunning : JobStatus::kPending;
  job.running_status = progress.step;
  job.fraction_completed = progress.fraction.value_or(0);
  return job;
}

}  // namespace

std::string_view ToString(JobStatus status) {
  switch (status) {
    case JobStatus::kPending:
      return "pending";
    case JobStatus::kRunning:
      return "running";
    case JobStatus::kPaused:
      return "paused";
    case JobStatus::kSucceeded:
      return "succeeded";
    case JobStatus::kCanceled:
      return "canceled";
  }
  CHECK(false, "unknown job status");
}

std::string_view ToString(JobKind kind) {
  switch (kind) {
    case JobKind::kIngestion:
      return "REPLICATION STREAM INGESTION";
    case JobKind::kInitialCopy:
      return "REPLICATION INITIAL COPY";
    case JobKind::kUndo:
      return "FAILBACK UNDO";
    case JobKind::kSweep:
      return "SWEEP";
    case JobKind::kDrop:
      return "DROP VIRTUAL CLUSTER";
    case JobKind::kProducer:
      return "REPLICATION STREAM PRODUCER";
  }
  CHECK(false, "unknown job kind");
}

int64_t JobIdOf(JobKind kind, StreamId stream) {
  return static_cast<int64_t>(stream.value() >> kStreamShift << kKindBits | static_cast<uint64_t>(kind));
}

int64_t JobIdOf(JobKind kind, TenantId tenant) {
  return static_cast<int64_t>(tenant.value() << kKindBits | static_cast<uint64_t>(kind));
}

std::vector<JobInfo> JobsOf(const catalog::TenantRecord& record, const JobProgress& progress) {
  std::vector<JobInfo> jobs;
  if (record.replication().phase() != catalog::Replication::NONE) {
    jobs.push_back(Ingestion(record, progress));
    jobs.push_back(Preparation(record, progress));
  }
  const bool swept_before = record.failover_time() != 0 || record.reset_protected_until_ns() != 0;
  if (StateOf(record) == DataState::kReady && (progress.hidden || swept_before)) jobs.push_back(Sweep(record, progress));
  if (StateOf(record) == DataState::kDropping)
    jobs.push_back(
        OfTenant(record, JobKind::kDrop, fmt::format("DROP VIRTUAL CLUSTER {}", QuotedIdentifier(record.name()))));
  return jobs;
}

JobInfo JobOf(const ReplicationStreamInfo& stream) {
  JobInfo job;
  job.id = stream.job_id;
  job.kind = JobKind::kProducer;
  job.tenant = stream.tenant;
  job.stream = stream.stream;
  job.description =
      fmt::format("History Retention for Physical Replication of {} to {} of cluster {}",
                  QuotedIdentifier(stream.virtual_cluster), QuotedIdentifier(stream.standby_name), stream.standby_cluster);
  job.running_status = stream.state;
  job.created_at_ns = stream.created_at_ns;
  return job;
}

}  // namespace anabranch
