// pg_class and what describes tables, indexes, sequences and their columns.
#include "base/status.h"
#include "sql/catalog/object.h"
#include "sql/stored/privilege.h"
#include "sql/stored/session_context.h"
#include "sql/value/settings.h"

namespace anabranch {
namespace {

constexpr int64_t kPgClassOid = 1259;

int64_t SchemaOid(std::string_view schema) {
  if (schema == "information_schema") return kInformationSchemaOid;
  return schema == "crdb_internal" ? kInternalSchemaOid : kPgCatalogOid;
}

std::vector<int64_t> AttributeNumbers(const IndexView& index) {
  std::vector<int64_t> numbers;
  for (const int position : *index.columns) numbers.push_back(AttributeNumber(index.table->columns[position]));
  return numbers;
}

std::string AclItem(std::string_view grantee, uint32_t privileges, uint32_t grantable, std::string_view grantor) {
  std::string item = fmt::format("{}=", grantee);
  for (const PrivilegeName& known : PrivilegeNames()) {
    const auto bit = static_cast<uint32_t>(known.privilege);
    if ((privileges & bit) == 0) continue;
    item += known.letter;
    if ((grantable & bit) != 0) item += '*';
  }
  return fmt::format("{}/{}", item, grantor);
}

// Grants as an aclitem[]: "{root=arwdDxt/root,=r/root}". Null if nothing was ever granted.
Datum AclOf(const std::string& owner, const std::vector<Grant>& grants, uint32_t all) {
  if (grants.empty()) return Null();
  std::vector<std::string> items = {AclItem(owner, all, 0, owner)};
  for (const Grant& grant : grants)
    items.push_back(AclItem(grant.grantee, grant.privileges, grant.grantable, grant.grantor));
  return ArrayValue(items);
}

void MakeClass(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const TableRef& table : snapshot.tables) {
    const std::vector<IndexView> indexes = IndexesOf(*table);
    rows->Add()
        .Set("oid", TableOid(*table))
        .Set("relname", table->name)
        .Set("relnamespace", kPublicSchemaOid)
        .Set("relowner", snapshot.OwnerOid(table->owner))
        .Set("relam", kHeapOid)
        .Set("relfilenode", CatalogOid(table->id))
        .Set("relhasindex", !indexes.empty())
        .Set("relkind", std::string("r"))
        .Set("relnatts", static_cast<int64_t>(table->next_column_id) - 1)
        .Set("relchecks", static_cast<int64_t>(table->checks.size()))
        .Set("relreplident", std::string("d"))
        .Set("relacl", AclOf(table->owner, table->grants, kTablePrivileges));
    for (const IndexView& index : indexes) {
      rows->Add()
          .Set("oid", index.oid)
          .Set("relname", std::string(index.name))
          .Set("relnamespace", kPublicSchemaOid)
          .Set("relowner", snapshot.OwnerOid(table->owner))
          .Set("relam", kBtreeOid)
          .Set("relfilenode", index.oid)
          .Set("relkind", std::string("i"))
          .Set("relnatts", static_cast<int64_t>(index.columns->size()));
    }
  }
  for (const SequenceRef& sequence : snapshot.sequences) {
    rows->Add()
        .Set("oid", SequenceOid(*sequence))
        .Set("relname", sequence->name)
        .Set("relnamespace", kPublicSchemaOid)
        .Set("relowner", snapshot.OwnerOid(sequence->owner))
        .Set("relfilenode", CatalogOid(sequence->id))
        .Set("relkind", std::string("S"))
        .Set("relnatts", int64_t{3})
        .Set("relacl", AclOf(sequence->owner, sequence->grants, kSequencePrivileges));
  }
  for (const CatalogRelation& relation : CatalogRelations()) {
    rows->Add()
        .Set("oid", relation.oid)
        .Set("relname", relation.name)
        .Set("relnamespace", SchemaOid(relation.schema))
        .Set("relowner", snapshot.OwnerOid(std::string(kRootUser)))
        .Set("relam", relation.kind == 'r' ? kHeapOid : int64_t{0})
        .Set("relfilenode", relation.kind == 'r' ? relation.oid : int64_t{0})
        .Set("relkind", std::string(1, relation.kind))
        .Set("relnatts", static_cast<int64_t>(relation.columns.size()));
  }
}

void AddAttribute(int64_t relation, std::string_view name, int64_t number, int64_t type, int32_t modifier,
                  CatalogRows* rows) {
  const TypeFacts* facts = FindTypeFacts(type);
  rows->Add()
      .Set("attrelid", relation)
      .Set("attname", std::string(name))
      .Set("atttypid", type)
      .Set("attlen", int64_t{facts->length})
      .Set("attnum", number)
      .Set("attndims", int64_t{facts->element != 0 && facts->category == 'A' ? 1 : 0})
      .Set("atttypmod", int64_t{modifier})
      .Set("attbyval", facts->by_value)
      .Set("attalign", std::string(1, facts->alignment))
      .Set("attstorage", std::string(1, facts->storage))
      .Set("attcollation", facts->collation);
}

// What an identity column takes its values from is no default.
bool HasDefault(const Column& column) { return !column.default_expression.empty() && column.identity == 0; }

void MakeAttribute(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const TableRef& table : snapshot.tables) {
    for (const Column& column : table->columns) {
      AddAttribute(TableOid(*table), column.name, AttributeNumber(column), TypeOid(column.type), ModifierOf(column), rows);
      rows->Set("attnotnull", column.not_null).Set("atthasdef", HasDefault(column));
      if (column.identity != 0) rows->Set("attidentity", std::string(1, column.identity));
    }
    for (const IndexView& index : IndexesOf(*table)) {
      int64_t number = 0;
      for (const int position : *index.columns) {
        const Column& column = table->columns[position];
        AddAttribute(index.oid, column.name, ++number, TypeOid(column.type), ModifierOf(column), rows);
      }
    }
  }
  for (const CatalogRelation& relation : CatalogRelations()) {
    int64_t number = 0;
    for (const CatalogColumn& column : relation.columns) {
      AddAttribute(relation.oid, column.name, ++number, TypeOid(column.type), kNoTypeModifier, rows);
    }
  }
}

