#include "sql/session/bound_statement.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "sql/parse/statement.h"
#include "sql/parse/tree.h"
#include "sql/query/bind.h"
#include "sql/query/statement_run.h"
#include "sql/stored/privilege.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;

// What EXPLAIN explains, or the statement itself.
const Node& Explained(const Node& tree) { return tree.has_explain_stmt() ? tree.explain_stmt().query() : tree; }

absl::Status Plan(const Statement& statement, const Planning& planning, BoundStatement* bound) {
  const Node& tree = Explained(*statement.tree);
  const SystemStatement* bracket = statement.bracket.get();
  switch (tree.node_case()) {
    case Node::kInsertStmt: {
      ASSIGN_OR_RETURN(InsertPlan plan, PlanInsert(tree.insert_stmt(), bracket, planning));
      bound->columns = plan.returning.columns;
      bound->plan = std::move(plan);
      return absl::OkStatus();
    }
    case Node::kUpdateStmt: {
      ASSIGN_OR_RETURN(UpdatePlan plan, PlanUpdate(tree.update_stmt(), planning));
      bound->columns = plan.returning.columns;
      bound->plan = std::move(plan);
      return absl::OkStatus();
    }
    case Node::kDeleteStmt: {
      ASSIGN_OR_RETURN(UpdatePlan plan, PlanDelete(tree.delete_stmt(), planning));
      bound->columns = plan.returning.columns;
      bound->plan = std::move(plan);
      return absl::OkStatus();
    }
    default: {
      ASSIGN_OR_RETURN(SelectPlan plan, PlanSelect(tree.select_stmt(), bracket, nullptr, planning));
      bound->columns = plan.columns;
      bound->plan = std::move(plan);
      return absl::OkStatus();
    }
  }
}

absl::StatusOr<std::string> Run(const SelectPlan& plan, const Execution& execution, ResultSink& sink) {
  uint64_t rows = 0;
  RETURN_IF_ERROR(RunSelect(plan, execution, [&](Row& row) {
    ++rows;
    return sink.AddRow(row);
  }));
  return fmt::format("SELECT {}", rows);
}

absl::StatusOr<std::string> Run(const InsertPlan& plan, const Execution& execution, ResultSink& sink) {
  ASSIGN_OR_RETURN(const uint64_t rows, RunInsert(plan, execution, [&](Row& row) { return sink.AddRow(row); }));
  return fmt::format("INSERT 0 {}", rows);
}

absl::StatusOr<std::string> Run(const UpdatePlan& plan, const Execution& execution, ResultSink& sink) {
  ASSIGN_OR_RETURN(const uint64_t rows, RunUpdate(plan, execution, [&](Row& row) { return sink.AddRow(row); }));
  return fmt::format("{} {}", plan.deletes ? "DELETE" : "UPDATE", rows);
}

// EXPLAIN ANALYZE runs the statement and shows no rows of it.
class NoRowsSink final : public ResultSink {
 public:
  explicit NoRowsSink(ResultSink* sink) : sink_(*sink) {}
  absl::Status Columns(const std::vector<ColumnDescription>&) override { return absl::OkStatus(); }
  absl::Status AddRow(const Row&) override { return absl::OkStatus(); }
  void Notice(std::string_view sqlstate, const std::string& message) override { sink_.Notice(sqlstate, message); }

 private:
  ResultSink& sink_;
};

absl::StatusOr<std::string> Explain(const BoundStatement& bound, const Execution& execution, ResultSink& sink) {
  const ExplainOptions& options = *bound.explain;
  Execution running = execution;
  StatementRun run(&running, options.analyze ? StatementRun::Measure::kNodes : StatementRun::Measure::kNothing);
  const int64_t begin = run.NowNs();
  if (options.analyze) {
    NoRowsSink no_rows(&sink);
    RETURN_IF_ERROR(std::visit([&](const auto& plan) { return Run(plan, running, no_rows).status(); }, bound.plan));
  }
  const int64_t end = run.NowNs();
  std::vector<std::string> lines = std::visit(
      [&](const auto& plan) { return ExplainPlan(plan, options, options.analyze ? &run : nullptr); }, bound.plan);
  if (options.summary && options.analyze) {
    lines.push_back(fmt::format("Execution Time: {:.3f} ms", static_cast<double>(end - begin) / 1e6));
  }
  for (std::string& line : lines) RETURN_IF_ERROR(sink.AddRow({std::move(line)}));
  return std::string("EXPLAIN");
}

bool ReadsColumns(const Expression* expression) {
  if (expression == nullptr) return false;
  if (expression->kind == ExpressionKind::kColumn) return true;
  return std::any_of(expression->arguments.begin(), expression->arguments.end(),
                     [](const ExpressionRef& argument) { return ReadsColumns(argument.get()); });
}

