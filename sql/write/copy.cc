#include "sql/write/copy.h"

#include <algorithm>

#include "base/status.h"
#include "sql/parse/tree.h"
#include "sql/value/conversion.h"

namespace anabranch {
namespace {

absl::Status BadFormat(std::string message) { return SqlError(sqlstate::kBadCopyFileFormat, std::move(message)); }

}  // namespace

absl::Status CopyReader::Data(std::string_view bytes) {
  while (!ended_) {
    const size_t end = FindLineEnd(format_, bytes, &quoted_);
    if (end == std::string_view::npos) break;
    if (pending_.empty()) {
      RETURN_IF_ERROR(Line(bytes.substr(0, end)));
    } else {
      pending_.append(bytes.substr(0, end));
      RETURN_IF_ERROR(Line(pending_));
      pending_.clear();
    }
    bytes.remove_prefix(end + 1);
  }
  if (ended_) return absl::OkStatus();
  pending_.append(bytes);
  if (pending_.size() <= kCopyLineBytesMax) return absl::OkStatus();
  return SqlError(sqlstate::kProgramLimitExceeded,
                  fmt::format("a line of COPY exceeds the limit of {} bytes", kCopyLineBytesMax));
}

absl::StatusOr<uint64_t> CopyReader::Done() {
  if (!pending_.empty() && !ended_) RETURN_IF_ERROR(Line(pending_));
  RETURN_IF_ERROR(inserter_.Finish());
  return rows_;
}

absl::Status CopyReader::Line(std::string_view line) {
  ++lines_;
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line == "\\.") {
    ended_ = true;
    return absl::OkStatus();
  }
  if (format_.header && lines_ == 1) return absl::OkStatus();
  const absl::Status status = [&]() -> absl::Status {
    if (!format_.csv) {
      const size_t last = line.find_last_not_of('\\');
      if ((line.size() - (last == std::string_view::npos ? 0 : last + 1)) % 2 == 1) {
        return BadFormat("a backslash before the end of a line is not supported");
      }
    }
    RETURN_IF_ERROR(fields_.Split(format_, line));
    return Insert();
  }();
  return status.ok() ? status : WithContext(status, fmt::format("COPY {}, line {}", table_->name, lines_));
}

absl::Status CopyReader::Insert() {
  const auto& fields = fields_.fields();
  const bool empty = positions_.empty() && fields.size() == 1 && fields[0] && fields[0]->empty();
  if (!empty && fields.size() > positions_.size()) return BadFormat("extra data after last expected column");
  if (fields.size() < positions_.size()) {
    const std::string& missing = table_->columns[positions_[fields.size()]].name;
    return BadFormat(fmt::format("missing data for column \"{}\"", missing));
  }
  RETURN_IF_ERROR(inserter_.Defaults(&row_));
  for (size_t i = 0; i < positions_.size(); ++i) {
    const Column& column = table_->columns[positions_[i]];
    Datum& value = row_[positions_[i]];
    if (!fields[i]) {
      value = Null{};
      continue;
    }
    ASSIGN_OR_RETURN(value, FromText(column.type, *fields[i], execution_.evaluation.zone()));
    if (column.modifier < 0) continue;
    ASSIGN_OR_RETURN(value, FitModifier(std::move(value), {column.type, column.modifier}, Conversion::kAssignment));
  }
  RETURN_IF_ERROR(inserter_.Insert(row_));
  ++rows_;
  return absl::OkStatus();
}

absl::StatusOr<pg_query::SelectStmt> CopiedQuery(const pg_query::CopyStmt& copy) {
  if (copy.has_query()) {
    if (copy.query().has_select_stmt()) return copy.query().select_stmt();
    return UnsupportedError("COPY of a statement other than a query");
  }
  pg_query::SelectStmt select;
  select.set_limit_option(pg_query::LIMIT_OPTION_DEFAULT);
  select.set_op(pg_query::SETOP_NONE);
  *select.add_from_clause()->mutable_range_var() = copy.relation();
  for (const pg_query::Node& name : copy.attlist()) {
    auto* target = select.add_target_list()->mutable_res_target();
    *target->mutable_val()->mutable_column_ref()->add_fields() = name;
  }
  if (copy.attlist().empty()) {
    auto* target = select.add_target_list()->mutable_res_target();
    target->mutable_val()->mutable_column_ref()->add_fields()->mutable_a_star();
  }
  return select;
}

absl::StatusOr<uint64_t> CopyOut(const SelectPlan& plan, const CopyFormat& format, const Execution& execution,
                                 ResultSink& sink) {
  RETURN_IF_ERROR(sink.BeginCopyOut(plan.columns.size()));
  std::string line;
  if (format.header) {
    std::vector<std::string> names;
    for (const ColumnDescription& column : plan.columns) names.push_back(column.name);
    AppendCopyHeader(format, names, &line);
    line.push_back('\n');
    RETURN_IF_ERROR(sink.CopyData(line));
  }
  uint64_t rows = 0;
  RETURN_IF_ERROR(RunSelect(plan, execution, [&](Row& row) {
    line.clear();
    AppendCopyRow(format, row, execution.evaluation.zone(), &line);
    line.push_back('\n');
    ++rows;
    return sink.CopyData(line);
  }));
  RETURN_IF_ERROR(sink.EndCopyOut());
  return rows;
}

}  // namespace anabranch
