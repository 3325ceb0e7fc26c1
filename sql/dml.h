// INSERT, UPDATE, DELETE. READ COMMITTED as PostgreSQL does it: rows are found in the statement's snapshot, locked, and
// judged again if they changed since.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "sql/bind.h"
#include "sql/execution.h"
#include "sql/select.h"

namespace anabranch {

// Puts rows into a table. Also what COPY uses.
class RowInserter {
 public:
  RowInserter(TableRef table, const Execution& execution) : table_(std::move(table)), execution_(execution) {}

  // A row of defaults.
  Row Defaults() const;
  // 23502, 23505. `row` has a value of the right type for each column.
  absl::Status Insert(const Row& row);

 private:
  const TableRef table_;
  const Execution& execution_;
};

// The default of a column as this statement sees it.
Datum DefaultOf(const Column& column, const EvaluationContext& context);

// The columns that a list names, all of them if it is empty. 42703, 42701.
absl::StatusOr<std::vector<int>> NamedColumns(const Table& table, const std::vector<std::string>& names);

struct InsertPlan {
  TableRef table;
  std::vector<int> positions;                    // of the columns given
  std::vector<std::vector<ExpressionRef>> rows;  // VALUES; null: DEFAULT
  std::unique_ptr<SelectPlan> select;            // or SELECT
};
absl::StatusOr<InsertPlan> PlanInsert(const pg_query::InsertStmt& insert, const SystemStatement* bracket,
                                      const Planning& planning);
absl::StatusOr<uint64_t> RunInsert(const InsertPlan& plan, const Execution& execution);

struct UpdatePlan {
  TableRef table;
  ExpressionRef filter;
  std::vector<std::pair<int, ExpressionRef>> assignments;  // null: DEFAULT
  bool deletes = false;                                    // DELETE: there are no assignments
};
absl::StatusOr<UpdatePlan> PlanUpdate(const pg_query::UpdateStmt& update, const Planning& planning);
absl::StatusOr<UpdatePlan> PlanDelete(const pg_query::DeleteStmt& statement, const Planning& planning);
// The number of rows changed.
absl::StatusOr<uint64_t> RunUpdate(const UpdatePlan& plan, const Execution& execution);

}  // namespace anabranch
