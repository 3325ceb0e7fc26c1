// Definitions as SQL: what psql and drivers call next to their queries on pg_catalog.
#include <algorithm>
#include <array>

#include "base/quote.h"
#include "sql/catalog/function_table.h"
#include "sql/catalog/object.h"
#include "sql/catalog/object_name.h"

namespace anabranch {
namespace {

using Result = FunctionResult;
using Context = EvaluationContext;
using Snapshot = std::shared_ptr<const CatalogSnapshot>;

constexpr SqlType kBool = SqlType::kBool;
constexpr SqlType kInt4 = SqlType::kInt4;
constexpr SqlType kInt8 = SqlType::kInt8;
constexpr SqlType kText = SqlType::kText;
constexpr SqlType kName = SqlType::kName;
constexpr SqlType kOid = SqlType::kOid;
constexpr SqlType kNodeTree = SqlType::kNodeTree;

int64_t Int(const Datum& datum) { return std::get<int64_t>(datum); }
const std::string& Text(const Datum& datum) { return std::get<std::string>(datum); }

Result Nothing(const Datum*, const Context&) { return Datum(Null()); }
Result No(const Datum*, const Context&) { return Datum(false); }
Result EmptyText(const Datum*, const Context&) { return Datum(std::string()); }

// --- Definitions ---
Result FormatTypeOf(const Datum* a, const Context&) {
  if (IsNull(a[0])) return Datum(Null());
  return Datum(FormatTypeOid(Int(a[0]), IsNull(a[1]) ? kNoTypeModifier : static_cast<int32_t>(Int(a[1]))));
}

// Expressions are kept as SQL.
Result GetExpression(const Datum* a, const Context&) { return a[0]; }

Result IndexDefinitionOf(int64_t oid, NameStyle style, const Context& context) {
  ASSIGN_OR_RETURN(const Snapshot snapshot, context.catalog->Snapshot());
  const std::optional<IndexView> index = FindIndex(*snapshot, oid);
  if (!index) return Datum(Null());
  return Datum(IndexDefinition(*index, style));
}
Result GetIndexDefinition(const Datum* a, const Context& context) {
  return IndexDefinitionOf(Int(a[0]), NameStyle::kQualified, context);
}
// The whole, or one column of it.
Result GetIndexColumn(const Datum* a, const Context& context) {
  if (Int(a[1]) == 0) {
    return IndexDefinitionOf(Int(a[0]), std::get<bool>(a[2]) ? NameStyle::kShort : NameStyle::kQualified, context);
  }
  ASSIGN_OR_RETURN(const Snapshot snapshot, context.catalog->Snapshot());
  const std::optional<IndexView> index = FindIndex(*snapshot, Int(a[0]));
  if (!index) return Datum(Null());
  if (Int(a[1]) < 0 || Int(a[1]) > static_cast<int64_t>(index->columns->size())) return Datum(std::string());
  return Datum(QuotedIdentifier(index->table->columns[(*index->columns)[Int(a[1]) - 1]].name));
}

Result GetConstraintDefinition(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const Snapshot snapshot, context.catalog->Snapshot());
  const std::optional<ConstraintView> constraint = FindConstraint(*snapshot, Int(a[0]));
  if (!constraint) return Datum(Null());
  return Datum(ConstraintDefinition(*constraint));
}

Result SerialSequence(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const Snapshot snapshot, context.catalog->Snapshot());
  ASSIGN_OR_RETURN(const ObjectName relation, GetObject(SqlType::kRegclass, Text(a[0]), *snapshot));
  const Table* table = FindTable(*snapshot, relation.oid);
  if (table == nullptr) return SqlError(sqlstate::kWrongObjectType, fmt::format("\"{}\" is not a table", Text(a[0])));
  const std::optional<int> column = table->FindColumn(Text(a[1]));
  if (!column) {
    return SqlError(sqlstate::kUndefinedColumn,
                    fmt::format("column \"{}\" of relation \"{}\" does not exist", Text(a[1]), table->name));
  }
  for (const SequenceRef& sequence : snapshot->sequences) {
    if (sequence->owner_table == table->name && sequence->owner_column == table->columns[*column].id) {
      return Datum("public." + QuotedIdentifier(sequence->name));
    }
  }
  return Datum(Null());
}

