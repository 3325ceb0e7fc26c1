// Loads that are larger than a transaction may be, under ids that nobody sees before the commit.
#include "sql/write/backfill.h"

#include <gtest/gtest.h>

#include "sql/stored/row_codec.h"
#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

class BackfillTest : public SessionFixture {
 protected:
  // Keys of system table 3.
  size_t GarbageIds() { return Count(kDroppedTablesId); }

  size_t Count(uint64_t id) {
    const auto transaction = Transaction::Begin(Context().transaction, IsolationLevel::kReadCommitted);
    EXPECT_TRUE(transaction->BeginStatement().ok());
    const auto scan = transaction->Scan({TablePrefix(id), PrefixEnd(TablePrefix(id))});
    size_t count = 0;
    while (*scan->Next()) ++count;
    return count;
  }

  uint64_t TableId(const std::string& name) {
    const auto transaction = Transaction::Begin(Context().transaction, IsolationLevel::kReadCommitted);
    EXPECT_TRUE(transaction->BeginStatement().ok());
    TableReader tables;
    return (*tables.Get(*transaction, name))->id;
  }

  // Lines "i <tab> padding" whose bytes are several batches.
  static std::vector<std::string> Lines(int begin, int end, int step = 1) {
    std::vector<std::string> lines;
    for (int i = begin; i != end; i += step) lines.push_back(fmt::format("{}\t{}\n", i, std::string(kPadding, 'x')));
    return lines;
  }

  static constexpr int kPadding = 16 << 10;
  static constexpr int kRows = 3 * static_cast<int>(kBulkBatchBytes) / kPadding;

  std::unique_ptr<TestSession> session_ = NewSession();
};

TEST_F(BackfillTest, LoadIntoATruncatedTableHasNoLimitAndIsSeenByItsTransaction) {
  constexpr int kMany = static_cast<int>(kTransactionBytesMax) / kPadding + 100;
  session_->Run("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (0, 'old')");
  session_->Run("BEGIN; TRUNCATE t");
  EXPECT_EQ(session_->Copy("COPY t FROM STDIN", Lines(0, kMany)), fmt::format("COPY {}", kMany));
  EXPECT_EQ(session_->Run("SELECT count(*), sum(a) FROM t"), fmt::format("{}|{}", kMany, int64_t{kMany} * (kMany - 1) / 2));
  EXPECT_EQ(NewSession()->Run("SELECT a, b FROM t"), "0|old");
  EXPECT_EQ(session_->Run("UPDATE t SET a = -1 WHERE a = 7; INSERT INTO t VALUES (-2, 'new'); COMMIT"), "COMMIT");
  EXPECT_EQ(NewSession()->Run("SELECT count(*), min(a) FROM t"), fmt::format("{}|-2", kMany + 1));
  EXPECT_EQ(GarbageIds(), 1u);  // what was truncated
}

TEST_F(BackfillTest, PrimaryKeyIsAddedAfterTheLoad) {
  session_->Run("BEGIN; CREATE TABLE t (a int, b text)");
  session_->Copy("COPY t FROM STDIN", Lines(0, kRows));
  session_->Run("COMMIT");
  EXPECT_EQ(session_->Run("ALTER TABLE t ADD PRIMARY KEY (a)"), "ALTER TABLE");
  EXPECT_EQ(session_->Run("SELECT count(*) FROM t"), std::to_string(kRows));
  EXPECT_EQ(session_->Run("SELECT a FROM t WHERE a = 5"), "5");
  EXPECT_TRUE(session_->Run("INSERT INTO t VALUES (5, '')").starts_with("23505"));
  EXPECT_EQ(Count(TableId("t")), static_cast<size_t>(kRows));
}

TEST_F(BackfillTest, RollbackLeavesGarbageThatIsKnown) {
  session_->Run("CREATE TABLE t (a int PRIMARY KEY, b text); INSERT INTO t VALUES (1, 'old')");
  session_->Run("BEGIN; TRUNCATE t");
  session_->Copy("COPY t FROM STDIN", Lines(0, kRows));
  session_->Run("ROLLBACK");
  EXPECT_EQ(session_->Run("SELECT * FROM t"), "1|old");
  EXPECT_EQ(GarbageIds(), 1u);
}

