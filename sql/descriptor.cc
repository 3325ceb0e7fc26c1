#include "sql/descriptor.h"

#include <algorithm>

#include "base/coding.h"
#include "base/status.h"
#include "sql/descriptor.pb.h"
#include "sql/row_codec.h"

namespace anabranch {
namespace {

constexpr size_t kKnownTablesMax = 256;

absl::Status Corrupt(std::string_view what) {
  return SqlError(sqlstate::kDataCorrupted, fmt::format("a table descriptor is corrupt: {}", what));
}

bool IsColumnType(SqlType type) {
  switch (type) {
    case SqlType::kBool:
    case SqlType::kInt8:
    case SqlType::kInt4:
    case SqlType::kText:
    case SqlType::kTimestampTz:
    case SqlType::kNumeric:
      return true;
    case SqlType::kInterval:
    case SqlType::kUnknown:
      return false;
  }
  return false;
}

absl::StatusOr<Column> DecodeColumn(const descriptor::Column& stored) {
  Column column{.id = stored.id(),
                .name = stored.name(),
                .type = static_cast<SqlType>(stored.type()),
                .numeric = {static_cast<int>(stored.numeric_precision()), stored.numeric_scale()},
                .not_null = stored.not_null(),
                .default_value = std::nullopt,
                .default_now = stored.default_now()};
  if (!IsColumnType(column.type)) return Corrupt(fmt::format("column {} has type {}", stored.name(), stored.type()));
  if (stored.default_case() == descriptor::Column::kDefaultText) {
    absl::StatusOr<Datum> value = FromText(column.type, stored.default_text());
    if (!value.ok()) return Corrupt(MessageOf(value.status()));
    column.default_value = *std::move(value);
  }
  return column;
}

}  // namespace

std::optional<int> Table::FindColumn(std::string_view column) const {
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name == column) return static_cast<int>(i);
  }
  return std::nullopt;
}

std::string EncodeTable(const Table& table) {
  descriptor::Table stored;
  stored.set_id(table.id);
  stored.set_name(table.name);
  stored.set_primary_key_name(table.primary_key_name);
  stored.set_next_column_id(table.next_column_id);
  for (const Column& column : table.columns) {
    descriptor::Column* to = stored.add_columns();
    to->set_id(column.id);
    to->set_name(column.name);
    to->set_type(static_cast<uint32_t>(column.type));
    to->set_numeric_precision(column.numeric.precision);
    to->set_numeric_scale(column.numeric.scale);
    to->set_not_null(column.not_null);
    if (column.default_value) to->set_default_text(ToText(*column.default_value));
    if (column.default_now) to->set_default_now(true);
  }
  for (const int position : table.primary_key) stored.add_primary_key(table.columns[position].id);
  return stored.SerializeAsString();
}

absl::StatusOr<TableRef> DecodeTable(std::string_view bytes) {
  descriptor::Table stored;
  if (!stored.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return Corrupt("it does not parse");
  auto table = std::make_shared<Table>();
  table->id = stored.id();
  table->name = stored.name();
  table->primary_key_name = stored.primary_key_name();
  table->next_column_id = stored.next_column_id();
  for (const descriptor::Column& column : stored.columns()) {
    ASSIGN_OR_RETURN(Column decoded, DecodeColumn(column));
    table->columns.push_back(std::move(decoded));
  }
  for (const uint32_t id : stored.primary_key()) {
    const auto found =
        std::find_if(table->columns.begin(), table->columns.end(), [&](const Column& column) { return column.id == id; });
    if (found == table->columns.end()) return Corrupt(fmt::format("primary key column {} is missing", id));
    table->primary_key.push_back(static_cast<int>(found - table->columns.begin()));
  }
  return TableRef(std::move(table));
}

std::string DescriptorKey(std::string_view table_name) {
  std::string key = TablePrefix(kDescriptorTableId);
  EncodeKeyPart(Datum(std::string(table_name)), &key);
  return key;
}

absl::StatusOr<TableRef> TableReader::Find(Transaction& transaction, const std::string& name) {
  ASSIGN_OR_RETURN(const std::optional<ReadVersion> version, transaction.Get(DescriptorKey(name)));
  if (!version) return TableRef();
  // Own uncommitted descriptors have no timestamp to be known by.
  const auto found = known_.find(name);
  if (found != known_.end() && !version->timestamp.IsZero() && found->second.version == version->timestamp) {
    return found->second.table;
  }
  ASSIGN_OR_RETURN(TableRef table, DecodeTable(version->value));
  if (known_.size() >= kKnownTablesMax) known_.clear();
  known_[name] = {version->timestamp, table};
  return table;
}

absl::StatusOr<TableRef> TableReader::Get(Transaction& transaction, const std::string& name) {
  ASSIGN_OR_RETURN(TableRef table, Find(transaction, name));
  if (!table) return SqlError(sqlstate::kUndefinedTable, fmt::format("relation \"{}\" does not exist", name));
  return table;
}

absl::StatusOr<uint64_t> AllocateTableId(Transaction& transaction, std::stop_token stop) {
  const std::string key = TablePrefix(kTableIdCounterId);
  ASSIGN_OR_RETURN(const LockedRow locked, transaction.LockRow(key, std::move(stop)));
  uint64_t last = kUserTableIdMin - 1;
  if (locked.row) {
    std::string_view stored = locked.row->value;
    if (!TakeVarint(&stored, &last)) return Corrupt("the table id counter does not parse");
  }
  std::string next;
  PutVarint(&next, last + 1);
  RETURN_IF_ERROR(transaction.Put(key, std::move(next)));
  return last + 1;
}

absl::Status RecordDropped(Transaction& transaction, uint64_t table_id, std::stop_token stop) {
  std::string key = TablePrefix(kDroppedTablesId);
  EncodeKeyPart(Datum(static_cast<int64_t>(table_id)), &key);
  RETURN_IF_ERROR(transaction.Lock(key, LockMode::kExclusive, std::move(stop)));
  return transaction.Put(key, "");
}

}  // namespace anabranch
