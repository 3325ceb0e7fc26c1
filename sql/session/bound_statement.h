// What a statement that reads or writes rows becomes once its names, types and conversions are settled: a plan, which may
// be run many times with different parameters.
//
// Immutable once bound. Valid for any transaction that sees the same versions of the descriptors it was made from.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/query/execution.h"
#include "sql/query/select.h"
#include "sql/session/session.h"
#include "sql/write/dml.h"
#include "sql/write/explain.h"

namespace anabranch {

struct BoundStatement {
  StatementRef statement;  // plans point into it
  std::vector<SqlType> parameters;
  std::vector<ColumnDescription> columns;  // of its rows
  std::vector<DescriptorUse> descriptors;  // what it was made from
  std::variant<SelectPlan, InsertPlan, UpdatePlan> plan;
  std::optional<ExplainOptions> explain;  // of EXPLAIN: `plan` is what it explains

  bool returns_rows() const { return !columns.empty() || std::holds_alternative<SelectPlan>(plan); }
};
using BoundStatementRef = std::shared_ptr<const BoundStatement>;

// Whether BindStatement is for it: SELECT, INSERT, UPDATE, DELETE, and EXPLAIN of these.
bool IsBindable(const Statement& statement);

// `hints`: parameter types given by the client, kUnknown where it gave none. REQUIRES: IsBindable.
absl::StatusOr<BoundStatementRef> BindStatement(const StatementRef& statement, std::vector<SqlType> hints,
                                                NewParameters new_parameters, Transaction& transaction, TableReader* tables,
                                                const SessionContext& session, const TimeZone& zone);

// Whether binding again in this transaction would give the same.
absl::StatusOr<bool> IsCurrent(const BoundStatement& bound, Transaction& transaction);

// Runs it and returns the command tag. `execution.evaluation.parameters` has a value for each of `bound.parameters`.
absl::StatusOr<std::string> RunBound(const BoundStatement& bound, const Execution& execution, ResultSink& sink);

}  // namespace anabranch
