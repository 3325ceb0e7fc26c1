#include "sql/session/prepared_statement.h"

#include <algorithm>

#include "base/status.h"
#include "sql/parse/statement.h"
#include "sql/parse/tree.h"

namespace anabranch {
namespace {

// The text, its tree, and about as much again in its plan.
size_t MemoryBytes(const PreparedStatement& prepared) {
  const StatementRef& statement = prepared.statement();
  if (statement == nullptr) return 0;  // of an empty query string
  const size_t tree = statement->tree != nullptr ? statement->tree->SpaceUsedLong() : 0;
  return 2 * (statement->text.size() + tree);
}

}  // namespace

absl::StatusOr<bool> PreparedStatement::IsCurrent(Transaction& transaction) {
  const std::optional<Timestamp> version = transaction.system_version();
  if (version && version == version_) return true;
  ASSIGN_OR_RETURN(const bool current, anabranch::IsCurrent(*plan_, transaction));
  if (current) version_ = version;
  return current;
}

absl::Status PreparedStatement::Refresh(Transaction& transaction, const PlanBinder& bind) {
  ASSIGN_OR_RETURN(const bool current, IsCurrent(transaction));
  if (current) return absl::OkStatus();
  ASSIGN_OR_RETURN(BoundStatementRef plan, bind(statement_, description_.parameters));
  const auto same_type = [](const ColumnDescription& a, const ColumnDescription& b) { return a.type == b.type; };
  if (!std::equal(plan->columns.begin(), plan->columns.end(), description_.columns.begin(), description_.columns.end(),
                  same_type)) {
    return SqlError(sqlstate::kFeatureNotSupported, "cached plan must not change result type");
  }
  plan_ = std::move(plan);
  version_ = transaction.system_version();
  return absl::OkStatus();
}

absl::Status PreparedStatements::Add(std::string name, PreparedRef prepared) {
  if (by_name_.contains(name)) {
    return SqlError(sqlstate::kDuplicatePreparedStatement, fmt::format("prepared statement \"{}\" already exists", name));
  }
  if (by_name_.size() >= kPreparedStatementsMax) {
    return SqlError(sqlstate::kProgramLimitExceeded,
                    fmt::format("more than {} prepared statements in one session", kPreparedStatementsMax),
                    "Use DEALLOCATE for those that are no longer needed.");
  }
  const size_t bytes = MemoryBytes(*prepared);
  if (bytes_ + bytes > kPreparedStatementsBytesMax) {
    return SqlError(sqlstate::kOutOfMemory,
                    fmt::format("the prepared statements of this session would hold more than {} MiB",
                                kPreparedStatementsBytesMax >> 20),
                    "Use DEALLOCATE for those that are no longer needed.");
  }
  bytes_ += bytes;
  by_name_.emplace(std::move(name), Kept{std::move(prepared), bytes});
  return absl::OkStatus();
}

absl::StatusOr<PreparedRef> PreparedStatements::Find(std::string_view name) const {
  const auto found = by_name_.find(name);
  if (found != by_name_.end()) return found->second.prepared;
  return SqlError(sqlstate::kInvalidSqlStatementName, name.empty()
                                                          ? "unnamed prepared statement does not exist"
                                                          : fmt::format("prepared statement \"{}\" does not exist", name));
}

void PreparedStatements::Remove(std::string_view name) {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return;
  bytes_ -= found->second.bytes;
  by_name_.erase(found);
}

void PreparedStatements::Clear() {
  by_name_.clear();
  bytes_ = 0;
}

}  // namespace anabranch
