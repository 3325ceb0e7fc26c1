#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/status.h"
#include "sql/expression/stored_expression.h"
#include "sql/parse/tree.h"
#include "sql/query/bind.h"
#include "sql/schema/ddl.h"
#include "sql/schema/table_builder.h"
#include "sql/schema/table_rewrite.h"

namespace anabranch {
namespace {

using Command = pg_query::AlterTableCmd;

// All commands of one ALTER TABLE change a copy of the descriptor; then the rows are brought in line with it in one pass.
class Alteration {
 public:
  Alteration(TableRef before, SchemaChange* change, ResultSink& sink)
      : before_(std::move(before)), change_(change), sink_(sink), builder_(*before_, change) {}

  absl::Status Apply(const Command& command) {
    switch (command.subtype()) {
      case pg_query::AT_AddColumn:
        return AddColumn(command);
      case pg_query::AT_DropColumn:
        return DropColumn(command);
      case pg_query::AT_ColumnDefault:
        return SetDefault(command);
      case pg_query::AT_SetNotNull:
        return SetNotNull(command, true);
      case pg_query::AT_DropNotNull:
        return SetNotNull(command, false);
      case pg_query::AT_AddConstraint:
        return AddConstraint(command.def().constraint());
      case pg_query::AT_DropConstraint:
        return DropConstraint(command);
      case pg_query::AT_AlterColumnType:
        return AlterType(command);
      case pg_query::AT_ChangeOwner:
        return ChangeOwner(command);
      case pg_query::AT_SetRelOptions:
      case pg_query::AT_ResetRelOptions:
        return CheckStorageParameters(command.def().list().items());
      case pg_query::AT_SetStatistics:
      case pg_query::AT_SetStorage:
      case pg_query::AT_ClusterOn:
      case pg_query::AT_DropCluster:
        return absl::OkStatus();  // say how to store and plan: accepted, without effect
      default:
        return UnsupportedError("this form of ALTER TABLE");
    }
  }

  absl::Status Finish() {
    Table& table = builder_.table();
    const bool rekeyed = KeyIds(*before_) != KeyIds(table);
    if (rekeyed || rewrites_) {
      RETURN_IF_ERROR(change_->Discard(before_->id));
      ASSIGN_OR_RETURN(table.id, change_->NewId());
      for (Index& index : table.indexes) {
        if (index.id != 0) RETURN_IF_ERROR(change_->Discard(index.id));
        index.id = 0;
      }
      for (Column& column : table.columns) {
        written_missing_.push_back(std::exchange(column.missing_value, std::nullopt));
      }
    }
    RETURN_IF_ERROR(builder_.Finish());
    // While rows are rewritten, those of before still lack the columns; afterwards none does.
    const bool rewritten = table.id != before_->id;
    Table filled = table;
    if (rewritten) {
      for (size_t i = 0; i < filled.columns.size(); ++i) {
        if (fills_.contains(filled.columns[i].id)) filled.columns[i].missing_value = written_missing_[i];
      }
    }
    const TableRef after = std::make_shared<const Table>(std::move(filled));
    RETURN_IF_ERROR(ApplyToRows(before_, after, change_->execution()));
    return change_->Put(table);
  }

 private:
  absl::StatusOr<int> Position(const std::string& column) {
    const std::optional<int> position = builder_.table().FindColumn(column);
    if (position) return *position;
    return SqlError(sqlstate::kUndefinedColumn,
                    fmt::format("column \"{}\" of relation \"{}\" does not exist", column, before_->name));
  }

  static std::vector<uint32_t> KeyIds(const Table& table) {
    std::vector<uint32_t> ids;
    for (const int position : table.primary_key) ids.push_back(table.columns[position].id);
    return ids;
  }

