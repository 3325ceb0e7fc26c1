// EXPLAIN: a plan as text, in PostgreSQL's form. There are no cost estimates to print.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/parse/tree_types.h"
#include "sql/query/select.h"
#include "sql/query/statement_run.h"
#include "sql/write/dml.h"

namespace anabranch {

struct ExplainOptions {
  bool analyze = false;
  bool timing = true;
  bool summary = false;  // planning and execution time
};

// COSTS, VERBOSE, BUFFERS, WAL and SETTINGS are accepted and change nothing. 42601, 22023, 0A000 for a format but text.
absl::StatusOr<ExplainOptions> ReadExplainOptions(const pg_query::ExplainStmt& explain);

// `run`: what EXPLAIN ANALYZE measured; null: nothing was run.
std::vector<std::string> ExplainPlan(const SelectPlan& plan, const ExplainOptions& options, StatementRun* run);
std::vector<std::string> ExplainPlan(const InsertPlan& plan, const ExplainOptions& options, StatementRun* run);
std::vector<std::string> ExplainPlan(const UpdatePlan& plan, const ExplainOptions& options, StatementRun* run);

}  // namespace anabranch
