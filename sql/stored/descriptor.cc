#include "sql/stored/descriptor.h"

#include <algorithm>

#include "base/coding.h"
#include "base/status.h"
#include "sql/stored/descriptor.pb.h"
#include "sql/stored/row_codec.h"

namespace anabranch {
namespace {

constexpr size_t kKnownTablesMax = 256;

constexpr uint32_t kFormat = 2;

absl::Status Corrupt(std::string_view what) {
  return SqlError(sqlstate::kDataCorrupted, fmt::format("a descriptor is corrupt: {}", what));
}

absl::Status ReadDatum(const Column& column, const std::string& text, std::optional<Datum>* value) {
  absl::StatusOr<Datum> read = FromText(column.type, text);
  if (!read.ok()) return Corrupt(MessageOf(read.status()));
  *value = *std::move(read);
  return absl::OkStatus();
}

absl::StatusOr<Column> DecodeColumn(const descriptor::Column& stored) {
  Column column{.id = stored.id(),
                .name = stored.name(),
                .type = static_cast<SqlType>(stored.type()),
                .modifier = stored.has_modifier() ? stored.modifier() : kNoModifier,
                .not_null = stored.not_null(),
                .default_expression = stored.default_expression()};
  if (!IsColumnType(column.type)) return Corrupt(fmt::format("column {} has type {}", stored.name(), stored.type()));
  if (stored.has_default_text()) RETURN_IF_ERROR(ReadDatum(column, stored.default_text(), &column.default_value));
  if (stored.has_missing_text()) RETURN_IF_ERROR(ReadDatum(column, stored.missing_text(), &column.missing_value));
  if (!stored.identity().empty()) column.identity = stored.identity().front();
  return column;
}

void EncodeColumn(const Column& column, descriptor::Column* to) {
  to->set_id(column.id);
  to->set_name(column.name);
  to->set_type(static_cast<uint32_t>(column.type));
  if (column.modifier != kNoModifier) to->set_modifier(column.modifier);
  to->set_not_null(column.not_null);
  to->set_default_expression(column.default_expression);
  if (column.default_value) to->set_default_text(ToText(*column.default_value));
  if (column.missing_value) to->set_missing_text(ToText(*column.missing_value));
  if (column.identity != 0) to->set_identity(std::string(1, column.identity));
}

template <typename Stored>
std::vector<Grant> DecodeGrants(const Stored& stored) {
  std::vector<Grant> grants;
  for (const descriptor::Grant& grant : stored) {
    grants.push_back({grant.grantee(), grant.grantor(), grant.privileges(), grant.grantable()});
  }
  return grants;
}

void EncodeGrant(const Grant& grant, descriptor::Grant* to) {
  to->set_grantee(grant.grantee);
  to->set_grantor(grant.grantor);
  to->set_privileges(grant.privileges);
  to->set_grantable(grant.grantable);
}

template <typename Ids>
absl::Status DecodePositions(const Table& table, const Ids& ids, std::vector<int>* positions) {
  for (const uint32_t id : ids) {
    const auto found =
        std::find_if(table.columns.begin(), table.columns.end(), [&](const Column& column) { return column.id == id; });
    if (found == table.columns.end()) return Corrupt(fmt::format("key column {} is missing", id));
    positions->push_back(static_cast<int>(found - table.columns.begin()));
  }
  return absl::OkStatus();
}

absl::StatusOr<Descriptor> DecodeTableMessage(const descriptor::Table& stored) {
  auto table = std::make_shared<Table>();
  table->oid = stored.oid();
  table->id = stored.id();
  table->name = stored.name();
  table->primary_key_name = stored.primary_key_name();
  table->primary_key_oid = stored.primary_key_oid();
  table->next_column_id = stored.next_column_id();
  for (const descriptor::Column& column : stored.columns()) {
    ASSIGN_OR_RETURN(Column decoded, DecodeColumn(column));
    table->columns.push_back(std::move(decoded));
  }
  RETURN_IF_ERROR(DecodePositions(*table, stored.primary_key(), &table->primary_key));
  for (const descriptor::Index& from : stored.indexes()) {
    Index index{
        .oid = from.oid(), .id = from.id(), .name = from.name(), .unique = from.unique(), .constraint = from.constraint()};
    RETURN_IF_ERROR(DecodePositions(*table, from.columns(), &index.columns));
    table->indexes.push_back(std::move(index));
  }
  for (const descriptor::Check& check : stored.checks()) table->checks.push_back({check.name(), check.expression()});
  table->owner = stored.owner();
  table->grants = DecodeGrants(stored.grants());
  return Descriptor(TableRef(std::move(table)));
}

Descriptor DecodeSequenceMessage(const descriptor::Sequence& stored) {
  return SequenceRef(std::make_shared<Sequence>(Sequence{.oid = stored.oid(),
                                                         .id = stored.id(),
                                                         .name = stored.name(),
                                                         .type = static_cast<SqlType>(stored.type()),
                                                         .start = stored.start(),
                                                         .increment = stored.increment(),
                                                         .min = stored.min(),
                                                         .max = stored.max(),
                                                         .cache = stored.cache(),
                                                         .cycle = stored.cycle(),
                                                         .owner_table = stored.owner_table(),
                                                         .owner_column = stored.owner_column(),
                                                         .owner = stored.owner(),
                                                         .grants = DecodeGrants(stored.grants())}));
}

}  // namespace

std::optional<int> Table::FindColumn(std::string_view column) const {
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name == column) return static_cast<int>(i);
  }
  return std::nullopt;
}

