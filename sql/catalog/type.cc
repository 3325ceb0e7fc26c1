// pg_type and what describes values: collations, operator classes, access methods, the functions that read and write
// values.
#include <algorithm>
#include <set>

#include "sql/catalog/object.h"

namespace anabranch {
namespace {

struct OperatorClass {
  int64_t oid;
  std::string_view name;
  int64_t family;
  int64_t type;
};
// The default ones of B-trees.
constexpr OperatorClass kOperatorClasses[] = {
    {10003, "bool_ops", 424, 16},         {10004, "bpchar_ops", 426, 1042},    {10006, "bytea_ops", 428, 17},
    {10007, "char_ops", 429, 18},         {3122, "date_ops", 434, 1082},       {10012, "float4_ops", 1970, 700},
    {3123, "float8_ops", 1970, 701},      {1979, "int2_ops", 1976, 21},        {1978, "int4_ops", 1976, 23},
    {3124, "int8_ops", 1976, 20},         {10022, "interval_ops", 1982, 1186}, {10028, "name_ops", 1994, 19},
    {3125, "numeric_ops", 1988, 1700},    {1981, "oid_ops", 1989, 26},         {3126, "text_ops", 1994, 25},
    {3127, "timestamptz_ops", 434, 1184}, {3128, "timestamp_ops", 434, 1114},  {10065, "uuid_ops", 2968, 2950},
    {10088, "jsonb_ops", 4033, 3802},
};

void MakeType(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  const int64_t owner = snapshot.OwnerOid(std::string(kRootUser));
  for (const TypeFacts& type : AllTypeFacts()) {
    rows->Add()
        .Set("oid", type.oid)
        .Set("typname", std::string(type.name))
        .Set("typowner", owner)
        .Set("typlen", int64_t{type.length})
        .Set("typbyval", type.by_value)
        .Set("typtype", std::string(1, type.kind))
        .Set("typcategory", std::string(1, type.category))
        .Set("typispreferred", type.preferred)
        .Set("typdelim", std::string(","))
        .Set("typelem", type.element)
        .Set("typarray", type.array)
        .Set("typinput", FunctionValue(type, 0))
        .Set("typoutput", FunctionValue(type, 1))
        .Set("typreceive", FunctionValue(type, 2))
        .Set("typsend", FunctionValue(type, 3))
        .Set("typalign", std::string(1, type.alignment))
        .Set("typstorage", std::string(1, type.storage))
        .Set("typcollation", type.collation);
  }
}

// Only what reads and writes the values of types: drivers join it with pg_type.
void MakeProc(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  const int64_t owner = snapshot.OwnerOid(std::string(kRootUser));
  std::set<int64_t> done;
  for (const TypeFacts& type : AllTypeFacts()) {
    for (size_t which = 0; which < std::size(kFunctionSuffixes); ++which) {
      const ObjectName function = FunctionValue(type, which);
      if (function.oid == 0 || !done.insert(function.oid).second) continue;
      rows->Add().Set("oid", function.oid).Set("proname", function.name).Set("proowner", owner);
      rows->Set("prosrc", function.name);
    }
  }
}

void MakeCollation(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  const int64_t owner = snapshot.OwnerOid(std::string(kRootUser));
  rows->Add().Set("oid", kDefaultCollationOid).Set("collname", std::string("default")).Set("collowner", owner);
  rows->Set("collprovider", std::string("d"));
  for (const auto& [oid, name] : {std::pair(950, "C"), std::pair(951, "POSIX")}) {
    rows->Add().Set("oid", int64_t{oid}).Set("collname", std::string(name)).Set("collowner", owner);
    rows->Set("collcollate", std::string(name)).Set("collctype", std::string(name));
  }
}

void MakeOperatorClass(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const OperatorClass& known : kOperatorClasses) {
    rows->Add()
        .Set("oid", known.oid)
        .Set("opcname", std::string(known.name))
        .Set("opcowner", snapshot.OwnerOid(std::string(kRootUser)))
        .Set("opcfamily", known.family)
        .Set("opcintype", known.type);
  }
}

void MakeAccessMethod(const CatalogSnapshot&, CatalogRows* rows) {
  rows->Add().Set("oid", kHeapOid).Set("amname", std::string("heap")).Set("amtype", std::string("t"));
  rows->Add().Set("oid", kBtreeOid).Set("amname", std::string("btree")).Set("amtype", std::string("i"));
}

}  // namespace

int64_t DefaultOperatorClass(int64_t type) {
  constexpr int64_t kText = 25, kVarchar = 1043;
  if (type == kVarchar) type = kText;
  for (const OperatorClass& known : kOperatorClasses) {
    if (known.type == type) return known.oid;
  }
  return 0;
}

std::span<const CatalogDefinition> TypeCatalogs() {
  static const CatalogDefinition kAll[] = {
      {"pg_type", 1247,
       "oid oid, typname name, typnamespace oid = 11, typowner oid, typlen int2, typbyval bool, typtype char, "
       "typcategory char, typispreferred bool, typisdefined bool = t, typdelim char, typrelid oid = 0, "
       "typsubscript regproc = -, typelem oid, typarray oid, typinput regproc, typoutput regproc, typreceive regproc, "
       "typsend regproc, typmodin regproc = -, typmodout regproc = -, typanalyze regproc = -, typalign char, "
       "typstorage char, typnotnull bool = f, typbasetype oid = 0, typtypmod int4 = -1, typndims int4 = 0, "
       "typcollation oid, typdefaultbin tree, typdefault text, typacl acl[]",
       MakeType},
      {"pg_proc", 1255,
       "oid oid, proname name, pronamespace oid = 11, proowner oid, prolang oid = 12, procost float4 = 1, "
       "prorows float4 = 0, provariadic oid = 0, prosupport regproc = -, prokind char = f, prosecdef bool = f, "
       "proleakproof bool = f, proisstrict bool = t, proretset bool = f, provolatile char = i, proparallel char = s, "
       "pronargs int2 = 1, pronargdefaults int2 = 0, prorettype oid = 0, proargtypes oidvector, proallargtypes oid[], "
       "proargmodes char[], proargnames text[], proargdefaults tree, protrftypes oid[], prosrc text, probin text, "
       "prosqlbody tree, proconfig text[], proacl acl[]",
       MakeProc},
      {"pg_collation", 3456,
       "oid oid, collname name, collnamespace oid = 11, collowner oid, collprovider char = c, "
       "collisdeterministic bool = t, collencoding int4 = -1, collcollate text, collctype text, colliculocale text, "
       "collversion text",
       MakeCollation},
      {"pg_opclass", 2616,
       "oid oid, opcmethod oid = 403, opcname name, opcnamespace oid = 11, opcowner oid, opcfamily oid, opcintype oid, "
       "opcdefault bool = t, opckeytype oid = 0",
       MakeOperatorClass},
      {"pg_am", 2601, "oid oid, amname name, amhandler regproc = -, amtype char", MakeAccessMethod},
  };
  return kAll;
}

}  // namespace anabranch
