#include "sql/function_catalog.h"

#include <algorithm>
#include <array>

#include "base/status.h"
#include "sql/catalog_object.h"
#include "sql/privilege.h"
#include "sql/session.h"

namespace anabranch {
namespace {

using Result = absl::StatusOr<Datum>;
using Context = EvaluationContext;
using Snapshot = std::shared_ptr<const CatalogSnapshot>;

constexpr SqlType kBool = SqlType::kBool;
constexpr SqlType kInt4 = SqlType::kInt4;
constexpr SqlType kInt8 = SqlType::kInt8;
constexpr SqlType kText = SqlType::kText;
constexpr SqlType kName = SqlType::kName;
constexpr SqlType kOid = SqlType::kOid;

int64_t Int(const Datum& datum) { return std::get<int64_t>(datum); }
const std::string& Text(const Datum& datum) { return std::get<std::string>(datum); }

Result Nothing(const Datum*, const Context&) { return Datum(Null()); }
Result Yes(const Datum*, const Context&) { return Datum(true); }
Result No(const Datum*, const Context&) { return Datum(false); }
Result EmptyText(const Datum*, const Context&) { return Datum(std::string()); }
Result ZeroOid(const Datum*, const Context&) { return Datum(int64_t{0}); }

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
  return Datum(QuoteIdentifier(index->table->columns[(*index->columns)[Int(a[1]) - 1]].name));
}

Result GetConstraintDefinition(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const Snapshot snapshot, context.catalog->Snapshot());
  const std::optional<ConstraintView> constraint = FindConstraint(*snapshot, Int(a[0]));
  if (!constraint) return Datum(Null());
  return Datum(ConstraintDefinition(*constraint));
}

// --- Names ---
// Splits "public.t" or "\"T\"" as identifiers are read; nullopt for what is none.
std::optional<std::vector<std::string>> SplitName(std::string_view text) {
  std::vector<std::string> parts;
  while (true) {
    std::string part;
    if (text.starts_with('"')) {
      text.remove_prefix(1);
      while (true) {
        if (text.empty()) return std::nullopt;
        if (text.starts_with("\"\"")) {
          text.remove_prefix(1);
        } else if (text.starts_with('"')) {
          break;
        }
        part += text.front();
        text.remove_prefix(1);
      }
      text.remove_prefix(1);
    } else {
      while (!text.empty() && text.front() != '.') {
        const char c = text.front();
        part += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        text.remove_prefix(1);
      }
    }
    if (part.empty()) return std::nullopt;
    parts.push_back(std::move(part));
    if (text.empty()) return parts;
    if (text.front() != '.') return std::nullopt;
    text.remove_prefix(1);
  }
}

// Whether the name alone means it.
bool IsVisible(const NamedRelation& relation) { return relation.schema == "public" || relation.schema == "pg_catalog"; }

std::string ShownName(const NamedRelation& relation) {
  const std::string name = QuoteIdentifier(relation.name);
  return IsVisible(relation) ? name : fmt::format("{}.{}", relation.schema, name);
}

absl::StatusOr<std::optional<NamedRelation>> RelationNamed(const Snapshot& snapshot, const std::string& text) {
  const std::optional<std::vector<std::string>> parts = SplitName(text);
  if (!parts) return SqlError("42602", "invalid name syntax");
  if (parts->size() > 2) return SqlError(sqlstate::kFeatureNotSupported, fmt::format("a name of {} parts", parts->size()));
  return FindRelation(*snapshot, parts->size() == 2 ? parts->front() : "", parts->back());
}

bool IsNumber(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// What an oid cast to regclass shows.
Result RegclassName(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const Snapshot snapshot, context.catalog->Snapshot());
  const std::optional<NamedRelation> found = FindRelation(*snapshot, Int(a[0]));
  return Datum(found ? ShownName(*found) : std::to_string(Int(a[0])));
}

Result LookUpRegclass(const std::string& text, bool missing_is_error, const Context& context) {
  if (IsNumber(text)) return FromText(kOid, text);
  ASSIGN_OR_RETURN(const Snapshot snapshot, context.catalog->Snapshot());
  ASSIGN_OR_RETURN(const std::optional<NamedRelation> found, RelationNamed(snapshot, text));
  if (found) return Datum(found->oid);
  if (!missing_is_error) return Datum(Null());
  return SqlError(sqlstate::kUndefinedTable, fmt::format("relation \"{}\" does not exist", text));
}
Result RegclassFromText(const Datum* a, const Context& context) { return LookUpRegclass(Text(a[0]), true, context); }
Result ToRegclass(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const Datum oid, LookUpRegclass(Text(a[0]), false, context));
  return IsNull(oid) ? Result(oid) : RegclassName(&oid, context);
}

Result RelationIsVisible(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const Snapshot snapshot, context.catalog->Snapshot());
  const std::optional<NamedRelation> found = FindRelation(*snapshot, Int(a[0]));
  if (!found) return Datum(Null());
  return Datum(IsVisible(*found));
}

