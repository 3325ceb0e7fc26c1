#include "sql/schema/table_builder.h"

#include <algorithm>
#include <set>

#include "base/status.h"
#include "sql/expression/stored_expression.h"
#include "sql/parse/tree.h"
#include "sql/query/bind.h"
#include "sql/schema/sequence_options.h"
#include "sql/stored/row_codec.h"
#include "sql/write/constraint.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;

bool IsStorageParameter(std::string_view name) {
  return name == "fillfactor" || name == "parallel_workers" || name == "deduplicate_items" ||
         name == "user_catalog_table" || name.starts_with("autovacuum_") || name.starts_with("toast") ||
         name.starts_with("vacuum_") || name == "log_autovacuum_min_duration";
}

// The integer type of a column that is declared serial.
std::optional<SqlType> SerialType(const pg_query::TypeName& type) {
  const std::string& name = type.names().empty() ? std::string() : StringOf(type.names(type.names_size() - 1));
  if (name == "smallserial" || name == "serial2") return SqlType::kInt2;
  if (name == "serial" || name == "serial4") return SqlType::kInt4;
  if (name == "bigserial" || name == "serial8") return SqlType::kInt8;
  return std::nullopt;
}

absl::Status Refuse(const pg_query::Constraint& constraint) {
  switch (constraint.contype()) {
    case pg_query::CONSTR_FOREIGN:
      return UnsupportedError("FOREIGN KEY");
    case pg_query::CONSTR_GENERATED:
      return UnsupportedError("GENERATED ALWAYS AS (expression)");
    case pg_query::CONSTR_EXCLUSION:
      return UnsupportedError("EXCLUDE");
    default:
      return UnsupportedError("DEFERRABLE");
  }
}

}  // namespace

absl::Status CheckStorageParameters(const google::protobuf::RepeatedPtrField<Node>& options) {
  for (const Node& option : options) {
    const std::string& name = option.def_elem().defname();
    if (!IsStorageParameter(name)) {
      return SqlError(sqlstate::kInvalidParameterValue, fmt::format("unrecognized parameter \"{}\"", name));
    }
  }
  return absl::OkStatus();
}

TableBuilder::TableBuilder(Table table, SchemaChange* change) : change_(change), table_(std::move(table)) {}

absl::Status TableBuilder::Create(const pg_query::CreateStmt& create) {
  if (create.relation().relpersistence() == "t") return UnsupportedError("CREATE TEMPORARY TABLE");
  if (create.relation().relpersistence() == "u") return UnsupportedError("CREATE UNLOGGED TABLE");
  if (create.oncommit() > pg_query::ONCOMMIT_NOOP) return UnsupportedError("ON COMMIT");
  RETURN_IF_ERROR(CheckStorageParameters(create.options()));
  for (const Node& element : create.table_elts()) {
    if (element.has_column_def()) RETURN_IF_ERROR(AddColumn(element.column_def()));
  }
  for (const Node& element : create.table_elts()) {
    if (element.has_constraint()) RETURN_IF_ERROR(AddConstraint(element.constraint()));
    if (!element.has_constraint() && !element.has_column_def()) return UnsupportedError("this kind of table element");
  }
  return absl::OkStatus();
}

