#include "sql/control/executor.h"

#include "base/status.h"
#include "sql/control/statement.h"
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

std::vector<ColumnDescription> ShowColumns(bool with_replication_status) {
  std::vector<ColumnDescription> columns = {{"id", SqlType::kInt8}, {"name", SqlType::kText}};
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

class Executor : public SystemStatements {
 public:
  explicit Executor(VirtualClusters* clusters) : clusters_(clusters) {}

  std::vector<ColumnDescription> Describe(const SystemStatement& statement) override {
    if (const auto* show = std::get_if<ShowVirtualClusters>(&statement)) return ShowColumns(show->with_replication_status);
    if (std::holds_alternative<ShowFingerprints>(statement)) {
      return {{"tenant_name", SqlType::kText}, {"end_ts", SqlType::kNumeric}, {"fingerprint", SqlType::kInt8}};
    }
    if (const auto* show = std::get_if<ShowSetting>(&statement)) return {{show->setting, SqlType::kText}};
    const auto* alter = std::get_if<AlterVirtualCluster>(&statement);
    if (alter != nullptr && alter->action == AlterVirtualCluster::Action::kComplete)
      return {{"failover_time", SqlType::kNumeric}};
    return {};
  }

  absl::StatusOr<std::string> Run(const SystemStatement& statement, const SessionContext&, ResultSink& sink,
                                  std::stop_token stop) override {
    return std::visit([&](const auto& shape) { return RunOne(statement, shape, sink, stop); },
                      static_cast<const SystemStatement::variant&>(statement));
  }

 private:
  absl::StatusOr<std::string> RunOne(const SystemStatement&, const CreateVirtualCluster& create, ResultSink&,
                                     std::stop_token stop) {
    const CreateOptions options{create.if_not_exists};
    if (create.source_name.has_value()) {
      RETURN_IF_ERROR(clusters_->CreateFromReplication(create.name, options, *create.source_name, create.uri,
                                                       create.replication, stop));
    } else {
      RETURN_IF_ERROR(clusters_->Create(create.name, options));
    }
    return std::string("CREATE VIRTUAL CLUSTER");
  }

  absl::StatusOr<std::string> RunOne(const SystemStatement& statement, const AlterVirtualCluster& alter, ResultSink& sink,
                                     std::stop_token stop) {
    using Action = AlterVirtualCluster::Action;
    switch (alter.action) {
      case Action::kPause:
        RETURN_IF_ERROR(clusters_->PauseReplication(alter.target));
        break;
      case Action::kResume:
        RETURN_IF_ERROR(clusters_->ResumeReplication(alter.target));
        break;
      case Action::kCancel:
        RETURN_IF_ERROR(clusters_->CancelReplication(alter.target));
        break;
      case Action::kStartService:
        RETURN_IF_ERROR(clusters_->StartService(alter.target));
        break;
      case Action::kStopService:
        RETURN_IF_ERROR(clusters_->StopService(alter.target));
        break;
      case Action::kSetSetting:
        RETURN_IF_ERROR(clusters_->SetSetting(alter.target, alter.setting, alter.setting_value));
        break;
      case Action::kStartReplication:
        RETURN_IF_ERROR(clusters_->StartReplication(alter.target, alter.source_name, alter.uri, alter.replication, stop));
        break;
      case Action::kComplete: {
        ASSIGN_OR_RETURN(const Timestamp at, clusters_->CompleteReplication(alter.target, alter.failover_target, stop));
        RETURN_IF_ERROR(sink.Columns(Describe(statement)));
        RETURN_IF_ERROR(sink.AddRow({HlcNumeric(at)}));
        break;
      }
    }
    return std::string("ALTER VIRTUAL CLUSTER");
  }

  absl::StatusOr<std::string> RunOne(const SystemStatement&, const DropVirtualCluster& drop, ResultSink&, std::stop_token) {
    RETURN_IF_ERROR(clusters_->Drop(drop.target, drop.if_exists));
    return std::string("DROP VIRTUAL CLUSTER");
  }

  absl::StatusOr<std::string> RunOne(const SystemStatement& statement, const ShowVirtualClusters& show, ResultSink& sink,
                                     std::stop_token) {
    std::vector<VirtualClusterInfo> rows;
    if (show.target.has_value()) {
      ASSIGN_OR_RETURN(rows.emplace_back(), clusters_->Show(*show.target));
    } else {
      ASSIGN_OR_RETURN(rows, clusters_->ShowAll());
    }
    RETURN_IF_ERROR(sink.Columns(Describe(statement)));
    for (const VirtualClusterInfo& info : rows) RETURN_IF_ERROR(sink.AddRow(ShowRow(info, show.with_replication_status)));
    return fmt::format("SHOW {}", rows.size());
  }

  absl::StatusOr<std::string> RunOne(const SystemStatement& statement, const ShowSetting& show, ResultSink& sink,
                                     std::stop_token) {
    ASSIGN_OR_RETURN(std::string value, clusters_->ShowSetting(show.target, show.setting));
    RETURN_IF_ERROR(sink.Columns(Describe(statement)));
    RETURN_IF_ERROR(sink.AddRow({std::move(value)}));
    return std::string("SHOW 1");
  }

  absl::StatusOr<std::string> RunOne(const SystemStatement& statement, const ShowFingerprints& show, ResultSink& sink,
                                     std::stop_token stop) {
    ASSIGN_OR_RETURN(const VirtualClusters::FingerprintRow row,
                     clusters_->ShowFingerprint(show.target, show.start_timestamp, show.as_of, stop));
    RETURN_IF_ERROR(sink.Columns(Describe(statement)));
    RETURN_IF_ERROR(sink.AddRow({row.name, HlcNumeric(row.at), static_cast<int64_t>(row.fingerprint.digest)}));
    return std::string("SHOW 1");
  }

  VirtualClusters* clusters_;
};

}  // namespace

std::unique_ptr<SystemStatements> SystemStatements::Create(VirtualClusters* clusters) {
  return std::make_unique<Executor>(clusters);
}

}  // namespace anabranch