void MakeAttrdef(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const TableRef& table : snapshot.tables) {
    for (const Column& column : table->columns) {
      if (!HasDefault(column)) continue;
      rows->Add()
          .Set("oid", DefaultOid(*table, column))
          .Set("adrelid", TableOid(*table))
          .Set("adnum", AttributeNumber(column))
          .Set("adbin", DefaultDefinition(column, *snapshot.settings->zone()));
    }
  }
}

void MakeIndex(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const TableRef& table : snapshot.tables) {
    for (const IndexView& index : IndexesOf(*table)) {
      std::vector<int64_t> collations;
      std::vector<int64_t> classes;
      for (const int position : *index.columns) {
        const TypeFacts* facts = FindTypeFacts(TypeOid(table->columns[position].type));
        collations.push_back(facts->collation);
        classes.push_back(DefaultOperatorClass(facts->oid));
      }
      const auto count = static_cast<int64_t>(index.columns->size());
      rows->Add()
          .Set("indexrelid", index.oid)
          .Set("indrelid", TableOid(*table))
          .Set("indnatts", count)
          .Set("indnkeyatts", count)
          .Set("indisunique", index.unique)
          .Set("indisprimary", index.primary)
          .Set("indkey", VectorValue(AttributeNumbers(index)))
          .Set("indcollation", VectorValue(std::move(collations)))
          .Set("indclass", VectorValue(std::move(classes)))
          .Set("indoption", VectorValue(std::vector<int64_t>(count, 0)));
    }
  }
}

