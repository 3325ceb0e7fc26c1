// Queries: SELECT, VALUES, UNION and the like, as plans.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/query/bind.h"
#include "sql/query/plan.h"
#include "sql/query/relation.h"
#include "sql/value/result.h"

namespace anabranch {

// A query inside a statement.
struct Query {
  std::vector<ColumnDescription> columns;  // of type kUnknown where PlanQuery was asked to keep them
  PlanRef root;
  // By column: the parameter that a column of type kUnknown is; null for others. Whoever converts it settles its type.
  std::vector<ExpressionRef> unknown_parameters;
  std::vector<int> locations;           // by column: where it is in the text
  std::vector<ExpressionRef> captures;  // what it uses of the query around it, as that one's expressions
};

struct CommonTable {
  std::string name;
  std::vector<ColumnDescription> columns;
  std::shared_ptr<const PlanNode> root;
  std::vector<ExpressionRef> captures;
  const QueryLevel* level = nullptr;  // whose expressions `captures` are
  int uses = 0;
};

enum class UnknownColumns { kAsText, kKeep };

// `assign_to`: the columns an INSERT puts the values in; null: none. The query may use columns of the binder's present
// level, which becomes the one around it.
absl::StatusOr<Query> PlanQuery(const pg_query::SelectStmt& select, const std::vector<const Column*>* assign_to,
                                UnknownColumns unknown, const Planning& planning);

// A SELECT statement, or that of an INSERT.
struct SelectPlan {
  std::vector<ColumnDescription> columns;
  PlanRef root;
  std::vector<TableRef> tables;  // that it reads
};

// `bracket`: what stands for kBracketRelation, if the statement has one.
absl::StatusOr<SelectPlan> PlanSelect(const pg_query::SelectStmt& select, const SystemStatement* bracket,
                                      const std::vector<const Column*>* assign_to, const Planning& planning);

absl::Status RunSelect(const SelectPlan& plan, const Execution& execution, const RowConsumer& consume);

}  // namespace anabranch