absl::Status TableBuilder::AddColumn(const pg_query::ColumnDef& definition) {
  if (table_.FindColumn(definition.colname())) {
    return SqlError(sqlstate::kDuplicateColumn,
                    fmt::format("column \"{}\" specified more than once", definition.colname()));
  }
  if (definition.colname() == "crdb_internal_mvcc_timestamp") {
    return SqlError(sqlstate::kDuplicateColumn,
                    "column name \"crdb_internal_mvcc_timestamp\" conflicts with a system column name");
  }
  if (table_.columns.size() == kColumnsMax) {
    return SqlError(sqlstate::kTooManyColumns, fmt::format("tables can have at most {} columns", kColumnsMax));
  }
  const std::optional<SqlType> serial = SerialType(definition.type_name());
  ColumnType type;
  if (serial) {
    type.type = *serial;
  } else {
    ASSIGN_OR_RETURN(type, ResolveType(definition.type_name()));
  }
  table_.columns.push_back(
      {.id = table_.next_column_id++, .name = definition.colname(), .type = type.type, .modifier = type.modifier});
  const int position = static_cast<int>(table_.columns.size()) - 1;
  if (serial) {
    Sequence sequence{.type = *serial};
    sequence.max = SequenceMax(*serial);
    RETURN_IF_ERROR(AddSequence(std::move(sequence), &table_.columns[position]));
  }
  bool says_null = false;
  for (const Node& node : definition.constraints()) {
    says_null = says_null || node.constraint().contype() == pg_query::CONSTR_NULL;
    RETURN_IF_ERROR(AddColumnConstraint(node.constraint(), position));
  }
  if (says_null && table_.columns[position].not_null) {
    return SqlError(sqlstate::kSyntaxError,
                    fmt::format("conflicting NULL/NOT NULL declarations for column \"{}\" of table \"{}\"",
                                definition.colname(), table_.name));
  }
  return absl::OkStatus();
}

absl::Status TableBuilder::AddColumnConstraint(const pg_query::Constraint& constraint, int position) {
  Column& column = table_.columns[position];
  switch (constraint.contype()) {
    case pg_query::CONSTR_NULL:
      return absl::OkStatus();
    case pg_query::CONSTR_NOTNULL:
      column.not_null = true;
      return absl::OkStatus();
    case pg_query::CONSTR_DEFAULT:
      if (!column.default_expression.empty()) {
        return SqlError(
            sqlstate::kSyntaxError,
            fmt::format("multiple default values specified for column \"{}\" of table \"{}\"", column.name, table_.name));
      }
      return SetDefault(&constraint.raw_expr(), &column);
    case pg_query::CONSTR_PRIMARY:
      return AddPrimaryKey(constraint, {position});
    case pg_query::CONSTR_UNIQUE:
      return AddUnique(constraint, {position});
    case pg_query::CONSTR_CHECK:
      return AddCheck(constraint);
    case pg_query::CONSTR_IDENTITY:
      return AddIdentity(constraint, &column);
    default:
      return Refuse(constraint);
  }
}

absl::Status TableBuilder::AddConstraint(const pg_query::Constraint& constraint) {
  switch (constraint.contype()) {
    case pg_query::CONSTR_PRIMARY: {
      ASSIGN_OR_RETURN(std::vector<int> positions, KeyColumns(constraint, "primary key"));
      return AddPrimaryKey(constraint, std::move(positions));
    }
    case pg_query::CONSTR_UNIQUE: {
      ASSIGN_OR_RETURN(std::vector<int> positions, KeyColumns(constraint, "unique"));
      return AddUnique(constraint, std::move(positions));
    }
    case pg_query::CONSTR_CHECK:
      return AddCheck(constraint);
    default:
      return Refuse(constraint);
  }
}

absl::StatusOr<std::vector<int>> TableBuilder::KeyColumns(const pg_query::Constraint& constraint,
                                                          std::string_view what) const {
  std::vector<int> positions;
  for (const Node& key : constraint.keys()) {
    const std::optional<int> position = table_.FindColumn(StringOf(key));
    if (!position) {
      return SqlError(sqlstate::kUndefinedColumn, fmt::format("column \"{}\" named in key does not exist", StringOf(key)));
    }
    if (std::find(positions.begin(), positions.end(), *position) != positions.end()) {
      return SqlError(sqlstate::kDuplicateColumn,
                      fmt::format("column \"{}\" appears twice in {} constraint", StringOf(key), what));
    }
    positions.push_back(*position);
  }
  return positions;
}

std::string TableBuilder::ColumnNames(const std::vector<int>& positions) const {
  std::string names;
  for (const int position : positions) names += (names.empty() ? "" : "_") + table_.columns[position].name;
  return names;
}