void MakeConstraint(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const TableRef& table : snapshot.tables) {
    for (const ConstraintView& constraint : ConstraintsOf(*table)) {
      rows->Add()
          .Set("oid", constraint.oid)
          .Set("conname", std::string(constraint.name))
          .Set("contype", std::string(1, constraint.kind))
          .Set("conrelid", TableOid(*table))
          .Set("conindid", constraint.index ? constraint.index->oid : int64_t{0});
      if (constraint.index) {
        rows->Set("conkey", NumbersValue(AttributeNumbers(*constraint.index)));
      } else {
        rows->Set("connoinherit", false).Set("conbin", *constraint.expression);
      }
    }
  }
}

// Sequences that go with a column.
void MakeDepend(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const SequenceRef& sequence : snapshot.sequences) {
    for (const TableRef& table : snapshot.tables) {
      if (table->name != sequence->owner_table) continue;
      for (const Column& column : table->columns) {
        if (column.id != sequence->owner_column) continue;
        rows->Add()
            .Set("classid", kPgClassOid)
            .Set("objid", SequenceOid(*sequence))
            .Set("refclassid", kPgClassOid)
            .Set("refobjid", TableOid(*table))
            .Set("refobjsubid", AttributeNumber(column))
            .Set("deptype", std::string(column.identity != 0 ? "i" : "a"));
      }
    }
  }
}

void MakeSequence(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const SequenceRef& sequence : snapshot.sequences) {
    rows->Add()
        .Set("seqrelid", SequenceOid(*sequence))
        .Set("seqtypid", TypeOid(sequence->type))
        .Set("seqstart", sequence->start)
        .Set("seqincrement", sequence->increment)
        .Set("seqmax", sequence->max)
        .Set("seqmin", sequence->min)
        .Set("seqcache", sequence->cache)
        .Set("seqcycle", sequence->cycle);
  }
}

bool MayRead(const Identity& identity, const Sequence& sequence) {
  constexpr auto kReads = static_cast<uint32_t>(Privilege::kSelect) | static_cast<uint32_t>(Privilege::kUsage);
  return identity.admin || identity.Has(sequence.owner) || (GrantedTo(sequence.grants, identity) & kReads) != 0;
}

void MakeSequences(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  const Identity identity = IdentityOf(snapshot.users, snapshot.session->user);
  for (const SequenceRef& sequence : snapshot.sequences) {
    rows->Add()
        .Set("sequencename", sequence->name)
        .Set("sequenceowner", sequence->owner)
        .Set("data_type", TypeValue(TypeOid(sequence->type)))
        .Set("start_value", sequence->start)
        .Set("min_value", sequence->min)
        .Set("max_value", sequence->max)
        .Set("increment_by", sequence->increment)
        .Set("cycle", sequence->cycle)
        .Set("cache_size", sequence->cache);
    const auto last = snapshot.last_values.find(sequence->oid);
    if (last != snapshot.last_values.end() && MayRead(identity, *sequence)) rows->Set("last_value", last->second);
  }
}

void MakeTables(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const TableRef& table : snapshot.tables) {
    rows->Add()
        .Set("schemaname", std::string("public"))
        .Set("tablename", table->name)
        .Set("tableowner", table->owner)
        .Set("hasindexes", !IndexesOf(*table).empty());
  }
  for (const CatalogRelation& relation : CatalogRelations()) {
    if (relation.kind != 'r') continue;
    rows->Add()
        .Set("schemaname", relation.schema)
        .Set("tablename", relation.name)
        .Set("tableowner", std::string(kRootUser))
        .Set("hasindexes", false);
  }
}

void MakeIndexes(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const TableRef& table : snapshot.tables) {
    for (const IndexView& index : IndexesOf(*table)) {
      rows->Add()
          .Set("tablename", table->name)
          .Set("indexname", std::string(index.name))
          .Set("indexdef", IndexDefinition(index, NameStyle::kQualified));
    }
  }
}

}  // namespace

