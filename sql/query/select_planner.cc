#include <algorithm>

#include "base/status.h"
#include "sql/expression/text.h"
#include "sql/parse/tree.h"
#include "sql/query/grouping.h"
#include "sql/query/join_planner.h"
#include "sql/query/lock_node.h"
#include "sql/query/relation_node.h"
#include "sql/query/row_node.h"
#include "sql/query/select.h"
#include "sql/query/set_node.h"
#include "sql/query/window_node.h"
#include "sql/value/error_field.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;
using SelectStmt = pg_query::SelectStmt;

// The name a column reference consists of, if it is one name alone.
const std::string* SingleName(const Node& node) {
  const pg_query::ColumnRef& column = node.column_ref();
  if (!node.has_column_ref() || column.fields_size() != 1 || !column.fields(0).has_string()) return nullptr;
  return &StringOf(column.fields(0));
}

std::vector<ExpressionRef> ColumnsOf(const Query& query) {
  const std::vector<ColumnDescription>& columns = query.columns;
  std::vector<ExpressionRef> expressions;
  for (size_t i = 0; i < columns.size(); ++i) {
    // What is of unknown type is text until it is converted.
    const SqlType type = columns[i].type == SqlType::kUnknown ? SqlType::kText : columns[i].type;
    expressions.push_back(MakeColumn(type, static_cast<int>(i), columns[i].name));
    expressions.back()->modifier = columns[i].modifier;
    if (i < query.locations.size()) expressions.back()->location = query.locations[i];
  }
  return expressions;
}

bool AreColumnsInPlace(const std::vector<ExpressionRef>& expressions) {
  for (size_t i = 0; i < expressions.size(); ++i) {
    if (expressions[i]->kind != ExpressionKind::kColumn || expressions[i]->index != static_cast<int>(i)) return false;
  }
  return true;
}

// An entry of ORDER BY: a target, or an expression over what the targets are over.
struct OrderKey {
  int target = -1;
  ExpressionRef expression;
  bool descending = false;
  bool nulls_first = false;
};

OrderKey KeyOf(const pg_query::SortBy& sort) {
  const SortDirection direction = DirectionOf(sort);
  OrderKey key;
  key.descending = direction.descending;
  key.nulls_first = direction.nulls_first;
  return key;
}

absl::Status CannotLockWith(const SelectStmt& select, std::string_view what) {
  return SqlError(sqlstate::kFeatureNotSupported,
                  fmt::format("{} is not allowed with {}", LockingClauseName(select), what));
}

// Plans one query: a SELECT, VALUES, or a set operation on two others.
class QueryPlanner {
 public:
  QueryPlanner(const SelectStmt& select, const std::vector<const Column*>* assign_to, UnknownColumns unknown,
               const Planning& planning)
      : select_(select),
        assign_to_(assign_to),
        unknown_(unknown),
        planning_(planning),
        binder_(*planning.binder),
        from_(planning) {}

  absl::StatusOr<Query> Plan() {
    binder_.Enter(&level_);
    const absl::Status status = PlanBody();
    binder_.Leave();
    RETURN_IF_ERROR(status);
    query_.captures = std::move(level_.captures);
    return std::move(query_);
  }

 private:
  absl::Status PlanBody() {
    if (select_.limit_option() == pg_query::LIMIT_OPTION_WITH_TIES) return UnsupportedError("WITH TIES");
    if (select_.has_with_clause()) RETURN_IF_ERROR(PlanWith());
    const bool locks = select_.locking_clause_size() > 0;
    if (select_.op() > pg_query::SETOP_NONE) {
      if (locks) return CannotLockWith(select_, "UNION/INTERSECT/EXCEPT");
      RETURN_IF_ERROR(PlanSetOperation());
      RETURN_IF_ERROR(PlanOutputOrder("invalid UNION/INTERSECT/EXCEPT ORDER BY clause"));
    } else if (select_.values_lists_size() > 0) {
      if (locks)
        return SqlError(sqlstate::kFeatureNotSupported,
                        fmt::format("{} cannot be applied to VALUES", LockingClauseName(select_)));
      RETURN_IF_ERROR(PlanValues());
      RETURN_IF_ERROR(PlanOutputOrder("ORDER BY of VALUES by anything but a column"));
    } else {
      RETURN_IF_ERROR(PlanSimple());
    }
    return assign_to_ != nullptr ? AssignColumns() : absl::OkStatus();
  }