absl::Status TableBuilder::CheckConstraintName(const std::string& name) const {
  const bool taken =
      (!table_.primary_key.empty() && table_.primary_key_name == name) ||
      std::any_of(table_.indexes.begin(), table_.indexes.end(),
                  [&](const Index& index) { return index.constraint && index.name == name; }) ||
      std::any_of(table_.checks.begin(), table_.checks.end(), [&](const Check& check) { return check.name == name; });
  if (!taken) return absl::OkStatus();
  return SqlError(sqlstate::kDuplicateObject,
                  fmt::format("constraint \"{}\" for relation \"{}\" already exists", name, table_.name));
}

absl::StatusOr<std::string> TableBuilder::IndexName(const std::string& asked, const std::string& columns,
                                                    std::string_view suffix) {
  std::string name = asked;
  if (asked.empty()) {
    for (int number = 0;; ++number) {
      const std::string numbered = number == 0 ? std::string(suffix) : fmt::format("{}{}", suffix, number);
      ASSIGN_OR_RETURN(name, change_->ChooseName(table_.name, columns, numbered));
      if (std::find(new_names_.begin(), new_names_.end(), name) == new_names_.end()) break;
    }
  } else {
    RETURN_IF_ERROR(CheckConstraintName(name));
    RETURN_IF_ERROR(change_->CheckFree(name));
    if (std::find(new_names_.begin(), new_names_.end(), name) != new_names_.end() || name == table_.name) {
      return SqlError(sqlstate::kDuplicateTable, fmt::format("relation \"{}\" already exists", name));
    }
  }
  new_names_.push_back(name);
  return name;
}

absl::Status TableBuilder::AddPrimaryKey(const pg_query::Constraint& constraint, std::vector<int> positions) {
  if (!table_.primary_key.empty()) {
    return SqlError(sqlstate::kInvalidTableDefinition,
                    fmt::format("multiple primary keys for table \"{}\" are not allowed", table_.name));
  }
  RETURN_IF_ERROR(CheckStorageParameters(constraint.options()));
  if (!constraint.indexname().empty()) return UnsupportedError("PRIMARY KEY USING INDEX");
  ASSIGN_OR_RETURN(table_.primary_key_name, IndexName(constraint.conname(), "", "pkey"));
  for (const int position : positions) {
    RETURN_IF_ERROR(CheckKeyType(table_.columns[position].type));
    table_.columns[position].not_null = true;
  }
  table_.primary_key = std::move(positions);
  table_.primary_key_oid = 0;
  return absl::OkStatus();
}

absl::Status TableBuilder::AddUnique(const pg_query::Constraint& constraint, std::vector<int> positions) {
  for (const int position : positions) RETURN_IF_ERROR(CheckKeyType(table_.columns[position].type));
  RETURN_IF_ERROR(CheckStorageParameters(constraint.options()));
  if (!constraint.indexname().empty()) return UnsupportedError("UNIQUE USING INDEX");
  ASSIGN_OR_RETURN(std::string name, IndexName(constraint.conname(), ColumnNames(positions), "key"));
  table_.indexes.push_back({.name = std::move(name), .unique = true, .constraint = true, .columns = std::move(positions)});
  return absl::OkStatus();
}

absl::Status TableBuilder::AddIndex(std::string name, std::vector<int> columns, bool unique, bool constraint) {
  ASSIGN_OR_RETURN(name, IndexName(name, ColumnNames(columns), "idx"));
  table_.indexes.push_back(
      {.name = std::move(name), .unique = unique, .constraint = constraint, .columns = std::move(columns)});
  return absl::OkStatus();
}

