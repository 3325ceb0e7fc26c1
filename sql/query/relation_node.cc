#include "sql/query/relation_node.h"

#include "base/status.h"
#include "sql/control/executor.h"
#include "sql/expression/text.h"
#include "sql/query/select.h"
#include "sql/query/statement_run.h"

namespace anabranch {
namespace {

void EnsureSlots(Slots slots, Row* row) {
  if (row->size() < static_cast<size_t>(slots.end)) row->resize(slots.end);
}

std::vector<const Expression*> Pointers(const std::vector<ExpressionRef>& expressions) {
  std::vector<const Expression*> pointers;
  for (const ExpressionRef& expression : expressions) pointers.push_back(expression.get());
  return pointers;
}

class OneRow final : public RowSource {
 public:
  absl::StatusOr<bool> Next(Row*) override { return !std::exchange(done_, true); }

 private:
  bool done_ = false;
};

class TableSource final : public RowSource {
 public:
  TableSource(const TableNode::Spec& spec, ScanPlan plan, const Execution& execution)
      : spec_(spec), execution_(execution), scan_(spec.table, std::move(plan), spec.version_column, execution) {}

  absl::StatusOr<bool> Next(Row* row) override {
    while (true) {
      ASSIGN_OR_RETURN(const bool found, Read(row));
      if (!found || !spec_.filter) return found;
      ASSIGN_OR_RETURN(const bool holds, Holds(*spec_.filter, *row, execution_.evaluation));
      if (holds) return true;
    }
  }

 private:
  absl::StatusOr<bool> Read(Row* row) {
    if (spec_.slots.begin == 0) return scan_.Next(row);
    ASSIGN_OR_RETURN(const bool found, scan_.Next(&columns_));
    if (!found) return false;
    EnsureSlots(spec_.slots, row);
    std::move(columns_.begin(), columns_.end(), row->begin() + spec_.slots.begin);
    return true;
  }

  const TableNode::Spec& spec_;
  const Execution& execution_;
  TableScan scan_;
  Row columns_;
};

// The rows of a SHOW, held whole: it knows nothing of conditions and orders.
class ShownRows final : public RowSource, public ResultSink {
 public:
  ShownRows(Slots slots, const Execution& execution) : slots_(slots), memory_(HeldBytes(execution)) {}

  absl::Status Columns(const std::vector<ColumnDescription>&) override { return absl::OkStatus(); }
  absl::Status AddRow(const Row& row) override {
    RETURN_IF_ERROR(memory_.Add(RowBytes(row)));
    rows_.push_back(row);
    return absl::OkStatus();
  }
  void Notice(std::string_view, const std::string&) override {}

  absl::StatusOr<bool> Next(Row* row) override {
    if (next_ == rows_.size()) return false;
    EnsureSlots(slots_, row);
    std::move(rows_[next_].begin(), rows_[next_].end(), row->begin() + slots_.begin);
    ++next_;
    return true;
  }

 private:
  const Slots slots_;
  std::vector<Row> rows_;
  size_t next_ = 0;
  MemoryAccount memory_;
};

class ValuesSource final : public RowSource {
 public:
  ValuesSource(const std::vector<std::vector<ExpressionRef>>& rows, const Execution& execution)
      : rows_(rows), execution_(execution) {}

  absl::StatusOr<bool> Next(Row* row) override {
    RETURN_IF_ERROR(CheckStop(execution_.stop));
    if (next_ == rows_.size()) return false;
    row->clear();
    for (const ExpressionRef& expression : rows_[next_]) {
      ASSIGN_OR_RETURN(Datum value, Evaluate(*expression, {}, execution_.evaluation));
      row->push_back(std::move(value));
    }
    ++next_;
    return true;
  }

 private:
  const std::vector<std::vector<ExpressionRef>>& rows_;
  const Execution& execution_;
  size_t next_ = 0;
};

// Puts the rows of a query into the slots it has in FROM.
class QuerySource final : public RowSource {
 public:
  QuerySource(const Execution& execution, Row arguments, Slots slots)
      : execution_(execution), arguments_(std::move(arguments)), slots_(slots) {
    if (!arguments_.empty()) execution_.evaluation.outer = &arguments_;
  }

  absl::Status Open(const PlanNode& plan) {
    ASSIGN_OR_RETURN(source_, plan.Open(execution_, {}));
    return absl::OkStatus();
  }

  absl::StatusOr<bool> Next(Row* row) override {
    ASSIGN_OR_RETURN(const bool found, source_->Next(&columns_));
    if (!found) return false;
    EnsureSlots(slots_, row);
    std::move(columns_.begin(), columns_.begin() + (slots_.end - slots_.begin), row->begin() + slots_.begin);
    return true;
  }

 private:
  Execution execution_;
  const Row arguments_;
  const Slots slots_;
  RowSourceRef source_;
  Row columns_;
};

class HeldSource final : public RowSource {
 public:
  HeldSource(const HeldRows* held, Slots slots, const Execution& execution)
      : held_(held), slots_(slots), execution_(execution) {}

