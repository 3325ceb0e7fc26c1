#include <gtest/gtest.h>

#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

class AlterTableTest : public SessionFixture {
 protected:
  void Make() {
    session_->Run("CREATE TABLE t (id int PRIMARY KEY, a int); CREATE INDEX ta ON t (a)");
    session_->Run("INSERT INTO t VALUES (1, 10), (2, 20), (3, NULL)");
  }

  std::unique_ptr<TestSession> session_ = NewSession();
};

TEST_F(AlterTableTest, AddedColumnHasItsDefaultInOldRows) {
  Make();
  EXPECT_EQ(session_->Run("ALTER TABLE t ADD COLUMN b int DEFAULT 5, ADD c text"), "ALTER TABLE");
  EXPECT_EQ(session_->Run("SELECT * FROM t ORDER BY id"), "1|10|5|~\n2|20|5|~\n3|~|5|~");
  session_->Run("UPDATE t SET b = NULL WHERE id = 2");
  session_->Run("ALTER TABLE t ALTER b SET DEFAULT 6; INSERT INTO t (id) VALUES (4)");
  EXPECT_EQ(session_->Run("SELECT id, b FROM t ORDER BY id"), "1|5\n2|~\n3|5\n4|6");
  EXPECT_EQ(session_->Run("ALTER TABLE t ADD d int NOT NULL"),
            "23502: column \"d\" of relation \"t\" contains null values");
  EXPECT_EQ(session_->Run("ALTER TABLE t ADD COLUMN a int"), "42701: column \"a\" of relation \"t\" already exists");
  EXPECT_EQ(session_->Run("ALTER TABLE t ADD COLUMN IF NOT EXISTS a int"), "ALTER TABLE");
}

TEST_F(AlterTableTest, AddedSerialColumnNumbersOldRows) {
  Make();
  EXPECT_EQ(session_->Run("ALTER TABLE t ADD n serial"), "ALTER TABLE");
  session_->Run("INSERT INTO t (id) VALUES (4)");
  EXPECT_EQ(session_->Run("SELECT id, n FROM t ORDER BY id"), "1|1\n2|2\n3|3\n4|4");
  EXPECT_EQ(session_->Run("SELECT id FROM t WHERE a = 20"), "2");
}

TEST_F(AlterTableTest, DroppedColumnTakesItsIndexesAndChecksAlong) {
  Make();
  session_->Run("ALTER TABLE t ADD b int DEFAULT 1 CHECK (b < a), ADD c int DEFAULT 3");
  EXPECT_EQ(session_->Run("ALTER TABLE t DROP COLUMN a"), "ALTER TABLE");
  EXPECT_EQ(session_->Run("SELECT * FROM t ORDER BY id"), "1|1|3\n2|1|3\n3|1|3");
  EXPECT_EQ(session_->Run("CREATE INDEX ta ON t (b)"), "CREATE INDEX");
  EXPECT_EQ(session_->Run("ALTER TABLE t ADD a int; SELECT a FROM t WHERE id = 1"), "~");
  EXPECT_EQ(session_->Run("ALTER TABLE t DROP nothing"), "42703: column \"nothing\" of relation \"t\" does not exist");
}

TEST_F(AlterTableTest, PrimaryKeyComesAndGoes) {
  session_->Run("CREATE TABLE t (a int, b text); CREATE INDEX tb ON t (b)");
  session_->Run("INSERT INTO t VALUES (2, 'x'), (1, 'y'), (3, 'z')");
  EXPECT_EQ(session_->Run("ALTER TABLE t ADD PRIMARY KEY (a)"), "ALTER TABLE");
  EXPECT_EQ(session_->Run("SELECT * FROM t ORDER BY a"), "1|y\n2|x\n3|z");
  EXPECT_EQ(session_->Run("SELECT a FROM t WHERE b = 'y'"), "1");
  EXPECT_EQ(session_->Run("INSERT INTO t VALUES (1, 'w')"),
            "23505: duplicate key value violates unique constraint \"t_pkey\"");
  EXPECT_EQ(session_->Run("ALTER TABLE t ADD PRIMARY KEY (b)"),
            "42P16: multiple primary keys for table \"t\" are not allowed");
  EXPECT_EQ(session_->Run("ALTER TABLE t DROP CONSTRAINT t_pkey; INSERT INTO t VALUES (1, 'w')"), "INSERT 0 1");
  EXPECT_EQ(session_->Run("ALTER TABLE t ADD PRIMARY KEY (a)"), "23505: could not create unique index \"t_pkey\"");
  EXPECT_EQ(session_->Run("SELECT count(*) FROM t"), "4");
  session_->Run("ALTER TABLE t ALTER a DROP NOT NULL; DELETE FROM t WHERE b = 'w'; INSERT INTO t VALUES (NULL, 'n')");
  EXPECT_EQ(session_->Run("ALTER TABLE t ADD PRIMARY KEY (a)"),
            "23502: column \"a\" of relation \"t\" contains null values");
}

