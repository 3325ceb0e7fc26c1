// SET, RESET and SHOW CLUSTER SETTING, of the physical cluster and of one virtual cluster.
#include "base/status.h"
#include "fmt/format.h"
#include "sql/control/run.h"
#include "tenant/virtual_clusters.h"

namespace anabranch {

CommandTag RunStatement(const SetClusterSetting& set, const Running& running) {
  RETURN_IF_ERROR(running.clusters.SetClusterSetting(set.setting, set.value));
  return std::string(InfoOf(running.statement).command);
}

Columns ColumnsOf(const ShowClusterSetting& show) { return {{show.setting, SqlType::kText}}; }

CommandTag RunStatement(const ShowClusterSetting& show, const Running& running) {
  std::string value;
  if (show.target) {
    ASSIGN_OR_RETURN(value, running.clusters.ShowSetting(*show.target, show.setting));
  } else {
    ASSIGN_OR_RETURN(SettingInfo info, running.clusters.ShowClusterSetting(show.setting));
    value = std::move(info.value);
  }
  RETURN_IF_ERROR(running.sink.Columns(ColumnsOf(show)));
  RETURN_IF_ERROR(running.sink.AddRow({std::move(value)}));
  return std::string("SHOW 1");
}

Columns ColumnsOf(const ShowClusterSettings&) {
  return {{"variable", SqlType::kText}, {"value", SqlType::kText},       {"setting_type", SqlType::kText},
          {"public", SqlType::kBool},   {"description", SqlType::kText}, {"default_value", SqlType::kText}};
}

CommandTag RunStatement(const ShowClusterSettings& show, const Running& running) {
  std::vector<SettingInfo> rows;
  if (show.target) {
    ASSIGN_OR_RETURN(rows, running.clusters.ShowSettings(*show.target));
  } else {
    ASSIGN_OR_RETURN(rows, running.clusters.ShowClusterSettings());
  }
  RETURN_IF_ERROR(running.sink.Columns(ColumnsOf(show)));
  if (running.guest) {
    std::erase_if(rows, [](const SettingInfo& info) {
      return info.name == DefinitionOf(ClusterSetting::kDefaultTarget).name;  // names another one
    });
  }
  for (const SettingInfo& info : rows) {
    RETURN_IF_ERROR(running.sink.AddRow({info.name, info.value, info.type, true, info.description, info.default_value}));
  }
  return fmt::format("SHOW {}", rows.size());
}

absl::Status RunAction(const VirtualClusterSpec& target, const SetVirtualClusterSetting& set, const Running& running) {
  return running.clusters.SetSetting(target, set.setting, set.value);
}

}  // namespace anabranch
