// SHOW VIRTUAL CLUSTERS and EXPERIMENTAL_FINGERPRINTS.
#include "base/status.h"
#include "fmt/format.h"
#include "sql/control/run.h"
#include "tenant/virtual_clusters.h"

namespace anabranch {
namespace {

TimestampTz RoundedDown(Timestamp ts) { return {static_cast<int64_t>(ts.ns / 1000)}; }

Datum TimeOrNull(const std::optional<Timestamp>& ts) {
  if (!ts.has_value()) return Null();
  return RoundedDown(*ts);
}

Datum HlcOrNull(const std::optional<Timestamp>& ts) {
  if (!ts.has_value()) return Null();
  return HlcNumeric(*ts);
}

Datum LagOrNull(const std::optional<int64_t>& lag_ns) {
  if (!lag_ns.has_value()) return Null();
  return Interval{*lag_ns / 1000};
}

Datum TextOrNull(const std::string& text) {
  if (text.empty()) return Null();
  return text;
}

Columns ShowColumns(bool with_replication_status) {
  Columns columns = {{"id", SqlType::kInt8}, {"name", SqlType::kText}};
  if (!with_replication_status) {
    columns.insert(columns.end(), {{"data_state", SqlType::kText}, {"service_mode", SqlType::kText}});
    return columns;
  }
  columns.insert(columns.end(), {{"source_tenant_name", SqlType::kText},
                                 {"source_cluster_uri", SqlType::kText},
                                 {"retained_time", SqlType::kTimestampTz},
                                 {"replicated_time", SqlType::kTimestampTz},
                                 {"replication_lag", SqlType::kInterval},
                                 {"failover_time", SqlType::kNumeric},
                                 {"status", SqlType::kText},
                                 {"last_error", SqlType::kText},
                                 {"progress", SqlType::kText},
                                 {"initial_copies", SqlType::kInt8},
                                 {"ready_by", SqlType::kText}});
  return columns;
}

Row ShowRow(const VirtualClusterInfo& info, bool with_replication_status) {
  const std::string state(ToString(info.data_state));
  Row row = {static_cast<int64_t>(info.id.value()), info.name};
  if (!with_replication_status) {
    row.insert(row.end(), {state, std::string(ToString(info.service_mode))});
    return row;
  }
  if (!info.replication.has_value()) {
    row.insert(row.end(), {Null(), Null(), Null(), Null(), Null(), Null(), state, Null(), Null(), Null(), Null()});
    return row;
  }
  const ReplicationStatus& replication = *info.replication;
  row.insert(row.end(), {TextOrNull(replication.source_tenant_name), TextOrNull(replication.source_cluster_uri),
                         TimeOrNull(replication.retained_time), TimeOrNull(replication.replicated_time),
                         LagOrNull(replication.replication_lag_ns), HlcOrNull(replication.failover_time), state,
                         TextOrNull(replication.last_error), TextOrNull(replication.progress),
                         static_cast<int64_t>(replication.initial_copies), TextOrNull(replication.ready_by)});
  return row;
}

}  // namespace

Columns ColumnsOf(const ShowVirtualClusters& show) {
  Columns columns = ShowColumns(show.with_replication_status);
  if (show.with_prior_replication_details) {
    columns.insert(columns.end(), {{"source_id", SqlType::kText}, {"activation_time", SqlType::kNumeric}});
  }
  if (show.with_capabilities) {
    columns.insert(columns.end(), {{"capability_name", SqlType::kText}, {"capability_value", SqlType::kText}});
  }
  return columns;
}

namespace {

// What names other virtual clusters, or where they are, is not for those that live here.
void HideOthers(VirtualClusterInfo* info) {
  info->prior.reset();
  if (!info->replication) return;
  info->replication->source_tenant_name.clear();
  info->replication->source_cluster_uri.clear();
  info->replication->last_error.clear();
}

// One row; with capabilities, one for each of them.
absl::StatusOr<size_t> AddRows(const ShowVirtualClusters& show, const VirtualClusterInfo& info, ResultSink& sink) {
  Row row = ShowRow(info, show.with_replication_status);
  if (show.with_prior_replication_details) {
    row.push_back(info.prior ? Datum(info.prior->source_id) : Null());
    row.push_back(info.prior ? Datum(HlcNumeric(info.prior->activation_time)) : Null());
  }
  if (!show.with_capabilities) {
    RETURN_IF_ERROR(sink.AddRow(row));
    return 1;
  }
  for (const CapabilityRow& capability : info.capabilities) {
    Row with = row;
    with.insert(with.end(), {capability.name, capability.value});
    RETURN_IF_ERROR(sink.AddRow(with));
  }
  return info.capabilities.size();
}

}  // namespace

CommandTag RunStatement(const ShowVirtualClusters& show, const Running& running) {
  std::vector<VirtualClusterInfo> rows;
  if (show.target.has_value()) {
    ASSIGN_OR_RETURN(rows.emplace_back(), running.clusters.Show(*show.target));
  } else {
    ASSIGN_OR_RETURN(rows, running.clusters.ShowAll());
  }
  if (running.guest) {
    for (VirtualClusterInfo& info : rows) HideOthers(&info);
  }
  RETURN_IF_ERROR(running.sink.Columns(ColumnsOf(show)));
  size_t count = 0;
  for (const VirtualClusterInfo& info : rows) {
    ASSIGN_OR_RETURN(const size_t added, AddRows(show, info, running.sink));
    count += added;
  }
  return fmt::format("SHOW {}", count);
}

Columns ColumnsOf(const ShowFingerprints&) {
  return {{"tenant_name", SqlType::kText}, {"end_ts", SqlType::kNumeric}, {"fingerprint", SqlType::kInt8}};
}

CommandTag RunStatement(const ShowFingerprints& show, const Running& running) {
  ASSIGN_OR_RETURN(const VirtualClusters::FingerprintRow row,
                   running.clusters.ShowFingerprint(show.target, show.start_timestamp, show.as_of, running.stop));
  RETURN_IF_ERROR(running.sink.Columns(ColumnsOf(show)));
  RETURN_IF_ERROR(running.sink.AddRow({row.name, HlcNumeric(row.at), static_cast<int64_t>(row.fingerprint.digest)}));
  return std::string("SHOW 1");
}

}  // namespace anabranch
