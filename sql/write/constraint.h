// What a table demands of its rows and gives to them, bound: defaults, NOT NULL, CHECK. And the errors of those that break
// it, with PostgreSQL's texts and fields.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/expression/expression.h"
#include "sql/parse/tree_types.h"

namespace anabranch {

// Immutable; part of plans.
class TableRules {
 public:
  static absl::StatusOr<std::shared_ptr<const TableRules>> Bind(TableRef table);

  const TableRef& table() const { return table_; }
  // False: every row gets the same defaults within a transaction.
  bool volatile_defaults() const { return volatile_defaults_; }
  absl::StatusOr<Datum> Default(int position, const EvaluationContext& context) const;
  // 23502, 23514.
  absl::Status Verify(const Row& row, const EvaluationContext& context) const;

 private:
  TableRef table_;
  std::vector<ExpressionRef> defaults_;  // by column; null: its default_value
  std::vector<ExpressionRef> checks_;    // by check
  bool volatile_defaults_ = false;
};
using TableRulesRef = std::shared_ptr<const TableRules>;

// The condition of a check over the columns of a table.
absl::StatusOr<ExpressionRef> BindCheck(const Table& table, const pg_query::Node& condition, const TimeZone& zone);
absl::StatusOr<ExpressionRef> BindCheck(const Table& table, std::string_view sql);  // as it is stored

// "Key (a, b)=(1, x)", as details name a key.
std::string KeyText(const Table& table, const std::vector<int>& columns, const Row& row, const TimeZone& zone);
// 23505: another row has these values already.
absl::Status UniqueViolation(const Table& table, const std::string& constraint, const std::vector<int>& columns,
                             const Row& row, const TimeZone& zone);
// 23514: of a new row.
absl::Status CheckViolation(const Table& table, const std::string& constraint, const Row& row, const TimeZone& zone);

}  // namespace anabranch
