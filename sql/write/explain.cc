#include "sql/write/explain.h"

#include <optional>
#include <utility>

#include "base/status.h"
#include "sql/parse/tree.h"
#include "sql/query/relation_node.h"

namespace anabranch {
namespace {

class Printer {
 public:
  Printer(const ExplainOptions& options, StatementRun* run) : options_(options), run_(run) {}

  void PrintRoot(const PlanNode& node) { Print(node, {0, 2}, "", {}); }

  // A statement that changes a table, over where its rows come from.
  void PrintChange(std::string_view what, const std::string& table, const PlanNode& rows) {
    Line(0, fmt::format("{} on {}", what, table));
    PrintChild(rows, 2);
  }

  std::vector<std::string> TakeLines() { return std::move(lines_); }

 private:
  // Columns of a node's name, and of what belongs to it.
  struct Indents {
    size_t name;
    size_t body;
  };

  void Line(size_t indent, const std::string& text) { lines_.push_back(std::string(indent, ' ') + text); }

  void PrintChild(const PlanNode& node, size_t indent) { Print(node, {indent, indent + 6}, "->  ", {}); }

  // Nodes without a name of their own are shown as what they add to the one below.
  void Print(const PlanNode& node, Indents indents, std::string_view mark, NodeText::Details details) {
    NodeText text = node.Explain();
    details.insert(details.begin(), text.details.begin(), text.details.end());
    for (const Expression* expression : node.expressions()) held_.push_back(expression);
    if (text.label.empty()) return Print(*node.children()[0], indents, mark, std::move(details));
    const std::vector<const Expression*> expressions = std::exchange(held_, {});
    Line(indents.name, fmt::format("{}{}{}", mark, text.label, Measured(node)));
    for (const auto& [name, value] : details) Line(indents.body, fmt::format("{}: {}", name, value));
    for (const PlanNode* child : node.children()) PrintChild(*child, indents.body);
    for (const Expression* expression : expressions) PrintSubqueries(*expression, indents.body);
  }

  void PrintSubqueries(const Expression& expression, size_t indent) {
    for (const ExpressionRef& argument : expression.arguments) PrintSubqueries(*argument, indent);
    if (!expression.subquery) return;
    Line(indent, fmt::format("{} {}", expression.arguments.empty() ? "InitPlan" : "SubPlan", ++subqueries_));
    PrintChild(*expression.subquery->plan, indent + 2);
  }

  std::string Measured(const PlanNode& node) const {
    if (run_ == nullptr) return "";
    const StatementRun::Measured& measured = *run_->MeasuredOf(&node);
    if (measured.loops == 0) return " (never executed)";
    const double loops = static_cast<double>(measured.loops);
    const std::string time =
        options_.timing ? fmt::format("time={:.3f} ", static_cast<double>(measured.ns) / 1e6 / loops) : std::string();
    return fmt::format(" (actual {}rows={:.0f} loops={})", time, static_cast<double>(measured.rows) / loops,
                       measured.loops);
  }

  const ExplainOptions& options_;
  StatementRun* const run_;
  std::vector<std::string> lines_;
  std::vector<const Expression*> held_;  // of nodes that are not shown
  int subqueries_ = 0;
};

absl::StatusOr<bool> BooleanOption(const pg_query::DefElem& option) {
  if (!option.has_arg()) return true;
  const pg_query::Node& arg = option.arg();
  if (arg.has_integer()) return arg.integer().ival() != 0;
  if (arg.has_boolean()) return arg.boolean().boolval();
  const std::string& text = arg.string().sval();
  if (text == "on" || text == "true") return true;
  if (text == "off" || text == "false") return false;
  return SqlError(sqlstate::kSyntaxError, fmt::format("{} requires a Boolean value", option.defname()));
}

}  // namespace

absl::StatusOr<ExplainOptions> ReadExplainOptions(const pg_query::ExplainStmt& explain) {
  ExplainOptions options;
  std::optional<bool> summary;
  for (const pg_query::Node& node : explain.options()) {
    const pg_query::DefElem& option = node.def_elem();
    const std::string& name = option.defname();
    if (name == "format") {
      if (option.arg().string().sval() == "text") continue;
      return UnsupportedError(fmt::format("EXPLAIN (FORMAT {})", option.arg().string().sval()));
    }
    ASSIGN_OR_RETURN(const bool value, BooleanOption(option));
    if (name == "analyze") {
      options.analyze = value;
    } else if (name == "timing") {
      options.timing = value;
    } else if (name == "summary") {
      summary = value;
    } else if (name != "costs" && name != "verbose" && name != "buffers" && name != "wal" && name != "settings" &&
               name != "generic_plan") {
      return SqlError(sqlstate::kSyntaxError, fmt::format("unrecognized EXPLAIN option \"{}\"", name));
    }
  }
  options.summary = summary.value_or(options.analyze);
  return options;
}

std::vector<std::string> ExplainPlan(const SelectPlan& plan, const ExplainOptions& options, StatementRun* run) {
  Printer printer(options, run);
  printer.PrintRoot(*plan.root);
  return printer.TakeLines();
}

std::vector<std::string> ExplainPlan(const InsertPlan& plan, const ExplainOptions& options, StatementRun* run) {
  Printer printer(options, run);
  if (plan.select) {
    printer.PrintChange("Insert", plan.table->name, *plan.select->root);
  } else {
    printer.PrintChange("Insert", plan.table->name, OneRowNode());
  }
  return printer.TakeLines();
}

std::vector<std::string> ExplainPlan(const UpdatePlan& plan, const ExplainOptions& options, StatementRun* run) {
  Printer printer(options, run);
  const int width = static_cast<int>(plan.table->columns.size()) + 1;
  const TableNode scan({.table = plan.table,
                        .alias = plan.table->name,
                        .slots = {0, width},
                        .filter = plan.filter ? Clone(*plan.filter) : nullptr,
                        .version_column = VersionColumn::kSkip,
                        .path = ChoosePath(*plan.table, Conjuncts(plan.filter.get()), 0)});
  printer.PrintChange(plan.deletes ? "Delete" : "Update", plan.table->name, scan);
  return printer.TakeLines();
}

}  // namespace anabranch
