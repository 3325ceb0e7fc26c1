// The room query/: names, types and conversions settled (bind*), plans, and the nodes that make rows. May use the rooms
// before it.
//
// Plans: a tree of operators, each a source of rows.
//
// Below the target list of a query every node gives rows of one layout, that of the query's FROM: each relation in FROM has
// its own slots in it, and a node fills those of its relations and leaves the others alone. So a join hands the same row to
// both of its sides, the inner side reads what the outer one put there, and an expression over FROM means the same
// everywhere. From the target list (or an aggregation) on, a row is what that node makes.
//
// A plan is immutable and knows no parameter values; it may run many times and on several threads.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/expression/expression.h"
#include "sql/query/execution.h"

namespace anabranch {

class RowSource {
 public:
  virtual ~RowSource() = default;
  virtual absl::StatusOr<bool> Next(Row* row) = 0;  // false at the end
};
using RowSourceRef = std::unique_ptr<RowSource>;

// What EXPLAIN says of a node: "Index Scan using t_pkey on t", and lines below it ("Index Cond", "(id = 1)").
struct NodeText {
  using Details = std::vector<std::pair<std::string, std::string>>;
  std::string label;  // empty: the node is shown as a part of the one below it
  Details details;
};

class PlanNode {
 public:
  virtual ~PlanNode() = default;

  // `outer`: a row of FROM's layout with what the relations joined before have put into it. Read now, not kept. The source
  // must not outlive the plan or `execution`.
  absl::StatusOr<RowSourceRef> Open(const Execution& execution, const Row& outer) const {
    return execution.measures ? OpenMeasured(execution, outer) : DoOpen(execution, outer);
  }

  virtual NodeText Explain() const = 0;
  virtual std::vector<const PlanNode*> children() const { return {}; }
  // Plans of subqueries in this node's expressions are found through these.
  virtual std::vector<const Expression*> expressions() const { return {}; }

 private:
  virtual absl::StatusOr<RowSourceRef> DoOpen(const Execution& execution, const Row& outer) const = 0;
  absl::StatusOr<RowSourceRef> OpenMeasured(const Execution& execution, const Row& outer) const;
};
using PlanRef = std::unique_ptr<PlanNode>;

// The slots of one relation in the rows of its FROM.
struct Slots {
  int begin = 0;
  int end = 0;
  bool Holds(int index) const { return begin <= index && index < end; }
};

}  // namespace anabranch
