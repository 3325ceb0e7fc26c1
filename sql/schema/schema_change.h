// What statements that change the schema share: locks on names, descriptors as they stand, new ids, and what goes with a
// table when it goes.
//
// A name's descriptor key is locked exclusively; statements that write a table hold its key shared until their transaction
// ends. The lock comes first and the statement begins after it, so what it reads is newer than what others did under the
// lock.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/parse/tree_types.h"
#include "sql/query/execution.h"
#include "sql/stored/privilege.h"

namespace anabranch {

class SchemaChange {
 public:
  // Must not outlive `execution`.
  explicit SchemaChange(const Execution& execution) : execution_(execution) {}

  const Execution& execution() const { return execution_; }

  absl::Status Begin(const std::vector<std::string>& names);
  // What the name stands for now; locks it. nullopt: nothing.
  absl::StatusOr<std::optional<Descriptor>> Find(const std::string& name);
  // What only its owner may change: 42P01, 42809, 42501.
  absl::StatusOr<TableRef> GetTable(const std::string& name);
  absl::StatusOr<SequenceRef> GetSequence(const std::string& name);
  absl::Status CheckOwner(const Descriptor& descriptor) const;  // an index has that of its table, which is judged with it
  // What the privilege suffices for.
  absl::StatusOr<TableRef> GetTableFor(const std::string& name, Privilege privilege);
  // 42P07 if the name stands for something.
  absl::Status CheckFree(const std::string& name);
  // "<table>_<column>_<suffix>", with a number after it if that is taken. The name is locked.
  absl::StatusOr<std::string> ChooseName(const std::string& table, const std::string& columns, std::string_view suffix);

  // Numbers that nothing ever had; nobody else can see what is put under them before the commit.
  absl::StatusOr<uint64_t> NewId();

  absl::Status Put(const Table& table);
  absl::Status Put(const Sequence& sequence);
  absl::Status PutIndexName(const std::string& index, const std::string& table);
  absl::Status Delete(const std::string& name);
  // The rows or entries or state under this id are garbage once the transaction commits.
  absl::Status Discard(uint64_t id) { return RecordDropped(*execution_.transaction, id, execution_.stop); }
  // A table with its names, rows, entries and sequences.
  absl::Status Drop(const Table& table);
  absl::Status Drop(const Sequence& sequence);
  // The sequences that columns of the table own.
  absl::StatusOr<std::vector<SequenceRef>> OwnedSequences(const Table& table);

 private:
  const Execution& execution_;
};

// The name at the end of a list of strings, "schema.name".
absl::StatusOr<std::string> QualifiedName(const pg_query::Node& list);

absl::Status UndefinedRelation(std::string_view name);  // 42P01

}  // namespace anabranch
