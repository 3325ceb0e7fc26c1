// Secondary indexes: their entries follow the rows, and unique ones keep rows apart.
#include <gtest/gtest.h>

#include <thread>

#include "sql/stored/index_entry.h"
#include "sql/stored/row_codec.h"
#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

class IndexTest : public SessionFixture {
 protected:
  // Every index of `table` has exactly one entry for each row, and it leads to that row. The number of rows, or what is
  // wrong.
  std::string CheckIndexes(const std::string& name) {
    const auto transaction = Transaction::Begin(Context().transaction, IsolationLevel::kReadCommitted);
    EXPECT_TRUE(transaction->BeginStatement().ok());
    TableReader tables;
    const TableRef table = *tables.Get(*transaction, name);
    std::map<std::string, std::string> rows = Under(*transaction, table->id);
    for (const Index& index : table->indexes) {
      std::map<std::string, std::string> wanted;
      for (const auto& [key, value] : rows) {
        Row row(table->columns.size());
        EXPECT_TRUE(DecodeRow(*table, key, value, &row).ok());
        const IndexEntry entry = EncodeIndexEntry(*table, index, row, key);
        wanted[entry.key] = entry.value;
        const auto row_key = RowKeyOfEntry(*table, index, entry.key, entry.value);
        if (!row_key.ok() || *row_key != key) return "an entry of " + index.name + " leads to another row";
      }
      if (Under(*transaction, index.id) != wanted) return "the entries of " + index.name + " are not those of the rows";
    }
    return std::to_string(rows.size());
  }

  static std::map<std::string, std::string> Under(Transaction& transaction, uint64_t id) {
    const auto scan = transaction.Scan({TablePrefix(id), PrefixEnd(TablePrefix(id))});
    std::map<std::string, std::string> found;
    while (*scan->Next()) found[std::string(scan->key())] = std::string(scan->value());
    return found;
  }

  std::unique_ptr<TestSession> session_ = NewSession();
};

TEST_F(IndexTest, EntriesFollowInsertUpdateAndDelete) {
  session_->Run("CREATE TABLE t (id int PRIMARY KEY, a int, b text, UNIQUE (b)); CREATE INDEX ON t (a, b)");
  EXPECT_EQ(session_->Run("INSERT INTO t VALUES (1, 10, 'x'), (2, NULL, 'y'), (3, NULL, NULL), (4, 10, NULL)"),
            "INSERT 0 4");
  EXPECT_EQ(CheckIndexes("t"), "4");
  session_->Run("UPDATE t SET a = a + 1, b = b || '!' WHERE id < 4");
  EXPECT_EQ(CheckIndexes("t"), "4");
  session_->Run("UPDATE t SET id = id + 100");
  EXPECT_EQ(CheckIndexes("t"), "4");
  EXPECT_EQ(session_->Run("SELECT * FROM t ORDER BY id"), "101|11|x!\n102|~|y!\n103|~|~\n104|10|~");
  session_->Run("DELETE FROM t WHERE id IN (101, 103)");
  EXPECT_EQ(CheckIndexes("t"), "2");
}

TEST_F(IndexTest, EntriesFollowRowsWithoutPrimaryKey) {
  session_->Run("CREATE TABLE t (a int, n numeric); CREATE INDEX i ON t (n, a); CREATE UNIQUE INDEX u ON t (n)");
  session_->Run("INSERT INTO t SELECT g, g / 4.0 FROM generate_series(1, 20) g");
  session_->Run("UPDATE t SET n = n + 100 WHERE a % 2 = 0; DELETE FROM t WHERE a % 3 = 0");
  EXPECT_EQ(CheckIndexes("t"), "14");
}

TEST_F(IndexTest, UniqueIndexRefusesASecondRowAndAllowsNulls) {
  session_->Run("CREATE TABLE t (id int PRIMARY KEY, a int, b int, CONSTRAINT ab UNIQUE (a, b))");
  session_->Run("INSERT INTO t VALUES (1, 1, 1), (2, 1, NULL), (3, 1, NULL)");
  EXPECT_EQ(session_->Run("INSERT INTO t VALUES (4, 1, 1)"),
            "23505: duplicate key value violates unique constraint \"ab\"");
  EXPECT_EQ(session_->Run("UPDATE t SET b = 1 WHERE id = 2"),
            "23505: duplicate key value violates unique constraint \"ab\"");
  EXPECT_EQ(CheckIndexes("t"), "3");
  EXPECT_EQ(session_->Run("DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (4, 1, 1)"), "INSERT 0 1");
  EXPECT_EQ(session_->Run("UPDATE t SET b = 1 WHERE id = 4"), "UPDATE 1");
  EXPECT_EQ(CheckIndexes("t"), "3");
}

TEST_F(IndexTest, SecondInsertOfAUniqueValueWaitsForTheFirst) {
  session_->Run("CREATE TABLE t (id int PRIMARY KEY, a int UNIQUE)");
  for (const bool commits : {true, false}) {
    session_->Run("TRUNCATE t");
    session_->Run("BEGIN; INSERT INTO t VALUES (1, 7)");
    const auto other = NewSession();
    std::string result;
    std::thread waiting([&] { result = other->Run("INSERT INTO t VALUES (2, 7)"); });
    while (locks_->waiting_count() == 0) std::this_thread::yield();
    session_->Run(commits ? "COMMIT" : "ROLLBACK");
    waiting.join();
    EXPECT_EQ(result, commits ? "23505: duplicate key value violates unique constraint \"t_a_key\"" : "INSERT 0 1");
    EXPECT_EQ(CheckIndexes("t"), "1");
  }
}

