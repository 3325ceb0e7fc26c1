#include "sql/query/lock_node.h"

#include <algorithm>

#include "base/status.h"
#include "sql/parse/tree.h"
#include "sql/stored/row_codec.h"
#include "sql/value/error_field.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;
using Strength = pg_query::LockClauseStrength;

std::string_view NameOf(Strength strength) {
  switch (strength) {
    case pg_query::LCS_FORKEYSHARE:
      return "FOR KEY SHARE";
    case pg_query::LCS_FORSHARE:
      return "FOR SHARE";
    case pg_query::LCS_FORNOKEYUPDATE:
      return "FOR NO KEY UPDATE";
    default:
      return "FOR UPDATE";
  }
}

LockWait WaitOf(const pg_query::LockingClause& clause) {
  switch (clause.wait_policy()) {
    case pg_query::LockWaitSkip:
      return LockWait::kSkip;
    case pg_query::LockWaitError:
      return LockWait::kRefuse;
    default:
      return LockWait::kWait;
  }
}

absl::Status CannotLock(const pg_query::LockingClause& clause, std::string_view what) {
  return SqlError(sqlstate::kFeatureNotSupported,
                  fmt::format("{} cannot be applied to {}", NameOf(clause.strength()), what));
}

bool HasSubquery(const Node& item) {
  if (item.has_join_expr()) return HasSubquery(item.join_expr().larg()) || HasSubquery(item.join_expr().rarg());
  return item.has_range_subselect();
}

class LockPlanner {
 public:
  LockPlanner(const pg_query::SelectStmt& select, const std::vector<FromItemRef>& items, const Scope& scope)
      : select_(select), scope_(scope) {
    for (const FromItemRef& item : items) Collect(*item, false);
  }

  absl::StatusOr<LockSpec> Plan(const Expression* where) {
    for (const Node& node : select_.locking_clause()) {
      const pg_query::LockingClause& clause = node.locking_clause();
      RETURN_IF_ERROR(clause.locked_rels().empty() ? LockAll(clause) : LockNamed(clause));
    }
    if (where != nullptr) conditions_.push_back(Clone(*where));
    if (!conditions_.empty()) {
      spec_.condition = MakeExpression(ExpressionKind::kAnd, SqlType::kBool);
      spec_.condition->arguments = std::move(conditions_);
    }
    return std::move(spec_);
  }

 private:
  struct Lockable {
    const FromItem* item;
    bool nullable;  // by an outer join
  };

  void Collect(const FromItem& item, bool nullable) {
    if (!item.is_join()) {
      if (item.table) tables_.push_back({&item, nullable});
      return;
    }
    if (item.kind == JoinKind::kInner) {
      for (const ExpressionRef& condition : item.on) conditions_.push_back(Clone(*condition));
    } else {
      spec_.outer_joins = true;
    }
    Collect(*item.left, nullable || item.kind == JoinKind::kFull);
    Collect(*item.right, nullable || item.kind != JoinKind::kInner);
  }

  absl::Status LockAll(const pg_query::LockingClause& clause) {
    for (const Node& item : select_.from_clause()) {
      if (HasSubquery(item)) return UnsupportedError(fmt::format("{} of a subquery", NameOf(clause.strength())));
    }
    for (const Lockable& lockable : tables_) RETURN_IF_ERROR(Lock(lockable, clause));
    return absl::OkStatus();
  }

  absl::Status LockNamed(const pg_query::LockingClause& clause) {
    for (const Node& node : clause.locked_rels()) {
      RETURN_IF_ERROR(WithLocation(LockOne(node.range_var(), clause), LocationOf(node)));
    }
    return absl::OkStatus();
  }

  absl::Status LockOne(const pg_query::RangeVar& range, const pg_query::LockingClause& clause) {
    if (!range.schemaname().empty()) {
      return SqlError(sqlstate::kSyntaxError,
                      fmt::format("{} must specify unqualified relation names", NameOf(clause.strength())));
    }
    const std::string& name = range.relname();
    for (const Lockable& lockable : tables_) {
      if (lockable.item->alias == name) return Lock(lockable, clause);
    }
    const bool known = std::any_of(scope_.columns.begin(), scope_.columns.end(),
                                   [&](const ScopeColumn& column) { return column.relation == name; });
    if (known) return CannotLock(clause, fmt::format("\"{}\", which is not a table", name));
    return SqlError(sqlstate::kUndefinedTable,
                    fmt::format("relation \"{}\" in {} clause not found in FROM clause", name, NameOf(clause.strength())));
  }

  absl::Status Lock(const Lockable& lockable, const pg_query::LockingClause& clause) {
    if (lockable.nullable) return CannotLock(clause, "the nullable side of an outer join");
    if (lockable.item->table->primary_key.empty()) {
      return UnsupportedError(fmt::format("{} of a table without a primary key", NameOf(clause.strength())));
    }
    // Of several clauses for a table, the one that waits least counts.
    for (LockedTable& known : spec_.tables) {
      if (known.slots.begin != lockable.item->slots.begin) continue;
      known.wait = std::max(known.wait, WaitOf(clause));
      return absl::OkStatus();
    }
    spec_.tables.push_back({lockable.item->table, lockable.item->slots, WaitOf(clause)});
    return absl::OkStatus();
  }

