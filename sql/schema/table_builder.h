// Makes a table's descriptor from CREATE TABLE and ALTER TABLE: columns, constraints, and the sequences that they need.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/repeated_field.h"
#include "sql/parse/tree_types.h"
#include "sql/schema/schema_change.h"

namespace anabranch {

class TableBuilder {
 public:
  // From `table` on, which is empty but for its name when it is created.
  TableBuilder(Table table, SchemaChange* change);

  Table& table() { return table_; }

  absl::Status Create(const pg_query::CreateStmt& create);
  absl::Status AddColumn(const pg_query::ColumnDef& definition);
  absl::Status AddConstraint(const pg_query::Constraint& constraint);
  // nullptr: no default any more.
  absl::Status SetDefault(const pg_query::Node* expression, Column* column);
  // A named index without an id yet, of columns that exist.
  absl::Status AddIndex(std::string name, std::vector<int> columns, bool unique, bool constraint);

  // Gives ids to what has none and writes the names that are new. The table itself is the caller's to write.
  absl::Status Finish();

 private:
  struct NewSequence {
    std::string column;
    Sequence sequence;
  };

  absl::Status AddColumnConstraint(const pg_query::Constraint& constraint, int position);
  absl::Status AddPrimaryKey(const pg_query::Constraint& constraint, std::vector<int> positions);
  absl::Status AddUnique(const pg_query::Constraint& constraint, std::vector<int> positions);
  absl::Status AddCheck(const pg_query::Constraint& constraint);
  absl::Status AddIdentity(const pg_query::Constraint& constraint, Column* column);
  absl::Status AddSequence(Sequence sequence, Column* column);
  absl::StatusOr<std::vector<int>> KeyColumns(const pg_query::Constraint& constraint, std::string_view what) const;
  std::string ColumnNames(const std::vector<int>& positions) const;
  absl::Status CheckConstraintName(const std::string& name) const;
  // What was asked for, if nothing has that name; else one of our own.
  absl::StatusOr<std::string> IndexName(const std::string& asked, const std::string& columns, std::string_view suffix);

  SchemaChange* const change_;
  Table table_;
  std::vector<NewSequence> sequences_;
  std::vector<std::string> new_names_;  // of indexes
};

// Options of a table or an index that say how to store it: accepted, without effect. 22023 for any other.
absl::Status CheckStorageParameters(const google::protobuf::RepeatedPtrField<pg_query::Node>& options);

}  // namespace anabranch
