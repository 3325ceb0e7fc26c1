#include <algorithm>

#include "base/status.h"
#include "sql/aggregate.h"
#include "sql/select.h"
#include "sql/tree.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;

bool Mentions(const Expression* expression, int column) {
  if (expression == nullptr) return false;
  if (expression->kind == ExpressionKind::kColumn && expression->index == column) return true;
  return std::any_of(expression->arguments.begin(), expression->arguments.end(),
                     [&](const ExpressionRef& argument) { return Mentions(argument.get(), column); });
}

// The name a column reference consists of, if it is one name alone.
const std::string* SingleName(const Node& node) {
  const pg_query::ColumnRef& column = node.column_ref();
  if (!node.has_column_ref() || column.fields_size() != 1 || !column.fields(0).has_string()) return nullptr;
  return &StringOf(column.fields(0));
}

class SelectPlanner {
 public:
  SelectPlanner(const pg_query::SelectStmt& select, const std::vector<const Column*>* assign_to, const Planning& planning)
      : select_(select), assign_to_(assign_to), planning_(planning), binder_(*planning.binder) {}

  absl::StatusOr<SelectPlan> Plan(const SystemStatement* bracket) {
    RETURN_IF_ERROR(RefuseForms());
    if (select_.from_clause_size() == 1) {
      ASSIGN_OR_RETURN(plan_.relation, PlanRelation(select_.from_clause(0), bracket, planning_));
      binder_.set_scope(&plan_.relation.scope);
    }
    absl::Status status = PlanClauses();
    binder_.set_scope(nullptr);
    RETURN_IF_ERROR(status);
    if (plan_.relation.kind == Relation::Kind::kTable) ChooseVersionColumn();
    return std::move(plan_);
  }

 private:
  absl::Status RefuseForms() const {
    if (select_.op() != pg_query::SETOP_NONE) return UnsupportedError("UNION/INTERSECT/EXCEPT");
    if (select_.values_lists_size() > 0) return UnsupportedError("VALUES outside INSERT");
    if (select_.limit_option() == pg_query::LIMIT_OPTION_WITH_TIES) return UnsupportedError("WITH TIES");
    if (select_.from_clause_size() > 1) return UnsupportedError("a join (more than one relation in FROM)");
    return absl::OkStatus();
  }

  absl::Status PlanClauses() {
    if (select_.has_where_clause()) {
      ASSIGN_OR_RETURN(plan_.filter, binder_.BindClause(select_.where_clause(), SqlType::kBool, "WHERE"));
    }
    for (const Node& target : select_.target_list()) RETURN_IF_ERROR(AddTarget(target.res_target()));
    if (assign_to_ != nullptr) RETURN_IF_ERROR(AssignTargets());
    for (ExpressionRef& target : plan_.targets) {
      if (target->type != SqlType::kUnknown) continue;
      ASSIGN_OR_RETURN(target, binder_.Convert(std::move(target), SqlType::kText, Conversion::kImplicit));
    }
    for (size_t i = 0; i < plan_.targets.size(); ++i) plan_.columns[i].type = plan_.targets[i]->type;
    RETURN_IF_ERROR(PlanOrder());
    RETURN_IF_ERROR(PlanGroups());
    if (select_.has_limit_count() && !select_.limit_count().a_const().isnull()) {
      ASSIGN_OR_RETURN(plan_.limit, BindCount(select_.limit_count(), "LIMIT"));
    }
    if (select_.has_limit_offset()) {
      ASSIGN_OR_RETURN(plan_.offset, BindCount(select_.limit_offset(), "OFFSET"));
    }
    return absl::OkStatus();
  }

  absl::Status AddTarget(const pg_query::ResTarget& target) {
    const pg_query::ColumnRef& column = target.val().column_ref();
    if (target.val().has_column_ref() && column.fields(column.fields_size() - 1).has_a_star()) return AddStar(column);
    ASSIGN_OR_RETURN(ExpressionRef bound, binder_.Bind(target.val()));
    plan_.columns.push_back({.name = target.name().empty() ? ResultName(target.val()) : target.name()});
    plan_.targets.push_back(std::move(bound));
    named_.push_back(&target);
    return absl::OkStatus();
  }

