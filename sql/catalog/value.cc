#include "sql/catalog/value.h"

#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "sql/value/type_name.h"

namespace anabranch {
namespace {

// PostgreSQL's own lines for the types we have and those that drivers look up without meeting a value of them.
constexpr TypeFacts kTypes[] = {
    {16, "bool", 1, true, 'b', 'B', true, 0, 1000, 'c', 'p', 0, "bool", {1242, 1243, 2436, 2437}},
    {17, "bytea", -1, false, 'b', 'U', false, 0, 1001, 'i', 'x', 0, "bytea", {1244, 31, 2412, 2413}},
    {18, "char", 1, true, 'b', 'Z', false, 0, 1002, 'c', 'p', 0, "char", {1245, 33, 2434, 2435}},
    {19, "name", 64, false, 'b', 'S', false, 18, 1003, 'c', 'p', 950, "name", {34, 35, 2422, 2423}},
    {20, "int8", 8, true, 'b', 'N', false, 0, 1016, 'd', 'p', 0, "int8", {460, 461, 2408, 2409}},
    {21, "int2", 2, true, 'b', 'N', false, 0, 1005, 's', 'p', 0, "int2", {38, 39, 2404, 2405}},
    {22, "int2vector", -1, false, 'b', 'A', false, 21, 1006, 'i', 'p', 0, "int2vector", {40, 41, 2410, 2411}},
    {23, "int4", 4, true, 'b', 'N', false, 0, 1007, 'i', 'p', 0, "int4", {42, 43, 2406, 2407}},
    {24, "regproc", 4, true, 'b', 'N', false, 0, 1008, 'i', 'p', 0, "regproc", {44, 45, 2444, 2445}},
    {25, "text", -1, false, 'b', 'S', true, 0, 1009, 'i', 'x', 100, "text", {46, 47, 2414, 2415}},
    {26, "oid", 4, true, 'b', 'N', true, 0, 1028, 'i', 'p', 0, "oid", {1798, 1799, 2418, 2419}},
    {27, "tid", 6, false, 'b', 'U', false, 0, 1010, 's', 'p', 0, "tid", {48, 49, 2438, 2439}},
    {28, "xid", 4, true, 'b', 'U', false, 0, 1011, 'i', 'p', 0, "xid", {50, 51, 2440, 2441}},
    {29, "cid", 4, true, 'b', 'U', false, 0, 1012, 'i', 'p', 0, "cid", {52, 53, 2442, 2443}},
    {30, "oidvector", -1, false, 'b', 'A', false, 26, 1013, 'i', 'p', 0, "oidvector", {54, 55, 2420, 2421}},
    {114, "json", -1, false, 'b', 'U', false, 0, 199, 'i', 'x', 0, "json_", {321, 322, 323, 324}},
    {194, "pg_node_tree", -1, false, 'b', 'Z', false, 0, 0, 'i', 'x', 100, "pg_node_tree_", {195, 196, 197, 198}},
    {199, "_json", -1, false, 'b', 'A', false, 114, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {700, "float4", 4, true, 'b', 'N', false, 0, 1021, 'i', 'p', 0, "float4", {200, 201, 2424, 2425}},
    {701, "float8", 8, true, 'b', 'N', true, 0, 1022, 'd', 'p', 0, "float8", {214, 215, 2426, 2427}},
    {705, "unknown", -2, false, 'p', 'X', false, 0, 0, 'c', 'p', 0, "unknown", {109, 110, 2416, 2417}},
    {869, "inet", -1, false, 'b', 'I', true, 0, 1041, 'i', 'm', 0, "inet_", {910, 911, 2496, 2497}},
    {1000, "_bool", -1, false, 'b', 'A', false, 16, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1001, "_bytea", -1, false, 'b', 'A', false, 17, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1002, "_char", -1, false, 'b', 'A', false, 18, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1003, "_name", -1, false, 'b', 'A', false, 19, 0, 'i', 'x', 950, "array_", {750, 751, 2400, 2401}},
    {1005, "_int2", -1, false, 'b', 'A', false, 21, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1006, "_int2vector", -1, false, 'b', 'A', false, 22, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1007, "_int4", -1, false, 'b', 'A', false, 23, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1008, "_regproc", -1, false, 'b', 'A', false, 24, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1009, "_text", -1, false, 'b', 'A', false, 25, 0, 'i', 'x', 100, "array_", {750, 751, 2400, 2401}},
    {1010, "_tid", -1, false, 'b', 'A', false, 27, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1011, "_xid", -1, false, 'b', 'A', false, 28, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1012, "_cid", -1, false, 'b', 'A', false, 29, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1013, "_oidvector", -1, false, 'b', 'A', false, 30, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1014, "_bpchar", -1, false, 'b', 'A', false, 1042, 0, 'i', 'x', 100, "array_", {750, 751, 2400, 2401}},
    {1015, "_varchar", -1, false, 'b', 'A', false, 1043, 0, 'i', 'x', 100, "array_", {750, 751, 2400, 2401}},
    {1016, "_int8", -1, false, 'b', 'A', false, 20, 0, 'd', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1021, "_float4", -1, false, 'b', 'A', false, 700, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1022, "_float8", -1, false, 'b', 'A', false, 701, 0, 'd', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1028, "_oid", -1, false, 'b', 'A', false, 26, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1033, "aclitem", 12, false, 'b', 'U', false, 0, 1034, 'i', 'p', 0, "aclitem", {1031, 1032, 0, 0}},
    {1034, "_aclitem", -1, false, 'b', 'A', false, 1033, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1041, "_inet", -1, false, 'b', 'A', false, 869, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1042, "bpchar", -1, false, 'b', 'S', false, 0, 1014, 'i', 'x', 100, "bpchar", {1044, 1045, 2430, 2431}},
    {1043, "varchar", -1, false, 'b', 'S', false, 0, 1015, 'i', 'x', 100, "varchar", {1046, 1047, 2432, 2433}},
    {1082, "date", 4, true, 'b', 'D', false, 0, 1182, 'i', 'p', 0, "date_", {1084, 1085, 2468, 2469}},
    {1083, "time", 8, true, 'b', 'D', false, 0, 1183, 'd', 'p', 0, "time_", {1143, 1144, 2470, 2471}},
    {1114, "timestamp", 8, true, 'b', 'D', false, 0, 1115, 'd', 'p', 0, "timestamp_", {1312, 1313, 2474, 2475}},
    {1115, "_timestamp", -1, false, 'b', 'A', false, 1114, 0, 'd', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1182, "_date", -1, false, 'b', 'A', false, 1082, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1183, "_time", -1, false, 'b', 'A', false, 1083, 0, 'd', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1184, "timestamptz", 8, true, 'b', 'D', true, 0, 1185, 'd', 'p', 0, "timestamptz_", {1150, 1151, 2476, 2477}},
    {1185, "_timestamptz", -1, false, 'b', 'A', false, 1184, 0, 'd', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1186, "interval", 16, false, 'b', 'T', true, 0, 1187, 'd', 'p', 0, "interval_", {1160, 1161, 2478, 2479}},
    {1187, "_interval", -1, false, 'b', 'A', false, 1186, 0, 'd', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1231, "_numeric", -1, false, 'b', 'A', false, 1700, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {1700, "numeric", -1, false, 'b', 'N', false, 0, 1231, 'i', 'm', 0, "numeric_", {1701, 1702, 2460, 2461}},
    {2205, "regclass", 4, true, 'b', 'N', false, 0, 2210, 'i', 'p', 0, "regclass", {2218, 2219, 2452, 2453}},
    {2206, "regtype", 4, true, 'b', 'N', false, 0, 2211, 'i', 'p', 0, "regtype", {2220, 2221, 2454, 2455}},
    {2210, "_regclass", -1, false, 'b', 'A', false, 2205, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {2211, "_regtype", -1, false, 'b', 'A', false, 2206, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {2249, "record", -1, false, 'p', 'P', false, 0, 2287, 'd', 'x', 0, "record_", {2290, 2291, 2402, 2403}},
    {2278, "void", 4, true, 'p', 'P', false, 0, 0, 'i', 'p', 0, "void_", {2298, 2299, 3120, 3121}},
    {2287, "_record", -1, false, 'p', 'P', false, 2249, 0, 'd', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {2950, "uuid", 16, false, 'b', 'U', false, 0, 2951, 'c', 'p', 0, "uuid_", {2952, 2953, 2961, 2962}},
    {2951, "_uuid", -1, false, 'b', 'A', false, 2950, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {3802, "jsonb", -1, false, 'b', 'U', false, 0, 3807, 'i', 'x', 0, "jsonb_", {3806, 3804, 3805, 3803}},
    {3807, "_jsonb", -1, false, 'b', 'A', false, 3802, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {4089, "regnamespace", 4, true, 'b', 'N', false, 0, 4090, 'i', 'p', 0, "regnamespace", {4084, 4085, 4087, 4088}},
    {4090, "_regnamespace", -1, false, 'b', 'A', false, 4089, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
    {4096, "regrole", 4, true, 'b', 'N', false, 0, 4097, 'i', 'p', 0, "regrole", {4098, 4092, 4094, 4095}},
    {4097, "_regrole", -1, false, 'b', 'A', false, 4096, 0, 'i', 'x', 0, "array_", {750, 751, 2400, 2401}},
};

// What format_type calls a type where its name is another.
std::string_view ShownTypeName(const TypeFacts& type) {
  static const std::unordered_map<std::string_view, std::string_view> kNames = {
      {"bool", "boolean"},
      {"char", "\"char\""},
      {"int8", "bigint"},
      {"int2", "smallint"},
      {"int4", "integer"},
      {"float4", "real"},
      {"float8", "double precision"},
      {"bpchar", "character"},
      {"varchar", "character varying"},
      {"time", "time without time zone"},
      {"timestamp", "timestamp without time zone"},
      {"timestamptz", "timestamp with time zone"},
  };
  const auto found = kNames.find(type.name);
  return found == kNames.end() ? type.name : found->second;
}

// Names in the column lists that are not those of pg_type.
std::string_view TypeBehind(std::string_view name) {
  static const std::unordered_map<std::string_view, std::string_view> kNames = {
      {"lsn", "text"},
      {"tree", "pg_node_tree"},
      {"char[]", "_char"},
      {"int2[]", "_int2"},
      {"oid[]", "_oid"},
      {"text[]", "_text"},
      {"acl[]", "_aclitem"},
      {"sql_identifier", "name"},
      {"character_data", "varchar"},
      {"cardinal_number", "int4"},
      {"yes_or_no", "varchar"},
      {"time_stamp", "timestamptz"},
  };
  const auto found = kNames.find(name);
  return found == kNames.end() ? name : found->second;
}

}  // namespace

const TypeFacts* FindTypeFacts(int64_t oid) {
  const auto found = std::lower_bound(std::begin(kTypes), std::end(kTypes), oid,
                                      [](const TypeFacts& type, int64_t sought) { return type.oid < sought; });
  return found == std::end(kTypes) || found->oid != oid ? nullptr : found;
}

const TypeFacts* FindTypeFacts(std::string_view name) {
  const auto found =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](const TypeFacts& type) { return type.name == name; });
  return found == std::end(kTypes) ? nullptr : found;
}

std::span<const TypeFacts> AllTypeFacts() { return kTypes; }

std::string FormatTypeOid(int64_t oid, int32_t modifier) {
  constexpr int32_t kHeader = 4;
  const TypeFacts* type = FindTypeFacts(oid);
  if (type == nullptr) return oid == 0 ? "-" : "???";
  if (type->element != 0 && type->name.starts_with('_')) {
    return FormatTypeOid(type->element, modifier) + "[]";
  }
  const std::string_view shown = ShownTypeName(*type);
  if (modifier == kNoTypeModifier) return std::string(shown);
  if (type->name == "varchar" || type->name == "bpchar") return fmt::format("{}({})", shown, modifier - kHeader);
  if (type->name == "numeric") {
    return fmt::format("{}({},{})", shown, (modifier - kHeader) >> 16, (modifier - kHeader) & 0xFFFF);
  }
  // "timestamp(3) with time zone".
  if (type->name == "timestamp" || type->name == "timestamptz" || type->name == "time") {
    const size_t word = shown.find(' ');
    return fmt::format("{}({}){}", shown.substr(0, word), modifier, shown.substr(word));
  }
  return std::string(shown);
}

const TypeFacts* FindTypeText(std::string_view text) {
  constexpr std::string_view kSchema = "pg_catalog.";
  if (text.starts_with(kSchema)) text.remove_prefix(kSchema.size());
  if (const absl::StatusOr<ColumnType> type = ResolveTypeText(text); type.ok()) {
    return FindTypeFacts(static_cast<int64_t>(type->type));
  }
  const bool array = text.ends_with("[]");
  const TypeFacts* found = FindTypeFacts(array ? text.substr(0, text.size() - 2) : text);
  return found != nullptr && array ? FindTypeFacts(found->array) : found;
}

SqlType CatalogTypeNamed(std::string_view name) {
  const TypeFacts* facts = FindTypeFacts(TypeBehind(name));
  CHECK(facts != nullptr, "a catalog column of an unknown type");
  const std::optional<SqlType> type = TypeOfOid(static_cast<uint32_t>(facts->oid));
  CHECK(type.has_value(), "a catalog column of a type without values");
  return *type;
}

Datum ArrayValue(const std::vector<std::string>& items) {
  return MakeArray(std::vector<Datum>(items.begin(), items.end()));
}
Datum NumbersValue(const std::vector<int64_t>& numbers) {
  return MakeArray(std::vector<Datum>(numbers.begin(), numbers.end()));
}
Datum VectorValue(const std::vector<int64_t>& numbers) {
  return MakeArray(std::vector<Datum>(numbers.begin(), numbers.end()), ArrayForm::kVector);
}

ObjectName TypeValue(int64_t oid) {
  return {oid, FindTypeFacts(oid) == nullptr ? "" : FormatTypeOid(oid, kNoTypeModifier)};
}

ObjectName FunctionValue(const TypeFacts& type, size_t which) {
  const int64_t oid = type.function_oids[which];
  return {oid, oid == 0 ? "" : fmt::format("{}{}", type.functions, kFunctionSuffixes[which])};
}

}  // namespace anabranch
