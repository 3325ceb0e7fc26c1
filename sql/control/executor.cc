#include "sql/control/executor.h"

#include "base/status.h"
#include "fmt/format.h"
#include "sql/control/run.h"
#include "tenant/virtual_clusters.h"

namespace anabranch {
namespace {

class Executor : public SystemStatements {
 public:
  explicit Executor(VirtualClusters* clusters) : clusters_(clusters) {}

  std::vector<ColumnDescription> Describe(const SystemStatement& statement) override {
    return anabranch::Describe(statement);
  }

  absl::StatusOr<std::string> Run(const SystemStatement& statement, const SessionContext& session, ResultSink& sink,
                                  std::stop_token stop) override {
    if (session.tenant == TenantId() || session.tenant == kSystemTenantId) {
      RETURN_IF_ERROR(CheckMayRun(InfoOf(statement), session));
      return RunAny({statement, session, *clusters_, sink, std::move(stop)});
    }
    ASSIGN_OR_RETURN(const SystemStatement own, AsGuest(statement, session, *clusters_));
    return RunAny({own, session, *clusters_, sink, std::move(stop), /*guest=*/true});
  }

 private:
  static absl::StatusOr<std::string> RunAny(const Running& running) {
    return std::visit([&](const auto& shape) { return RunStatement(shape, running); },
                      static_cast<const SystemStatement::variant&>(running.statement));
  }

  VirtualClusters* const clusters_;
};

}  // namespace

absl::Status NotSupportedYet(std::string_view what, std::string hint) {
  return SqlError(sqlstate::kFeatureNotSupported, fmt::format("{} is not supported in this version", what),
                  std::move(hint));
}

absl::Status NotInSystem() {
  return SqlError(sqlstate::kInsufficientPrivilege, "this statement runs in the virtual cluster \"system\" only",
                  "Connect with options=-ccluster=system.");
}

Columns Describe(const SystemStatement& statement) {
  return std::visit([](const auto& shape) { return ColumnsOf(shape); },
                    static_cast<const SystemStatement::variant&>(statement));
}

std::unique_ptr<SystemStatements> SystemStatements::Create(VirtualClusters* clusters) {
  return std::make_unique<Executor>(clusters);
}

}  // namespace anabranch
