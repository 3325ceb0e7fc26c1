// has_table_privilege and its kind: whether someone may do something, judged as statements are.
#include <algorithm>

#include "sql/catalog/function_table.h"
#include "sql/catalog/object.h"
#include "sql/catalog/object_name.h"
#include "sql/stored/privilege.h"
#include "sql/stored/session_context.h"

namespace anabranch {
namespace {

using Result = FunctionResult;
using Context = EvaluationContext;
using Snapshot = std::shared_ptr<const CatalogSnapshot>;
using T = SqlType;

// What there is to be granted on an object of some kind, and who has what of it.
struct Held {
  std::vector<std::string_view> known;   // the names that may be asked for
  std::vector<std::string_view> held;    // those had
  std::vector<std::string_view> grants;  // those that may be granted on
};

bool Contains(const std::vector<std::string_view>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// "SELECT, INSERT WITH GRANT OPTION": whether one of them is had. 22023 for what is no privilege of the kind.
Result HasOneOf(const std::string& list, const Held& held) {
  bool has = false;
  for (std::string_view rest = list; !rest.empty();) {
    const size_t end = std::min(rest.find(','), rest.size());
    std::string name = UpperText(std::string(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    name.erase(0, name.find_first_not_of(' '));
    name.erase(name.find_last_not_of(' ') + 1);
    constexpr std::string_view kOption = " WITH GRANT OPTION";
    const bool option = name.size() > kOption.size() && name.ends_with(kOption);
    if (option) name.erase(name.size() - kOption.size());
    if (!Contains(held.known, name)) {
      return SqlError(sqlstate::kInvalidParameterValue, fmt::format("unrecognized privilege type: \"{}\"", name));
    }
    has = has || Contains(option ? held.grants : held.held, name);
  }
  return Datum(has);
}

// The privileges of tables and sequences by name, from their bits.
std::vector<std::string_view> NamesOf(uint32_t privileges) {
  std::vector<std::string_view> names;
  for (const PrivilegeName& known : PrivilegeNames()) {
    if ((privileges & static_cast<uint32_t>(known.privilege)) != 0) names.push_back(known.name);
  }
  return names;
}

// Someone asked about, by name, by oid or as the session's user.
absl::StatusOr<Identity> IdentityFrom(const Datum& user, const CatalogSnapshot& snapshot) {
  const int64_t* oid = std::get_if<int64_t>(&user);
  const User* found = oid != nullptr ? snapshot.FindUser(*oid) : snapshot.FindUser(TextOf(user));
  if (found != nullptr) return IdentityOf(snapshot.users, found->name);
  return SqlError(sqlstate::kUndefinedObject, oid != nullptr ? fmt::format("role with OID {} does not exist", *oid)
                                                             : fmt::format("role \"{}\" does not exist", TextOf(user)));
}

// The oid of an object given by name or by oid.
absl::StatusOr<int64_t> OidOf(SqlType type, const Datum& object, const CatalogSnapshot& snapshot) {
  if (const int64_t* oid = std::get_if<int64_t>(&object)) return *oid;
  ASSIGN_OR_RETURN(const ObjectName found, GetObject(type, TextOf(object), snapshot));
  return found.oid;
}

struct Owned {
  std::string owner;
  std::vector<Grant> grants;
  bool is_sequence = false;
};
// nullopt: no such relation.
std::optional<Owned> FindOwned(const CatalogSnapshot& snapshot, int64_t oid) {
  if (const Table* table = FindTable(snapshot, oid)) return Owned{table->owner, table->grants};
  for (const SequenceRef& sequence : snapshot.sequences) {
    if (SequenceOid(*sequence) == oid) return Owned{sequence->owner, sequence->grants, true};
  }
  if (const std::optional<IndexView> index = FindIndex(snapshot, oid)) return Owned{index->table->owner, {}};
  if (!FindRelation(snapshot, oid)) return std::nullopt;
  // Catalogs may be read by everyone.
  const auto read = static_cast<uint32_t>(Privilege::kSelect);
  return Owned{std::string(kRootUser), {{.grantee = "", .grantor = "", .privileges = read}}};
}

using Judge = Result (*)(const Identity& identity, const Datum& object, const std::string& privileges,
                         const CatalogSnapshot& snapshot);

Result OnRelation(const Identity& identity, int64_t oid, const std::string& privileges, uint32_t all, bool sequence,
                  const CatalogSnapshot& snapshot) {
  const std::optional<Owned> owned = FindOwned(snapshot, oid);
  if (!owned) return Datum(Null());
  if (sequence && !owned->is_sequence) {
    return SqlError(sqlstate::kWrongObjectType, fmt::format("\"{}\" is not a sequence", FindRelation(snapshot, oid)->name));
  }
  const bool has_all = identity.admin || identity.Has(owned->owner);
  return HasOneOf(privileges, {.known = NamesOf(all),
                               .held = NamesOf(has_all ? all : GrantedTo(owned->grants, identity)),
                               .grants = NamesOf(has_all ? all : GrantableBy(owned->grants, identity))});
}

Result OnTable(const Identity& identity, const Datum& object, const std::string& privileges,
               const CatalogSnapshot& snapshot) {
  ASSIGN_OR_RETURN(const int64_t oid, OidOf(T::kRegclass, object, snapshot));
  return OnRelation(identity, oid, privileges, kTablePrivileges, false, snapshot);
}
Result OnSequence(const Identity& identity, const Datum& object, const std::string& privileges,
                  const CatalogSnapshot& snapshot) {
  ASSIGN_OR_RETURN(const int64_t oid, OidOf(T::kRegclass, object, snapshot));
  return OnRelation(identity, oid, privileges, kSequencePrivileges, true, snapshot);
}
// Nothing is granted on columns: they have what their table has.
constexpr uint32_t kColumnPrivileges =
    static_cast<uint32_t>(Privilege::kSelect) | static_cast<uint32_t>(Privilege::kInsert) |
    static_cast<uint32_t>(Privilege::kUpdate) | static_cast<uint32_t>(Privilege::kReferences);
Result OnAnyColumn(const Identity& identity, const Datum& object, const std::string& privileges,
                   const CatalogSnapshot& snapshot) {
  ASSIGN_OR_RETURN(const int64_t oid, OidOf(T::kRegclass, object, snapshot));
  return OnRelation(identity, oid, privileges, kColumnPrivileges, false, snapshot);
}

// Everyone may connect; there are no temporary tables and no other schemas to make.
Result OnDatabase(const Identity& identity, const Datum&, const std::string& privileges, const CatalogSnapshot&) {
  const std::vector<std::string_view> all = {"CREATE", "CONNECT", "TEMPORARY", "TEMP"};
  const std::vector<std::string_view> everyones = {"CONNECT"};
  return HasOneOf(privileges,
                  {.known = all, .held = identity.admin ? all : everyones, .grants = identity.admin ? all : Held().grants});
}

// Everyone may use all schemas and create tables in `public`.
Result OnSchema(const Identity& identity, const Datum& object, const std::string& privileges,
                const CatalogSnapshot& snapshot) {
  ASSIGN_OR_RETURN(const int64_t oid, OidOf(T::kRegnamespace, object, snapshot));
  if (NameObject(T::kRegnamespace, oid, snapshot).name.empty()) return Datum(Null());
  const std::vector<std::string_view> all = {"CREATE", "USAGE"};
  const std::vector<std::string_view> use = {"USAGE"};
  return HasOneOf(privileges, {.known = all,
                               .held = identity.admin || oid == kPublicSchemaOid ? all : use,
                               .grants = identity.admin ? all : Held().grants});
}

Result OnType(const Identity& identity, const Datum& object, const std::string& privileges,
              const CatalogSnapshot& snapshot) {
  ASSIGN_OR_RETURN(const int64_t oid, OidOf(T::kRegtype, object, snapshot));
  if (FindTypeFacts(oid) == nullptr) return Datum(Null());
  const std::vector<std::string_view> use = {"USAGE"};
  return HasOneOf(privileges, {.known = use, .held = use, .grants = identity.admin ? use : Held().grants});
}

// Whether `identity` is a member of the role; WITH ADMIN OPTION: may make others one.
Result OnRole(const Identity& identity, const Datum& object, const std::string& privileges,
              const CatalogSnapshot& snapshot) {
  ASSIGN_OR_RETURN(const Identity role, IdentityFrom(object, snapshot));
  const bool member = identity.admin || identity.Has(role.user);
  const bool grants = identity.admin || std::any_of(identity.roles.begin(), identity.roles.end(), [&](const auto& name) {
                        const User* user = snapshot.FindUser(name);
                        const Membership* membership = user == nullptr ? nullptr : user->FindRole(role.user);
                        return membership != nullptr && membership->admin_option;
                      });
  const std::string asked = UpperText(privileges);
  if (asked == "USAGE" || asked == "MEMBER") return Datum(member);
  for (const std::string_view option : {" WITH ADMIN OPTION", " WITH GRANT OPTION"}) {
    if (asked == fmt::format("USAGE{}", option) || asked == fmt::format("MEMBER{}", option)) return Datum(grants);
  }
  return SqlError(sqlstate::kInvalidParameterValue, fmt::format("unrecognized privilege type: \"{}\"", privileges));
}

template <Judge kJudge>
Result AskForSession(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const Snapshot snapshot, context.catalog->Snapshot());
  ASSIGN_OR_RETURN(const Identity identity, IdentityFrom(Datum(context.session->user), *snapshot));
  return kJudge(identity, a[0], TextOf(a[1]), *snapshot);
}
template <Judge kJudge>
Result AskForUser(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const Snapshot snapshot, context.catalog->Snapshot());
  ASSIGN_OR_RETURN(const Identity identity, IdentityFrom(a[0], *snapshot));
  return kJudge(identity, a[1], TextOf(a[2]), *snapshot);
}

template <Judge kJudge>
void Add(std::string_view name, SqlType object_name, FunctionList* all) {
  constexpr auto kStable = Volatility::kStable;
  for (const T object : {object_name, T::kOid}) {
    all->push_back({name, {object, T::kText}, T::kBool, AskForSession<kJudge>, kStable});
    for (const T user : {T::kName, T::kOid}) {
      all->push_back({name, {user, object, T::kText}, T::kBool, AskForUser<kJudge>, kStable});
    }
  }
}

// The column by name or by number.
Result OnColumn(const Identity& identity, const Datum* a, const CatalogSnapshot& snapshot) {
  ASSIGN_OR_RETURN(const int64_t oid, OidOf(T::kRegclass, a[0], snapshot));
  if (const Table* table = FindTable(snapshot, oid)) {
    const int64_t* number = std::get_if<int64_t>(&a[1]);
    const bool known = std::any_of(table->columns.begin(), table->columns.end(), [&](const Column& column) {
      return number != nullptr ? AttributeNumber(column) == *number : column.name == TextOf(a[1]);
    });
    if (!known && number != nullptr) return Datum(Null());
    if (!known) {
      return SqlError(sqlstate::kUndefinedColumn,
                      fmt::format("column \"{}\" of relation \"{}\" does not exist", TextOf(a[1]), table->name));
    }
  }
  return OnRelation(identity, oid, TextOf(a[2]), kColumnPrivileges, false, snapshot);
}
Result AskColumnForSession(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const Snapshot snapshot, context.catalog->Snapshot());
  ASSIGN_OR_RETURN(const Identity identity, IdentityFrom(Datum(context.session->user), *snapshot));
  return OnColumn(identity, a, *snapshot);
}
Result AskColumnForUser(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const Snapshot snapshot, context.catalog->Snapshot());
  ASSIGN_OR_RETURN(const Identity identity, IdentityFrom(a[0], *snapshot));
  return OnColumn(identity, a + 1, *snapshot);
}

}  // namespace

FunctionList PrivilegeFunctions() {
  constexpr auto kStable = Volatility::kStable;
  FunctionList all;
  Add<OnTable>("has_table_privilege", T::kText, &all);
  Add<OnAnyColumn>("has_any_column_privilege", T::kText, &all);
  Add<OnSequence>("has_sequence_privilege", T::kText, &all);
  Add<OnDatabase>("has_database_privilege", T::kText, &all);
  Add<OnSchema>("has_schema_privilege", T::kText, &all);
  Add<OnType>("has_type_privilege", T::kText, &all);
  Add<OnRole>("pg_has_role", T::kName, &all);
  for (const T table : {T::kText, T::kOid}) {
    for (const T column : {T::kText, T::kInt2}) {
      all.push_back({"has_column_privilege", {table, column, T::kText}, T::kBool, AskColumnForSession, kStable});
      for (const T user : {T::kName, T::kOid}) {
        all.push_back({"has_column_privilege", {user, table, column, T::kText}, T::kBool, AskColumnForUser, kStable});
      }
    }
  }
  return all;
}

}  // namespace anabranch
