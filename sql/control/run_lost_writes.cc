// SHOW LOST WRITES: what failbacks discarded, as rows of the tables of that time.
#include <algorithm>
#include <map>

#include "base/status.h"
#include "fmt/format.h"
#include "sql/control/run.h"
#include "sql/stored/descriptor.h"
#include "sql/stored/row_codec.h"
#include "sql/value/json_text.h"
#include "tenant/replication/lost_write_visitor.h"
#include "tenant/virtual_clusters.h"

namespace anabranch {
namespace {

std::string JsonOf(const Datum& datum) {
  if (IsNull(datum)) return "null";
  if (const auto* json = std::get_if<Jsonb>(&datum)) return json->text;
  const std::string text = ToText(datum);
  if (std::holds_alternative<bool>(datum)) return text == "t" ? "true" : "false";
  const bool number = std::holds_alternative<int64_t>(datum) || std::holds_alternative<Numeric>(datum) ||
                      std::holds_alternative<float>(datum) || std::holds_alternative<double>(datum);
  return number && text.find_first_of("NI") == std::string::npos ? text : JsonQuoted(text);  // NaN, Infinity
}

// The columns at these positions as a JSON object.
absl::StatusOr<Datum> ObjectOf(const Table& table, const std::vector<int>& positions, const Row& row) {
  std::string text = "{";
  for (const int position : positions) {
    if (text.size() > 1) text += ", ";
    text += fmt::format("{}: {}", JsonQuoted(table.columns[position].name), JsonOf(row[position]));
  }
  ASSIGN_OR_RETURN(std::string normal, NormalizeJson(text + "}"));
  return Datum(Jsonb{std::move(normal)});
}

// The id that a key starts with; false for what is no key.
bool TakeTableId(std::string_view key, uint64_t* id) {
  constexpr unsigned char kLongId = 0xF0;
  if (key.empty()) return false;
  const auto first = static_cast<unsigned char>(key.front());
  if (first < kLongId) {
    *id = first;
    return true;
  }
  const size_t bytes = first - kLongId;
  if (bytes > sizeof(*id) || key.size() < 1 + bytes) return false;
  *id = 0;
  for (size_t i = 1; i <= bytes; ++i) *id = *id << 8 | static_cast<unsigned char>(key[i]);
  return true;
}

class LostWriteRows {
 public:
  explicit LostWriteRows(ResultSink* sink) : sink_(sink) {}

  uint64_t rows() const { return rows_; }

  absl::Status BeginFailback(const DiscardedWrites& discarded) {
    tables_.clear();
    point_ = discarded.point;
    if (discarded.removed == DiscardedWrites::Removed::kNo) return absl::OkStatus();
    const char* const why = discarded.removed == DiscardedWrites::Removed::kByReset
                                ? "RESET DATA took back the history that they followed"
                                : "they were removed to keep within physical_replication.failback.lost_writes_bytes_max";
    sink_->Notice("01000", fmt::format("{} versions that the failback of {} discarded are not listed: {}",
                                       discarded.versions, FormatTimestampTz(discarded.discarded_at), why));
    return absl::OkStatus();
  }

  absl::Status AddSchema(const Version& version) {
    const Span names = DescriptorSpan();
    if (version.key < names.start || version.key >= names.end) return absl::OkStatus();
    ASSIGN_OR_RETURN(const std::string name, DescriptorName(version.key));
    if (version.write.kind == WriteKind::kPut) {
      ASSIGN_OR_RETURN(const Descriptor descriptor, DecodeDescriptor(version.write.value));
      const auto* const table = std::get_if<TableRef>(&descriptor);
      if (table == nullptr) return absl::OkStatus();
      tables_[(*table)->id].push_back({version.timestamp, *table});
    }
    if (version.timestamp <= point_) return absl::OkStatus();
    return AddRow(name, Null(), "schema", Null(), Null(), version.timestamp);
  }

  absl::Status AddWrite(const Version& version, const std::optional<std::string>& old_value) {
    const bool put = version.write.kind == WriteKind::kPut;
    const TableRef table = TableOf(version);
    if (table == nullptr || (!put && !old_value)) return absl::OkStatus();  // of an index, a sequence; came and went
    Datum old_row = Null();
    Datum new_row = Null();
    Datum key = Null();
    if (old_value) RETURN_IF_ERROR(Decode(*table, version.key, *old_value, &key, &old_row));
    if (put) RETURN_IF_ERROR(Decode(*table, version.key, version.write.value, &key, &new_row));
    const char* const operation = !put ? "delete" : old_value ? "update" : "insert";
    return AddRow(table->name, std::move(key), operation, std::move(old_row), std::move(new_row), version.timestamp);
  }

 private:
  struct Known {
    Timestamp from;
    TableRef table;
  };

  // As it was when the version was written. A load writes its rows before the table that they belong to.
  TableRef TableOf(const Version& version) const {
    uint64_t id = 0;
    if (!TakeTableId(version.key, &id)) return nullptr;
    const auto known = tables_.find(id);
    if (known == tables_.end()) return nullptr;
    const auto later = std::upper_bound(known->second.begin(), known->second.end(), version.timestamp,
                                        [](Timestamp at, const Known& entry) { return at < entry.from; });
    return later == known->second.begin() ? later->table : std::prev(later)->table;
  }

  static absl::Status Decode(const Table& table, std::string_view key, std::string_view value, Datum* key_json,
                             Datum* row_json) {
    Row row(table.columns.size());
    RETURN_IF_ERROR(DecodeRow(table, key, value, &row));
    std::vector<int> all(table.columns.size());
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int>(i);
    ASSIGN_OR_RETURN(*row_json, ObjectOf(table, all, row));
    if (table.primary_key.empty()) return absl::OkStatus();  // its rows have hidden ids
    ASSIGN_OR_RETURN(*key_json, ObjectOf(table, table.primary_key, row));
    return absl::OkStatus();
  }

  absl::Status AddRow(std::string table, Datum key, std::string operation, Datum old_row, Datum new_row, Timestamp at) {
    ++rows_;
    return sink_->AddRow({std::move(table), std::move(key), std::move(operation), std::move(old_row), std::move(new_row),
                          TimestampTz{static_cast<int64_t>(at.ns / 1000)}});
  }

  ResultSink* const sink_;
  uint64_t rows_ = 0;
  Timestamp point_;                                // of the failback that is being listed
  std::map<uint64_t, std::vector<Known>> tables_;  // by the id that starts their rows' keys; by time
};

}  // namespace

Columns ColumnsOf(const ShowLostWrites&) {
  return {{"table_name", SqlType::kText}, {"key", SqlType::kJsonb},       {"operation", SqlType::kText},
          {"old_value", SqlType::kJsonb}, {"new_value", SqlType::kJsonb}, {"commit_time", SqlType::kTimestampTz}};
}

CommandTag RunStatement(const ShowLostWrites& show, const Running& running) {
  RETURN_IF_ERROR(running.sink.Columns(ColumnsOf(show)));
  LostWriteRows rows(&running.sink);
  const LostWriteVisitor visitor{
      .failback = [&](const DiscardedWrites& discarded) { return rows.BeginFailback(discarded); },
      .schema = [&](const Version& version) { return rows.AddSchema(version); },
      .write = [&](const Version& version,
                   const std::optional<std::string>& old_value) { return rows.AddWrite(version, old_value); }};
  RETURN_IF_ERROR(running.clusters.ReadLostWrites(show.target, visitor, running.stop));
  return fmt::format("SHOW {}", rows.rows());
}

}  // namespace anabranch
