#include "sql/query/statement_run.h"

#include "base/status.h"

namespace anabranch {
namespace {

// Counts what a source gives and how long it takes, for EXPLAIN ANALYZE.
class MeasuredSource final : public RowSource {
 public:
  MeasuredSource(RowSourceRef source, StatementRun* statement, StatementRun::Measured* measured)
      : source_(std::move(source)), statement_(statement), measured_(measured) {}

  absl::StatusOr<bool> Next(Row* row) override {
    const int64_t begin = statement_->NowNs();
    absl::StatusOr<bool> found = source_->Next(row);
    measured_->ns += statement_->NowNs() - begin;
    if (found.ok() && *found) ++measured_->rows;
    return found;
  }

 private:
  const RowSourceRef source_;
  StatementRun* const statement_;
  StatementRun::Measured* const measured_;
};

// An equality between the two sides and nothing else, so that looking up a value means the same.
bool IsPlainEquality(const Expression& test) {
  return test.kind == ExpressionKind::kCompare && test.compare == CompareOperator::kEqual &&
         test.arguments[0]->kind == ExpressionKind::kColumn && test.arguments[1]->kind == ExpressionKind::kColumn;
}

}  // namespace

absl::StatusOr<RowSourceRef> PlanNode::OpenMeasured(const Execution& execution, const Row& outer) const {
  StatementRun::Measured* const measured = execution.statement->MeasuredOf(this);
  const int64_t begin = execution.statement->NowNs();
  ASSIGN_OR_RETURN(RowSourceRef source, DoOpen(execution, outer));
  measured->ns += execution.statement->NowNs() - begin;
  ++measured->loops;
  return RowSourceRef(std::make_unique<MeasuredSource>(std::move(source), execution.statement, measured));
}

HeldRows::HeldRows(const Execution& execution) : memory(HeldBytes(execution)) {}

StatementRun::StatementRun(Execution* execution, Measure measure) : measure_(measure), memory_(&held_bytes_) {
  execution->statement = this;
  execution->measures = measures();
  execution->evaluation.subqueries = this;
  execution_ = *execution;
}

int64_t StatementRun::NowNs() const {
  return static_cast<int64_t>(execution_.evaluation.session->transaction.store->clock()->MonotonicNs());
}

absl::StatusOr<Datum> StatementRun::Run(const Expression& expression, const Row& row, const EvaluationContext& context) {
  const Subquery& subquery = *expression.subquery;
  const size_t values = subquery.values();
  Row arguments;
  for (const ExpressionRef& argument : expression.arguments) {
    ASSIGN_OR_RETURN(Datum value, Evaluate(*argument, row, context));
    arguments.push_back(std::move(value));
  }
  if (arguments.size() > values) return RunOnce(subquery, arguments);
  ASSIGN_OR_RETURN(const Result* const result, ResultOf(subquery));
  if (values == 0) return result->value;
  if (!result->by_equality) return TestAll(subquery, result->values, arguments[0]);
  if (result->known.empty() && !result->any_null) return Datum(false);
  if (IsNull(arguments[0])) return Datum(Null{});
  arguments.resize(1);
  if (result->known.contains(arguments)) return Datum(true);
  return result->any_null ? Datum(Null{}) : Datum(false);
}

absl::StatusOr<Datum> StatementRun::RunOnce(const Subquery& subquery, const Row& arguments) {
  const size_t values = subquery.values();
  const Row outer(arguments.begin() + static_cast<ptrdiff_t>(values), arguments.end());
  Execution execution = execution_;
  execution.evaluation.outer = &outer;
  ASSIGN_OR_RETURN(const RowSourceRef source, subquery.plan->Open(execution, {}));
  Row row;
  switch (subquery.kind) {
    case Subquery::Kind::kExists: {
      ASSIGN_OR_RETURN(const bool found, source->Next(&row));
      return Datum(found);
    }
    case Subquery::Kind::kScalar: {
      ASSIGN_OR_RETURN(const bool found, source->Next(&row));
      if (!found) return Datum(Null{});
      Datum value = std::move(row[0]);
      ASSIGN_OR_RETURN(const bool more, source->Next(&row));
      if (!more) return value;
      return SqlError(sqlstate::kCardinalityViolation, "more than one row returned by a subquery used as an expression");
    }
    case Subquery::Kind::kArray:
      return ReadArray(source.get());
    case Subquery::Kind::kAny:
    case Subquery::Kind::kAll:
      break;
  }
  const bool stops_at = subquery.kind == Subquery::Kind::kAny;
  bool any_null = false;
  Row pair(2);
  pair[0] = arguments[0];
  while (true) {
    ASSIGN_OR_RETURN(const bool found, source->Next(&row));
    if (!found) break;
    pair[1] = std::move(row[0]);
    ASSIGN_OR_RETURN(const Datum holds, Evaluate(*subquery.test, pair, execution.evaluation));
    if (IsNull(holds)) {
      any_null = true;
    } else if (std::get<bool>(holds) == stops_at) {
      return Datum(stops_at);
    }
  }
  return any_null ? Datum(Null{}) : Datum(!stops_at);
}

absl::StatusOr<Datum> StatementRun::ReadArray(RowSource* source) {
  MemoryAccount memory(&held_bytes_);
  std::vector<Datum> values;
  Row row;
  while (true) {
    ASSIGN_OR_RETURN(const bool found, source->Next(&row));
    if (!found) return Datum(MakeArray(std::move(values)));
    RETURN_IF_ERROR(memory.Add(RowBytes(row)));
    values.push_back(std::move(row[0]));
  }
}

absl::StatusOr<const StatementRun::Result*> StatementRun::ResultOf(const Subquery& subquery) {
  if (const auto found = results_.find(&subquery); found != results_.end()) return found->second.get();
  auto result = std::make_unique<Result>();
  if (subquery.values() == 0) {
    ASSIGN_OR_RETURN(result->value, RunOnce(subquery, {}));
  } else {
    result->by_equality = subquery.kind == Subquery::Kind::kAny && IsPlainEquality(*subquery.test);
    ASSIGN_OR_RETURN(const RowSourceRef source, subquery.plan->Open(execution_, {}));
    Row row;
    while (true) {
      ASSIGN_OR_RETURN(const bool found, source->Next(&row));
      if (!found) break;
      if (result->by_equality && IsNull(row[0])) {
        result->any_null = true;
        continue;
      }
      row.resize(1);
      if (result->by_equality && result->known.contains(row)) continue;
      RETURN_IF_ERROR(memory_.Add(RowBytes(row)));
      if (result->by_equality) {
        result->known.insert(row);
      } else {
        result->values.push_back(std::move(row[0]));
      }
    }
  }
  return results_.emplace(&subquery, std::move(result)).first->second.get();
}

absl::StatusOr<Datum> StatementRun::TestAll(const Subquery& subquery, const std::vector<Datum>& values,
                                            const Datum& value) {
  const bool stops_at = subquery.kind == Subquery::Kind::kAny;
  bool any_null = false;
  Row pair(2);
  pair[0] = value;
  for (const Datum& candidate : values) {
    RETURN_IF_ERROR(CheckStop(execution_.stop));
    pair[1] = candidate;
    ASSIGN_OR_RETURN(const Datum holds, Evaluate(*subquery.test, pair, execution_.evaluation));
    if (IsNull(holds)) {
      any_null = true;
    } else if (std::get<bool>(holds) == stops_at) {
      return Datum(stops_at);
    }
  }
  return any_null ? Datum(Null{}) : Datum(!stops_at);
}

absl::StatusOr<const HeldRows*> StatementRun::RowsOf(const PlanNode& plan, const Execution& execution) {
  if (const auto found = rows_.find(&plan); found != rows_.end()) return found->second.get();
  auto held = std::make_unique<HeldRows>(execution_);
  ASSIGN_OR_RETURN(const RowSourceRef source, plan.Open(execution, {}));
  Row row;
  while (true) {
    ASSIGN_OR_RETURN(const bool found, source->Next(&row));
    if (!found) break;
    RETURN_IF_ERROR(held->memory.Add(RowBytes(row)));
    held->rows.push_back(row);
  }
  return rows_.emplace(&plan, std::move(held)).first->second.get();
}

}  // namespace anabranch