  absl::Status AddStar(const pg_query::ColumnRef& column) {
    const Scope& scope = plan_.relation.scope;
    if (plan_.relation.kind == Relation::Kind::kOneRow) {
      return SqlError(sqlstate::kSyntaxError, "SELECT * with no tables specified is not valid");
    }
    if (column.fields_size() > 1 && StringOf(column.fields(0)) != scope.relation) {
      return SqlError(sqlstate::kUndefinedTable,
                      fmt::format("missing FROM-clause entry for table \"{}\"", StringOf(column.fields(0))));
    }
    for (size_t i = 0; i < scope.columns.size(); ++i) {
      if (scope.columns[i].hidden) continue;
      plan_.columns.push_back({.name = scope.columns[i].name});
      plan_.targets.push_back(MakeColumn(scope.columns[i].type, static_cast<int>(i), scope.columns[i].name));
      named_.push_back(nullptr);
    }
    return absl::OkStatus();
  }

  absl::Status AssignTargets() {
    if (plan_.targets.size() > assign_to_->size()) {
      return SqlError(sqlstate::kSyntaxError, "INSERT has more expressions than target columns");
    }
    if (plan_.targets.size() < assign_to_->size()) {
      return SqlError(sqlstate::kSyntaxError, "INSERT has more target columns than expressions");
    }
    for (size_t i = 0; i < plan_.targets.size(); ++i) {
      ASSIGN_OR_RETURN(plan_.targets[i], binder_.Assign(std::move(plan_.targets[i]), *(*assign_to_)[i]));
    }
    return absl::OkStatus();
  }

  // The target that an integer constant in ORDER BY or GROUP BY means; -1: it is none.
  absl::StatusOr<int> Ordinal(const Node& node, std::string_view clause) const {
    if (node.a_const().val_case() != pg_query::A_Const::kIval) return -1;
    const int ordinal = node.a_const().ival().ival();
    if (ordinal < 1 || ordinal > static_cast<int>(plan_.targets.size())) {
      return SqlError("42P10", fmt::format("{} position {} is not in select list", clause, ordinal));
    }
    return ordinal - 1;
  }

  absl::Status PlanOrder() {
    for (const Node& node : select_.sort_clause()) {
      const pg_query::SortBy& sort = node.sort_by();
      SortKey key;
      key.descending = sort.sortby_dir() == pg_query::SORTBY_DESC;
      key.nulls_first = sort.sortby_nulls() == pg_query::SORTBY_NULLS_FIRST ||
                        (sort.sortby_nulls() != pg_query::SORTBY_NULLS_LAST && key.descending);
      ASSIGN_OR_RETURN(key.target, Ordinal(sort.node(), "ORDER BY"));
      if (const std::string* name = SingleName(sort.node())) {
        for (size_t i = 0; i < plan_.columns.size() && key.target < 0; ++i) {
          if (plan_.columns[i].name == *name) key.target = static_cast<int>(i);
        }
      }
      if (key.target < 0) {
        ASSIGN_OR_RETURN(key.expression, binder_.BindKnown(sort.node()));
      }
      plan_.order_by.push_back(std::move(key));
    }
    return absl::OkStatus();
  }

  absl::Status PlanGroups() {
    for (const Node& node : select_.group_clause()) {
      ASSIGN_OR_RETURN(ExpressionRef bound, BindGroup(node));
      if (ContainsAggregate(*bound)) {
        return SqlError(sqlstate::kGroupingError, "aggregate functions are not allowed in GROUP BY");
      }
      plan_.group_by.push_back(std::move(bound));
    }
    if (select_.has_having_clause()) {
      ASSIGN_OR_RETURN(plan_.having, binder_.BindClause(select_.having_clause(), SqlType::kBool, "HAVING", true));
    }
    plan_.grouped = !plan_.group_by.empty() || plan_.having != nullptr ||
                    std::any_of(plan_.targets.begin(), plan_.targets.end(),
                                [](const ExpressionRef& target) { return ContainsAggregate(*target); }) ||
                    std::any_of(plan_.order_by.begin(), plan_.order_by.end(),
                                [](const SortKey& key) { return key.expression && ContainsAggregate(*key.expression); });
    if (!plan_.grouped) return absl::OkStatus();
    for (ExpressionRef& target : plan_.targets) RETURN_IF_ERROR(OverGroup(&target));
    for (SortKey& key : plan_.order_by) {
      if (key.expression) RETURN_IF_ERROR(OverGroup(&key.expression));
    }
    if (plan_.having) RETURN_IF_ERROR(OverGroup(&plan_.having));
    return absl::OkStatus();
  }

