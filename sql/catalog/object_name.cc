#include "sql/catalog/object_name.h"

#include <algorithm>
#include <array>

#include "base/quote.h"
#include "base/status.h"

namespace anabranch {
namespace {

using Parts = std::vector<std::string>;

// Splits "public.t" or "\"T\"" as identifiers are read; nullopt for what is none.
std::optional<Parts> SplitName(std::string_view text) {
  Parts parts;
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

std::string ShownName(const NamedRelation& relation) {
  const std::string name = QuotedIdentifier(relation.name);
  return IsVisible(relation) ? name : fmt::format("{}.{}", relation.schema, name);
}

// Only the functions of pg_proc: those that read and write values.
std::optional<ObjectName> FindFunction(const Parts& parts) {
  if (parts.size() == 2 && parts.front() != "pg_catalog") return std::nullopt;
  for (const TypeFacts& type : AllTypeFacts()) {
    for (size_t which = 0; which < std::size(kFunctionSuffixes); ++which) {
      const ObjectName function = FunctionValue(type, which);
      if (function.oid != 0 && function.name == parts.back()) return function;
    }
  }
  return std::nullopt;
}
ObjectName NameFunction(int64_t oid) {
  for (const TypeFacts& type : AllTypeFacts()) {
    for (size_t which = 0; which < std::size(kFunctionSuffixes); ++which) {
      if (type.function_oids[which] == oid) return FunctionValue(type, which);
    }
  }
  return {.oid = oid, .name = ""};
}

absl::Status NoObject(SqlType type, const std::string& text) {
  switch (type) {
    case SqlType::kRegclass:
      return SqlError(sqlstate::kUndefinedTable, fmt::format("relation \"{}\" does not exist", text));
    case SqlType::kRegproc:
      return SqlError(sqlstate::kUndefinedFunction, fmt::format("function \"{}\" does not exist", text));
    case SqlType::kRegnamespace:
      return SqlError(sqlstate::kInvalidSchemaName, fmt::format("schema \"{}\" does not exist", text));
    case SqlType::kRegrole:
      return SqlError(sqlstate::kUndefinedObject, fmt::format("role \"{}\" does not exist", text));
    default:
      return SqlError(sqlstate::kUndefinedObject, fmt::format("type \"{}\" does not exist", text));
  }
}

}  // namespace

bool IsVisible(const NamedRelation& relation) { return relation.schema == "public" || relation.schema == "pg_catalog"; }

absl::StatusOr<std::optional<ObjectName>> FindObject(SqlType type, const std::string& text,
                                                     const CatalogSnapshot& snapshot) {
  if (text == "-") return ObjectName{};
  if (!text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    ASSIGN_OR_RETURN(const Datum oid, FromText(SqlType::kOid, text));
    return NameObject(type, std::get<int64_t>(oid), snapshot);
  }
  if (type == SqlType::kRegtype) {
    const TypeFacts* found = FindTypeText(text);
    return found == nullptr ? std::nullopt : std::optional(TypeValue(found->oid));
  }
  const std::optional<Parts> parts = SplitName(text);
  if (!parts) return SqlError(sqlstate::kInvalidName, "invalid name syntax");
  const size_t parts_max = type == SqlType::kRegclass || type == SqlType::kRegproc ? 2 : 1;
  if (parts->size() > parts_max) {
    return SqlError(sqlstate::kFeatureNotSupported, fmt::format("a name of {} parts", parts->size()));
  }
  switch (type) {
    case SqlType::kRegproc:
      return FindFunction(*parts);
    case SqlType::kRegnamespace:
      for (const SchemaName& schema : SchemaNames()) {
        if (schema.name == parts->front()) return NameObject(type, schema.oid, snapshot);
      }
      return std::nullopt;
    case SqlType::kRegrole: {
      const User* user = snapshot.FindUser(parts->front());
      return user == nullptr ? std::nullopt : std::optional(NameObject(type, UserOid(*user), snapshot));
    }
    default: {
      const std::optional<NamedRelation> found =
          FindRelation(snapshot, parts->size() == 2 ? parts->front() : "", parts->back());
      return found ? std::optional(ObjectName{found->oid, ShownName(*found)}) : std::nullopt;
    }
  }
}

absl::StatusOr<ObjectName> GetObject(SqlType type, const std::string& text, const CatalogSnapshot& snapshot) {
  ASSIGN_OR_RETURN(std::optional<ObjectName> found, FindObject(type, text, snapshot));
  if (!found) return NoObject(type, text);
  return *std::move(found);
}

ObjectName NameObject(SqlType type, int64_t oid, const CatalogSnapshot& snapshot) {
  switch (type) {
    case SqlType::kRegtype:
      return TypeValue(oid);
    case SqlType::kRegproc:
      return NameFunction(oid);
    case SqlType::kRegnamespace:
      for (const SchemaName& schema : SchemaNames()) {
        if (schema.oid == oid) return {.oid = oid, .name = std::string(schema.name)};
      }
      return {.oid = oid, .name = ""};
    case SqlType::kRegrole: {
      const User* user = snapshot.FindUser(oid);
      return {.oid = oid, .name = user == nullptr ? "" : QuotedIdentifier(user->name)};
    }
    default: {
      const std::optional<NamedRelation> found = FindRelation(snapshot, oid);
      return {.oid = oid, .name = found ? ShownName(*found) : ""};
    }
  }
}

}  // namespace anabranch