TEST_F(IndexTest, UpdateThatWaitedFindsTheRowUnderItsNewValues) {
  session_->Run("CREATE TABLE t (id int PRIMARY KEY, a int); CREATE INDEX ON t (a); INSERT INTO t VALUES (1, 1), (2, 1)");
  session_->Run("BEGIN; UPDATE t SET a = 2 WHERE id = 1");
  const auto other = NewSession();
  std::string result;
  std::thread waiting([&] { result = other->Run("UPDATE t SET a = a + 10 WHERE a = 1"); });
  while (locks_->waiting_count() == 0) std::this_thread::yield();
  session_->Run("COMMIT");
  waiting.join();
  EXPECT_EQ(result, "UPDATE 1");
  EXPECT_EQ(session_->Run("SELECT * FROM t ORDER BY id"), "1|2\n2|11");
  EXPECT_EQ(CheckIndexes("t"), "2");
}

TEST_F(IndexTest, CreateIndexOnAFilledTable) {
  session_->Run("CREATE TABLE t (id int PRIMARY KEY, a int, b text)");
  session_->Run("INSERT INTO t SELECT g, g % 10, 'v' || g FROM generate_series(1, 500) g");
  EXPECT_EQ(session_->Run("CREATE INDEX ON t (a, b)"), "CREATE INDEX");
  EXPECT_EQ(session_->Run("CREATE UNIQUE INDEX tb ON t (b)"), "CREATE INDEX");
  EXPECT_EQ(CheckIndexes("t"), "500");
  EXPECT_EQ(session_->Run("CREATE UNIQUE INDEX ta ON t (a)"), "23505: could not create unique index \"ta\"");
  EXPECT_EQ(session_->Run("CREATE INDEX tb ON t (a)"), "42P07: relation \"tb\" already exists");
  EXPECT_EQ(session_->Run("CREATE INDEX IF NOT EXISTS tb ON t (a)"), "CREATE INDEX");
  EXPECT_EQ(session_->Run("CREATE INDEX ON t (nothing)"), "42703: column \"nothing\" does not exist");
  EXPECT_EQ(CheckIndexes("t"), "500");
}

TEST_F(IndexTest, DropIndexFreesItsName) {
  session_->Run("CREATE TABLE t (id int PRIMARY KEY, a int UNIQUE); CREATE INDEX i ON t (a)");
  EXPECT_EQ(session_->Run("DROP INDEX i"), "DROP INDEX");
  EXPECT_EQ(session_->Run("DROP INDEX i"), "42704: index \"i\" does not exist");
  EXPECT_EQ(session_->Run("DROP INDEX IF EXISTS i"), "DROP INDEX");
  EXPECT_EQ(session_->Run("CREATE INDEX i ON t (a)"), "CREATE INDEX");
  EXPECT_TRUE(session_->Run("DROP INDEX t_a_key").starts_with("2BP01: cannot drop index t_a_key"));
  EXPECT_EQ(session_->Run("DROP TABLE t; CREATE TABLE i (a int PRIMARY KEY)"), "CREATE TABLE");
}

TEST_F(IndexTest, TruncateEmptiesIndexes) {
  session_->Run("CREATE TABLE t (id int PRIMARY KEY, a int UNIQUE); INSERT INTO t VALUES (1, 1)");
  EXPECT_EQ(session_->Run("TRUNCATE t; INSERT INTO t VALUES (1, 1)"), "INSERT 0 1");
  EXPECT_EQ(CheckIndexes("t"), "1");
}

TEST_F(IndexTest, RolledBackIndexIsGone) {
  session_->Run("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1)");
  session_->Run("BEGIN; CREATE UNIQUE INDEX i ON t (a); ROLLBACK");
  EXPECT_EQ(session_->Run("INSERT INTO t VALUES (2, 1)"), "INSERT 0 1");
  EXPECT_EQ(session_->Run("CREATE INDEX i ON t (a)"), "CREATE INDEX");
  EXPECT_EQ(CheckIndexes("t"), "2");
}

TEST_F(IndexTest, WhatAnIndexCannotHaveIsRefusedByName) {
  session_->Run("CREATE TABLE t (id int PRIMARY KEY, a int)");
  EXPECT_EQ(session_->Run("CREATE INDEX ON t (a) WHERE a > 0"), "0A000: a partial index is not supported");
  EXPECT_EQ(session_->Run("CREATE INDEX ON t ((a + 1))"), "0A000: an index on an expression is not supported");
  EXPECT_EQ(session_->Run("CREATE INDEX ON t USING gin (a)"), "0A000: access method gin is not supported");
  EXPECT_EQ(session_->Run("CREATE INDEX ON t (a DESC)"), "0A000: DESC in an index is not supported");
}

}  // namespace
}  // namespace anabranch