  absl::Status AddColumn(const Command& command) {
    Table& table = builder_.table();
    const pg_query::ColumnDef& definition = command.def().column_def();
    if (table.FindColumn(definition.colname())) {
      if (!command.missing_ok()) {
        return SqlError(sqlstate::kDuplicateColumn,
                        fmt::format("column \"{}\" of relation \"{}\" already exists", definition.colname(), table.name));
      }
      sink_.Notice(sqlstate::kDuplicateColumn, fmt::format("column \"{}\" of relation \"{}\" already exists, skipping",
                                                           definition.colname(), table.name));
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(builder_.AddColumn(definition));
    Column& column = table.columns.back();
    if (column.default_expression.empty()) return absl::OkStatus();
    // The value of the rows there are: one for all, unless each must get its own.
    column.missing_value = column.default_value;
    fills_.insert(column.id);
    if (column.missing_value) return absl::OkStatus();
    ASSIGN_OR_RETURN(ParsedExpression parsed, ParsedExpression::Parse(column.default_expression));
    StripRegclass(parsed.mutable_node());
    Binder binder({});
    ASSIGN_OR_RETURN(const ExpressionRef bound, binder.BindAssignment(parsed.node(), column, "DEFAULT expressions"));
    if (!IsFixed(*bound)) {
      rewrites_ = true;
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(Datum value, Evaluate(*bound, {}, change_->execution().evaluation));
    if (!IsNull(value)) column.missing_value = std::move(value);
    return absl::OkStatus();
  }

  absl::Status DropColumn(const Command& command) {
    Table& table = builder_.table();
    if (command.missing_ok() && !table.FindColumn(command.name())) {
      sink_.Notice("00000",
                   fmt::format("column \"{}\" of relation \"{}\" does not exist, skipping", command.name(), table.name));
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const int position, Position(command.name()));
    ASSIGN_OR_RETURN(const std::vector<SequenceRef> sequences, change_->OwnedSequences(table));
    for (const SequenceRef& sequence : sequences) {
      if (sequence->owner_column == table.columns[position].id) RETURN_IF_ERROR(change_->Drop(*sequence));
    }
    const auto uses = [&](const std::vector<int>& columns) {
      return std::find(columns.begin(), columns.end(), position) != columns.end();
    };
    if (uses(table.primary_key)) RETURN_IF_ERROR(DropPrimaryKey());
    for (size_t i = table.indexes.size(); i-- > 0;) {
      if (uses(table.indexes[i].columns)) RETURN_IF_ERROR(DropIndexAt(i));
    }
    std::vector<Check> kept;
    for (Check& check : table.checks) {
      ASSIGN_OR_RETURN(const ParsedExpression parsed, ParsedExpression::Parse(check.expression));
      if (!NamesColumn(parsed.node(), command.name())) kept.push_back(std::move(check));
    }
    table.checks = std::move(kept);
    table.columns.erase(table.columns.begin() + position);
    const auto shift = [&](std::vector<int>* columns) {
      for (int& column : *columns) column -= column > position ? 1 : 0;
    };
    shift(&table.primary_key);
    for (Index& index : table.indexes) shift(&index.columns);
    return absl::OkStatus();
  }

  absl::Status DropPrimaryKey() {
    Table& table = builder_.table();
    RETURN_IF_ERROR(change_->Delete(table.primary_key_name));
    table.primary_key.clear();
    table.primary_key_name.clear();
    table.primary_key_oid = 0;
    return absl::OkStatus();
  }

  absl::Status DropIndexAt(size_t at) {
    Table& table = builder_.table();
    const Index& index = table.indexes[at];
    RETURN_IF_ERROR(change_->Delete(index.name));
    if (index.id != 0) RETURN_IF_ERROR(change_->Discard(index.id));
    table.indexes.erase(table.indexes.begin() + static_cast<ptrdiff_t>(at));
    return absl::OkStatus();
  }

  absl::Status SetDefault(const Command& command) {
    ASSIGN_OR_RETURN(const int position, Position(command.name()));
    Column& column = builder_.table().columns[position];
    if (column.identity != 0) {
      return SqlError(sqlstate::kSyntaxError,
                      fmt::format("column \"{}\" of relation \"{}\" is an identity column", column.name, before_->name));
    }
    return builder_.SetDefault(command.has_def() ? &command.def() : nullptr, &column);
  }

  absl::Status SetNotNull(const Command& command, bool not_null) {
    ASSIGN_OR_RETURN(const int position, Position(command.name()));
    Table& table = builder_.table();
    const bool in_key = table.InPrimaryKey(position);
    if (!not_null && in_key) {
      return SqlError(sqlstate::kInvalidTableDefinition, fmt::format("column \"{}\" is in a primary key", command.name()));
    }
    table.columns[position].not_null = not_null;
    return absl::OkStatus();
  }

  absl::Status AddConstraint(const pg_query::Constraint& constraint) { return builder_.AddConstraint(constraint); }

  absl::Status DropConstraint(const Command& command) {
    Table& table = builder_.table();
    if (!table.primary_key.empty() && table.primary_key_name == command.name()) return DropPrimaryKey();
    for (size_t i = 0; i < table.indexes.size(); ++i) {
      if (table.indexes[i].constraint && table.indexes[i].name == command.name()) return DropIndexAt(i);
    }
    if (std::erase_if(table.checks, [&](const Check& check) { return check.name == command.name(); }) > 0) {
      return absl::OkStatus();
    }
    const std::string message =
        fmt::format("constraint \"{}\" of relation \"{}\" does not exist", command.name(), before_->name);
    if (!command.missing_ok()) return SqlError(sqlstate::kUndefinedObject, message);
    sink_.Notice("00000", message + ", skipping");
    return absl::OkStatus();
  }

  // Only what changes no stored value.
  absl::Status AlterType(const Command& command) {
    ASSIGN_OR_RETURN(const int position, Position(command.name()));
    Column& column = builder_.table().columns[position];
    const pg_query::ColumnDef& definition = command.def().column_def();
    if (definition.has_raw_default()) return UnsupportedError("ALTER COLUMN TYPE ... USING");
    ASSIGN_OR_RETURN(const ColumnType type, ResolveType(definition.type_name()));
    if (!IsWidening(column, type)) {
      return UnsupportedError(fmt::format("changing the type of column \"{}\" from {} to {}", column.name,
                                          TypeName(column.type), TypeName(type.type)));
    }
    column.type = type.type;
    column.modifier = type.modifier;
    return absl::OkStatus();
  }

  static bool IsWidening(const Column& column, const ColumnType& type) {
    if (type.type == SqlType::kNumeric && column.type == SqlType::kNumeric) {
      if (type.modifier == kNoModifier || column.modifier == kNoModifier) return type.modifier == kNoModifier;
      const NumericType to = NumericTypeOf(type.modifier);
      const NumericType from = NumericTypeOf(column.modifier);
      return to.scale == from.scale && to.precision >= from.precision;
    }
    if (type.type == SqlType::kVarchar || type.type == SqlType::kText) {
      // Longer, or of any length.
      if (column.type != SqlType::kVarchar && column.type != SqlType::kText) return false;
      if (type.modifier == kNoModifier || column.modifier == kNoModifier) return type.modifier == kNoModifier;
      return type.modifier >= column.modifier;
    }
    if (type.type == column.type) return type.modifier == column.modifier || type.modifier == kNoModifier;
    return IsInteger(column.type) && IsInteger(type.type) && TypeLength(column.type) < TypeLength(type.type);
  }

  absl::Status ChangeOwner(const Command& command) {
    const pg_query::RoleSpec& role = command.newowner();
    const std::string& user = change_->execution().evaluation.session->user;
    if (role.roletype() == pg_query::ROLESPEC_CSTRING && role.rolename() != user && role.rolename() != before_->owner) {
      return UnsupportedError("OWNER TO another user");
    }
    builder_.table().owner = role.roletype() == pg_query::ROLESPEC_CSTRING ? role.rolename() : user;
    return absl::OkStatus();
  }

  const TableRef before_;
  SchemaChange* const change_;
  ResultSink& sink_;
  TableBuilder builder_;
  bool rewrites_ = false;
  std::set<uint32_t> fills_;                           // columns added with a default
  std::vector<std::optional<Datum>> written_missing_;  // of a rewritten table: what the columns had
};

}  // namespace

absl::Status AlterTable(const pg_query::AlterTableStmt& alter, const Execution& execution, ResultSink& sink) {
  SchemaChange change(execution);
  ASSIGN_OR_RETURN(const std::string name, RelationName(alter.relation()));
  RETURN_IF_ERROR(change.Begin({name}));
  ASSIGN_OR_RETURN(const std::optional<Descriptor> found, change.Find(name));
  if (!found && alter.missing_ok()) {
    sink.Notice("00000", fmt::format("relation \"{}\" does not exist, skipping", name));
    return absl::OkStatus();
  }
  if (found && std::holds_alternative<SequenceRef>(*found) && alter.objtype() == pg_query::OBJECT_SEQUENCE) {
    return absl::OkStatus();  // OWNER TO
  }
  if (alter.objtype() != pg_query::OBJECT_TABLE) return UnsupportedError("this form of ALTER");
  ASSIGN_OR_RETURN(const TableRef table, change.GetTable(name));
  Alteration alteration(table, &change, sink);
  for (const pg_query::Node& command : alter.cmds()) {
    RETURN_IF_ERROR(alteration.Apply(command.alter_table_cmd()));
  }
  return alteration.Finish();
}

}  // namespace anabranch