// Without indexes, checks and columns added since, the rows are not unpacked.
TEST_F(AlterTableTest, PrimaryKeyOfATableWithNothingElse) {
  session_->Run("CREATE TABLE t (gone int, a int, b char(4), c numeric(9, 2), d text)");
  session_->Run("INSERT INTO t VALUES (1, 2, 'x', 1.5, 'n'), (1, 1, 'y ', NULL, NULL), (NULL, 3, 'z', 10, '')");
  session_->Run("ALTER TABLE t DROP gone");
  const std::string rows = "1|y   |~|~\n2|x   |1.50|n\n3|z   |10.00|";
  for (const char* key : {"a", "b", "b, a", "a, b"}) {
    EXPECT_EQ(session_->Run(fmt::format("ALTER TABLE t ADD PRIMARY KEY ({})", key)), "ALTER TABLE");
    EXPECT_EQ(session_->Run("SELECT * FROM t ORDER BY a"), rows);
    EXPECT_EQ(session_->Run("SELECT a, d FROM t WHERE a = 2 AND b = 'x'"), "2|n");
    EXPECT_TRUE(session_->Run("INSERT INTO t VALUES (1, 'y')").starts_with("23505"));
    session_->Run("ALTER TABLE t DROP CONSTRAINT t_pkey");
  }
  EXPECT_EQ(session_->Run("ALTER TABLE t ADD PRIMARY KEY (c)"),
            "23502: column \"c\" of relation \"t\" contains null values");
  EXPECT_EQ(session_->Run("ALTER TABLE t ADD PRIMARY KEY (a), ALTER d SET NOT NULL"),
            "23502: column \"d\" of relation \"t\" contains null values");
  session_->Run("INSERT INTO t VALUES (1, 'w')");
  EXPECT_EQ(session_->Run("ALTER TABLE t ADD PRIMARY KEY (a)"), "23505: could not create unique index \"t_pkey\"");
  EXPECT_EQ(session_->Run("ALTER TABLE t ADD e int DEFAULT 7, ADD PRIMARY KEY (a, b)"), "ALTER TABLE");
  EXPECT_EQ(session_->Run("SELECT a, b, e FROM t ORDER BY a, b"), "1|w   |7\n1|y   |7\n2|x   |7\n3|z   |7");
}

TEST_F(AlterTableTest, RewrittenRowsKeepTheirNulls) {
  Make();
  session_->Run("ALTER TABLE t ADD b int DEFAULT 5; UPDATE t SET b = NULL WHERE id = 2");
  EXPECT_EQ(session_->Run("ALTER TABLE t DROP CONSTRAINT t_pkey, ADD c int DEFAULT 6"), "ALTER TABLE");
  EXPECT_EQ(session_->Run("SELECT id, b, c FROM t ORDER BY id"), "1|5|6\n2|~|6\n3|5|6");
  session_->Run("INSERT INTO t VALUES (4, NULL, NULL, NULL)");
  EXPECT_EQ(session_->Run("SELECT b, c FROM t WHERE id = 4"), "~|~");
}

TEST_F(AlterTableTest, IndexAtAnOldSnapshotIsRefusedOnceRowsChanged) {
  Make();
  session_->Run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM t");
  NewSession()->Run("DELETE FROM t WHERE id = 1");
  EXPECT_EQ(session_->Run("CREATE INDEX tx ON t (a)"),
            "40001: could not serialize access: table \"t\" changed since the transaction began");
}

TEST_F(AlterTableTest, ChecksOutliveARenamedTable) {
  session_->Run("CREATE TABLE r (a int, CHECK (r.a > 0)); ALTER TABLE r RENAME TO s");
  EXPECT_TRUE(session_->Run("INSERT INTO s VALUES (0)").starts_with("23514"));
}

TEST_F(AlterTableTest, ConstraintsAreHeldAgainstTheRowsThereAre) {
  Make();
  EXPECT_EQ(session_->Run("ALTER TABLE t ADD CONSTRAINT big CHECK (a > 10)"),
            "23514: check constraint \"big\" of relation \"t\" is violated by some row");
  EXPECT_EQ(session_->Run("ALTER TABLE t ADD CONSTRAINT big CHECK (a > 5)"), "ALTER TABLE");
  EXPECT_TRUE(session_->Run("INSERT INTO t VALUES (9, 1)").starts_with("23514"));
  EXPECT_EQ(session_->Run("ALTER TABLE t ADD UNIQUE (a)"), "ALTER TABLE");
  EXPECT_TRUE(session_->Run("INSERT INTO t VALUES (9, 10)").starts_with("23505"));
  EXPECT_EQ(session_->Run("ALTER TABLE t DROP CONSTRAINT t_a_key, DROP CONSTRAINT big"), "ALTER TABLE");
  EXPECT_EQ(session_->Run("INSERT INTO t VALUES (9, 1), (10, 10)"), "INSERT 0 2");
  EXPECT_EQ(session_->Run("ALTER TABLE t DROP CONSTRAINT big"),
            "42704: constraint \"big\" of relation \"t\" does not exist");
}

