#include "sql/schema/table_rewrite.h"

#include <algorithm>
#include <future>
#include <memory>
#include <utility>

#include "base/status.h"
#include "sql/stored/row_codec.h"
#include "sql/write/backfill.h"
#include "sql/write/constraint.h"

namespace anabranch {
namespace {

constexpr size_t kChunkBytes = 1 << 20;

// The rows of a span, read a chunk ahead on another thread: to find and to unpack them is about as much work as to write
// them anew.
class ScanAhead {
 public:
  explicit ScanAhead(std::unique_ptr<MvccScan> scan) : scan_(std::move(scan)) { ReadNext(); }
  ~ScanAhead() {
    if (next_.valid()) next_.wait();
  }
  ScanAhead(const ScanAhead&) = delete;
  ScanAhead& operator=(const ScanAhead&) = delete;

  absl::StatusOr<bool> Next() {
    if (++at_ < chunk_.size()) return true;
    if (!next_.valid()) return false;
    ASSIGN_OR_RETURN(chunk_, next_.get());
    at_ = 0;
    if (chunk_.empty()) return false;
    ReadNext();
    return true;
  }
  WriteList::Entry row() const { return chunk_[at_]; }

 private:
  void ReadNext() {
    next_ = std::async(std::launch::async, [this]() -> absl::StatusOr<WriteList> {
      WriteList chunk;
      while (chunk.payload_bytes() < kChunkBytes) {
        ASSIGN_OR_RETURN(const bool found, scan_->Next());
        if (!found) break;
        chunk.Add(scan_->key(), WriteKind::kPut, scan_->value());
      }
      return chunk;
    });
  }

  const std::unique_ptr<MvccScan> scan_;  // the reading thread's
  WriteList chunk_;
  size_t at_ = 0;
  std::future<absl::StatusOr<WriteList>> next_;
};

class Rewrite {
 public:
  Rewrite(const TableRef& before, const TableRef& after, const Execution& execution)
      : before_(before), after_(after), execution_(execution) {}

  absl::Status Run() {
    RETURN_IF_ERROR(Plan());
    const bool rewrites = after_->id != before_->id;
    if (!rewrites && new_indexes_.empty() && new_not_null_.empty() && new_checks_.empty()) return absl::OkStatus();
    RETURN_IF_ERROR(CheckSnapshot());
    std::vector<std::unique_ptr<BulkWriter>> writers;
    if (rewrites) {
      writers.push_back(std::make_unique<BulkWriter>(*after_, nullptr, BulkWriter::Purpose::kBuild, execution_));
    } else {
      for (const Index* index : new_indexes_) {
        writers.push_back(std::make_unique<BulkWriter>(*after_, index, BulkWriter::Purpose::kBuild, execution_));
      }
    }
    const std::string prefix = TablePrefix(before_->id);
    ScanAhead scan(execution_.transaction->Scan({prefix, PrefixEnd(prefix)}));
    const bool splits = rewrites && OnlyGetsKey();
    Row old_row(before_->columns.size());
    Row row(after_->columns.size());
    std::string value;
    while (true) {
      RETURN_IF_ERROR(CheckStop(execution_.stop));
      ASSIGN_OR_RETURN(const bool found, scan.Next());
      if (!found) break;
      if (splits) {
        value.clear();
        RETURN_IF_ERROR(SplitRowValue(*after_, scan.row().value(), &row, &value));
        RETURN_IF_ERROR(Verify(row));
        RETURN_IF_ERROR(writers.front()->AddRow(row, value));
        continue;
      }
      RETURN_IF_ERROR(DecodeRow(*before_, scan.row().key, scan.row().value(), &old_row));
      RETURN_IF_ERROR(Convert(&old_row, &row));
      RETURN_IF_ERROR(Verify(row));
      for (const auto& writer : writers) {
        RETURN_IF_ERROR(rewrites ? writer->AddRow(row) : writer->AddEntry(row, scan.row().key));
      }
    }
    for (const auto& writer : writers) RETURN_IF_ERROR(writer->Finish());
    return absl::OkStatus();
  }