// --- Sizes ---
Result PrettySize(const Datum* a, const Context&) {
  static constexpr auto kUnits = std::to_array<std::string_view>({"kB", "MB", "GB", "TB", "PB"});
  constexpr int64_t kUnitMin = 10 * 1024;
  __int128 size = Int(a[0]);
  const auto magnitude = [](__int128 value) { return value < 0 ? -value : value; };
  if (magnitude(size) < kUnitMin) return Datum(fmt::format("{} bytes", static_cast<int64_t>(size)));
  // Rounded, in units of which at least ten fit: kept as twice the size.
  size_t unit = 0;
  size /= 512;
  while (unit + 1 < kUnits.size() && magnitude(size) >= 2 * kUnitMin - 1) {
    size /= 1024;
    ++unit;
  }
  return Datum(fmt::format("{} {}", static_cast<int64_t>((size + (size < 0 ? 0 : 1)) / 2), kUnits[unit]));
}

}  // namespace

FunctionList CatalogFunctions() {
  constexpr auto kStable = Volatility::kStable;
  FunctionList all = {
      {"format_type", {kOid, kInt4}, kText, FormatTypeOf, kStable, false},
      {"pg_get_expr", {kNodeTree, kOid}, kText, GetExpression, kStable},
      {"pg_get_expr", {kNodeTree, kOid, kBool}, kText, GetExpression, kStable},
      {"pg_get_indexdef", {kOid}, kText, GetIndexDefinition, kStable},
      {"pg_get_indexdef", {kOid, kInt4, kBool}, kText, GetIndexColumn, kStable},
      {"pg_get_constraintdef", {kOid}, kText, GetConstraintDefinition, kStable},
      {"pg_get_constraintdef", {kOid, kBool}, kText, GetConstraintDefinition, kStable},
      {"pg_get_viewdef", {kOid}, kText, Nothing, kStable},
      {"pg_get_viewdef", {kOid, kBool}, kText, Nothing, kStable},
      {"pg_get_ruledef", {kOid, kBool}, kText, Nothing, kStable},
      {"pg_get_triggerdef", {kOid, kBool}, kText, Nothing, kStable},
      {"pg_get_partkeydef", {kOid}, kText, Nothing, kStable},
      {"pg_get_function_result", {kOid}, kText, EmptyText, kStable},
      {"pg_get_function_arguments", {kOid}, kText, EmptyText, kStable},
      {"pg_get_function_identity_arguments", {kOid}, kText, EmptyText, kStable},
      {"pg_get_function_sqlbody", {kOid}, kText, Nothing, kStable},
      {"pg_get_statisticsobjdef_columns", {kOid}, kText, Nothing, kStable},
      {"pg_get_serial_sequence", {kText, kText}, kText, SerialSequence, kStable},
      {"obj_description", {kOid, kName}, kText, Nothing, kStable},
      {"obj_description", {kOid}, kText, Nothing, kStable},
      {"shobj_description", {kOid, kName}, kText, Nothing, kStable},
      {"col_description", {kOid, kInt4}, kText, Nothing, kStable},
      {"pg_relation_is_publishable", {kOid}, kBool, No, kStable},
      {"pg_tablespace_location", {kOid}, kText, EmptyText, kStable},
      {"pg_size_pretty", {kInt8}, kText, PrettySize},
  };
  // Nobody counts the bytes of a table or of a keyspace: null, not a guess.
  for (const std::string_view name : {"pg_table_size", "pg_relation_size", "pg_total_relation_size", "pg_indexes_size"}) {
    all.push_back({name, {SqlType::kRegclass}, kInt8, Nothing, kStable});
  }
  for (const SqlType database : {kName, kOid}) {
    all.push_back({"pg_database_size", {database}, kInt8, Nothing, kStable});
    all.push_back({"pg_tablespace_size", {database}, kInt8, Nothing, kStable});
  }
  return all;
}

}  // namespace anabranch