TEST_F(BackfillTest, DuplicatesAreFoundWithinABatchAndAcrossBatches) {
  for (const int duplicate : {kRows - 2, 3}) {
    session_->Run("BEGIN; CREATE TABLE t (a int PRIMARY KEY, b text)");
    std::vector<std::string> lines = Lines(0, kRows);
    lines.push_back(fmt::format("{}\tagain\n", duplicate));
    const std::string result = session_->Copy("COPY t FROM STDIN", lines);
    EXPECT_NE(result.find("duplicate key value violates unique constraint \"t_pkey\""), std::string::npos) << result;
    session_->Run("ROLLBACK");
  }
}

TEST_F(BackfillTest, RowsInAnyOrderAreKeptApart) {
  session_->Run("BEGIN; CREATE TABLE t (a int PRIMARY KEY, b text)");
  EXPECT_EQ(session_->Copy("COPY t FROM STDIN", Lines(kRows, 0, -1)), fmt::format("COPY {}", kRows));
  EXPECT_EQ(session_->Copy("COPY t FROM STDIN", Lines(kRows + 1, kRows + 10)), "COPY 9");
  EXPECT_EQ(session_->Run("COMMIT"), "COMMIT");
  EXPECT_EQ(session_->Run("SELECT count(*), min(a), max(a) FROM t"), fmt::format("{}|1|{}", kRows + 9, kRows + 9));
}

TEST_F(BackfillTest, UniqueIndexOverManyRowsFindsTheDuplicate) {
  session_->Run("BEGIN; CREATE TABLE t (a int PRIMARY KEY, b text, c int DEFAULT 1)");
  session_->Copy("COPY t (a, b) FROM STDIN", Lines(0, kRows));
  session_->Run("COMMIT");
  EXPECT_EQ(session_->Run("CREATE UNIQUE INDEX tc ON t (c)"), "23505: could not create unique index \"tc\"");
  EXPECT_EQ(session_->Run("CREATE INDEX tc ON t (c, a)"), "CREATE INDEX");
}

TEST_F(BackfillTest, RowsOfTheTransactionItselfAndALoadKeepApart) {
  session_->Run("BEGIN; CREATE TABLE t (a int PRIMARY KEY, b text); INSERT INTO t VALUES (3, 'mine')");
  const std::string result = session_->Copy("COPY t FROM STDIN", {"1\tx\n", "3\ty\n"});
  EXPECT_NE(result.find("duplicate key"), std::string::npos) << result;
}

TEST_F(BackfillTest, HigherIsolationKeepsTheOrdinaryPathAndItsLimit) {
  session_->Run("BEGIN ISOLATION LEVEL REPEATABLE READ; CREATE TABLE t (a int, b text)");
  EXPECT_EQ(session_->Copy("COPY t FROM STDIN", Lines(0, 10)), "COPY 10");
  EXPECT_EQ(session_->Run("SELECT count(*) FROM t"), "10");
  EXPECT_EQ(GarbageIds(), 0u);
  const std::string result =
      session_->Copy("COPY t FROM STDIN", Lines(0, static_cast<int>(kTransactionBytesMax) / kPadding));
  EXPECT_NE(result.find("54000"), std::string::npos) << result;
}

TEST_F(BackfillTest, CreateTableAs) {
  EXPECT_EQ(session_->Run("CREATE TABLE t (k, v) AS SELECT g, 'x' || g FROM generate_series(1, 1000) g"), "SELECT 1000");
  EXPECT_EQ(session_->Run("SELECT k, v FROM t WHERE k = 77"), "77|x77");
  EXPECT_EQ(session_->Run("CREATE TABLE t AS SELECT 1 AS a"), "42P07: relation \"t\" already exists");
  EXPECT_EQ(session_->Run("CREATE TABLE IF NOT EXISTS t AS SELECT 1 AS a"), "CREATE TABLE AS");
}

}  // namespace
}  // namespace anabranch
