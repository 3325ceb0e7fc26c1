// Objects by name and by oid: the casts to regclass and its kind, and what is told of users, schemas and visibility.
#include "sql/catalog/function_table.h"
#include "sql/catalog/object.h"
#include "sql/catalog/object_name.h"
#include "sql/stored/session_context.h"

namespace anabranch {
namespace {

using Result = FunctionResult;
using Context = EvaluationContext;
using Snapshot = std::shared_ptr<const CatalogSnapshot>;
using T = SqlType;

template <SqlType kType>
Result ObjectIn(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const Snapshot snapshot, context.catalog->Snapshot());
  ASSIGN_OR_RETURN(ObjectName object, GetObject(kType, TextOf(a[0]), *snapshot));
  return Datum(std::move(object));
}

// to_regclass and its kind: null for what is not there, and for a number.
template <SqlType kType>
Result ToObject(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const Snapshot snapshot, context.catalog->Snapshot());
  ASSIGN_OR_RETURN(std::optional<ObjectName> object, FindObject(kType, TextOf(a[0]), *snapshot));
  const bool named = object && object->oid != 0 && std::to_string(object->oid) != TextOf(a[0]);
  return named ? Datum(*std::move(object)) : Datum(Null());
}

template <SqlType kType>
Result ObjectOf(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const Snapshot snapshot, context.catalog->Snapshot());
  return Datum(NameObject(kType, IntOf(a[0]), *snapshot));
}

template <SqlType kType>
void AddType(FunctionList* all) {
  constexpr auto kStable = Volatility::kStable;
  static const std::string kIn = std::string(InternalTypeName(kType)) + "in";
  static const std::string kOf = std::string(InternalTypeName(kType)) + "of";
  static const std::string kTo = "to_" + std::string(InternalTypeName(kType));
  all->push_back({kIn, {T::kText}, kType, ObjectIn<kType>, kStable});
  all->push_back({kOf, {T::kOid}, kType, ObjectOf<kType>, kStable});
  all->push_back({kTo, {T::kText}, kType, ToObject<kType>, kStable});
}

Result Yes(const Datum*, const Context&) { return Datum(true); }
Result No(const Datum*, const Context&) { return Datum(false); }
Result ZeroOid(const Datum*, const Context&) { return Datum(int64_t{0}); }

Result RelationIsVisible(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const Snapshot snapshot, context.catalog->Snapshot());
  const std::optional<NamedRelation> found = FindRelation(*snapshot, IntOf(a[0]));
  if (!found) return Datum(Null());
  return Datum(IsVisible(*found));
}

Result UserById(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const Snapshot snapshot, context.catalog->Snapshot());
  const User* user = snapshot->FindUser(IntOf(a[0]));
  return Datum(user == nullptr ? fmt::format("unknown (OID={})", IntOf(a[0])) : user->name);
}

constexpr int64_t kUtf8 = 6;  // PostgreSQL's number of the encoding
Result EncodingName(const Datum* a, const Context&) { return Datum(std::string(IntOf(a[0]) == kUtf8 ? "UTF8" : "")); }
Result EncodingNumber(const Datum* a, const Context&) {
  const std::string name = LowerText(TextOf(a[0]));
  return Datum(name == "utf8" || name == "utf-8" || name == "unicode" ? kUtf8 : int64_t{-1});
}
Result DatabaseEncoding(const Datum*, const Context&) { return Datum(std::string("UTF8")); }

Result CurrentSchemas(const Datum* a, const Context&) {
  std::vector<std::string> schemas;
  if (std::get<bool>(a[0])) schemas.emplace_back("pg_catalog");
  schemas.emplace_back("public");
  return ArrayValue(schemas);
}

}  // namespace

FunctionList ObjectFunctions() {
  constexpr auto kStable = Volatility::kStable;
  FunctionList all = {
      {"pg_table_is_visible", {T::kOid}, T::kBool, RelationIsVisible, kStable},
      {"pg_get_userbyid", {T::kOid}, T::kName, UserById, kStable},
      {"pg_encoding_to_char", {T::kInt4}, T::kName, EncodingName, kStable},
      {"pg_char_to_encoding", {T::kName}, T::kInt4, EncodingNumber, kStable},
      {"getdatabaseencoding", {}, T::kName, DatabaseEncoding, kStable},
      {"pg_client_encoding", {}, T::kName, DatabaseEncoding, kStable},
      {"current_schemas", {T::kBool}, T::kNameArray, CurrentSchemas, kStable},
      {"pg_my_temp_schema", {}, T::kOid, ZeroOid, kStable},
      {"pg_is_other_temp_schema", {T::kOid}, T::kBool, No, kStable},
  };
  AddType<T::kRegclass>(&all);
  AddType<T::kRegtype>(&all);
  AddType<T::kRegproc>(&all);
  AddType<T::kRegnamespace>(&all);
  AddType<T::kRegrole>(&all);
  // Of all other kinds of objects there are only those of pg_catalog.
  for (const std::string_view name :
       {"pg_type_is_visible", "pg_function_is_visible", "pg_operator_is_visible", "pg_opclass_is_visible",
        "pg_opfamily_is_visible", "pg_collation_is_visible", "pg_conversion_is_visible", "pg_ts_config_is_visible",
        "pg_ts_dict_is_visible", "pg_ts_parser_is_visible", "pg_ts_template_is_visible", "pg_statistics_obj_is_visible"}) {
    all.push_back({name, {T::kOid}, T::kBool, Yes, kStable});
  }
  return all;
}

}  // namespace anabranch