TEST_F(AlterTableTest, NotNullAndDefaults) {
  Make();
  EXPECT_EQ(session_->Run("ALTER TABLE t ALTER a SET NOT NULL"),
            "23502: column \"a\" of relation \"t\" contains null values");
  session_->Run("DELETE FROM t WHERE a IS NULL");
  EXPECT_EQ(session_->Run("ALTER TABLE t ALTER a SET NOT NULL, ALTER a SET DEFAULT 1"), "ALTER TABLE");
  session_->Run("INSERT INTO t (id) VALUES (4)");
  EXPECT_EQ(session_->Run("ALTER TABLE t ALTER a DROP DEFAULT"), "ALTER TABLE");
  EXPECT_TRUE(session_->Run("INSERT INTO t (id) VALUES (5)").starts_with("23502"));
  EXPECT_EQ(session_->Run("ALTER TABLE t ALTER a DROP NOT NULL; INSERT INTO t (id) VALUES (5)"), "INSERT 0 1");
  EXPECT_EQ(session_->Run("ALTER TABLE t ALTER id DROP NOT NULL"), "42P16: column \"id\" is in a primary key");
}

TEST_F(AlterTableTest, RenamesFollowThrough) {
  Make();
  session_->Run("ALTER TABLE t ADD CHECK (a > 0), ADD n serial");
  EXPECT_EQ(session_->Run("ALTER TABLE t RENAME a TO b"), "ALTER TABLE");
  EXPECT_EQ(session_->Run("ALTER TABLE t RENAME TO u"), "ALTER TABLE");
  EXPECT_EQ(session_->Run("ALTER INDEX ta RENAME TO ub"), "ALTER INDEX");
  EXPECT_EQ(session_->Run("ALTER SEQUENCE t_n_seq RENAME TO u_n_seq"), "ALTER SEQUENCE");
  EXPECT_EQ(session_->Run("SELECT id FROM t"), "42P01: relation \"t\" does not exist");
  EXPECT_TRUE(session_->Run("INSERT INTO u VALUES (9, 0)").starts_with("23514"));
  EXPECT_EQ(session_->Run("INSERT INTO u VALUES (9, 1) RETURNING n"), "5");  // the one refused has taken 4
  EXPECT_EQ(session_->Run("DROP INDEX ub; DROP TABLE u; CREATE SEQUENCE u_n_seq"), "CREATE SEQUENCE");
}

TEST_F(AlterTableTest, TypesOnlyWiden) {
  Make();
  EXPECT_EQ(session_->Run("ALTER TABLE t ALTER a TYPE bigint"), "ALTER TABLE");
  session_->Run("INSERT INTO t VALUES (4, 10000000000)");
  EXPECT_EQ(session_->Run("SELECT a FROM t WHERE a > 15 ORDER BY a"), "20\n10000000000");
  EXPECT_TRUE(session_->Run("ALTER TABLE t ALTER a TYPE int").starts_with("0A000"));
}

TEST_F(AlterTableTest, WhatHasNoEffectIsAccepted) {
  Make();
  for (const char* accepted :
       {"ALTER TABLE t SET (fillfactor = 70)", "ALTER TABLE t OWNER TO root", "VACUUM t", "VACUUM ANALYZE t", "ANALYZE",
        "CHECKPOINT", "REINDEX TABLE t", "CLUSTER t", "COMMENT ON TABLE t IS 'x'"}) {
    EXPECT_FALSE(session_->Run(accepted).find(": ") != std::string::npos) << session_->Run(accepted);
  }
  EXPECT_EQ(session_->Run("VACUUM nothing"), "42P01: relation \"nothing\" does not exist");
  session_->Run("BEGIN");
  EXPECT_EQ(session_->Run("VACUUM"), "25001: VACUUM cannot run inside a transaction block");
}

TEST_F(AlterTableTest, RolledBackAlterationLeavesEverything) {
  Make();
  session_->Run("BEGIN; ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id, a), DROP COLUMN a");
  session_->Run("ROLLBACK");
  EXPECT_EQ(session_->Run("SELECT * FROM t ORDER BY id"), "1|10\n2|20\n3|~");
  EXPECT_TRUE(session_->Run("INSERT INTO t VALUES (1, 1)").starts_with("23505"));
}

}  // namespace
}  // namespace anabranch
