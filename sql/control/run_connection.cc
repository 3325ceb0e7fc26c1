// External connections.
#include "base/status.h"
#include "fmt/format.h"
#include "sql/control/run.h"
#include "tenant/virtual_clusters.h"

namespace anabranch {

CommandTag RunStatement(const CreateExternalConnection& create, const Running& running) {
  RETURN_IF_ERROR(running.clusters.CreateExternalConnection(create.name, create.uri, create.if_not_exists));
  return std::string(InfoOf(running.statement).command);
}

CommandTag RunStatement(const AlterExternalConnection& alter, const Running& running) {
  RETURN_IF_ERROR(running.clusters.AlterExternalConnection(alter.name, alter.uri, alter.if_exists));
  return std::string(InfoOf(running.statement).command);
}

CommandTag RunStatement(const DropExternalConnection& drop, const Running& running) {
  RETURN_IF_ERROR(running.clusters.DropExternalConnection(drop.name, drop.if_exists));
  return std::string(InfoOf(running.statement).command);
}

Columns ColumnsOf(const ShowExternalConnections&) {
  return {{"connection_name", SqlType::kText}, {"connection_uri", SqlType::kText}, {"connection_type", SqlType::kText}};
}

CommandTag RunStatement(const ShowExternalConnections& show, const Running& running) {
  ASSIGN_OR_RETURN(const std::vector<ExternalConnectionInfo> rows, running.clusters.ShowExternalConnections(show.name));
  RETURN_IF_ERROR(running.sink.Columns(ColumnsOf(show)));
  for (const ExternalConnectionInfo& info : rows) {
    RETURN_IF_ERROR(running.sink.AddRow({info.name, info.uri, std::string("FOREIGNDATA")}));
  }
  return fmt::format("SHOW {}", rows.size());
}

}  // namespace anabranch
