// Catalogs of what does not exist here: clients ask them and find nothing.
#include "sql/catalog/relation.h"

namespace anabranch {

std::span<const CatalogDefinition> EmptyCatalogs() {
  static const CatalogDefinition kAll[] = {
      {"pg_description", 2609, "objoid oid, classoid oid, objsubid int4, description text", nullptr},
      {"pg_shdescription", 2396, "objoid oid, classoid oid, description text", nullptr},
      {"pg_views", 0, "schemaname name, viewname name, viewowner name, definition text", nullptr},
      {"pg_matviews", 0,
       "schemaname name, matviewname name, matviewowner name, tablespace name, hasindexes bool, ispopulated bool, "
       "definition text",
       nullptr},
      {"pg_range", 3541,
       "rngtypid oid, rngsubtype oid, rngmultitypid oid, rngcollation oid, rngsubopc oid, rngcanonical regproc, "
       "rngsubdiff regproc",
       nullptr},
      {"pg_enum", 3501, "oid oid, enumtypid oid, enumsortorder float4, enumlabel name", nullptr},
      {"pg_inherits", 2611, "inhrelid oid, inhparent oid, inhseqno int4, inhdetachpending bool", nullptr},
      {"pg_trigger", 2620,
       "oid oid, tgrelid oid, tgparentid oid, tgname name, tgfoid oid, tgtype int2, tgenabled char, tgisinternal bool, "
       "tgconstrrelid oid, tgconstrindid oid, tgconstraint oid, tgdeferrable bool, tginitdeferred bool, tgnargs int2, "
       "tgattr int2vector, tgargs bytea, tgqual tree, tgoldtable name, tgnewtable name",
       nullptr},
      {"pg_event_trigger", 3466,
       "oid oid, evtname name, evtevent name, evtowner oid, evtfoid oid, evtenabled char, evttags text[]", nullptr},
      {"pg_policy", 3256,
       "oid oid, polname name, polrelid oid, polcmd char, polpermissive bool, polroles oid[], polqual tree, "
       "polwithcheck tree",
       nullptr},
      {"pg_rewrite", 2618,
       "oid oid, rulename name, ev_class oid, ev_type char, ev_enabled char, is_instead bool, ev_qual tree, "
       "ev_action tree",
       nullptr},
      {"pg_statistic_ext", 3381,
       "oid oid, stxrelid oid, stxname name, stxnamespace oid, stxowner oid, stxstattarget int4, stxkeys int2vector, "
       "stxkind char[], stxexprs tree",
       nullptr},
      {"pg_publication", 6104,
       "oid oid, pubname name, pubowner oid, puballtables bool, pubinsert bool, pubupdate bool, pubdelete bool, "
       "pubtruncate bool, pubviaroot bool",
       nullptr},
      {"pg_publication_rel", 6106, "oid oid, prpubid oid, prrelid oid, prqual tree, prattrs int2vector", nullptr},
      {"pg_publication_namespace", 6237, "oid oid, pnpubid oid, pnnspid oid", nullptr},
      {"pg_subscription", 6100,
       "oid oid, subdbid oid, subskiplsn lsn, subname name, subowner oid, subenabled bool, subbinary bool, "
       "substream bool, subtwophasestate char, subdisableonerr bool, subconninfo text, subslotname name, "
       "subsynccommit text, subpublications text[]",
       nullptr},
      {"pg_foreign_table", 3118, "ftrelid oid, ftserver oid, ftoptions text[]", nullptr},
      {"pg_foreign_server", 1417,
       "oid oid, srvname name, srvowner oid, srvfdw oid, srvtype text, srvversion text, srvacl acl[], srvoptions text[]",
       nullptr},
      {"pg_foreign_data_wrapper", 2328,
       "oid oid, fdwname name, fdwowner oid, fdwhandler oid, fdwvalidator oid, fdwacl acl[], fdwoptions text[]", nullptr},
      {"pg_partitioned_table", 3350,
       "partrelid oid, partstrat char, partnatts int2, partdefid oid, partattrs int2vector, partclass oidvector, "
       "partcollation oidvector, partexprs tree",
       nullptr},
      {"pg_extension", 3079,
       "oid oid, extname name, extowner oid, extnamespace oid, extrelocatable bool, extversion text, extconfig oid[], "
       "extcondition text[]",
       nullptr},
      {"pg_db_role_setting", 2964, "setdatabase oid, setrole oid, setconfig text[]", nullptr},
      {"pg_default_acl", 826, "oid oid, defaclrole oid, defaclnamespace oid, defaclobjtype char, defaclacl acl[]", nullptr},
      {"pg_shdepend", 1214, "dbid oid, classid oid, objid oid, objsubid int4, refclassid oid, refobjid oid, deptype char",
       nullptr},
      {"pg_conversion", 2607,
       "oid oid, conname name, connamespace oid, conowner oid, conforencoding int4, contoencoding int4, conproc regproc, "
       "condefault bool",
       nullptr},
      {"pg_ts_config", 3602, "oid oid, cfgname name, cfgnamespace oid, cfgowner oid, cfgparser oid", nullptr},
      {"pg_prepared_xacts", 0, "transaction xid, gid text, prepared timestamptz, owner name, database name", nullptr},
  };
  return kAll;
}

}  // namespace anabranch
