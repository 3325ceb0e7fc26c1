// SHOW JOBS, CANCEL | PAUSE | RESUME JOBS and SHOW REPLICATION STREAMS.
#include "base/status.h"
#include "fmt/format.h"
#include "sql/control/run.h"
#include "tenant/virtual_clusters.h"

namespace anabranch {
namespace {

Datum WallOrNull(uint64_t ns) {
  if (ns == 0) return Null();
  return TimestampTz{static_cast<int64_t>(ns / 1000)};
}

Datum TextOrNull(const std::string& text) {
  if (text.empty()) return Null();
  return text;
}

Datum FractionOrNull(const std::optional<double>& fraction) {
  if (!fraction) return Null();
  return *fraction;
}

// Ours are all positive; what does not fit is nobody's.
absl::StatusOr<std::vector<int64_t>> JobIds(const std::vector<uint64_t>& written) {
  std::vector<int64_t> ids;
  for (const uint64_t id : written) {
    if (id > INT64_MAX) return SqlError(sqlstate::kUndefinedObject, fmt::format("job with ID {} does not exist", id));
    ids.push_back(static_cast<int64_t>(id));
  }
  return ids;
}

Row JobRow(const JobInfo& job) {
  return {job.id,
          std::string(ToString(job.kind)),
          TextOrNull(job.description),
          TextOrNull(job.user_name),
          std::string(ToString(job.status)),
          TextOrNull(job.running_status),
          WallOrNull(job.created_at_ns),
          WallOrNull(job.finished_at_ns),
          FractionOrNull(job.fraction_completed),
          TextOrNull(job.error)};
}

Row StreamRow(const ReplicationStreamInfo& stream) {
  return {fmt::format("{:016x}", stream.stream.value()),
          stream.virtual_cluster,
          stream.standby_cluster,
          stream.standby_name,
          TextOrNull(stream.standby_address),
          stream.state,
          TimestampTz{static_cast<int64_t>(stream.protected_at.ns / 1000)},
          stream.bytes_behind ? Datum(static_cast<int64_t>(*stream.bytes_behind)) : Null(),
          WallOrNull(stream.connected_since_ns),
          WallOrNull(stream.expires_at_ns),
          stream.job_id};
}

// Of a guest; without what tells of the cluster that it lives in, and of others.
void KeepOwn(TenantId tenant, std::vector<JobInfo>* jobs) {
  std::erase_if(*jobs, [&](const JobInfo& job) { return job.tenant != tenant; });
  for (JobInfo& job : *jobs) {
    job.description.clear();
    job.user_name.clear();
    job.error.clear();
  }
}

}  // namespace

Columns ColumnsOf(const ShowJobs&) {
  return {{"job_id", SqlType::kInt8},         {"job_type", SqlType::kText},        {"description", SqlType::kText},
          {"user_name", SqlType::kText},      {"status", SqlType::kText},          {"running_status", SqlType::kText},
          {"created", SqlType::kTimestampTz}, {"finished", SqlType::kTimestampTz}, {"fraction_completed", SqlType::kFloat8},
          {"error", SqlType::kText}};
}

CommandTag RunStatement(const ShowJobs& show, const Running& running) {
  std::vector<JobInfo> jobs;
  ASSIGN_OR_RETURN(const std::vector<int64_t> ids, JobIds(show.ids));
  if (ids.empty()) {
    ASSIGN_OR_RETURN(jobs, running.clusters.ShowJobs());
  } else if (show.when_complete) {
    ASSIGN_OR_RETURN(jobs, running.clusters.WaitForJobs(ids, running.stop));
  } else {
    ASSIGN_OR_RETURN(jobs, running.clusters.FindJobs(ids));
  }
  if (running.guest) KeepOwn(running.session.tenant, &jobs);
  RETURN_IF_ERROR(running.sink.Columns(ColumnsOf(show)));
  for (const JobInfo& job : jobs) RETURN_IF_ERROR(running.sink.AddRow(JobRow(job)));
  return fmt::format("SHOW {}", jobs.size());
}

CommandTag RunStatement(const ControlJobs& control, const Running& running) {
  ASSIGN_OR_RETURN(const std::vector<int64_t> ids, JobIds(control.ids));
  const JobAction action = control.verb == ControlJobs::Verb::kCancel  ? JobAction::kCancel
                           : control.verb == ControlJobs::Verb::kPause ? JobAction::kPause
                                                                       : JobAction::kResume;
  RETURN_IF_ERROR(running.clusters.ControlJobs(action, ids, running.session.user));
  return std::string(InfoOf(running.statement).command);
}

Columns ColumnsOf(const ShowReplicationStreams&) {
  return {{"stream", SqlType::kText},
          {"virtual_cluster", SqlType::kText},
          {"standby_cluster", SqlType::kText},
          {"standby_name", SqlType::kText},
          {"standby_address", SqlType::kText},
          {"state", SqlType::kText},
          {"protected_time", SqlType::kTimestampTz},
          {"bytes_behind", SqlType::kInt8},
          {"connected_since", SqlType::kTimestampTz},
          {"expires", SqlType::kTimestampTz},
          {"job_id", SqlType::kInt8}};
}

CommandTag RunStatement(const ShowReplicationStreams& show, const Running& running) {
  ASSIGN_OR_RETURN(std::vector<ReplicationStreamInfo> streams, running.clusters.ShowReplicationStreams());
  if (running.guest) {
    std::erase_if(streams, [&](const ReplicationStreamInfo& stream) { return stream.tenant != running.session.tenant; });
  }
  RETURN_IF_ERROR(running.sink.Columns(ColumnsOf(show)));
  for (const ReplicationStreamInfo& stream : streams) RETURN_IF_ERROR(running.sink.AddRow(StreamRow(stream)));
  return fmt::format("SHOW {}", streams.size());
}

}  // namespace anabranch
