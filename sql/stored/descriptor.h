// The room stored/: what a keyspace keeps: descriptors of tables, indexes, sequences, users; rows and index entries as keys
// and values; who a session is. May use value/.
//
// Tables, indexes and sequences as the executor sees them, and where a keyspace keeps them.
//
// System tables of a keyspace, below the ids of users' tables:
//   1 | name      -> descriptor.Relation
//   2             -> the last id given out (varint)
//   3 | id        -> empty: what lies under this id is garbage, for a later reclaim
//   4 | name      -> user.User, see sql/stored/user.h
//
// Ids start keys: of a table's rows, an index's entries, a sequence's state. They are given out from one counter and never
// used twice, so what a dropped, truncated or half-loaded table left behind is never met again.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/value/datum.h"
#include "sql/value/type_name.h"
#include "storage/mvcc/transaction.h"

namespace anabranch {

inline constexpr uint64_t kDescriptorTableId = 1;
inline constexpr uint64_t kTableIdCounterId = 2;
inline constexpr uint64_t kDroppedTablesId = 3;
inline constexpr uint64_t kUserTableIdMin = 100;
inline constexpr size_t kColumnsMax = 1600;  // PostgreSQL's

struct Column {
  uint32_t id = 0;
  std::string name;
  SqlType type = SqlType::kText;
  int32_t modifier = kNoModifier;  // as in ColumnType
  bool not_null = false;
  std::string default_expression = {};                // SQL; empty: none
  std::optional<Datum> default_value = std::nullopt;  // of default_expression, if it is the same for ever
  std::optional<Datum> missing_value = std::nullopt;  // of rows written before the column was added; nullopt: null
  char identity = 0;                                  // 'a' GENERATED ALWAYS, 'd' BY DEFAULT AS IDENTITY
};

struct Index {
  uint64_t oid = 0;
  uint64_t id = 0;  // starts the keys of its entries
  std::string name;
  bool unique = false;
  bool constraint = false;        // made by UNIQUE, not by CREATE INDEX
  std::vector<int> columns = {};  // positions in the table's columns, in key order
};

struct Check {
  std::string name;
  std::string expression;  // SQL
};

// What someone may do with a relation besides its owner: bits of Privilege (sql/stored/privilege.h).
struct Grant {
  std::string grantee;  // empty: PUBLIC
  std::string grantor;
  uint32_t privileges = 0;
  uint32_t grantable = 0;  // of these, what may be granted on
};

struct Table {
  uint64_t oid = 0;  // what the catalog calls it; never changes
  uint64_t id = 0;   // starts the keys of its rows; a TRUNCATE gives a new one
  std::string name;
  std::vector<Column> columns = {};
  std::vector<int> primary_key = {};  // positions in `columns`; empty: rows have a hidden id
  std::string primary_key_name = {};
  uint64_t primary_key_oid = 0;
  uint32_t next_column_id = 1;
  std::vector<Index> indexes = {};  // without the primary key, which is the order of the rows
  std::vector<Check> checks = {};
  std::string owner = "root";
  std::vector<Grant> grants = {};

  std::optional<int> FindColumn(std::string_view column) const;
  bool InPrimaryKey(int position) const {
    return std::find(primary_key.begin(), primary_key.end(), position) != primary_key.end();
  }
};
using TableRef = std::shared_ptr<const Table>;

struct Sequence {
  uint64_t oid = 0;
  uint64_t id = 0;  // starts the key of its state; a RESTART gives a new one
  std::string name = {};
  SqlType type = SqlType::kInt8;
  int64_t start = 1;
  int64_t increment = 1;
  int64_t min = 1;
  int64_t max = INT64_MAX;
  int64_t cache = 1;
  bool cycle = false;
  std::string owner_table = {};  // dropped with this column; empty: owned by none
  uint32_t owner_column = 0;
  std::string owner = "root";
  std::vector<Grant> grants = {};
};
using SequenceRef = std::shared_ptr<const Sequence>;

// The name of an index of this table.
struct IndexOf {
  std::string table;
};

// What a name stands for.
using Descriptor = std::variant<TableRef, SequenceRef, IndexOf>;

std::string EncodeTable(const Table& table);
std::string EncodeSequence(const Sequence& sequence);
std::string EncodeIndexOf(const IndexOf& index);
// XX001 for what is damaged, 55000 for what a newer program wrote.
absl::StatusOr<Descriptor> DecodeDescriptor(std::string_view bytes);
// As above; 42809 if it is something else, named `name`.
absl::StatusOr<TableRef> DecodeTable(std::string_view name, std::string_view bytes);
absl::StatusOr<SequenceRef> DecodeSequence(std::string_view name, std::string_view bytes);

std::string DescriptorKey(std::string_view name);
Span DescriptorSpan();  // of all names
// The name in a key of DescriptorSpan.
absl::StatusOr<std::string> DescriptorName(std::string_view key);

// Every table and sequence that the transaction sees, by name.
absl::Status ReadDescriptors(Transaction& transaction, std::vector<TableRef>* tables, std::vector<SequenceRef>* sequences);

// What a transaction saw when it looked for a descriptor.
struct DescriptorUse {
  std::string key;
  std::optional<Timestamp> version;  // nullopt: there was none; zero: its own, uncommitted
};

// Reads tables by name as a transaction sees them. Keeps what it decoded, by the version it was decoded from. Used by one
// thread.
class TableReader {
 public:
  // From now on what is looked for is added to `uses`; null ends that.
  void Note(std::vector<DescriptorUse>* uses) { uses_ = uses; }
  // Notes a key of another kind that a statement depends on.
  absl::Status NoteKey(Transaction& transaction, const std::string& key);
  // Null if there is no such table.
  absl::StatusOr<TableRef> Find(Transaction& transaction, const std::string& name);
  absl::StatusOr<TableRef> Get(Transaction& transaction, const std::string& name);  // 42P01

 private:
  struct Known {
    Timestamp version;
    TableRef table;
  };
  std::map<std::string, Known> known_;  // bounded by kKnownTablesMax
  std::vector<DescriptorUse>* uses_ = nullptr;
};

// `count` numbers that nothing of this keyspace ever had: the first of them. In a transaction of its own, durable at once,
// so that nobody waits for another's commit and a number is never given twice.
absl::StatusOr<uint64_t> AllocateIds(const TransactionContext& context, uint64_t count, std::stop_token stop);
// Notes that what lies under this id is garbage, once the transaction commits.
absl::Status RecordDropped(Transaction& transaction, uint64_t id, std::stop_token stop);
std::string DroppedKey(uint64_t id);

}  // namespace anabranch
