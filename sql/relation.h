// What stands in FROM, and its rows.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/bind.h"
#include "sql/execution.h"
#include "sql/system_statements.h"
#include "sql/table_scan.h"

namespace anabranch {

struct Relation {
  enum class Kind { kOneRow, kTable, kSeries, kSystem };  // kOneRow: no FROM
  Kind kind = Kind::kOneRow;
  Scope scope;
  TableRef table;                              // kTable
  std::vector<ExpressionRef> series;           // kSeries: start, stop and perhaps step
  SystemStatements* system = nullptr;          // kSystem
  const SystemStatement* statement = nullptr;  // kSystem; owned by the statement
};

// A statement of ours outside `system`: 42501.
absl::Status NotInSystem();

// The columns of a table in FROM, or that an UPDATE or DELETE sees.
Scope TableScope(const Table& table, std::string_view alias);

// `bracket`: what stands for kBracketRelation, if the statement has one.
absl::StatusOr<Relation> PlanRelation(const pg_query::Node& item, const SystemStatement* bracket, const Planning& planning);

class RowSource {
 public:
  virtual ~RowSource() = default;
  virtual absl::StatusOr<bool> Next(Row* row) = 0;  // false at the end
};

// `plan` is for kTable. Must not outlive `relation` and `execution`.
absl::StatusOr<std::unique_ptr<RowSource>> OpenRelation(const Relation& relation, ScanPlan plan,
                                                        VersionColumn version_column, const Execution& execution);

}  // namespace anabranch