std::string EncodeTable(const Table& table) {
  descriptor::Relation relation;
  relation.set_format(kFormat);
  descriptor::Table& stored = *relation.mutable_table();
  stored.set_oid(table.oid);
  stored.set_id(table.id);
  stored.set_name(table.name);
  stored.set_primary_key_name(table.primary_key_name);
  stored.set_primary_key_oid(table.primary_key_oid);
  stored.set_next_column_id(table.next_column_id);
  for (const Column& column : table.columns) EncodeColumn(column, stored.add_columns());
  for (const int position : table.primary_key) stored.add_primary_key(table.columns[position].id);
  for (const Index& index : table.indexes) {
    descriptor::Index* to = stored.add_indexes();
    to->set_oid(index.oid);
    to->set_id(index.id);
    to->set_name(index.name);
    to->set_unique(index.unique);
    to->set_constraint(index.constraint);
    for (const int position : index.columns) to->add_columns(table.columns[position].id);
  }
  for (const Check& check : table.checks) {
    descriptor::Check* to = stored.add_checks();
    to->set_name(check.name);
    to->set_expression(check.expression);
  }
  stored.set_owner(table.owner);
  for (const Grant& grant : table.grants) EncodeGrant(grant, stored.add_grants());
  return relation.SerializeAsString();
}

std::string EncodeSequence(const Sequence& sequence) {
  descriptor::Relation relation;
  relation.set_format(kFormat);
  descriptor::Sequence& stored = *relation.mutable_sequence();
  stored.set_oid(sequence.oid);
  stored.set_id(sequence.id);
  stored.set_name(sequence.name);
  stored.set_type(static_cast<uint32_t>(sequence.type));
  stored.set_start(sequence.start);
  stored.set_increment(sequence.increment);
  stored.set_min(sequence.min);
  stored.set_max(sequence.max);
  stored.set_cache(sequence.cache);
  stored.set_cycle(sequence.cycle);
  stored.set_owner_table(sequence.owner_table);
  stored.set_owner_column(sequence.owner_column);
  stored.set_owner(sequence.owner);
  for (const Grant& grant : sequence.grants) EncodeGrant(grant, stored.add_grants());
  return relation.SerializeAsString();
}

std::string EncodeIndexOf(const IndexOf& index) {
  descriptor::Relation relation;
  relation.set_format(kFormat);
  relation.set_index_of(index.table);
  return relation.SerializeAsString();
}

absl::StatusOr<Descriptor> DecodeDescriptor(std::string_view bytes) {
  descriptor::Relation stored;
  if (!stored.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return Corrupt("it does not parse");
  if (stored.format() != kFormat) {
    return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                    fmt::format("a descriptor has format {}, this program knows format {}", stored.format(), kFormat),
                    "Use the version of the program that wrote it.");
  }
  switch (stored.kind_case()) {
    case descriptor::Relation::kTable:
      return DecodeTableMessage(stored.table());
    case descriptor::Relation::kSequence:
      return DecodeSequenceMessage(stored.sequence());
    case descriptor::Relation::kIndexOf:
      return Descriptor(IndexOf{stored.index_of()});
    case descriptor::Relation::KIND_NOT_SET:
      break;
  }
  return Corrupt("it describes nothing");
}

absl::StatusOr<TableRef> DecodeTable(std::string_view name, std::string_view bytes) {
  ASSIGN_OR_RETURN(const Descriptor descriptor, DecodeDescriptor(bytes));
  if (const TableRef* table = std::get_if<TableRef>(&descriptor)) return *table;
  return SqlError(sqlstate::kWrongObjectType, fmt::format("\"{}\" is not a table", name));
}

