// pg_database, pg_namespace and what else describes the server as a whole.
#include "sql/catalog/object.h"
#include "sql/value/settings.h"

namespace anabranch {
namespace {

constexpr int64_t kUtf8 = 6;  // PostgreSQL's number of the encoding

int64_t RootOid(const CatalogSnapshot& snapshot) { return snapshot.OwnerOid(std::string(kRootUser)); }

void MakeDatabase(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  rows->Add()
      .Set("oid", kDatabaseOid)
      .Set("datname", std::string(kDatabaseName))
      .Set("datdba", RootOid(snapshot))
      .Set("encoding", kUtf8)
      .Set("dattablespace", kDefaultTablespaceOid);
}

void MakeNamespace(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const SchemaName& schema : SchemaNames()) {
    rows->Add().Set("oid", schema.oid).Set("nspname", std::string(schema.name)).Set("nspowner", RootOid(snapshot));
  }
}

void MakeTablespace(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  rows->Add().Set("oid", kDefaultTablespaceOid).Set("spcname", std::string("pg_default"));
  rows->Set("spcowner", RootOid(snapshot));
}

void MakeLanguage(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const auto& [oid, name] : {std::pair(12, "internal"), std::pair(14, "sql")}) {
    rows->Add().Set("oid", int64_t{oid}).Set("lanname", std::string(name)).Set("lanowner", RootOid(snapshot));
  }
}

void MakeSettings(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const std::string_view name : Settings::Names()) {
    const std::string value = snapshot.settings->Get(name).value_or("");
    rows->Add().Set("name", std::string(name)).Set("setting", value);
  }
}

}  // namespace

std::span<const SchemaName> SchemaNames() {
  static constexpr SchemaName kAll[] = {{kPgCatalogOid, "pg_catalog"},
                                        {kPublicSchemaOid, "public"},
                                        {kInformationSchemaOid, "information_schema"},
                                        {kInternalSchemaOid, "crdb_internal"}};
  return kAll;
}

std::span<const CatalogDefinition> DatabaseCatalogs() {
  static const CatalogDefinition kAll[] = {
      {"pg_database", 1262,
       "oid oid, datname name, datdba oid, encoding int4, datlocprovider char = c, datistemplate bool = f, "
       "datallowconn bool = t, datconnlimit int4 = -1, datfrozenxid xid = 0, datminmxid xid = 0, dattablespace oid, "
       "datcollate text = C, datctype text = C, daticulocale text, datcollversion text, datacl acl[]",
       MakeDatabase},
      {"pg_namespace", 2615, "oid oid, nspname name, nspowner oid, nspacl acl[]", MakeNamespace},
      {"pg_tablespace", 1213, "oid oid, spcname name, spcowner oid, spcacl acl[], spcoptions text[]", MakeTablespace},
      {"pg_language", 2612,
       "oid oid, lanname name, lanowner oid, lanispl bool = f, lanpltrusted bool = f, lanplcallfoid oid = 0, "
       "laninline oid = 0, lanvalidator oid = 0, lanacl acl[]",
       MakeLanguage},
      {"pg_settings", 0,
       "name text, setting text, unit text, category text, short_desc text, extra_desc text, context text = user, "
       "vartype text = string, source text = default, min_val text, max_val text, enumvals text[], boot_val text, "
       "reset_val text, sourcefile text, sourceline int4, pending_restart bool = f",
       MakeSettings},
  };
  return kAll;
}

}  // namespace anabranch
