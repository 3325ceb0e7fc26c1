// The room write/: what changes rows: INSERT, UPDATE, DELETE, COPY, and the rules of tables; EXPLAIN, which prints what
// they would do. May use the rooms before it.
//
// INSERT, UPDATE, DELETE. READ COMMITTED as PostgreSQL does it: rows are found in the statement's snapshot, locked, and
// judged again if they changed since.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/repeated_field.h"
#include "sql/query/bind.h"
#include "sql/query/execution.h"
#include "sql/query/select.h"
#include "sql/value/result.h"
#include "sql/write/backfill.h"
#include "sql/write/row_writer.h"

namespace anabranch {

// Puts rows into a table. Also what COPY uses.
class RowInserter {
 public:
  enum class Mode { kRows, kLoad };  // kLoad: many; in batches if nobody else can see the table yet
  // `given`: positions of the columns that the caller fills in.
  RowInserter(TableRulesRef rules, const Execution& execution, Mode mode, std::span<const int> given);

  // The next row: null where a value is given, else the default, which may be nextval().
  absl::Status Defaults(Row* row);
  // As RowWriter::Insert.
  absl::Status Insert(const Row& row);
  absl::Status Finish() { return bulk_ ? bulk_->Finish() : absl::OkStatus(); }
  RowWriter& writer() { return *writer_; }  // REQUIRES: kRows

 private:
  const TableRulesRef rules_;
  const Execution& execution_;
  std::unique_ptr<BulkWriter> bulk_;
  std::optional<RowWriter> writer_;  // if there is no bulk_
  std::vector<bool> given_;          // by position
  std::optional<Row> fixed_;         // if every row gets the same
};

// The columns that a list names, all of them if it is empty. 42703, 42701.
absl::StatusOr<std::vector<int>> NamedColumns(const Table& table, const std::vector<std::string>& names);

// RETURNING, over a row of the table's columns, kVersionColumn, and what the statement joins with the table.
struct Returning {
  std::vector<ColumnDescription> columns;  // empty: there is none
  std::vector<ExpressionRef> targets;
};

// What ON CONFLICT does. Its expressions are over the row there is, kVersionColumn, and then the row proposed.
struct ConflictPlan {
  Arbiters arbiters;
  bool updates = false;  // else the row proposed is left out
  std::vector<std::pair<int, ExpressionRef>> assignments;
  ExpressionRef filter;
};

struct InsertPlan {
  TableRef table;
  TableRulesRef rules;
  std::vector<int> positions;                    // of the columns given
  std::vector<std::vector<ExpressionRef>> rows;  // VALUES; null: DEFAULT
  std::unique_ptr<SelectPlan> select;            // or SELECT
  std::optional<ConflictPlan> conflict;
  Returning returning;
};
absl::StatusOr<InsertPlan> PlanInsert(const pg_query::InsertStmt& insert, const SystemStatement* bracket,
                                      const Planning& planning);
// The number of rows inserted. `returned` gets what RETURNING says of each.
absl::StatusOr<uint64_t> RunInsert(const InsertPlan& plan, const Execution& execution, const RowConsumer& returned);

// Expressions are over the table's columns, kVersionColumn, and then what FROM or USING names.
struct UpdatePlan {
  TableRef table;
  TableRulesRef rules;
  ExpressionRef filter;
  PlanRef joined;  // UPDATE ... FROM, DELETE ... USING: rows of all of them; null: the table alone
  std::vector<std::pair<int, ExpressionRef>> assignments;  // null: DEFAULT
  bool deletes = false;                                    // DELETE: there are no assignments
  Returning returning;
};
absl::StatusOr<UpdatePlan> PlanUpdate(const pg_query::UpdateStmt& update, const Planning& planning);
absl::StatusOr<UpdatePlan> PlanDelete(const pg_query::DeleteStmt& statement, const Planning& planning);
// The number of rows changed. `returned` gets what RETURNING says of each: of an updated row as it is now, of a deleted one
// as it was.
absl::StatusOr<uint64_t> RunUpdate(const UpdatePlan& plan, const Execution& execution, const RowConsumer& returned);

absl::StatusOr<ConflictPlan> PlanConflict(const pg_query::OnConflictClause& clause, const Table& table,
                                          std::string_view alias, const std::vector<int>& positions,
                                          const Planning& planning);

// Inserts rows of one statement that has ON CONFLICT. Must not outlive what it is made of.
class ConflictResolver {
 public:
  ConflictResolver(const ConflictPlan& plan, const TableRules& rules, RowWriter& writer, const Execution& execution)
      : plan_(plan), rules_(rules), writer_(writer), execution_(execution) {}

  enum class Outcome { kWritten, kSkipped };
  // Written: *row is as it stands now. 21000 for a row that this statement has written already.
  absl::StatusOr<Outcome> Insert(Row* row);

 private:
  absl::StatusOr<Outcome> Update(const std::string& key, Row* row);
  absl::Status Touch(std::string key);

  const ConflictPlan& plan_;
  const TableRules& rules_;
  RowWriter& writer_;
  const Execution& execution_;
  std::set<std::string> touched_;  // keys
  MemoryAccount memory_;
};

// --- Shared by the files of this header ---
absl::Status UndefinedColumn(const Table& table, std::string_view column);  // 42703
absl::StatusOr<Returning> PlanReturning(const google::protobuf::RepeatedPtrField<pg_query::Node>& targets,
                                        const Scope& scope, const Planning& planning);
absl::Status ReturnRow(const Returning& returning, const Row& row, const Execution& execution, const RowConsumer& returned);
// Evaluates SET over `from` into *row.
absl::Status Assign(const std::vector<std::pair<int, ExpressionRef>>& assignments, const TableRules& rules, const Row& from,
                    const Execution& execution, Row* row);
// Binds the targets of SET, over the scope set.
absl::StatusOr<std::vector<std::pair<int, ExpressionRef>>> PlanAssignments(
    const google::protobuf::RepeatedPtrField<pg_query::Node>& targets, const Table& table, const Planning& planning);

}  // namespace anabranch
