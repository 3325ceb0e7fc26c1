#include "sql/session/cursor.h"

#include "base/status.h"

namespace anabranch {
namespace {

Execution With(Execution execution, const Row* parameters, const std::stop_token& stop) {
  execution.evaluation.parameters = parameters;
  execution.evaluation.stop = stop;
  execution.stop = stop;
  return execution;
}

}  // namespace

QueryCursor::QueryCursor(TransactionBlock* block, BoundStatementRef plan, Row parameters, const Execution& execution)
    : block_(*block),
      plan_(std::move(plan)),
      parameters_(std::move(parameters)),
      execution_(With(execution, &parameters_, stop_.get_token())),
      run_(&execution_),
      memory_(run_.held_bytes()) {
  block_.AddCursor(this);
}

QueryCursor::~QueryCursor() { block_.RemoveCursor(this); }

absl::StatusOr<std::unique_ptr<QueryCursor>> QueryCursor::Open(TransactionBlock* block, BoundStatementRef plan,
                                                               Row parameters, const Execution& execution) {
  std::unique_ptr<QueryCursor> cursor(new QueryCursor(block, std::move(plan), std::move(parameters), execution));
  const std::stop_callback forward(execution.stop, [&cursor] { cursor->stop_.request_stop(); });
  ASSIGN_OR_RETURN(cursor->source_, std::get<SelectPlan>(cursor->plan_->plan).root->Open(cursor->execution_, {}));
  return cursor;
}

absl::StatusOr<bool> QueryCursor::Next(Row* row) {
  if (source_) return source_->Next(row);
  if (held_.empty()) return false;
  *row = std::move(held_.front());
  held_.pop_front();
  return true;
}

absl::StatusOr<std::optional<std::string>> QueryCursor::Fetch(size_t rows_max, ResultSink& sink, std::stop_token stop) {
  const std::stop_callback forward(stop, [this] { stop_.request_stop(); });
  Row row;
  for (size_t rows = 0; rows < rows_max; ++rows) {
    absl::StatusOr<bool> found = Next(&row);
    if (found.ok() && *found) {
      if (absl::Status added = sink.AddRow(row); !added.ok()) found = std::move(added);
    }
    if (!found.ok()) {
      Close();
      return block_.Finish(std::move(found).status());
    }
    if (!*found) {
      Close();
      return std::optional(fmt::format("SELECT {}", rows));
    }
  }
  return std::optional<std::string>();
}

absl::Status QueryCursor::Hold(const std::stop_token& stop) {
  const std::stop_callback forward(stop, [this] { stop_.request_stop(); });
  Row row;
  while (source_) {
    ASSIGN_OR_RETURN(const bool found, source_->Next(&row));
    if (!found) {
      source_.reset();
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(memory_.Add(RowBytes(row)));
    held_.push_back(std::move(row));
    row.clear();
  }
  return absl::OkStatus();
}

void QueryCursor::Close() {
  source_.reset();
  held_.clear();
  memory_.Clear();
}

}  // namespace anabranch