  // --- WITH ---
  absl::Status PlanWith() {
    const pg_query::WithClause& with = select_.with_clause();
    if (with.recursive()) return UnsupportedError("WITH RECURSIVE");
    for (const Node& node : with.ctes()) {
      const pg_query::CommonTableExpr& expression = node.common_table_expr();
      if (level_.common_tables.contains(expression.ctename())) {
        return SqlError("42712", fmt::format("WITH query name \"{}\" specified more than once", expression.ctename()));
      }
      if (!expression.ctequery().has_select_stmt()) return UnsupportedError("a data-modifying statement in WITH");
      ASSIGN_OR_RETURN(Query query,
                       PlanQuery(expression.ctequery().select_stmt(), nullptr, UnknownColumns::kAsText, planning_));
      if (expression.aliascolnames_size() > static_cast<int>(query.columns.size())) {
        return SqlError("42P10", fmt::format("WITH query \"{}\" has {} columns available but {} columns specified",
                                             expression.ctename(), query.columns.size(), expression.aliascolnames_size()));
      }
      for (int i = 0; i < expression.aliascolnames_size(); ++i) {
        query.columns[i].name = StringOf(expression.aliascolnames(i));
      }
      auto table = std::make_shared<CommonTable>();
      table->name = expression.ctename();
      table->columns = std::move(query.columns);
      table->root = std::move(query.root);
      table->captures = std::move(query.captures);
      table->level = &level_;
      level_.common_tables[table->name] = std::move(table);
    }
    return absl::OkStatus();
  }

  // --- UNION, INTERSECT, EXCEPT ---
  absl::Status PlanSetOperation() {
    const std::string_view name = select_.op() == pg_query::SETOP_UNION       ? "UNION"
                                  : select_.op() == pg_query::SETOP_INTERSECT ? "INTERSECT"
                                                                              : "EXCEPT";
    ASSIGN_OR_RETURN(Query left, PlanQuery(select_.larg(), nullptr, UnknownColumns::kKeep, planning_));
    ASSIGN_OR_RETURN(Query right, PlanQuery(select_.rarg(), nullptr, UnknownColumns::kKeep, planning_));
    if (left.columns.size() != right.columns.size()) {
      return SqlError(sqlstate::kSyntaxError, fmt::format("each {} query must have the same number of columns", name));
    }
    std::vector<ExpressionRef> values[2] = {ColumnsOf(left), ColumnsOf(right)};
    query_.columns = left.columns;
    query_.locations = left.locations;
    for (size_t i = 0; i < left.columns.size(); ++i) {
      SqlType& type = query_.columns[i].type;
      const SqlType types[2] = {left.columns[i].type, right.columns[i].type};
      const bool alike = types[0] == types[1] && left.columns[i].modifier == right.columns[i].modifier;
      if (!alike) query_.columns[i].modifier = kNoModifier;
      for (int side = 0; side < 2; ++side) {
        if (types[side] != SqlType::kUnknown) continue;
        type = types[1 - side] == SqlType::kUnknown ? SqlType::kText : types[1 - side];
        const ExpressionRef& parameter = (side == 0 ? left : right).unknown_parameters[i];
        if (parameter) {
          ASSIGN_OR_RETURN(values[side][i], binder_.Convert(Clone(*parameter), type, Conversion::kImplicit));
        } else {
          values[side][i] = CastText(std::move(values[side][i]), type);
        }
      }
      if (types[0] == SqlType::kUnknown || types[1] == SqlType::kUnknown) continue;
      ASSIGN_OR_RETURN(type, binder_.Unify({&values[0][i], &values[1][i]}, name));
    }
    PlanRef roots[2] = {Embed(std::move(left), std::move(values[0])), Embed(std::move(right), std::move(values[1]))};
    const SetOperation operation = select_.op() == pg_query::SETOP_UNION       ? SetOperation::kUnion
                                   : select_.op() == pg_query::SETOP_INTERSECT ? SetOperation::kIntersect
                                                                               : SetOperation::kExcept;
    query_.root = std::make_unique<SetOperationNode>(operation, select_.all(), std::move(roots[0]), std::move(roots[1]));
    if (operation == SetOperation::kUnion && !select_.all()) MakeDistinct(query_.columns.size());
    return absl::OkStatus();
  }