absl::Status TableBuilder::AddCheck(const pg_query::Constraint& constraint) {
  if (constraint.skip_validation()) return UnsupportedError("NOT VALID");
  Check check{.name = constraint.conname(), .expression = {}};
  ASSIGN_OR_RETURN(const ExpressionRef bound,
                   BindCheck(table_, constraint.raw_expr(), change_->execution().evaluation.zone()));
  Node expression = constraint.raw_expr();
  WriteZones(*bound, &expression);
  StripQualifiers(&expression);
  ASSIGN_OR_RETURN(check.expression, ExpressionSql(expression));
  if (!check.name.empty()) {
    RETURN_IF_ERROR(CheckConstraintName(check.name));
    table_.checks.push_back(std::move(check));
    return absl::OkStatus();
  }
  std::vector<std::string> named;
  for (const Column& column : table_.columns) {
    if (NamesColumn(constraint.raw_expr(), column.name)) named.push_back(column.name);
  }
  const std::string base = table_.name + (named.size() == 1 ? "_" + named.front() : "") + "_check";
  for (int number = 0; check.name.empty() || !CheckConstraintName(check.name).ok(); ++number) {
    check.name = number == 0 ? base : fmt::format("{}{}", base, number);
  }
  table_.checks.push_back(std::move(check));
  return absl::OkStatus();
}

absl::Status TableBuilder::SetDefault(const Node* expression, Column* column) {
  column->default_value.reset();
  column->default_expression.clear();
  if (expression == nullptr) return absl::OkStatus();
  Node stripped = *expression;
  StripRegclass(&stripped);
  Binder binder({});
  binder.set_zone(change_->execution().evaluation.zone());
  ASSIGN_OR_RETURN(const ExpressionRef bound, binder.BindAssignment(stripped, *column, "DEFAULT expressions"));
  Node stored = *expression;
  WriteZones(*bound, &stored);
  ASSIGN_OR_RETURN(column->default_expression, ExpressionSql(stored));
  if (!IsImmutable(*bound)) return absl::OkStatus();
  ASSIGN_OR_RETURN(Datum value, Evaluate(*bound, {}, change_->execution().evaluation));
  if (IsNull(value)) {
    column->default_expression.clear();
  } else {
    column->default_value = std::move(value);
  }
  return absl::OkStatus();
}

absl::Status TableBuilder::AddIdentity(const pg_query::Constraint& constraint, Column* column) {
  if (!IsInteger(column->type)) {
    return SqlError(sqlstate::kInvalidParameterValue, "identity column type must be smallint, integer, or bigint");
  }
  if (!column->default_expression.empty()) {
    return SqlError(
        sqlstate::kSyntaxError,
        fmt::format("both default and identity specified for column \"{}\" of table \"{}\"", column->name, table_.name));
  }
  Sequence sequence{.type = column->type};
  sequence.max = SequenceMax(column->type);
  RETURN_IF_ERROR(ApplySequenceOptions(constraint.options(), &sequence));
  RETURN_IF_ERROR(AddSequence(std::move(sequence), column));
  column->identity = constraint.generated_when().empty() ? 'a' : constraint.generated_when().front();
  return absl::OkStatus();
}

absl::Status TableBuilder::AddSequence(Sequence sequence, Column* column) {
  ASSIGN_OR_RETURN(sequence.name, change_->ChooseName(table_.name, column->name, "seq"));
  column->not_null = true;
  column->default_expression = NextvalSql(sequence.name);
  sequence.owner_column = column->id;
  sequence.owner_table = table_.name;
  sequences_.push_back({column->name, std::move(sequence)});
  return absl::OkStatus();
}

absl::Status TableBuilder::Finish() {
  for (NewSequence& added : sequences_) {
    ASSIGN_OR_RETURN(added.sequence.id, change_->NewId());
    added.sequence.oid = added.sequence.id;
    RETURN_IF_ERROR(change_->Put(added.sequence));
  }
  if (!table_.primary_key.empty() && table_.primary_key_oid == 0) {
    ASSIGN_OR_RETURN(table_.primary_key_oid, change_->NewId());
  }
  for (Index& index : table_.indexes) {
    if (index.id != 0) continue;
    ASSIGN_OR_RETURN(index.id, change_->NewId());
    if (index.oid == 0) index.oid = index.id;
  }
  for (const std::string& name : new_names_) RETURN_IF_ERROR(change_->PutIndexName(name, table_.name));
  return absl::OkStatus();
}

}  // namespace anabranch