  const pg_query::SelectStmt& select_;
  const Scope& scope_;
  std::vector<Lockable> tables_;
  std::vector<ExpressionRef> conditions_;
  LockSpec spec_;
};

class LockSource final : public RowSource {
 public:
  LockSource(RowSourceRef input, const LockSpec& spec, const Execution& execution)
      : input_(std::move(input)), spec_(spec), execution_(execution) {}

  absl::StatusOr<bool> Next(Row* row) override {
    while (true) {
      RETURN_IF_ERROR(CheckStop(execution_.stop));
      ASSIGN_OR_RETURN(const bool found, input_->Next(row));
      if (!found) return false;
      ASSIGN_OR_RETURN(const bool locked, LockAll(row));
      if (locked) return true;
    }
  }

 private:
  // False: the row does not count, because it is skipped, or gone, or does not qualify any more.
  absl::StatusOr<bool> LockAll(Row* row) {
    bool changed = false;
    for (const LockedTable& locked : spec_.tables) {
      const auto begin = row->begin() + locked.slots.begin;
      Row columns(begin, begin + (locked.slots.end - locked.slots.begin));
      const std::string key = EncodeRowKey(*locked.table, columns);
      ASSIGN_OR_RETURN(const std::optional<LockedRow> now, Lock(key, locked));
      if (!now || !now->row) return false;
      if (!now->changed_since_snapshot) continue;
      changed = true;
      RETURN_IF_ERROR(DecodeRow(*locked.table, key, now->row->value, &columns));
      columns.back() = HlcNumeric(now->row->timestamp);
      std::move(columns.begin(), columns.end(), begin);
    }
    if (!changed) return true;
    if (spec_.outer_joins) {
      // What it would be joined with now is not known here.
      return SqlError(sqlstate::kSerializationFailure, "could not serialize access due to concurrent update",
                      "The transaction might succeed if retried.");
    }
    return spec_.condition ? Holds(*spec_.condition, *row, execution_.evaluation) : absl::StatusOr<bool>(true);
  }

  // nullopt: it is to be skipped.
  absl::StatusOr<std::optional<LockedRow>> Lock(const std::string& key, const LockedTable& locked) {
    if (locked.wait == LockWait::kWait) {
      ASSIGN_OR_RETURN(LockedRow row, execution_.transaction->LockRow(key, execution_.stop));
      return std::optional<LockedRow>(std::move(row));
    }
    ASSIGN_OR_RETURN(std::optional<LockedRow> row, execution_.transaction->TryLockRow(key));
    if (row || locked.wait == LockWait::kSkip) return row;
    return SqlError(sqlstate::kLockNotAvailable,
                    fmt::format("could not obtain lock on row in relation \"{}\"", locked.table->name));
  }

  const RowSourceRef input_;
  const LockSpec& spec_;
  const Execution& execution_;
};

// As a writer does, against DDL; but the snapshot is older than this lock, so the table may have changed since.
absl::Status HoldTable(const std::string& name, const Execution& execution) {
  RETURN_IF_ERROR(execution.transaction->Lock(DescriptorKey(name), LockMode::kShared, execution.stop));
  ASSIGN_OR_RETURN(const std::optional<ReadVersion> seen, execution.transaction->Get(DescriptorKey(name)));
  if (seen && seen->timestamp.IsZero()) return absl::OkStatus();  // our own
  const std::unique_ptr<Transaction> fresh =
      Transaction::Begin(execution.evaluation.session->transaction, IsolationLevel::kReadCommitted);
  RETURN_IF_ERROR(fresh->BeginStatement());
  ASSIGN_OR_RETURN(const std::optional<ReadVersion> newest, fresh->Get(DescriptorKey(name)));
  if (seen && newest && seen->timestamp == newest->timestamp) return absl::OkStatus();
  return SqlError(sqlstate::kSerializationFailure,
                  fmt::format("could not serialize access: table \"{}\" changed since the statement began", name));
}

}  // namespace

std::string_view LockingClauseName(const pg_query::SelectStmt& select) {
  Strength strongest = pg_query::LCS_FORKEYSHARE;
  for (const Node& node : select.locking_clause()) strongest = std::max(strongest, node.locking_clause().strength());
  return NameOf(strongest);
}

absl::StatusOr<LockSpec> PlanLocks(const pg_query::SelectStmt& select, const std::vector<FromItemRef>& items,
                                   const Scope& scope, const Expression* where) {
  return LockPlanner(select, items, scope).Plan(where);
}

absl::StatusOr<RowSourceRef> LockNode::DoOpen(const Execution& execution, const Row& outer) const {
  for (const LockedTable& locked : spec_.tables) RETURN_IF_ERROR(HoldTable(locked.table->name, execution));
  ASSIGN_OR_RETURN(RowSourceRef input, input_->Open(execution, outer));
  return std::make_unique<LockSource>(std::move(input), spec_, execution);
}

}  // namespace anabranch