Result UserById(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const Snapshot snapshot, context.catalog->Snapshot());
  const User* user = snapshot->FindUser(Int(a[0]));
  return Datum(user == nullptr ? fmt::format("unknown (OID={})", Int(a[0])) : user->name);
}

Result EncodingName(const Datum* a, const Context&) { return Datum(std::string(Int(a[0]) == 6 ? "UTF8" : "")); }

Result CurrentSchemas(const Datum* a, const Context&) {
  std::vector<std::string> schemas;
  if (std::get<bool>(a[0])) schemas.emplace_back("pg_catalog");
  schemas.emplace_back("public");
  return ArrayValue(schemas);
}

Result SerialSequence(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const Snapshot snapshot, context.catalog->Snapshot());
  ASSIGN_OR_RETURN(const std::optional<NamedRelation> relation, RelationNamed(snapshot, Text(a[0])));
  const Table* table = relation ? FindTable(*snapshot, relation->oid) : nullptr;
  if (table == nullptr) {
    return SqlError(sqlstate::kUndefinedTable, fmt::format("relation \"{}\" does not exist", Text(a[0])));
  }
  const std::optional<int> column = table->FindColumn(Text(a[1]));
  if (!column) {
    return SqlError(sqlstate::kUndefinedColumn,
                    fmt::format("column \"{}\" of relation \"{}\" does not exist", Text(a[1]), table->name));
  }
  for (const SequenceRef& sequence : snapshot->sequences) {
    if (sequence->owner_table == table->name && sequence->owner_column == table->columns[*column].id) {
      return Datum("public." + QuoteIdentifier(sequence->name));
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

// --- Privileges ---
// "SELECT, INSERT WITH GRANT OPTION": whether one of them is had.
absl::StatusOr<bool> HasOneOf(std::string_view list, uint32_t privileges, uint32_t grantable, bool all) {
  while (!list.empty()) {
    const size_t end = std::min(list.find(','), list.size());
    std::string_view name = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    constexpr std::string_view kOption = " WITH GRANT OPTION";
    const bool option = name.size() > kOption.size() && name.ends_with(kOption);
    if (option) name.remove_suffix(kOption.size());
    const std::optional<Privilege> privilege = PrivilegeNamed(name);
    if (!privilege) {
      return SqlError(sqlstate::kInvalidParameterValue, fmt::format("unrecognized privilege type: \"{}\"", name));
    }
    if (all || ((option ? grantable : privileges) & static_cast<uint32_t>(*privilege)) != 0) return true;
  }
  return false;
}

Result HasPrivilege(const std::string& user, int64_t relation, const std::string& privileges, const Context& context) {
  ASSIGN_OR_RETURN(const Snapshot snapshot, context.catalog->Snapshot());
  if (snapshot->FindUser(user) == nullptr) {
    return SqlError(sqlstate::kUndefinedObject, fmt::format("role \"{}\" does not exist", user));
  }
  const Identity identity = IdentityOf(snapshot->users, user);
  const auto judge = [&](const std::string& owner, const std::vector<Grant>& grants) -> Result {
    const bool all = identity.admin || identity.Has(owner);
    ASSIGN_OR_RETURN(const bool has, HasOneOf(privileges, GrantedTo(grants, identity), GrantableBy(grants, identity), all));
    return Datum(has);
  };
  if (const Table* table = FindTable(*snapshot, relation)) return judge(table->owner, table->grants);
  for (const SequenceRef& sequence : snapshot->sequences) {
    if (SequenceOid(*sequence) == relation) return judge(sequence->owner, sequence->grants);
  }
  // Catalogs may be read by everyone.
  if (FindRelation(*snapshot, relation))
    return judge(std::string(kRootUser),
                 {{.grantee = "", .grantor = "", .privileges = static_cast<uint32_t>(Privilege::kSelect)}});
  return Datum(Null());
}
Result HasTablePrivilegeByOid(const Datum* a, const Context& context) {
  return HasPrivilege(context.session->user, Int(a[0]), Text(a[1]), context);
}
Result HasTablePrivilegeByName(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const Datum relation, LookUpRegclass(Text(a[0]), true, context));
  return HasPrivilege(context.session->user, Int(relation), Text(a[1]), context);
}
Result UserHasTablePrivilegeByOid(const Datum* a, const Context& context) {
  return HasPrivilege(Text(a[0]), Int(a[1]), Text(a[2]), context);
}
Result UserHasTablePrivilegeByName(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const Datum relation, LookUpRegclass(Text(a[1]), true, context));
  return HasPrivilege(Text(a[0]), Int(relation), Text(a[2]), context);
}

