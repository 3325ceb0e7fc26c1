// Tables as the executor sees them, and where a keyspace keeps them.
//
// System tables of a keyspace, below the ids of users' tables:
//   1 | name      -> descriptor.Table
//   2             -> the last table id given out (varint)
//   3 | table id  -> empty: a dropped or truncated table whose rows are still there, for a later reclaim
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/datum.h"
#include "storage/transaction.h"

namespace anabranch {

inline constexpr uint64_t kDescriptorTableId = 1;
inline constexpr uint64_t kTableIdCounterId = 2;
inline constexpr uint64_t kDroppedTablesId = 3;
inline constexpr uint64_t kUserTableIdMin = 100;
inline constexpr size_t kColumnsMax = 1600;  // PostgreSQL's
inline constexpr size_t kIdentifierBytesMax = 63;

struct NumericType {
  int precision = 0;  // 0: any
  int scale = 0;
};

struct Column {
  uint32_t id = 0;
  std::string name;
  SqlType type = SqlType::kText;
  NumericType numeric = {};
  bool not_null = false;
  std::optional<Datum> default_value = std::nullopt;
  bool default_now = false;
};

struct Table {
  uint64_t id = 0;
  std::string name;
  std::vector<Column> columns = {};
  std::vector<int> primary_key = {};  // positions in `columns`; empty: rows have a hidden id
  std::string primary_key_name = {};
  uint32_t next_column_id = 1;

  std::optional<int> FindColumn(std::string_view column) const;
};
using TableRef = std::shared_ptr<const Table>;

std::string EncodeTable(const Table& table);
absl::StatusOr<TableRef> DecodeTable(std::string_view bytes);  // XX001

std::string DescriptorKey(std::string_view table_name);

// Reads tables by name as a transaction sees them. Keeps what it decoded, by the version it was decoded from. Used by one
// thread.
class TableReader {
 public:
  // Null if there is no such table.
  absl::StatusOr<TableRef> Find(Transaction& transaction, const std::string& name);
  absl::StatusOr<TableRef> Get(Transaction& transaction, const std::string& name);  // 42P01

 private:
  struct Known {
    Timestamp version;
    TableRef table;
  };
  std::map<std::string, Known> known_;  // bounded by kKnownTablesMax
};

// A number no table of this keyspace ever had. REQUIRES: BeginStatement was called.
absl::StatusOr<uint64_t> AllocateTableId(Transaction& transaction, std::stop_token stop);
// Notes that the rows of this id are garbage.
absl::Status RecordDropped(Transaction& transaction, uint64_t table_id, std::stop_token stop);

}  // namespace anabranch