  static ExpressionRef CastText(ExpressionRef value, SqlType type) {
    if (type == SqlType::kText) return value;
    ExpressionRef cast = MakeExpression(ExpressionKind::kCast, type);
    cast->arguments.push_back(std::move(value));
    return cast;
  }

  // A query as a part of this one, its columns converted.
  static PlanRef Embed(Query query, std::vector<ExpressionRef> values) {
    const Slots slots{0, static_cast<int>(query.columns.size())};
    PlanRef root = std::move(query.root);
    if (!query.captures.empty()) {
      root = std::make_unique<QueryNode>(std::move(root), std::move(query.captures), "*SELECT*", slots);
    }
    if (AreColumnsInPlace(values)) return root;
    return std::make_unique<ProjectNode>(std::move(root), std::move(values));
  }

  void MakeDistinct(size_t width) {
    std::vector<int> columns(width);
    for (size_t i = 0; i < width; ++i) columns[i] = static_cast<int>(i);
    query_.root = std::make_unique<DistinctNode>(std::move(query_.root), std::move(columns));
  }

  // --- VALUES ---
  absl::Status PlanValues() {
    std::vector<std::vector<ExpressionRef>> rows;
    for (const Node& list : select_.values_lists()) {
      std::vector<ExpressionRef>& row = rows.emplace_back();
      for (const Node& item : list.list().items()) {
        ASSIGN_OR_RETURN(ExpressionRef value, binder_.Bind(item));
        RETURN_IF_ERROR(RefuseAggregates(*value, "VALUES"));
        row.push_back(std::move(value));
      }
      if (row.size() != rows[0].size()) {
        return SqlError(sqlstate::kSyntaxError, "VALUES lists must all be the same length");
      }
    }
    for (size_t i = 0; i < rows[0].size(); ++i) {
      std::vector<ExpressionRef*> column;
      for (std::vector<ExpressionRef>& row : rows) column.push_back(&row[i]);
      ASSIGN_OR_RETURN(const SqlType type, binder_.Unify(std::move(column), "VALUES"));
      query_.columns.push_back({.name = fmt::format("column{}", i + 1), .type = type});
      query_.locations.push_back(rows[0][i]->location);
    }
    query_.root = std::make_unique<ValuesNode>(std::move(rows));
    return absl::OkStatus();
  }

  // ORDER BY and LIMIT where only columns of the result can be ordered by.
  absl::Status PlanOutputOrder(const std::string& otherwise) {
    RETURN_IF_ERROR(PlanCounts());
    std::vector<SortColumn> columns;
    for (const Node& node : select_.sort_clause()) {
      const OrderKey key = KeyOf(node.sort_by());
      ASSIGN_OR_RETURN(int target, Ordinal(node.sort_by().node(), "ORDER BY"));
      const std::string* name = SingleName(node.sort_by().node());
      for (size_t i = 0; name != nullptr && i < query_.columns.size() && target < 0; ++i) {
        if (query_.columns[i].name == *name) target = static_cast<int>(i);
      }
      if (target < 0 && name != nullptr) {
        return WithLocation(SqlError(sqlstate::kUndefinedColumn, fmt::format("column \"{}\" does not exist", *name)),
                            LocationOf(node.sort_by().node()));
      }
      if (target < 0) return UnsupportedError(otherwise);
      columns.push_back({.column = target,
                         .descending = key.descending,
                         .nulls_first = key.nulls_first,
                         .text = query_.columns[target].name});
    }
    if (!columns.empty()) query_.root = std::make_unique<SortNode>(std::move(query_.root), std::move(columns), counts_);
    if (counts_ != nullptr) query_.root = std::make_unique<LimitNode>(std::move(query_.root), counts_);
    return absl::OkStatus();
  }