std::span<const CatalogDefinition> ClassCatalogs() {
  static const CatalogDefinition kAll[] = {
      {"pg_class", kPgClassOid,
       "oid oid, relname name, relnamespace oid, reltype oid = 0, reloftype oid = 0, relowner oid, relam oid = 0, "
       "relfilenode oid, reltablespace oid = 0, relpages int4 = 0, reltuples float4 = -1, relallvisible int4 = 0, "
       "reltoastrelid oid = 0, relhasindex bool = f, relisshared bool = f, relpersistence char = p, relkind char, "
       "relnatts int2, relchecks int2 = 0, relhasrules bool = f, relhastriggers bool = f, relhassubclass bool = f, "
       "relrowsecurity bool = f, relforcerowsecurity bool = f, relispopulated bool = t, relreplident char = n, "
       "relispartition bool = f, relrewrite oid = 0, relfrozenxid xid = 0, relminmxid xid = 0, relacl acl[], "
       "reloptions text[], relpartbound tree",
       MakeClass},
      {"pg_attribute", 1249,
       "attrelid oid, attname name, atttypid oid, attstattarget int4 = -1, attlen int2, attnum int2, attndims int4, "
       "attcacheoff int4 = -1, atttypmod int4, attbyval bool, attalign char, attstorage char, attcompression char = '', "
       "attnotnull bool = f, atthasdef bool = f, atthasmissing bool = f, attidentity char = '', attgenerated char = '', "
       "attisdropped bool = f, attislocal bool = t, attinhcount int4 = 0, attcollation oid, attacl acl[], "
       "attoptions text[], attfdwoptions text[], attmissingval text[]",
       MakeAttribute},
      {"pg_attrdef", 2604, "oid oid, adrelid oid, adnum int2, adbin tree", MakeAttrdef},
      {"pg_index", 2610,
       "indexrelid oid, indrelid oid, indnatts int2, indnkeyatts int2, indisunique bool, indnullsnotdistinct bool = f, "
       "indisprimary bool, indisexclusion bool = f, indimmediate bool = t, indisclustered bool = f, indisvalid bool = t, "
       "indcheckxmin bool = f, indisready bool = t, indislive bool = t, indisreplident bool = f, indkey int2vector, "
       "indcollation oidvector, indclass oidvector, indoption int2vector, indexprs tree, indpred tree",
       MakeIndex},
      {"pg_constraint", 2606,
       "oid oid, conname name, connamespace oid = 2200, contype char, condeferrable bool = f, condeferred bool = f, "
       "convalidated bool = t, conrelid oid, contypid oid = 0, conindid oid, conparentid oid = 0, confrelid oid = 0, "
       "confupdtype char = ' ', confdeltype char = ' ', confmatchtype char = ' ', conislocal bool = t, "
       "coninhcount int4 = 0, connoinherit bool = t, conkey int2[], confkey int2[], conpfeqop oid[], conppeqop oid[], "
       "conffeqop oid[], confdelsetcols int2[], conexclop oid[], conbin tree",
       MakeConstraint},
      {"pg_depend", 2608,
       "classid oid, objid oid, objsubid int4 = 0, refclassid oid, refobjid oid, refobjsubid int4, deptype char",
       MakeDepend},
      {"pg_sequence", 2224,
       "seqrelid oid, seqtypid oid, seqstart int8, seqincrement int8, seqmax int8, seqmin int8, seqcache int8, "
       "seqcycle bool",
       MakeSequence},
      {"pg_sequences", 0,
       "schemaname name = public, sequencename name, sequenceowner name, data_type regtype, start_value int8, "
       "min_value int8, max_value int8, increment_by int8, cycle bool, cache_size int8, last_value int8",
       MakeSequences},
      {"pg_tables", 0,
       "schemaname name, tablename name, tableowner name, tablespace name, hasindexes bool, hasrules bool = f, "
       "hastriggers bool = f, rowsecurity bool = f",
       MakeTables},
      {"pg_indexes", 0, "schemaname name = public, tablename name, indexname name, tablespace name, indexdef text",
       MakeIndexes},
  };
  return kAll;
}

}  // namespace anabranch