  absl::StatusOr<bool> Next(Row* row) override {
    RETURN_IF_ERROR(CheckStop(execution_.stop));
    if (next_ == held_->rows.size()) return false;
    EnsureSlots(slots_, row);
    const Row& held = held_->rows[next_++];
    std::copy(held.begin(), held.begin() + (slots_.end - slots_.begin), row->begin() + slots_.begin);
    return true;
  }

 private:
  const HeldRows* const held_;
  const Slots slots_;
  const Execution& execution_;
  size_t next_ = 0;
};

absl::StatusOr<RowSourceRef> OpenQuery(const PlanNode& plan, const std::vector<ExpressionRef>& arguments, Slots slots,
                                       const Execution& execution, const Row& outer) {
  Row values;
  for (const ExpressionRef& argument : arguments) {
    ASSIGN_OR_RETURN(Datum value, Evaluate(*argument, outer, execution.evaluation));
    values.push_back(std::move(value));
  }
  auto source = std::make_unique<QuerySource>(execution, std::move(values), slots);
  RETURN_IF_ERROR(source->Open(plan));
  return RowSourceRef(std::move(source));
}

std::string Named(std::string_view what, const std::string& name, const std::string& alias) {
  return alias == name ? fmt::format("{} on {}", what, name) : fmt::format("{} on {} {}", what, name, alias);
}

}  // namespace

absl::StatusOr<RowSourceRef> OneRowNode::DoOpen(const Execution&, const Row&) const {
  return RowSourceRef(std::make_unique<OneRow>());
}

TableNode::TableNode(Spec spec) : spec_(std::move(spec)) {}

NodeText TableNode::Explain() const {
  const AccessPath& path = spec_.path;
  NodeText text;
  const bool by_key = path.used_columns > 0;
  if (path.ordered || by_key) {
    text.label = Named(fmt::format("Index Scan using {}", path.KeyName(*spec_.table)), spec_.table->name, spec_.alias);
  } else {
    text.label = Named("Seq Scan", spec_.table->name, spec_.alias);
  }
  std::string condition, filter;
  for (const Expression* conjunct : Conjuncts(spec_.filter.get())) {
    std::string& list = by_key && path.Uses(*spec_.table, spec_.slots.begin, *conjunct) ? condition : filter;
    list += (list.empty() ? "" : " AND ") + ExpressionText(*conjunct);
  }
  const auto add = [&](std::string_view name, const std::string& list) {
    if (list.empty()) return;
    text.details.emplace_back(name, list.find(" AND ") == std::string::npos ? list : "(" + list + ")");
  };
  add("Index Cond", condition);
  add("Filter", filter);
  return text;
}

std::vector<const Expression*> TableNode::expressions() const {
  if (!spec_.filter) return {};
  return {spec_.filter.get()};
}

absl::StatusOr<RowSourceRef> TableNode::DoOpen(const Execution& execution, const Row& outer) const {
  ASSIGN_OR_RETURN(ScanPlan plan,
                   PlanSpans(*spec_.table, spec_.path, spec_.filter.get(), spec_.slots.begin, outer, execution.evaluation));
  return RowSourceRef(std::make_unique<TableSource>(spec_, std::move(plan), execution));
}

absl::StatusOr<RowSourceRef> SystemNode::DoOpen(const Execution& execution, const Row&) const {
  auto rows = std::make_unique<ShownRows>(slots_, execution);
  RETURN_IF_ERROR(system_->Run(*statement_, *execution.evaluation.session, *rows, execution.stop).status());
  return RowSourceRef(std::move(rows));
}

NodeText ValuesNode::Explain() const { return {.label = "Values Scan on \"*VALUES*\"", .details = {}}; }

std::vector<const Expression*> ValuesNode::expressions() const {
  std::vector<const Expression*> all;
  for (const auto& row : rows_) {
    for (const ExpressionRef& expression : row) all.push_back(expression.get());
  }
  return all;
}

absl::StatusOr<RowSourceRef> ValuesNode::DoOpen(const Execution& execution, const Row&) const {
  return RowSourceRef(std::make_unique<ValuesSource>(rows_, execution));
}

NodeText QueryNode::Explain() const { return {.label = fmt::format("Subquery Scan on {}", alias_), .details = {}}; }

std::vector<const Expression*> QueryNode::expressions() const { return Pointers(arguments_); }

absl::StatusOr<RowSourceRef> QueryNode::DoOpen(const Execution& execution, const Row& outer) const {
  return OpenQuery(*plan_, arguments_, slots_, execution, outer);
}

NodeText CommonTableNode::Explain() const { return {.label = Named("CTE Scan", table_->name, alias_), .details = {}}; }

std::vector<const PlanNode*> CommonTableNode::children() const { return {table_->root.get()}; }

std::vector<const Expression*> CommonTableNode::expressions() const { return Pointers(arguments_); }

absl::StatusOr<RowSourceRef> CommonTableNode::DoOpen(const Execution& execution, const Row& outer) const {
  if (table_->uses == 1 || !arguments_.empty()) return OpenQuery(*table_->root, arguments_, slots_, execution, outer);
  ASSIGN_OR_RETURN(const HeldRows* const held, execution.statement->RowsOf(*table_->root, execution));
  return RowSourceRef(std::make_unique<HeldSource>(held, slots_, execution));
}

}  // namespace anabranch