  absl::Status PlanCounts() {
    LimitCounts counts;
    if (select_.has_limit_count() && !select_.limit_count().a_const().isnull()) {
      ASSIGN_OR_RETURN(counts.limit, BindCount(select_.limit_count(), "LIMIT"));
    }
    if (select_.has_limit_offset()) {
      ASSIGN_OR_RETURN(counts.offset, BindCount(select_.limit_offset(), "OFFSET"));
    }
    if (counts.limit || counts.offset) counts_ = std::make_shared<const LimitCounts>(std::move(counts));
    return absl::OkStatus();
  }

  absl::StatusOr<ExpressionRef> BindCount(const Node& node, std::string_view what) {
    binder_.set_scope(nullptr);
    return binder_.BindClause(node, SqlType::kInt8, what);
  }

  // The target that an integer constant in ORDER BY or GROUP BY means; -1: it is none.
  absl::StatusOr<int> Ordinal(const Node& node, std::string_view clause) const {
    if (!node.has_a_const()) return -1;
    if (node.a_const().val_case() != pg_query::A_Const::kIval) {
      return WithLocation(SqlError(sqlstate::kSyntaxError, fmt::format("non-integer constant in {}", clause)),
                          LocationOf(node));
    }
    const int ordinal = node.a_const().ival().ival();
    if (ordinal < 1 || ordinal > static_cast<int>(query_.columns.size())) {
      return WithLocation(SqlError("42P10", fmt::format("{} position {} is not in select list", clause, ordinal)),
                          LocationOf(node));
    }
    return ordinal - 1;
  }

  // --- SELECT ---
  absl::Status PlanSimple() {
    for (const Node& item : select_.from_clause()) RETURN_IF_ERROR(from_.Add(item));
    binder_.set_scope(from_.scope());
    level_.sets_allowed = true;
    for (const Node& target : select_.target_list()) RETURN_IF_ERROR(AddTarget(target.res_target()));
    level_.sets_allowed = false;
    ExpressionRef filter;
    if (select_.has_where_clause()) {
      ASSIGN_OR_RETURN(filter, binder_.BindClause(select_.where_clause(), SqlType::kBool, "WHERE"));
    }
    if (select_.has_having_clause()) {
      ASSIGN_OR_RETURN(having_, binder_.BindClause(select_.having_clause(), SqlType::kBool, "HAVING", true));
    }
    RETURN_IF_ERROR(SettleUnknownTargets());
    level_.sets_allowed = true;
    RETURN_IF_ERROR(BindOrder());
    level_.sets_allowed = false;
    RETURN_IF_ERROR(BindDistinct());
    RETURN_IF_ERROR(BindGroups());
    RETURN_IF_ERROR(PlanCounts());
    for (size_t i = 0; i < targets_.size(); ++i) {
      query_.columns[i].type = targets_[i]->type;
      query_.columns[i].modifier = ModifierOf(*targets_[i]);
      query_.locations.push_back(targets_[i]->location);
    }
    if (select_.locking_clause_size() > 0) RETURN_IF_ERROR(CheckLockable());
    return BuildPlan(std::move(filter));
  }

  bool TargetsContain(ExpressionKind kind) const {
    return std::any_of(targets_.begin(), targets_.end(),
                       [&](const ExpressionRef& target) { return Contains(*target, kind); });
  }

