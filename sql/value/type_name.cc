#include "sql/value/type_name.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "base/status.h"
#include "fmt/format.h"
#include "sql/value/error_field.h"

namespace anabranch {
namespace {

struct TypeFacts {
  SqlType type;
  std::string_view internal_name;
  std::string_view name;
  int16_t length;
  char category;
  bool preferred;
  SqlType array;
};

using T = SqlType;
constexpr SqlType kNone = SqlType::kUnknown;

// By oid.
constexpr auto kFacts = std::to_array<TypeFacts>({
    {T::kBool, "bool", "boolean", 1, 'B', true, T::kBoolArray},
    {T::kBytea, "bytea", "bytea", -1, 'U', false, kNone},
    {T::kChar, "char", "\"char\"", 1, 'Z', false, T::kCharArray},
    {T::kName, "name", "name", 64, 'S', false, T::kNameArray},
    {T::kInt8, "int8", "bigint", 8, 'N', false, T::kInt8Array},
    {T::kInt2, "int2", "smallint", 2, 'N', false, T::kInt2Array},
    {T::kInt2Vector, "int2vector", "int2vector", -1, 'A', false, kNone},
    {T::kInt4, "int4", "integer", 4, 'N', false, T::kInt4Array},
    {T::kRegproc, "regproc", "regproc", 4, 'N', false, kNone},
    {T::kText, "text", "text", -1, 'S', true, T::kTextArray},
    {T::kOid, "oid", "oid", 4, 'N', true, T::kOidArray},
    {T::kXid, "xid", "xid", 4, 'U', false, kNone},
    {T::kOidVector, "oidvector", "oidvector", -1, 'A', false, kNone},
    {T::kJson, "json", "json", -1, 'U', false, kNone},
    {T::kNodeTree, "pg_node_tree", "pg_node_tree", -1, 'Z', false, kNone},
    {T::kFloat4, "float4", "real", 4, 'N', false, T::kFloat4Array},
    {T::kFloat8, "float8", "double precision", 8, 'N', true, T::kFloat8Array},
    {T::kUnknown, "unknown", "unknown", -2, 'X', false, kNone},
    {T::kBoolArray, "_bool", "boolean[]", -1, 'A', false, kNone},
    {T::kCharArray, "_char", "\"char\"[]", -1, 'A', false, kNone},
    {T::kNameArray, "_name", "name[]", -1, 'A', false, kNone},
    {T::kInt2Array, "_int2", "smallint[]", -1, 'A', false, kNone},
    {T::kInt4Array, "_int4", "integer[]", -1, 'A', false, kNone},
    {T::kTextArray, "_text", "text[]", -1, 'A', false, kNone},
    {T::kBpcharArray, "_bpchar", "character[]", -1, 'A', false, kNone},
    {T::kVarcharArray, "_varchar", "character varying[]", -1, 'A', false, kNone},
    {T::kInt8Array, "_int8", "bigint[]", -1, 'A', false, kNone},
    {T::kFloat4Array, "_float4", "real[]", -1, 'A', false, kNone},
    {T::kFloat8Array, "_float8", "double precision[]", -1, 'A', false, kNone},
    {T::kOidArray, "_oid", "oid[]", -1, 'A', false, kNone},
    {T::kAclItem, "aclitem", "aclitem", 12, 'U', false, T::kAclItemArray},
    {T::kAclItemArray, "_aclitem", "aclitem[]", -1, 'A', false, kNone},
    {T::kBpchar, "bpchar", "character", -1, 'S', false, T::kBpcharArray},
    {T::kVarchar, "varchar", "character varying", -1, 'S', false, T::kVarcharArray},
    {T::kDate, "date", "date", 4, 'D', false, T::kDateArray},
    {T::kTimestamp, "timestamp", "timestamp without time zone", 8, 'D', false, T::kTimestampArray},
    {T::kTimestampArray, "_timestamp", "timestamp without time zone[]", -1, 'A', false, kNone},
    {T::kDateArray, "_date", "date[]", -1, 'A', false, kNone},
    {T::kTimestampTz, "timestamptz", "timestamp with time zone", 8, 'D', true, T::kTimestampTzArray},
    {T::kTimestampTzArray, "_timestamptz", "timestamp with time zone[]", -1, 'A', false, kNone},
    {T::kInterval, "interval", "interval", 16, 'T', true, kNone},
    {T::kNumericArray, "_numeric", "numeric[]", -1, 'A', false, kNone},
    {T::kNumeric, "numeric", "numeric", -1, 'N', false, T::kNumericArray},
    {T::kRegclass, "regclass", "regclass", 4, 'N', false, T::kRegclassArray},
    {T::kRegtype, "regtype", "regtype", 4, 'N', false, T::kRegtypeArray},
    {T::kRegclassArray, "_regclass", "regclass[]", -1, 'A', false, kNone},
    {T::kRegtypeArray, "_regtype", "regtype[]", -1, 'A', false, kNone},
    {T::kRecord, "record", "record", -1, 'P', false, kNone},
    {T::kVoid, "void", "void", 4, 'P', false, kNone},
    {T::kUuid, "uuid", "uuid", 16, 'U', false, T::kUuidArray},
    {T::kUuidArray, "_uuid", "uuid[]", -1, 'A', false, kNone},
    {T::kJsonb, "jsonb", "jsonb", -1, 'U', false, kNone},
    {T::kRegnamespace, "regnamespace", "regnamespace", 4, 'N', false, kNone},
    {T::kRegrole, "regrole", "regrole", 4, 'N', false, kNone},
});

// By oid, 1 more than the place in kFacts: asked for each value of a load.
constexpr auto kPlaces = [] {
  std::array<uint8_t, static_cast<size_t>(kFacts.back().type) + 1> places{};
  for (size_t i = 0; i < kFacts.size(); ++i) places[static_cast<size_t>(kFacts[i].type)] = static_cast<uint8_t>(i + 1);
  return places;
}();

const TypeFacts* FindFacts(uint32_t oid) {
  return oid < kPlaces.size() && kPlaces[oid] != 0 ? &kFacts[kPlaces[oid] - 1] : nullptr;
}
const TypeFacts& FactsOf(SqlType type) {
  static const TypeFacts* const kUnknownFacts = FindFacts(static_cast<uint32_t>(SqlType::kUnknown));
  const TypeFacts* facts = FindFacts(static_cast<uint32_t>(type));
  return facts == nullptr ? *kUnknownFacts : *facts;
}

// PostgreSQL's own types that we have not: refused as unsupported, not as unknown.
bool IsPostgresType(std::string_view name) {
  static const std::set<std::string_view> kTypes = {
      "time",          "timetz",      "xml",          "money",     "inet",     "cidr",      "macaddr",   "macaddr8",
      "bit",           "varbit",      "point",        "line",      "lseg",     "box",       "path",      "polygon",
      "circle",        "tsvector",    "tsquery",      "serial",    "serial2",  "serial4",   "serial8",   "bigserial",
      "pg_lsn",        "smallserial", "int4range",    "int8range", "numrange", "tsrange",   "tstzrange", "daterange",
      "record",        "regoper",     "regprocedure", "regconfig", "cid",      "tid",       "void",      "regoperator",
      "txid_snapshot", "anyarray",    "refcursor",    "jsonpath",  "xid8",     "anyelement"};
  return kTypes.contains(name);
}

// A name of pg_type, or another spelling the grammar leaves as it is.
std::optional<SqlType> TypeNamed(std::string_view name) {
  if (name == "decimal") return SqlType::kNumeric;
  const auto found =
      std::find_if(kFacts.begin(), kFacts.end(), [&](const TypeFacts& facts) { return facts.internal_name == name; });
  if (found == kFacts.end() || found->category == 'P') return std::nullopt;
  return found->type;
}

absl::StatusOr<int32_t> NumericModifierOf(const std::vector<int>& values) {
  if (values.size() > 2) return SqlError(sqlstate::kInvalidParameterValue, "invalid NUMERIC type modifier");
  const NumericType numeric{values[0], values.size() > 1 ? values[1] : 0};
  if (numeric.precision < 1 || numeric.precision > kNumericDigitsMax) {
    return SqlError(sqlstate::kInvalidParameterValue,
                    fmt::format("NUMERIC precision {} must be between 1 and {}", numeric.precision, kNumericDigitsMax));
  }
  if (numeric.scale < 0 || numeric.scale > numeric.precision) {
    return UnsupportedError(fmt::format("NUMERIC scale {} outside 0 .. precision {}", numeric.scale, numeric.precision));
  }
  return NumericModifier(numeric);
}

absl::StatusOr<int32_t> CharacterModifierOf(SqlType type, const std::vector<int>& values) {
  const std::string_view name = type == SqlType::kVarchar ? "varchar" : "char";
  if (values.size() > 1) return SqlError(sqlstate::kInvalidParameterValue, "invalid type modifier");
  if (values[0] < 1) {
    return SqlError(sqlstate::kInvalidParameterValue, fmt::format("length for type {} must be at least 1", name));
  }
  if (values[0] > kCharactersMax) {
    return SqlError(sqlstate::kInvalidParameterValue,
                    fmt::format("length for type {} cannot exceed {}", name, kCharactersMax));
  }
  return values[0] + 4;
}

absl::StatusOr<int32_t> ModifierOf(SqlType type, const std::vector<int>& values) {
  constexpr int kMicroseconds = 6;
  switch (type) {
    case SqlType::kNumeric:
      return NumericModifierOf(values);
    case SqlType::kVarchar:
    case SqlType::kBpchar:
      return CharacterModifierOf(type, values);
    case SqlType::kTimestamp:
    case SqlType::kTimestampTz:
      if (values.size() > 1 || values[0] < 0) return SqlError(sqlstate::kInvalidParameterValue, "invalid type modifier");
      return std::min(values[0], kMicroseconds);
    default:
      return UnsupportedError(fmt::format("type {} with a modifier", InternalTypeName(type)));
  }
}

}  // namespace

std::string_view TypeName(SqlType type) { return FactsOf(type).name; }
int16_t TypeLength(SqlType type) { return FactsOf(type).length; }
std::string_view InternalTypeName(SqlType type) { return FactsOf(type).internal_name; }
char TypeCategory(SqlType type) { return FactsOf(type).category; }
bool IsPreferred(SqlType type) { return FactsOf(type).preferred; }
SqlType ArrayTypeOf(SqlType element) { return FactsOf(element).array; }

SqlType ElementType(SqlType array) {
  if (array == SqlType::kInt2Vector) return SqlType::kInt2;
  if (array == SqlType::kOidVector) return SqlType::kOid;
  if (FactsOf(array).category != 'A') return SqlType::kUnknown;
  const auto found =
      std::find_if(kFacts.begin(), kFacts.end(), [&](const TypeFacts& facts) { return facts.array == array; });
  return found == kFacts.end() ? SqlType::kUnknown : found->type;
}

bool IsColumnType(SqlType type) {
  switch (type) {
    case SqlType::kUnknown:
    case SqlType::kVoid:
    case SqlType::kRecord:
    case SqlType::kXid:
    case SqlType::kNodeTree:
    case SqlType::kAclItem:
    case SqlType::kAclItemArray:
    case SqlType::kRegproc:
    case SqlType::kRegclass:
    case SqlType::kRegclassArray:
    case SqlType::kRegtype:
    case SqlType::kRegtypeArray:
    case SqlType::kRegnamespace:
    case SqlType::kRegrole:
    case SqlType::kInt2Vector:
    case SqlType::kOidVector:
      return false;
    default:
      return FindFacts(static_cast<uint32_t>(type)) != nullptr;
  }
}

std::optional<SqlType> TypeOfOid(uint32_t oid) {
  const TypeFacts* facts = FindFacts(oid);
  return facts == nullptr ? std::nullopt : std::optional(facts->type);
}

const std::vector<SqlType>& AllTypes() {
  static const std::vector<SqlType> kAll = [] {
    std::vector<SqlType> all;
    for (const TypeFacts& facts : kFacts) {
      if (facts.type != SqlType::kUnknown && facts.category != 'P') all.push_back(facts.type);
    }
    return all;
  }();
  return kAll;
}

std::string FormatType(ColumnType type) {
  const std::string name(TypeName(type.type));
  if (type.modifier < 0) return type.type == SqlType::kBpchar ? "bpchar" : name;
  switch (type.type) {
    case SqlType::kNumeric: {
      const NumericType numeric = NumericTypeOf(type.modifier);
      return fmt::format("numeric({},{})", numeric.precision, numeric.scale);
    }
    case SqlType::kVarchar:
    case SqlType::kBpchar:
      return fmt::format("{}({})", name, CharactersOf(type.modifier));
    case SqlType::kTimestamp:
    case SqlType::kTimestampTz: {
      constexpr size_t kWordLength = 9;  // of "timestamp"
      return fmt::format("timestamp({}){}", type.modifier, name.substr(kWordLength));
    }
    default:
      return name;
  }
}

absl::StatusOr<ColumnType> ResolveTypeName(const std::string& name, bool foreign_schema, const std::vector<int>& modifiers,
                                           bool array) {
  const std::optional<SqlType> type = foreign_schema ? std::nullopt : TypeNamed(name);
  if (!type) {
    if (!foreign_schema && IsPostgresType(name)) return UnsupportedError(fmt::format("type {}", name));
    return SqlError(sqlstate::kUndefinedObject, fmt::format("type \"{}\" does not exist", name));
  }
  ColumnType result{.type = *type};
  if (array) {
    result.type = ArrayTypeOf(*type);
    if (result.type == SqlType::kUnknown) return UnsupportedError(fmt::format("type {}[]", name));
    if (!modifiers.empty()) return UnsupportedError(fmt::format("type {}[] with a length or precision", name));
  } else if (!modifiers.empty()) {
    ASSIGN_OR_RETURN(result.modifier, ModifierOf(*type, modifiers));
  }
  return result;
}

absl::StatusOr<ColumnType> ResolveTypeText(std::string_view text) {
  std::string name(text);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); });
  const bool array = name.ends_with("[]");
  if (array) name.erase(name.size() - 2);
  std::vector<int> modifiers;
  if (const size_t open = name.find('('); open != std::string::npos) {
    const size_t close = std::min(name.find(')', open), name.size() - 1);
    for (const char* at = name.data() + open; *at == '(' || *at == ',';) {
      const auto [end, error] = std::from_chars(at + 1, name.data() + close, modifiers.emplace_back());
      if (error != std::errc()) {
        return SqlError(sqlstate::kSyntaxError, fmt::format("invalid type name \"{}\"", text));
      }
      at = end;
    }
    name.erase(open, close - open + 1);
  }
  if (name.starts_with("pg_catalog.")) name.erase(0, std::string_view("pg_catalog.").size());
  if (name == "int") name = "int4";
  if (name == "char") name = "bpchar";
  const auto found = std::find_if(kFacts.begin(), kFacts.end(), [&](const TypeFacts& facts) { return facts.name == name; });
  return ResolveTypeName(found == kFacts.end() ? name : std::string(found->internal_name), false, modifiers, array);
}

}  // namespace anabranch
