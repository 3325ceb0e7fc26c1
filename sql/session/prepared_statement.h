// The prepared statements of a session: those of PREPARE and those of the protocol, which share their names.
//
// Parsed once, planned once: a plan is kept for as long as the descriptors it was made from are the same, which a
// transaction tells without reading any (Transaction::system_version). Its parameters' types never change; neither do those
// of its columns, as clients were told of them (0A000). Its literals mean what they meant in the session's time zone when
// it was planned, as in PostgreSQL.
//
// Used by the session's thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/session/bound_statement.h"
#include "sql/session/session.h"

namespace anabranch {

// In one session.
inline constexpr size_t kPreparedStatementsMax = 10'000;
inline constexpr size_t kPreparedStatementsBytesMax = 128 << 20;

// Binds the statement of the plan that is wanted, its parameters being of these types.
using PlanBinder = std::function<absl::StatusOr<BoundStatementRef>(const StatementRef&, const std::vector<SqlType>&)>;

class PreparedStatement {
 public:
  // Of a statement that has no plan.
  PreparedStatement(StatementRef statement, StatementDescription description)
      : statement_(std::move(statement)), description_(std::move(description)) {}
  PreparedStatement(BoundStatementRef plan, const Transaction& transaction)
      : statement_(plan->statement),
        description_{plan->parameters, plan->columns, plan->returns_rows()},
        plan_(std::move(plan)),
        version_(transaction.system_version()) {}

  const StatementRef& statement() const { return statement_; }
  const StatementDescription& description() const { return description_; }
  const BoundStatementRef& plan() const { return plan_; }  // null: it has none

  // Whether the plan is what binding in this transaction would give.
  absl::StatusOr<bool> IsCurrent(Transaction& transaction);
  // Makes it so. 0A000 if the columns' types would change.
  absl::Status Refresh(Transaction& transaction, const PlanBinder& bind);

 private:
  const StatementRef statement_;
  const StatementDescription description_;
  BoundStatementRef plan_;
  std::optional<Timestamp> version_;  // of the system tables, under which plan_ is known to be right
};

class PreparedStatements {
 public:
  absl::Status Add(std::string name, PreparedRef prepared);       // 42P05, 54000, 53200
  absl::StatusOr<PreparedRef> Find(std::string_view name) const;  // 26000
  void Remove(std::string_view name);                             // if it is there
  void Clear();

 private:
  struct Kept {
    PreparedRef prepared;
    size_t bytes;
  };
  std::map<std::string, Kept, std::less<>> by_name_;
  size_t bytes_ = 0;  // what they hold in memory
};

}  // namespace anabranch