  absl::Status CheckLockable() const {
    const auto refuse = [this](std::string_view what) { return CannotLockWith(select_, what); };
    if (distinct_) return refuse("DISTINCT clause");
    if (grouping_.by_something()) return refuse("GROUP BY clause");
    if (having_) return refuse("HAVING clause");
    if (TargetsContain(ExpressionKind::kRowNumber)) return refuse("window functions");
    if (TargetsContain(ExpressionKind::kSet)) return refuse("set-returning functions in the target list");
    return grouped_ ? refuse("aggregate functions") : absl::OkStatus();
  }

  absl::Status AddTarget(const pg_query::ResTarget& target) {
    const pg_query::ColumnRef& column = target.val().column_ref();
    if (target.val().has_column_ref() && column.fields(column.fields_size() - 1).has_a_star()) return AddStar(column);
    ASSIGN_OR_RETURN(ExpressionRef bound, binder_.Bind(target.val()));
    query_.columns.push_back({.name = target.name().empty() ? ResultName(target.val()) : target.name()});
    targets_.push_back(std::move(bound));
    named_.push_back(&target);
    return absl::OkStatus();
  }

  absl::Status AddStar(const pg_query::ColumnRef& column) {
    const std::vector<ScopeColumn>& columns = from_.scope()->columns;
    const std::string* relation = column.fields_size() > 1 ? &StringOf(column.fields(column.fields_size() - 2)) : nullptr;
    if (relation == nullptr && select_.from_clause_size() == 0) {
      return WithLocation(SqlError(sqlstate::kSyntaxError, "SELECT * with no tables specified is not valid"),
                          column.location());
    }
    bool known = relation == nullptr;
    for (const ScopeColumn& candidate : columns) {
      if (relation != nullptr ? candidate.relation != *relation : candidate.merged) continue;
      known = true;
      if (candidate.hidden) continue;
      query_.columns.push_back({.name = candidate.name});
      targets_.push_back(binder_.UseColumn(candidate));
      targets_.back()->location = column.location();
      named_.push_back(nullptr);
    }
    if (known) return absl::OkStatus();
    return WithLocation(
        SqlError(sqlstate::kUndefinedTable, fmt::format("missing FROM-clause entry for table \"{}\"", *relation)),
        column.location());
  }