 private:
  absl::Status Plan() {
    ASSIGN_OR_RETURN(rules_, TableRules::Bind(after_));
    for (size_t i = 0; i < after_->columns.size(); ++i) {
      const Column& column = after_->columns[i];
      const auto old = std::find_if(before_->columns.begin(), before_->columns.end(),
                                    [&](const Column& c) { return c.id == column.id; });
      sources_.push_back(old == before_->columns.end() ? -1 : static_cast<int>(old - before_->columns.begin()));
      if (column.not_null && (sources_.back() < 0 || !old->not_null)) new_not_null_.push_back(i);
    }
    for (const Index& index : after_->indexes) {
      const bool known = std::any_of(before_->indexes.begin(), before_->indexes.end(),
                                     [&](const Index& old) { return old.id == index.id; });
      if (!known) new_indexes_.push_back(&index);
    }
    for (const Check& check : after_->checks) {
      const bool known = std::any_of(before_->checks.begin(), before_->checks.end(),
                                     [&](const Check& old) { return old.name == check.name; });
      if (known) continue;
      ASSIGN_OR_RETURN(ExpressionRef condition, BindCheck(*after_, check.expression));
      new_checks_.emplace_back(check.name, std::move(condition));
    }
    return absl::OkStatus();
  }

  // Whether a primary key is all that the rows get, and nothing else of them needs to be looked at.
  bool OnlyGetsKey() const {
    const auto same = [](const Column& a, const Column& b) {
      return a.id == b.id && a.type == b.type && a.modifier == b.modifier && !a.missing_value && !b.missing_value;
    };
    const auto in_key = [this](size_t position) { return after_->InPrimaryKey(static_cast<int>(position)); };
    return before_->primary_key.empty() && !after_->primary_key.empty() && after_->indexes.empty() && new_checks_.empty() &&
           std::equal(before_->columns.begin(), before_->columns.end(), after_->columns.begin(), after_->columns.end(),
                      same) &&
           std::all_of(new_not_null_.begin(), new_not_null_.end(), in_key);
  }

  // A transaction that keeps its snapshot may not see the newest rows.
  absl::Status CheckSnapshot() const {
    const TransactionContext& context = execution_.evaluation.session->transaction;
    const bool current = execution_.unpublished != nullptr ||
                         context.store->Resolved(*context.keyspace) == execution_.transaction->snapshot();
    if (current) return absl::OkStatus();
    ASSIGN_OR_RETURN(const auto then, Transaction::BeginAsOf(context, execution_.transaction->snapshot()));
    ASSIGN_OR_RETURN(const auto now, Transaction::BeginAsOf(context, context.store->Resolved(*context.keyspace)));
    const Span span{TablePrefix(before_->id), PrefixEnd(TablePrefix(before_->id))};
    const std::unique_ptr<MvccScan> old_rows = then->Scan(span);
    const std::unique_ptr<MvccScan> rows = now->Scan(span);
    while (true) {
      RETURN_IF_ERROR(CheckStop(execution_.stop));
      ASSIGN_OR_RETURN(const bool old_found, old_rows->Next());
      ASSIGN_OR_RETURN(const bool found, rows->Next());
      if (!found && !old_found) return absl::OkStatus();
      if (found && old_found && rows->key() == old_rows->key() && rows->timestamp() == old_rows->timestamp()) continue;
      return SqlError(
          sqlstate::kSerializationFailure,
          fmt::format("could not serialize access: table \"{}\" changed since the transaction began", before_->name));
    }
  }

  absl::Status Convert(Row* old_row, Row* row) {
    for (size_t i = 0; i < row->size(); ++i) {
      if (sources_[i] >= 0) {
        (*row)[i] = std::move((*old_row)[sources_[i]]);
      } else if (after_->columns[i].missing_value) {
        (*row)[i] = *after_->columns[i].missing_value;
      } else {
        ASSIGN_OR_RETURN((*row)[i], rules_->Default(static_cast<int>(i), execution_.evaluation));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Verify(const Row& row) const {
    for (const size_t position : new_not_null_) {
      if (!IsNull(row[position])) continue;
      return SqlError(sqlstate::kNotNullViolation, fmt::format("column \"{}\" of relation \"{}\" contains null values",
                                                               after_->columns[position].name, after_->name));
    }
    for (const auto& [name, condition] : new_checks_) {
      ASSIGN_OR_RETURN(const Datum holds, Evaluate(*condition, row, execution_.evaluation));
      if (IsNull(holds) || std::get<bool>(holds)) continue;
      return SqlError(
          sqlstate::kCheckViolation,
          fmt::format("check constraint \"{}\" of relation \"{}\" is violated by some row", name, after_->name));
    }
    return absl::OkStatus();
  }

  const TableRef& before_;
  const TableRef& after_;
  const Execution& execution_;
  TableRulesRef rules_;
  std::vector<int> sources_;  // of each column: where it was; -1: it is new
  std::vector<size_t> new_not_null_;
  std::vector<const Index*> new_indexes_;
  std::vector<std::pair<std::string, ExpressionRef>> new_checks_;
};

}  // namespace

absl::Status ApplyToRows(const TableRef& before, const TableRef& after, const Execution& execution) {
  return Rewrite(before, after, execution).Run();
}

}  // namespace anabranch
