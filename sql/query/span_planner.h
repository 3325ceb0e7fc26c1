// Which key of a table to read by, and which keys a condition can hold for.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/expression/expression.h"
#include "sql/stored/descriptor.h"
#include "storage/api/types.h"

namespace anabranch {

inline constexpr size_t kPlannedSpansMax = 10'000;  // of IN lists multiplied; beyond it fewer, wider spans

// The primary key or an index, and how far a condition restricts it. Settled when planning.
struct AccessPath {
  const Index* index = nullptr;  // of the table; null: the primary key
  size_t equal_columns = 0;      // leading key columns that have one value each
  size_t used_columns = 0;       // leading key columns that are restricted at all: the last one perhaps to a range
  bool ordered = false;          // chosen for the order of its rows

  const std::vector<int>& Columns(const Table& table) const {
    return index == nullptr ? table.primary_key : index->columns;
  }
  std::string_view KeyName(const Table& table) const { return index == nullptr ? table.primary_key_name : index->name; }
  // At most one row.
  bool IsPoint(const Table& table) const;
  // Whether this part of the condition restricts the key columns used.
  bool Uses(const Table& table, int first_slot, const Expression& conjunct) const;
};

struct ScanPlan {
  const Index* index = nullptr;  // spans are of its entries; null: of rows
  std::vector<Span> spans = {};  // ascending, disjoint
  bool points = false;           // each span is one key: its start
};

// The parts of a condition that AND joins. Null: none.
std::vector<const Expression*> Conjuncts(const Expression* filter);

// The best way to the rows of `table` for which all `conjuncts` hold: the key with the most leading columns that have one
// value, then the one with the most columns restricted, then the primary key. `first_slot`: where the table's columns are
// in the conjuncts' rows; other columns have their values before the scan begins.
AccessPath ChoosePath(const Table& table, const std::vector<const Expression*>& conjuncts, int first_slot);

// The same by this key: `index`, or the primary key if it is null.
AccessPath PathBy(const Table& table, const Index* index, const std::vector<const Expression*>& conjuncts, int first_slot);

// Spans that hold every row of `table` for which `filter` (null: none) may hold; the filter must still be evaluated. Uses
// =, <, <=, >, >=, IN and what BETWEEN is made of, joined by AND, between key columns and expressions that do not depend on
// the table. `outer`: the other columns' values.
absl::StatusOr<ScanPlan> PlanSpans(const Table& table, const AccessPath& path, const Expression* filter, int first_slot,
                                   const Row& outer, const EvaluationContext& context);

// The same for a statement on this table alone.
absl::StatusOr<ScanPlan> PlanSpans(const Table& table, const Expression* filter, const EvaluationContext& context);

}  // namespace anabranch