  // A literal or parameter of unknown type takes the type of the column it goes to, else it is text.
  absl::Status SettleUnknownTargets() {
    if (assign_to_ != nullptr) RETURN_IF_ERROR(CheckAssignedCount(targets_.size()));
    query_.unknown_parameters.resize(targets_.size());
    for (size_t i = 0; i < targets_.size(); ++i) {
      ExpressionRef& target = targets_[i];
      if (target->type != SqlType::kUnknown) continue;
      if (assign_to_ != nullptr) {
        ASSIGN_OR_RETURN(target, binder_.Assign(std::move(target), *(*assign_to_)[i]));
        continue;
      }
      if (unknown_ == UnknownColumns::kKeep) {
        kept_unknown_.push_back(i);
        // Its type is for the query around this one to say; its value is then of that type.
        if (target->kind == ExpressionKind::kParameter) {
          query_.unknown_parameters[i] = Clone(*target);
          continue;
        }
      }
      const int index = target->index;
      const int location = target->location;
      ASSIGN_OR_RETURN(target, binder_.Convert(std::move(target), SqlType::kText, Conversion::kImplicit));
      // A parameter that a condition has made something else since.
      if (!target) {
        return WithLocation(SqlError("42P08", fmt::format("inconsistent types deduced for parameter ${}", index + 1)),
                            location);
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckAssignedCount(size_t count) const {
    if (count == assign_to_->size()) return absl::OkStatus();
    return SqlError(sqlstate::kSyntaxError, count > assign_to_->size() ? "INSERT has more expressions than target columns"
                                                                       : "INSERT has more target columns than expressions");
  }

  absl::Status BindOrder() {
    for (const Node& node : select_.sort_clause()) {
      const pg_query::SortBy& sort = node.sort_by();
      OrderKey key = KeyOf(sort);
      ASSIGN_OR_RETURN(key.target, Ordinal(sort.node(), "ORDER BY"));
      if (const std::string* name = SingleName(sort.node())) {
        for (size_t i = 0; i < query_.columns.size() && key.target < 0; ++i) {
          if (query_.columns[i].name == *name) key.target = static_cast<int>(i);
        }
      }
      if (key.target < 0) {
        ASSIGN_OR_RETURN(key.expression, binder_.BindKnown(sort.node()));
        for (size_t i = 0; i < targets_.size() && key.target < 0; ++i) {
          if (*targets_[i] == *key.expression) key.target = static_cast<int>(i);
        }
        if (key.target >= 0) key.expression = nullptr;
      }
      order_.push_back(std::move(key));
    }
    return absl::OkStatus();
  }

  // DISTINCT has one empty node, DISTINCT ON its expressions.
  absl::Status BindDistinct() {
    if (select_.distinct_clause_size() == 0) return absl::OkStatus();
    distinct_ = true;
    if (select_.distinct_clause(0).node_case() == Node::NODE_NOT_SET) {
      for (const OrderKey& key : order_) {
        if (key.target >= 0) continue;
        return SqlError("42P10", "for SELECT DISTINCT, ORDER BY expressions must appear in select list");
      }
      return absl::OkStatus();
    }
    for (const Node& node : select_.distinct_clause()) {
      OrderKey key;
      ASSIGN_OR_RETURN(key.target, Ordinal(node, "SELECT DISTINCT ON"));
      if (key.target < 0) {
        ASSIGN_OR_RETURN(key.expression, binder_.BindKnown(node));
      }
      distinct_on_.push_back(std::move(key));
    }
    for (size_t i = 0; i < std::min(order_.size(), distinct_on_.size()); ++i) {
      const auto same = [&](const OrderKey& on) { return *ValueOf(on) == *ValueOf(order_[i]); };
      if (std::any_of(distinct_on_.begin(), distinct_on_.end(), same)) continue;
      return SqlError("42P10", "SELECT DISTINCT ON expressions must match initial ORDER BY expressions");
    }
    return absl::OkStatus();
  }

  const Expression* ValueOf(const OrderKey& key) const {
    return key.target >= 0 ? targets_[key.target].get() : key.expression.get();
  }

  // --- GROUP BY ---
  absl::Status BindGroups() {
    for (const Node& node : select_.group_clause()) {
      ASSIGN_OR_RETURN(ExpressionRef bound, BindGroup(node));
      RETURN_IF_ERROR(RefuseAggregates(*bound, "GROUP BY"));
      if (Contains(*bound, ExpressionKind::kSet)) return UnsupportedError("GROUP BY of a set");
      grouping_.By(std::move(bound));
    }
    std::vector<ExpressionRef*> after;
    for (ExpressionRef& target : targets_) after.push_back(&target);
    for (std::vector<OrderKey>* keys : {&order_, &distinct_on_}) {
      for (OrderKey& key : *keys) {
        if (key.expression) after.push_back(&key.expression);
      }
    }
    if (having_) after.push_back(&having_);
    grouped_ = grouping_.by_something() || having_ != nullptr ||
               std::any_of(after.begin(), after.end(), [](ExpressionRef* e) { return FindAggregateIn(**e) != nullptr; });
    if (!grouped_) return absl::OkStatus();
    return grouping_.PutOver(after, from_);
  }

  // An ordinal, an input column, an alias of a target, or an expression: in this order, as PostgreSQL does it.
  absl::StatusOr<ExpressionRef> BindGroup(const Node& node) {
    ASSIGN_OR_RETURN(const int ordinal, Ordinal(node, "GROUP BY"));
    if (ordinal >= 0) return Clone(*targets_[ordinal]);
    if (const std::string* name = SingleName(node)) {
      const std::vector<ScopeColumn>& columns = from_.scope()->columns;
      const bool is_input =
          std::any_of(columns.begin(), columns.end(), [&](const ScopeColumn& c) { return c.name == *name; });
      for (size_t i = 0; i < named_.size() && !is_input; ++i) {
        if (named_[i] != nullptr && named_[i]->name() == *name) return Clone(*targets_[i]);
      }
    }
    return binder_.BindKnown(node);
  }

  // --- From the bound clauses to nodes ---
  absl::Status BuildPlan(ExpressionRef filter) {
    const WantedOrder wanted = Wanted();
    std::vector<FromItemRef> items = from_.TakeItems();
    std::optional<LockSpec> locks;
    if (select_.locking_clause_size() > 0) {
      ASSIGN_OR_RETURN(locks, PlanLocks(select_, items, *from_.scope(), filter.get()));
      for (const LockedTable& locked : locks->tables) binder_.NoteLocked(locked.table);
    }
    JoinedPlan joined = PlanJoins(std::move(items), from_.width(), std::move(filter), wanted, level_.used);
    query_.root = std::move(joined.root);
    if (locks) {
      BuildLocked(*std::move(locks), joined.ordered);
    } else {
      BuildUnlocked(joined.ordered);
    }
    for (const size_t i : kept_unknown_) query_.columns[i].type = SqlType::kUnknown;
    return absl::OkStatus();
  }

  // Rows are sorted before they are locked and cut off after it, so that those beyond LIMIT are not locked: over the rows
  // of FROM, which is what is locked, with the sort keys behind them.
  void BuildLocked(LockSpec locks, bool ordered) {
    std::vector<SortColumn> sort;
    if (!ordered && !order_.empty()) {
      std::vector<ExpressionRef> columns;
      for (int i = 0; i < from_.width(); ++i) columns.push_back(MakeColumn(SqlType::kUnknown, i, ""));
      for (const OrderKey& key : order_) {
        sort.push_back({.column = static_cast<int>(columns.size()),
                        .descending = key.descending,
                        .nulls_first = key.nulls_first,
                        .text = ExpressionText(*ValueOf(key))});
        columns.push_back(Clone(*ValueOf(key)));
      }
      query_.root = std::make_unique<ProjectNode>(std::move(query_.root), std::move(columns));
      query_.root = std::make_unique<SortNode>(std::move(query_.root), std::move(sort), nullptr);
    }
    query_.root = std::make_unique<LockNode>(std::move(query_.root), std::move(locks));
    if (counts_ != nullptr) query_.root = std::make_unique<LimitNode>(std::move(query_.root), counts_);
    query_.root = std::make_unique<ProjectNode>(std::move(query_.root), std::move(targets_));
  }

  void BuildUnlocked(bool ordered) {
    int input_width = from_.width();
    if (grouped_) {
      input_width = grouping_.width();
      query_.root = grouping_.TakeNode(std::move(query_.root));
      if (having_) query_.root = std::make_unique<FilterNode>(std::move(query_.root), std::move(having_));
    }
    const size_t width = targets_.size();
    std::vector<SortColumn> sort;
    if (!ordered) {
      for (OrderKey& key : order_) sort.push_back(SortBy(&key));
    }
    std::vector<int> distinct_on;
    for (OrderKey& key : distinct_on_) distinct_on.push_back(SortBy(&key).column);
    const size_t extra = targets_.size() - width;
    AddComputedColumns(input_width);
    query_.root = std::make_unique<ProjectNode>(std::move(query_.root), std::move(targets_));
    if (distinct_ && distinct_on.empty()) MakeDistinct(width);
    if (!sort.empty()) {
      query_.root =
          std::make_unique<SortNode>(std::move(query_.root), std::move(sort), distinct_on.empty() ? counts_ : nullptr);
    }
    if (!distinct_on.empty()) {
      query_.root = std::make_unique<DistinctNode>(std::move(query_.root), std::move(distinct_on));
    }
    if (counts_ != nullptr) query_.root = std::make_unique<LimitNode>(std::move(query_.root), counts_);
    if (extra > 0) {
      query_.root = std::make_unique<ProjectNode>(std::move(query_.root), ColumnsOf(query_));
    }
  }

  // Row numbers and sets in the targets become columns that stand after those of the input.
  void AddComputedColumns(int width) {
    std::vector<ExpressionRef> numbers;
    for (ExpressionRef& target : targets_) Take(ExpressionKind::kRowNumber, &target, width, &numbers);
    if (!numbers.empty()) {
      const int wider = width + static_cast<int>(numbers.size());
      query_.root = std::make_unique<WindowNode>(std::move(query_.root), std::move(numbers), std::exchange(width, wider));
    }
    std::vector<ExpressionRef> sets;
    for (ExpressionRef& target : targets_) Take(ExpressionKind::kSet, &target, width, &sets);
    if (sets.empty()) return;
    query_.root = std::make_unique<ProjectSetNode>(std::move(query_.root), std::move(sets), width);
  }

  // Puts columns from `width` on in the place of the expressions of a kind.
  static void Take(ExpressionKind kind, ExpressionRef* expression, int width, std::vector<ExpressionRef>* taken) {
    if ((*expression)->kind == kind) {
      ExpressionRef column = MakeColumn((*expression)->type, width + static_cast<int>(taken->size()), "");
      taken->push_back(std::exchange(*expression, std::move(column)));
      return;
    }
    for (ExpressionRef& argument : (*expression)->arguments) Take(kind, &argument, width, taken);
  }

  // The order of the table's columns that ORDER BY means, if it is one that a key may give.
  WantedOrder Wanted() const {
    WantedOrder wanted;
    if (grouped_ || distinct_) return wanted;
    for (const OrderKey& key : order_) {
      const Expression* const value = ValueOf(key);
      if (key.descending || key.nulls_first || value->kind != ExpressionKind::kColumn) return {};
      wanted.slots.push_back(value->index);
    }
    wanted.limited = counts_ != nullptr && counts_->limit;
    return wanted;
  }

  // What is not in the target list is put after it.
  SortColumn SortBy(OrderKey* key) {
    SortColumn column{.column = key->target, .descending = key->descending, .nulls_first = key->nulls_first};
    column.text = ExpressionText(*ValueOf(*key));
    if (key->target < 0) {
      column.column = static_cast<int>(targets_.size());
      targets_.push_back(std::move(key->expression));
    }
    return column;
  }

  absl::Status AssignColumns() {
    RETURN_IF_ERROR(CheckAssignedCount(query_.columns.size()));
    std::vector<ExpressionRef> values = ColumnsOf(query_);
    for (size_t i = 0; i < values.size(); ++i) {
      ASSIGN_OR_RETURN(values[i], binder_.Assign(std::move(values[i]), *(*assign_to_)[i]));
    }
    if (!AreColumnsInPlace(values)) query_.root = std::make_unique<ProjectNode>(std::move(query_.root), std::move(values));
    return absl::OkStatus();
  }

  const SelectStmt& select_;
  const std::vector<const Column*>* const assign_to_;
  const UnknownColumns unknown_;
  const Planning& planning_;
  Binder& binder_;
  QueryLevel level_;
  FromClause from_;
  std::vector<ExpressionRef> targets_;
  std::vector<const pg_query::ResTarget*> named_;  // what each target was bound from; null for a column of *
  std::vector<size_t> kept_unknown_;               // targets whose type is for the query around this one to say
  std::vector<OrderKey> order_;
  bool distinct_ = false;
  std::vector<OrderKey> distinct_on_;
  bool grouped_ = false;
  Grouping grouping_;
  ExpressionRef having_;
  std::shared_ptr<const LimitCounts> counts_;
  Query query_;
};

}  // namespace

absl::StatusOr<Query> PlanQuery(const SelectStmt& select, const std::vector<const Column*>* assign_to,
                                UnknownColumns unknown, const Planning& planning) {
  return QueryPlanner(select, assign_to, unknown, planning).Plan();
}

}  // namespace anabranch
