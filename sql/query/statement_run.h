// What one run of a statement keeps beside its operators: the memory they hold together, the results of subqueries that do
// not depend on a row, the rows of WITH queries, and what EXPLAIN ANALYZE measures. Used by one thread.
#pragma once

#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

#include "sql/query/plan.h"

namespace anabranch {

struct RowLess {
  bool operator()(const Row& a, const Row& b) const {
    for (size_t i = 0; i < a.size(); ++i) {
      if (const auto order = Compare(a[i], b[i]); order != 0) return order < 0;
    }
    return false;
  }
};

// A subquery in an expression. The arguments of its expression are first, for kAny and kAll, the value compared, and then
// the outer columns it uses, which its plan sees as kOuterColumn in this order.
struct Subquery {
  enum class Kind { kScalar, kExists, kAny, kAll, kArray };
  Kind kind = Kind::kScalar;
  PlanRef plan;
  ExpressionRef test;  // kAny, kAll: over a row of the value compared and the subquery's value

  size_t values() const { return kind == Kind::kAny || kind == Kind::kAll ? 1 : 0; }
};

// The rows of one WITH query.
struct HeldRows {
  std::vector<Row> rows;
  MemoryAccount memory;
  explicit HeldRows(const Execution& execution);
};

class StatementRun final : public SubqueryRunner {
 public:
  enum class Measure { kNothing, kNodes };

  // Makes *execution refer to this, which must outlive its use.
  explicit StatementRun(Execution* execution, Measure measure = Measure::kNothing);

  absl::StatusOr<Datum> Run(const Expression& subquery, const Row& row, const EvaluationContext& context) override;

  // All rows of `plan`, which depends on nothing outside it; read once.
  absl::StatusOr<const HeldRows*> RowsOf(const PlanNode& plan, const Execution& execution);

  size_t* held_bytes() { return &held_bytes_; }

  struct Measured {
    uint64_t rows = 0;
    uint64_t loops = 0;
    int64_t ns = 0;
  };
  bool measures() const { return measure_ == Measure::kNodes; }
  Measured* MeasuredOf(const PlanNode* node) { return &measured_[node]; }
  int64_t NowNs() const;

 private:
  // A result of a subquery without outer columns. For kAny and kAll all its values.
  struct Result {
    Datum value;
    std::vector<Datum> values;
    std::set<Row, RowLess> known;  // kAny by equality: those of the values that are not null
    bool any_null = false;
    bool by_equality = false;
  };

  absl::StatusOr<Datum> RunOnce(const Subquery& subquery, const Row& arguments);
  absl::StatusOr<Datum> ReadArray(RowSource* source);
  absl::StatusOr<const Result*> ResultOf(const Subquery& subquery);
  absl::StatusOr<Datum> TestAll(const Subquery& subquery, const std::vector<Datum>& values, const Datum& value);

  Execution execution_;
  const Measure measure_;
  size_t held_bytes_ = 0;
  MemoryAccount memory_;
  std::unordered_map<const Subquery*, std::unique_ptr<Result>> results_;
  std::unordered_map<const PlanNode*, std::unique_ptr<HeldRows>> rows_;
  std::unordered_map<const PlanNode*, Measured> measured_;
};

// The account of an operator of this statement.
inline size_t* HeldBytes(const Execution& execution) {
  return execution.statement == nullptr ? nullptr : execution.statement->held_bytes();
}

}  // namespace anabranch
