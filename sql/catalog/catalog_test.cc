#include "sql/catalog/relation.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sql/session/session.h"
#include "sql/testing/test_session.h"
#include "sql/value/settings.h"

namespace anabranch {
namespace {

using testing::HasSubstr;

class CatalogTest : public SessionFixture {
 protected:
  std::string Run(std::string_view text) { return session_->Run(text); }
  void Seed() {
    ASSERT_EQ(Run("CREATE TABLE t (a INT PRIMARY KEY, b TEXT NOT NULL DEFAULT 'x', c NUMERIC(10,2), d SERIAL)"),
              "CREATE TABLE");
    ASSERT_EQ(Run("CREATE UNIQUE INDEX t_b ON t (b, c)"), "CREATE INDEX");
    ASSERT_EQ(Run("CREATE TABLE \"Odd\" (\"select\" INT)"), "CREATE TABLE");
  }

  std::unique_ptr<TestSession> session_ = NewSession();
};

TEST(CatalogRelationTest, RowsHaveTheirColumnsTypes) {
  const SessionContext session{.transaction = {}, .virtual_cluster = "main", .user = "root"};
  CatalogSnapshot snapshot;
  snapshot.session = &session;
  snapshot.users = {BuiltInUser("root"), BuiltInUser("admin")};
  const Settings settings("root");
  snapshot.settings = &settings;
  auto table = std::make_shared<Table>();
  table->oid = table->id = 100;
  table->name = "t";
  table->columns = {{.id = 1, .name = "a", .type = SqlType::kInt4, .not_null = true},
                    {.id = 2, .name = "b", .type = SqlType::kText, .default_expression = "'x'"}};
  table->next_column_id = 3;
  table->primary_key = {0};
  table->primary_key_name = "t_pkey";
  table->primary_key_oid = 101;
  table->checks = {{.name = "t_a_check", .expression = "(a > 0)"}};
  table->grants = {{.grantee = "", .grantor = "root", .privileges = 2}};
  snapshot.tables = {table};
  snapshot.sequences = {
      std::make_shared<Sequence>(Sequence{.oid = 102, .id = 102, .name = "s", .owner_table = "t", .owner_column = 1})};
  for (const CatalogRelation& relation : CatalogRelations()) {
    CatalogRows rows(relation);
    if (relation.make != nullptr) relation.make(snapshot, &rows);
    const std::vector<Row> made = rows.Take();
    EXPECT_EQ(made.empty(), relation.make == nullptr) << relation.name;
    for (const Row& row : made) {
      ASSERT_EQ(row.size(), relation.columns.size());
      for (size_t i = 0; i < row.size(); ++i) {
        if (IsNull(row[i])) continue;
        // What FromText makes of the text is of the right alternative; regxxx types are read by nobody.
        const absl::StatusOr<Datum> read = FromText(relation.columns[i].type, ToText(row[i]));
        if (!read.ok()) continue;
        EXPECT_EQ(read->index(), row[i].index()) << relation.name << "." << relation.columns[i].name;
      }
    }
  }
}

TEST_F(CatalogTest, NamesResolveAsInPostgres) {
  Seed();
  EXPECT_EQ(Run("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 2200 ORDER BY relname"), "Odd\nt");
  EXPECT_EQ(Run("SELECT count(*) FROM pg_catalog.pg_class WHERE relname = 't'"), "1");
  EXPECT_EQ(Run("SELECT count(*) FROM pg_catalog.pg_nothing"), "42P01: relation \"pg_catalog.pg_nothing\" does not exist");
  EXPECT_EQ(Run("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"), "Odd\nt");
  EXPECT_EQ(Run("SELECT * FROM tables"), "42P01: relation \"tables\" does not exist");
  EXPECT_THAT(Run("DELETE FROM pg_catalog.pg_class"),
              HasSubstr("42501: permission denied: \"pg_class\" is a system catalog"));
}

TEST_F(CatalogTest, ColumnsKeysAndIndexes) {
  Seed();
  EXPECT_EQ(
      Run("SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute WHERE attrelid = regclassin('t') "
          "AND attnum > 0 ORDER BY attnum"),
      "a|integer|t\nb|text|t\nc|numeric(10,2)|f\nd|integer|t");
  EXPECT_EQ(
      Run("SELECT indexdef FROM pg_indexes WHERE tablename = 't' ORDER BY 1"),
      "CREATE UNIQUE INDEX t_b ON public.t USING btree (b, c)\nCREATE UNIQUE INDEX t_pkey ON public.t USING btree (a)");
  EXPECT_EQ(Run("SELECT indkey, indisprimary FROM pg_index WHERE indrelid = regclassin('t') ORDER BY indisprimary"),
            "2 3|f\n1|t");
  EXPECT_EQ(Run("SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = regclassin('t')"),
            "t_pkey|PRIMARY KEY (a)");
  EXPECT_EQ(Run("SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = regclassin('t') AND adnum = 2"),
            "'x'::text");
  EXPECT_EQ(Run("SELECT pg_get_serial_sequence('t', 'd')"), "public.t_d_seq");
}

TEST_F(CatalogTest, ObjectIdsLastAsLongAsTheObject) {
  Seed();
  const std::string before = Run("SELECT oid FROM pg_class WHERE relname = 't'");
  ASSERT_EQ(Run("TRUNCATE t"), "TRUNCATE TABLE");
  EXPECT_EQ(Run("SELECT oid FROM pg_class WHERE relname = 't'"), before);
  EXPECT_EQ(Run("SELECT count(*) FROM pg_class"), Run("SELECT count(DISTINCT oid) FROM pg_class"));
}

TEST_F(CatalogTest, NamesOfObjectsAsNumbersAndBack) {
  Seed();
  EXPECT_EQ(Run("SELECT 't'::regclass, '\"Odd\"'::regclass, 'pg_class'::regclass::oid, 1259::regclass"),
            "t|\"Odd\"|1259|pg_class");
  EXPECT_EQ(Run("SELECT 'information_schema.tables'::regclass, 0::regclass, 99::regclass, '-'::regtype"),
            "information_schema.tables|-|99|-");
  EXPECT_EQ(Run("SELECT 'int4'::regtype, 'character varying(10)'::regtype::oid, '_int4'::regtype, 'inet'::regtype"),
            "integer|1043|integer[]|inet");
  EXPECT_EQ(Run("SELECT 'pg_catalog.array_in'::regproc, 'public'::regnamespace, 'root'::regrole::oid"),
            "array_in|public|10");
  EXPECT_EQ(Run("SELECT 'nothing'::regclass"), "42P01: relation \"nothing\" does not exist");
  EXPECT_EQ(Run("SELECT 'nothing'::regtype"), "42704: type \"nothing\" does not exist");
  EXPECT_EQ(Run("SELECT 'nothing'::regproc"), "42883: function \"nothing\" does not exist");
  EXPECT_EQ(Run("SELECT 'nothing'::regnamespace"), "3F000: schema \"nothing\" does not exist");
  EXPECT_EQ(Run("SELECT 'nothing'::regrole"), "42704: role \"nothing\" does not exist");
  EXPECT_EQ(Run("SELECT to_regclass('nothing'), to_regtype('nothing'), to_regrole('nobody'), to_regnamespace('nowhere')"),
            "~|~|~|~");
  EXPECT_EQ(session_->Describe("SELECT to_regclass('t'), $1::regtype"), "text -> to_regclass:regclass regtype:regtype");
}

TEST_F(CatalogTest, ColumnsHaveThePostgresTypes) {
  EXPECT_EQ(session_->Describe("SELECT oid, relname, relkind, relnatts, reltuples, relacl, reloptions FROM pg_class"),
            "-> oid:oid relname:name relkind:\"char\" relnatts:smallint reltuples:real relacl:aclitem[] reloptions:text[]");
  EXPECT_EQ(session_->Describe("SELECT indkey, indclass, indpred FROM pg_index"),
            "-> indkey:int2vector indclass:oidvector indpred:pg_node_tree");
  EXPECT_EQ(session_->Describe("SELECT typinput, conkey, relfrozenxid FROM pg_type, pg_constraint, pg_class"),
            "-> typinput:regproc conkey:smallint[] relfrozenxid:xid");
}

TEST_F(CatalogTest, DefaultsAsPostgresPrintsThem) {
  ASSERT_EQ(Run("CREATE TABLE d (a char(5) DEFAULT 'ab', b varchar(4) DEFAULT 'it''s', c date DEFAULT '2024-01-01', "
                "d int DEFAULT '5', e bool DEFAULT 't', f numeric(5,2) DEFAULT 1.5, g timestamptz DEFAULT now(), "
                "h int DEFAULT -1, i text DEFAULT 'x'::text, j jsonb DEFAULT '{}', k int GENERATED ALWAYS AS IDENTITY)"),
            "CREATE TABLE");
  EXPECT_EQ(Run("SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'd'::regclass ORDER BY adnum"),
            "'ab'::bpchar\n'it''s'::character varying\n'2024-01-01'::date\n5\ntrue\n1.5\nnow()\n'-1'::integer\n"
            "'x'::text\n'{}'::jsonb");
  EXPECT_EQ(Run("SELECT attidentity, atthasdef FROM pg_attribute WHERE attrelid = 'd'::regclass AND attname = 'k'"), "a|f");
}

TEST_F(CatalogTest, SequencesTellTheirLastNumber) {
  ASSERT_EQ(Run("CREATE SEQUENCE s; CREATE USER alice"), "CREATE ROLE");
  const char* last = "SELECT last_value FROM pg_sequences WHERE sequencename = 's'";
  EXPECT_EQ(Run(last), "~");
  ASSERT_EQ(Run("SELECT nextval('s'), nextval('s')"), "1|2");
  EXPECT_EQ(Run(last), "2");
  ASSERT_EQ(Run("SELECT setval('s', 10)"), "10");
  EXPECT_EQ(Run(last), "10");
  SessionContext alice = Context();
  alice.user = "alice";
  EXPECT_EQ(TestSession(alice).Run(last), "~");
}

TEST_F(CatalogTest, ASessionSeesItself) {
  EXPECT_EQ(Run("SELECT usename, datname, state, pid = pg_backend_pid() FROM pg_stat_activity"), "root|defaultdb|active|t");
}

TEST_F(CatalogTest, OwnUncommittedTablesAreSeen) {
  EXPECT_EQ(Run("BEGIN; CREATE TABLE mine (a INT); SELECT count(*) FROM pg_tables WHERE tablename = 'mine'"), "1");
  EXPECT_EQ(NewSession()->Run("SELECT count(*) FROM pg_tables WHERE tablename = 'mine'"), "0");
  EXPECT_EQ(Run("ROLLBACK; SELECT count(*) FROM pg_tables WHERE tablename = 'mine'"), "0");
}

TEST_F(CatalogTest, UsersAndGrants) {
  Seed();
  ASSERT_EQ(Run("CREATE USER alice; CREATE ROLE staff; GRANT staff TO alice; GRANT SELECT ON t TO alice"), "GRANT");
  EXPECT_EQ(Run("SELECT rolname, rolcanlogin, rolsuper FROM pg_roles ORDER BY 1"),
            "admin|f|t\nalice|t|f\nroot|t|t\nstaff|f|f");
  EXPECT_EQ(Run("SELECT relacl FROM pg_class WHERE relname = 't'"), "{root=arwdDxt/root,alice=r/root}");
  EXPECT_EQ(Run("SELECT has_table_privilege('alice', 't', 'SELECT'), has_table_privilege('alice', 't', 'DELETE')"), "t|f");
  EXPECT_EQ(Run("SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 't'"), "root");
}

TEST_F(CatalogTest, Show) {
  Seed();
  EXPECT_EQ(Run("SHOW TABLES"), "public|Odd|table|root|~|~\npublic|t|table|root|~|~\npublic|t_d_seq|sequence|root|~|~");
  EXPECT_EQ(session_->last().columns, "schema_name,table_name,type,owner,estimated_row_count,locality");
  EXPECT_EQ(Run("SHOW COLUMNS FROM \"Odd\""), "select|integer|t|~||{}|f");
  EXPECT_EQ(Run("SHOW INDEXES FROM public.t"),
            "t|t_pkey|f|1|a|a|ASC|f|f|t\nt|t_b|f|1|b|b|ASC|f|f|t\nt|t_b|f|2|c|c|ASC|f|f|t");
  EXPECT_EQ(Run("SHOW CREATE TABLE \"Odd\""), "Odd|CREATE TABLE public.\"Odd\" (\n  \"select\" integer\n)");
  EXPECT_EQ(Run("SHOW COLUMNS FROM nothing"), "42P01: relation \"nothing\" does not exist");
  EXPECT_EQ(Run("SHOW USERS"),
            "admin|CREATEDB, CREATEROLE, NOLOGIN, SUPERUSER|{}\nroot|CREATEDB, CREATEROLE, SUPERUSER|{admin}");
  EXPECT_EQ(Run("SHOW DATABASES"), "defaultdb|root|~|~|~|~");
}

TEST_F(CatalogTest, Functions) {
  EXPECT_EQ(Run("SELECT format_type(23, NULL), format_type(1043, 14), format_type(1009, -1), format_type(0, NULL)"),
            "integer|character varying(10)|text[]|-");
  EXPECT_EQ(Run("SELECT pg_size_pretty(10239::int8), pg_size_pretty(10240::int8), pg_size_pretty(123456789::int8)"),
            "10239 bytes|10 kB|118 MB");
  EXPECT_EQ(Run("SELECT pg_size_pretty(pg_table_size('pg_class')), pg_database_size('defaultdb')"), "~|~");
  EXPECT_EQ(Run("SELECT current_schemas(true), pg_encoding_to_char(6)"), "{pg_catalog,public}|UTF8");
  EXPECT_EQ(Run("SELECT (current_schemas(false))[1], 'public' = ANY(current_schemas(false))"), "public|t");
}

}  // namespace
}  // namespace anabranch
