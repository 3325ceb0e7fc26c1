// SHOW JOBS and what is said to jobs, SHOW REPLICATION STREAMS.
#include <algorithm>

#include "base/status.h"
#include "fmt/format.h"
#include "tenant/catalog/jobs.h"
#include "tenant/catalog/limits.h"
#include "tenant/virtual_clusters_impl.h"

namespace anabranch {
namespace {

absl::Status NoSuchJob(int64_t id) {
  return SqlError(sqlstate::kUndefinedObject, fmt::format("job with ID {} does not exist", id),
                  "SHOW JOBS lists those that do.");
}

std::string_view VerbOf(JobAction action) {
  switch (action) {
    case JobAction::kCancel:
      return "CANCEL";
    case JobAction::kPause:
      return "PAUSE";
    case JobAction::kResume:
      return "RESUME";
  }
  return "";
}

bool IsReplicationInto(JobKind kind) {
  return kind == JobKind::kIngestion || kind == JobKind::kInitialCopy || kind == JobKind::kUndo;
}

std::string HowToControl(const JobInfo& job) {
  switch (job.kind) {
    case JobKind::kProducer:
      return "It is controlled at its standby: ALTER VIRTUAL CLUSTER ... PAUSE | RESUME REPLICATION.";
    case JobKind::kSweep:
    case JobKind::kDrop:
      return "It ends by itself, and nothing waits for it.";
    default:
      return "";
  }
}

// Before anything is done to any of several jobs.
absl::Status CheckControl(JobAction action, const JobInfo& job) {
  if (IsFinal(job.status)) {
    return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                    fmt::format("cannot {} job {}: it has {}", VerbOf(action), job.id,
                                job.status == JobStatus::kSucceeded ? "succeeded" : "been canceled"));
  }
  const bool can = IsReplicationInto(job.kind) || (job.kind == JobKind::kProducer && action == JobAction::kCancel);
  if (can) return absl::OkStatus();
  return SqlError(sqlstate::kFeatureNotSupported,
                  fmt::format("cannot {} job {}: it is of type {}", VerbOf(action), job.id, ToString(job.kind)),
                  HowToControl(job));
}

// What becomes of one that is not there any more, when it was not finished the last time that it was seen.
void Vanish(JobInfo* job) {
  const bool did_its_work = job->kind == JobKind::kDrop || job->kind == JobKind::kSweep;
  job->status = did_its_work ? JobStatus::kSucceeded : JobStatus::kCanceled;
  if (did_its_work) job->fraction_completed = 1;
  job->running_status.clear();
}

}  // namespace

JobProgress VirtualClustersImpl::JobProgressOf(const catalog::TenantRecord& record) {
  const std::shared_ptr<TenantRuntime> runtime = RuntimeOf(record);
  JobProgress progress;
  if (IsReplicating(StateOf(record))) {
    progress.step = runtime->progress->step();
    progress.fraction = runtime->progress->fraction();
    progress.last_error = runtime->progress->last_error();
    return progress;
  }
  const auto keyspace = store_->FindKeyspace(IncarnationId(record.incarnation()));
  progress.hidden = keyspace.ok() && !(*keyspace)->state()->hidden.empty();
  progress.step = runtime->sweeper.Step();
  progress.sweeping = !progress.step.empty();
  progress.fraction = runtime->sweeper.Fraction();
  return progress;
}

absl::StatusOr<std::vector<JobInfo>> VirtualClustersImpl::ShowJobs() {
  ASSIGN_OR_RETURN(const std::vector<catalog::TenantRecord> records, LoadTenants(store_));
  std::vector<JobInfo> jobs;
  for (const catalog::TenantRecord& record : records) {
    const std::vector<JobInfo> added = JobsOf(record, JobProgressOf(record));
    jobs.insert(jobs.end(), added.begin(), added.end());
  }
  ASSIGN_OR_RETURN(const std::vector<ReplicationStreamInfo> streams, source_.Streams());
  for (const ReplicationStreamInfo& stream : streams) jobs.push_back(JobOf(stream));
  std::stable_sort(jobs.begin(), jobs.end(),
                   [](const JobInfo& a, const JobInfo& b) { return a.created_at_ns < b.created_at_ns; });
  return jobs;
}

absl::StatusOr<std::vector<JobInfo>> VirtualClustersImpl::FindJobs(const std::vector<int64_t>& ids) {
  ASSIGN_OR_RETURN(const std::vector<JobInfo> jobs, ShowJobs());
  std::vector<JobInfo> found;
  for (const int64_t id : ids) {
    const auto job = std::find_if(jobs.begin(), jobs.end(), [id](const JobInfo& other) { return other.id == id; });
    if (job == jobs.end()) return NoSuchJob(id);
    found.push_back(*job);
  }
  return found;
}

absl::StatusOr<std::vector<JobInfo>> VirtualClustersImpl::WaitForJobs(const std::vector<int64_t>& ids,
                                                                      std::stop_token stop) {
  ASSIGN_OR_RETURN(std::vector<JobInfo> waiting, FindJobs(ids));
  std::mutex mutex;  // only to wait on
  std::condition_variable_any poll;
  std::unique_lock lock(mutex);
  while (!stop.stop_requested()) {
    ASSIGN_OR_RETURN(const std::vector<JobInfo> jobs, ShowJobs());
    for (JobInfo& job : waiting) {
      if (IsFinal(job.status)) continue;
      const auto now = std::find_if(jobs.begin(), jobs.end(), [&](const JobInfo& other) { return other.id == job.id; });
      if (now == jobs.end()) {
        Vanish(&job);
      } else {
        job = *now;
      }
    }
    if (std::all_of(waiting.begin(), waiting.end(), [](const JobInfo& job) { return IsFinal(job.status); })) return waiting;
    poll.wait_for(lock, stop, std::chrono::milliseconds(kReachCheckMs), [] { return false; });
  }
  return absl::CancelledError("stopped while waiting for jobs; they go on");
}

absl::Status VirtualClustersImpl::ControlJobs(JobAction action, const std::vector<int64_t>& ids, const std::string& user) {
  ASSIGN_OR_RETURN(const std::vector<JobInfo> jobs, FindJobs(ids));
  for (const JobInfo& job : jobs) RETURN_IF_ERROR(CheckControl(action, job));
  for (const JobInfo& job : jobs) {
    if (job.kind == JobKind::kProducer) {
      RETURN_IF_ERROR(source_.Release(job.stream));
    } else if (action == JobAction::kPause) {
      RETURN_IF_ERROR(PauseReplication(job.tenant));
    } else if (action == JobAction::kResume) {
      RETURN_IF_ERROR(ResumeReplication(job.tenant));
    } else {
      RETURN_IF_ERROR(CancelReplication(job.tenant, user));
    }
  }
  return absl::OkStatus();
}

}  // namespace anabranch
