// Hands each statement of ours to what runs it (run_*.cc).
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/stored/session_context.h"
#include "sql/value/result.h"

namespace anabranch {

struct SystemStatement;
class VirtualClusters;

// A statement of ours outside `system`: 42501.
absl::Status NotInSystem();

// Runs them. Thread-safe; one per process.
class SystemStatements {
 public:
  static std::unique_ptr<SystemStatements> Create(VirtualClusters* clusters);
  virtual ~SystemStatements() = default;
  // The columns, without running anything.
  virtual std::vector<ColumnDescription> Describe(const SystemStatement& statement) = 0;
  // `session`: who runs it, 42501 for who may not, and where: outside `system` a statement needs a capability of the virtual
  // cluster. Streams rows to the sink and returns the command tag.
  virtual absl::StatusOr<std::string> Run(const SystemStatement& statement, const SessionContext& session, ResultSink& sink,
                                          std::stop_token stop) = 0;
};

}  // namespace anabranch
