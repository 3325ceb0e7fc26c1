#include "sql/schema/schema_change.h"

#include <algorithm>

#include "base/status.h"
#include "sql/expression/stored_expression.h"
#include "sql/parse/tree.h"
#include "sql/write/backfill.h"

namespace anabranch {
namespace {

// PostgreSQL's: whole parts where they fit, both cut evenly where they do not.
std::string MakeName(std::string first, std::string second, const std::string& suffix) {
  const size_t overhead = (second.empty() ? 1 : 2) + suffix.size();
  while (first.size() + second.size() + overhead > kIdentifierBytesMax) {
    (first.size() > second.size() ? first : second).pop_back();
  }
  return first + (second.empty() ? "" : "_" + second) + "_" + suffix;
}

Authorization AuthorizationOf(const Execution& execution) {
  return Authorization(&execution.evaluation.session->user, execution.transaction, nullptr);
}

}  // namespace

absl::Status UndefinedRelation(std::string_view name) {
  return SqlError(sqlstate::kUndefinedTable, fmt::format("relation \"{}\" does not exist", name));
}

absl::Status SchemaChange::Begin(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    RETURN_IF_ERROR(execution_.transaction->Lock(DescriptorKey(name), LockMode::kExclusive, execution_.stop));
  }
  return execution_.transaction->BeginStatement();
}

absl::StatusOr<std::optional<Descriptor>> SchemaChange::Find(const std::string& name) {
  ASSIGN_OR_RETURN(const LockedRow locked, execution_.transaction->LockRow(DescriptorKey(name), execution_.stop));
  if (!locked.row) return std::optional<Descriptor>();
  ASSIGN_OR_RETURN(Descriptor descriptor, DecodeDescriptor(locked.row->value));
  return std::optional<Descriptor>(std::move(descriptor));
}

absl::StatusOr<TableRef> SchemaChange::GetTable(const std::string& name) {
  ASSIGN_OR_RETURN(const LockedRow locked, execution_.transaction->LockRow(DescriptorKey(name), execution_.stop));
  if (!locked.row) return UndefinedRelation(name);
  ASSIGN_OR_RETURN(TableRef table, DecodeTable(name, locked.row->value));
  RETURN_IF_ERROR(CheckOwner(table));
  return table;
}

absl::StatusOr<TableRef> SchemaChange::GetTableFor(const std::string& name, Privilege privilege) {
  ASSIGN_OR_RETURN(const LockedRow locked, execution_.transaction->LockRow(DescriptorKey(name), execution_.stop));
  if (!locked.row) return UndefinedRelation(name);
  ASSIGN_OR_RETURN(TableRef table, DecodeTable(name, locked.row->value));
  RETURN_IF_ERROR(AuthorizationOf(execution_).Check(*table, privilege));
  return table;
}

absl::StatusOr<SequenceRef> SchemaChange::GetSequence(const std::string& name) {
  ASSIGN_OR_RETURN(const LockedRow locked, execution_.transaction->LockRow(DescriptorKey(name), execution_.stop));
  if (!locked.row) return UndefinedRelation(name);
  ASSIGN_OR_RETURN(SequenceRef sequence, DecodeSequence(name, locked.row->value));
  RETURN_IF_ERROR(CheckOwner(sequence));
  return sequence;
}

absl::Status SchemaChange::CheckOwner(const Descriptor& descriptor) const {
  const Authorization authorization = AuthorizationOf(execution_);
  if (const auto* table = std::get_if<TableRef>(&descriptor)) {
    return authorization.CheckOwner("table", (*table)->name, (*table)->owner);
  }
  if (const auto* sequence = std::get_if<SequenceRef>(&descriptor)) {
    return authorization.CheckOwner("sequence", (*sequence)->name, (*sequence)->owner);
  }
  return absl::OkStatus();
}

absl::Status SchemaChange::CheckFree(const std::string& name) {
  ASSIGN_OR_RETURN(const std::optional<Descriptor> taken, Find(name));
  if (!taken) return absl::OkStatus();
  return SqlError(sqlstate::kDuplicateTable, fmt::format("relation \"{}\" already exists", name));
}

absl::StatusOr<std::string> SchemaChange::ChooseName(const std::string& table, const std::string& columns,
                                                     std::string_view suffix) {
  for (int number = 0;; ++number) {
    std::string name = MakeName(table, columns, number == 0 ? std::string(suffix) : fmt::format("{}{}", suffix, number));
    ASSIGN_OR_RETURN(const std::optional<Descriptor> taken, Find(name));
    if (!taken) return name;
  }
}

absl::StatusOr<uint64_t> SchemaChange::NewId() {
  ASSIGN_OR_RETURN(const uint64_t id, AllocateIds(execution_.evaluation.session->transaction, 1, execution_.stop));
  if (execution_.unpublished != nullptr) execution_.unpublished->Add(id);
  return id;
}

absl::Status SchemaChange::Put(const Table& table) {
  return execution_.transaction->Put(DescriptorKey(table.name), EncodeTable(table));
}

absl::Status SchemaChange::Put(const Sequence& sequence) {
  return execution_.transaction->Put(DescriptorKey(sequence.name), EncodeSequence(sequence));
}

absl::Status SchemaChange::PutIndexName(const std::string& index, const std::string& table) {
  return execution_.transaction->Put(DescriptorKey(index), EncodeIndexOf({table}));
}

absl::Status SchemaChange::Delete(const std::string& name) {
  const std::string key = DescriptorKey(name);
  RETURN_IF_ERROR(execution_.transaction->Lock(key, LockMode::kExclusive, execution_.stop));
  return execution_.transaction->Delete(key);
}

absl::Status SchemaChange::Drop(const Table& table) {
  ASSIGN_OR_RETURN(const std::vector<SequenceRef> sequences, OwnedSequences(table));
  for (const SequenceRef& sequence : sequences) RETURN_IF_ERROR(Drop(*sequence));
  for (const Index& index : table.indexes) {
    RETURN_IF_ERROR(Delete(index.name));
    RETURN_IF_ERROR(Discard(index.id));
  }
  if (!table.primary_key.empty()) RETURN_IF_ERROR(Delete(table.primary_key_name));
  RETURN_IF_ERROR(Delete(table.name));
  return Discard(table.id);
}

absl::Status SchemaChange::Drop(const Sequence& sequence) {
  RETURN_IF_ERROR(Delete(sequence.name));
  return Discard(sequence.id);
}

// A column that owns a sequence takes its numbers from it, so its default names the sequence.
absl::StatusOr<std::vector<SequenceRef>> SchemaChange::OwnedSequences(const Table& table) {
  std::vector<SequenceRef> owned;
  for (const Column& column : table.columns) {
    const std::optional<std::string> name = SequenceOfDefault(column.default_expression);
    if (!name) continue;
    ASSIGN_OR_RETURN(const std::optional<Descriptor> found, Find(*name));
    if (!found) continue;
    const SequenceRef* sequence = std::get_if<SequenceRef>(&*found);
    if (sequence == nullptr || (*sequence)->owner_table != table.name || (*sequence)->owner_column != column.id) continue;
    owned.push_back(*sequence);
  }
  return owned;
}

absl::StatusOr<std::string> QualifiedName(const pg_query::Node& list) {
  const auto& parts = list.list().items();
  pg_query::RangeVar relation;
  relation.set_inh(true);
  relation.set_relname(StringOf(parts[parts.size() - 1]));
  if (parts.size() > 1) relation.set_schemaname(StringOf(parts[parts.size() - 2]));
  return RelationName(relation);
}

}  // namespace anabranch