  // An ordinal, an input column, an alias of a target, or an expression: in this order, as PostgreSQL does it.
  absl::StatusOr<ExpressionRef> BindGroup(const Node& node) {
    ASSIGN_OR_RETURN(const int ordinal, Ordinal(node, "GROUP BY"));
    const Node* expression = &node;
    if (ordinal >= 0) {
      if (named_[ordinal] == nullptr) return UnsupportedError("a GROUP BY position that means *");
      expression = &named_[ordinal]->val();
    } else if (const std::string* name = SingleName(node)) {
      const std::vector<ScopeColumn>& columns = plan_.relation.scope.columns;
      const bool is_input =
          std::any_of(columns.begin(), columns.end(), [&](const ScopeColumn& c) { return c.name == *name; });
      for (size_t i = 0; i < named_.size() && !is_input; ++i) {
        if (named_[i] != nullptr && named_[i]->name() == *name) expression = &named_[i]->val();
      }
    }
    return binder_.BindKnown(*expression);
  }

  // Rewrites an expression over input rows into one over the row of a group.
  absl::Status OverGroup(ExpressionRef* expression) {
    for (size_t i = 0; i < plan_.group_by.size(); ++i) {
      if (**expression == *plan_.group_by[i]) {
        *expression = MakeColumn((*expression)->type, static_cast<int>(i), (*expression)->name);
        return absl::OkStatus();
      }
    }
    if ((*expression)->kind == ExpressionKind::kAggregate) {
      const SqlType type = (*expression)->type;
      const int index = static_cast<int>(plan_.group_by.size() + plan_.aggregates.size());
      plan_.aggregates.push_back(std::move(*expression));
      *expression = MakeColumn(type, index, "");
      return absl::OkStatus();
    }
    if ((*expression)->kind == ExpressionKind::kColumn) {
      return SqlError(sqlstate::kGroupingError,
                      fmt::format("column \"{}.{}\" must appear in the GROUP BY clause or be used in an aggregate function",
                                  plan_.relation.scope.relation, (*expression)->name));
    }
    for (ExpressionRef& argument : (*expression)->arguments) RETURN_IF_ERROR(OverGroup(&argument));
    return absl::OkStatus();
  }

  absl::StatusOr<ExpressionRef> BindCount(const Node& node, std::string_view what) {
    binder_.set_scope(nullptr);
    return binder_.BindClause(node, SqlType::kInt8, what);
  }

  void ChooseVersionColumn() {
    const int version = static_cast<int>(plan_.relation.table->columns.size());
    bool mentioned = Mentions(plan_.filter.get(), version);
    const auto look = [&](const std::vector<ExpressionRef>& expressions) {
      for (const ExpressionRef& expression : expressions) mentioned = mentioned || Mentions(expression.get(), version);
    };
    look(plan_.group_by);
    look(plan_.aggregates);
    if (!plan_.grouped) look(plan_.targets);
    for (const SortKey& key : plan_.order_by) mentioned = mentioned || Mentions(key.expression.get(), version);
    if (mentioned) plan_.version_column = VersionColumn::kRead;
  }

  const pg_query::SelectStmt& select_;
  const std::vector<const Column*>* const assign_to_;
  const Planning& planning_;
  Binder& binder_;
  std::vector<const pg_query::ResTarget*> named_;  // what each target was bound from; null for a column of *
  SelectPlan plan_;
};

}  // namespace

absl::StatusOr<SelectPlan> PlanSelect(const pg_query::SelectStmt& select, const SystemStatement* bracket,
                                      const std::vector<const Column*>* assign_to, const Planning& planning) {
  return SelectPlanner(select, assign_to, planning).Plan(bracket);
}

}  // namespace anabranch