absl::Status CheckWrites(const SelectPlan&, const Authorization&) { return absl::OkStatus(); }

absl::Status CheckWrites(const InsertPlan& plan, const Authorization& authorization) {
  RETURN_IF_ERROR(authorization.Check(*plan.table, Privilege::kInsert));
  const bool updates = plan.conflict && plan.conflict->updates;
  if (updates) RETURN_IF_ERROR(authorization.Check(*plan.table, Privilege::kUpdate));
  const bool reads = updates || !plan.returning.columns.empty();
  return reads ? authorization.Check(*plan.table, Privilege::kSelect) : absl::OkStatus();
}

absl::Status CheckWrites(const UpdatePlan& plan, const Authorization& authorization) {
  RETURN_IF_ERROR(authorization.Check(*plan.table, plan.deletes ? Privilege::kDelete : Privilege::kUpdate));
  const bool reads = plan.joined || !plan.returning.columns.empty() || ReadsColumns(plan.filter.get()) ||
                     std::any_of(plan.assignments.begin(), plan.assignments.end(),
                                 [](const auto& assignment) { return ReadsColumns(assignment.second.get()); });
  return reads ? authorization.Check(*plan.table, Privilege::kSelect) : absl::OkStatus();
}

// Whether the user may do what was planned. Done once: the descriptors it looked at are among those the plan depends on.
absl::Status CheckPrivileges(const BoundStatement& bound, const Binder& binder, const Authorization& authorization) {
  const std::vector<TableRef>& read = binder.tables();
  for (const TableRef& table : binder.locked()) RETURN_IF_ERROR(authorization.Check(*table, Privilege::kUpdate));
  // The target of UPDATE and DELETE is among them; whether it is read, the plan tells.
  const auto* update = std::get_if<UpdatePlan>(&bound.plan);
  const auto target =
      std::find_if(read.begin(), read.end(), [&](const TableRef& table) { return update && table == update->table; });
  for (auto table = read.begin(); table != read.end(); ++table) {
    if (table != target) RETURN_IF_ERROR(authorization.Check(**table, Privilege::kSelect));
  }
  return std::visit([&](const auto& plan) { return CheckWrites(plan, authorization); }, bound.plan);
}

}  // namespace

bool IsBindable(const Statement& statement) {
  if (statement.kind != Statement::Kind::kPostgres) return false;
  const Node& tree = Explained(*statement.tree);
  return tree.has_select_stmt() || tree.has_insert_stmt() || tree.has_update_stmt() || tree.has_delete_stmt();
}

absl::StatusOr<BoundStatementRef> BindStatement(const StatementRef& statement, std::vector<SqlType> hints,
                                                NewParameters new_parameters, Transaction& transaction, TableReader* tables,
                                                const SessionContext& session, const TimeZone& zone) {
  auto bound = std::make_shared<BoundStatement>();
  bound->statement = statement;
  Binder binder(std::move(hints), new_parameters);
  const Planning planning{.transaction = &transaction, .tables = tables, .binder = &binder, .system = session.system};
  binder.set_planning(&planning);
  binder.set_zone(zone);
  tables->Note(&bound->descriptors);
  absl::Status planned = Plan(*statement, planning, bound.get());
  if (planned.ok()) planned = CheckPrivileges(*bound, binder, Authorization(&session.user, &transaction, tables));
  tables->Note(nullptr);
  RETURN_IF_ERROR(planned);
  if (statement->tree->has_explain_stmt()) {
    ASSIGN_OR_RETURN(bound->explain, ReadExplainOptions(statement->tree->explain_stmt()));
    bound->columns = {{.name = "QUERY PLAN", .type = SqlType::kText}};
  }
  bound->parameters = binder.parameter_types();
  return BoundStatementRef(std::move(bound));
}

absl::StatusOr<bool> IsCurrent(const BoundStatement& bound, Transaction& transaction) {
  for (const DescriptorUse& use : bound.descriptors) {
    ASSIGN_OR_RETURN(const std::optional<ReadVersion> now, transaction.Get(use.key));
    const std::optional<Timestamp> version = now ? std::optional(now->timestamp) : std::nullopt;
    // Uncommitted descriptors of the transaction itself have no version to be told apart by.
    if (version != use.version || (version && version->IsZero())) return false;
  }
  return true;
}

absl::StatusOr<std::string> RunBound(const BoundStatement& bound, const Execution& execution, ResultSink& sink) {
  if (bound.returns_rows()) RETURN_IF_ERROR(sink.Columns(bound.columns));
  if (bound.explain) return Explain(bound, execution, sink);
  Execution running = execution;
  const StatementRun run(&running);
  return std::visit([&](const auto& plan) { return Run(plan, running, sink); }, bound.plan);
}

}  // namespace anabranch