// Sessions of one user are members of what it is a member of.
Result HasRole(const std::string& user, const std::string& role, const Context& context) {
  ASSIGN_OR_RETURN(const Snapshot snapshot, context.catalog->Snapshot());
  for (const std::string& name : {user, role}) {
    if (snapshot->FindUser(name) != nullptr) continue;
    return SqlError(sqlstate::kUndefinedObject, fmt::format("role \"{}\" does not exist", name));
  }
  const Identity identity = IdentityOf(snapshot->users, user);
  return Datum(identity.admin || identity.Has(role));
}
Result SessionHasRole(const Datum* a, const Context& context) {
  return HasRole(context.session->user, Text(a[0]), context);
}
Result UserHasRole(const Datum* a, const Context& context) { return HasRole(Text(a[0]), Text(a[1]), context); }
Result SessionHasRoleByOid(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const Snapshot snapshot, context.catalog->Snapshot());
  const User* user = snapshot->FindUser(Int(a[0]));
  return user == nullptr ? Result(Datum(Null())) : HasRole(context.session->user, user->name, context);
}

constexpr Volatility kStable = Volatility::kStable;

void AddDefinitions(std::vector<ScalarFunction>* all) {
  all->insert(all->end(), {
                              {"format_type", {kOid, kInt4}, kText, FormatTypeOf, kStable, false},
                              {"pg_get_expr", {kText, kOid}, kText, GetExpression, kStable},
                              {"pg_get_expr", {kText, kOid, kBool}, kText, GetExpression, kStable},
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
                              {"pg_get_statisticsobjdef_columns", {kOid}, kText, Nothing, kStable},
                              {"pg_get_serial_sequence", {kText, kText}, kText, SerialSequence, kStable},
                              {"obj_description", {kOid, kName}, kText, Nothing, kStable},
                              {"obj_description", {kOid}, kText, Nothing, kStable},
                              {"shobj_description", {kOid, kName}, kText, Nothing, kStable},
                              {"col_description", {kOid, kInt4}, kText, Nothing, kStable},
                              {"pg_relation_is_publishable", {kOid}, kBool, No, kStable},
                              {"pg_tablespace_location", {kOid}, kText, EmptyText, kStable},
                          });
}

void AddNames(std::vector<ScalarFunction>* all) {
  all->insert(all->end(), {
                              {"regclassin", {kText}, kOid, RegclassFromText, kStable},
                              {"regclassout", {kOid}, kText, RegclassName, kStable},
                              {"to_regclass", {kText}, kText, ToRegclass, kStable},
                              {"pg_table_is_visible", {kOid}, kBool, RelationIsVisible, kStable},
                              {"pg_get_userbyid", {kOid}, kName, UserById, kStable},
                              {"pg_encoding_to_char", {kInt4}, kName, EncodingName, kStable},
                              {"current_schemas", {kBool}, kText, CurrentSchemas, kStable},
                              {"pg_my_temp_schema", {}, kOid, ZeroOid, kStable},
                              {"pg_is_other_temp_schema", {kOid}, kBool, No, kStable},
                              {"pg_size_pretty", {kInt8}, kText, PrettySize},
                          });
  // Of all other kinds of objects there are only those of pg_catalog.
  for (const std::string_view name :
       {"pg_type_is_visible", "pg_function_is_visible", "pg_operator_is_visible", "pg_opclass_is_visible",
        "pg_opfamily_is_visible", "pg_collation_is_visible", "pg_conversion_is_visible", "pg_ts_config_is_visible",
        "pg_ts_dict_is_visible", "pg_ts_parser_is_visible", "pg_ts_template_is_visible", "pg_statistics_obj_is_visible"}) {
    all->push_back({name, {kOid}, kBool, Yes, kStable});
  }
}

void AddPrivileges(std::vector<ScalarFunction>* all) {
  for (const std::string_view name : {"has_table_privilege", "has_sequence_privilege", "has_any_column_privilege"}) {
    all->insert(all->end(), {
                                {name, {kText, kText}, kBool, HasTablePrivilegeByName, kStable},
                                {name, {kOid, kText}, kBool, HasTablePrivilegeByOid, kStable},
                                {name, {kName, kText, kText}, kBool, UserHasTablePrivilegeByName, kStable},
                                {name, {kName, kOid, kText}, kBool, UserHasTablePrivilegeByOid, kStable},
                            });
  }
  // Everyone may use the schemas and the database there are.
  for (const std::string_view name : {"has_schema_privilege", "has_database_privilege"}) {
    all->insert(all->end(), {
                                {name, {kText, kText}, kBool, Yes, kStable},
                                {name, {kOid, kText}, kBool, Yes, kStable},
                                {name, {kName, kText, kText}, kBool, Yes, kStable},
                                {name, {kName, kOid, kText}, kBool, Yes, kStable},
                            });
  }
  all->insert(all->end(), {
                              {"pg_has_role", {kName, kText}, kBool, SessionHasRole, kStable},
                              {"pg_has_role", {kOid, kText}, kBool, SessionHasRoleByOid, kStable},
                              {"pg_has_role", {kName, kName, kText}, kBool, UserHasRole, kStable},
                          });
}

}  // namespace

std::vector<ScalarFunction> CatalogFunctions() {
  std::vector<ScalarFunction> all;
  AddDefinitions(&all);
  AddNames(&all);
  AddPrivileges(&all);
  return all;
}

}  // namespace anabranch