absl::StatusOr<SequenceRef> DecodeSequence(std::string_view name, std::string_view bytes) {
  ASSIGN_OR_RETURN(const Descriptor descriptor, DecodeDescriptor(bytes));
  if (const SequenceRef* sequence = std::get_if<SequenceRef>(&descriptor)) return *sequence;
  return SqlError(sqlstate::kWrongObjectType, fmt::format("\"{}\" is not a sequence", name));
}

std::string DescriptorKey(std::string_view name) {
  std::string key = TablePrefix(kDescriptorTableId);
  EncodeKeyPart(Datum(std::string(name)), &key);
  return key;
}

Span DescriptorSpan() {
  const std::string prefix = TablePrefix(kDescriptorTableId);
  return {prefix, PrefixEnd(prefix)};
}

absl::StatusOr<std::string> DescriptorName(std::string_view key) {
  key.remove_prefix(std::min(key.size(), TablePrefix(kDescriptorTableId).size()));
  Datum name;
  if (!TakeKeyPart(SqlType::kText, &key, &name)) return Corrupt("its key does not parse");
  return std::get<std::string>(std::move(name));
}

absl::Status ReadDescriptors(Transaction& transaction, std::vector<TableRef>* tables, std::vector<SequenceRef>* sequences) {
  const std::unique_ptr<MvccScan> scan = transaction.Scan(DescriptorSpan());
  while (true) {
    ASSIGN_OR_RETURN(const bool found, scan->Next());
    if (!found) return absl::OkStatus();
    ASSIGN_OR_RETURN(const Descriptor descriptor, DecodeDescriptor(scan->value()));
    if (const auto* table = std::get_if<TableRef>(&descriptor)) tables->push_back(*table);
    if (const auto* sequence = std::get_if<SequenceRef>(&descriptor)) sequences->push_back(*sequence);
  }
}

absl::Status TableReader::NoteKey(Transaction& transaction, const std::string& key) {
  if (uses_ == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::optional<ReadVersion> version, transaction.Get(key));
  uses_->push_back({key, version ? std::optional(version->timestamp) : std::nullopt});
  return absl::OkStatus();
}

absl::StatusOr<TableRef> TableReader::Find(Transaction& transaction, const std::string& name) {
  const std::string key = DescriptorKey(name);
  ASSIGN_OR_RETURN(const std::optional<ReadVersion> version, transaction.Get(key));
  if (uses_ != nullptr) uses_->push_back({key, version ? std::optional(version->timestamp) : std::nullopt});
  if (!version) return TableRef();
  // Own uncommitted descriptors have no timestamp to be known by.
  const auto found = known_.find(name);
  if (found != known_.end() && !version->timestamp.IsZero() && found->second.version == version->timestamp) {
    return found->second.table;
  }
  ASSIGN_OR_RETURN(TableRef table, DecodeTable(name, version->value));
  if (known_.size() >= kKnownTablesMax) known_.clear();
  known_[name] = {version->timestamp, table};
  return table;
}

absl::StatusOr<TableRef> TableReader::Get(Transaction& transaction, const std::string& name) {
  ASSIGN_OR_RETURN(TableRef table, Find(transaction, name));
  if (!table) return SqlError(sqlstate::kUndefinedTable, fmt::format("relation \"{}\" does not exist", name));
  return table;
}

absl::StatusOr<uint64_t> AllocateIds(const TransactionContext& context, uint64_t count, std::stop_token stop) {
  const std::unique_ptr<Transaction> own = Transaction::Begin(context, IsolationLevel::kReadCommitted);
  RETURN_IF_ERROR(own->BeginStatement());
  const std::string key = TablePrefix(kTableIdCounterId);
  ASSIGN_OR_RETURN(const LockedRow locked, own->LockRow(key, std::move(stop)));
  uint64_t last = kUserTableIdMin - 1;
  if (locked.row) {
    std::string_view stored = locked.row->value;
    if (!TakeVarint(&stored, &last)) return Corrupt("the id counter does not parse");
  }
  std::string next;
  PutVarint(&next, last + count);
  RETURN_IF_ERROR(own->Put(key, std::move(next)));
  RETURN_IF_ERROR(own->Commit().status());
  return last + 1;
}

std::string DroppedKey(uint64_t id) {
  std::string key = TablePrefix(kDroppedTablesId);
  EncodeKeyPart(Datum(static_cast<int64_t>(id)), &key);
  return key;
}

absl::Status RecordDropped(Transaction& transaction, uint64_t id, std::stop_token stop) {
  const std::string key = DroppedKey(id);
  RETURN_IF_ERROR(transaction.Lock(key, LockMode::kExclusive, std::move(stop)));
  return transaction.Put(key, "");
}

}  // namespace anabranch
