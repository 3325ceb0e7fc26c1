// For the tests of what a session does with statements, whole: one session over a table t, and what it costs.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "gtest/gtest.h"
#include "sql/testing/test_session.h"

namespace anabranch {

class SessionTest : public SessionFixture {
 protected:
  std::string Run(std::string_view text) { return session_->Run(text); }
  std::string State(std::string_view text) { return session_->Run(text).substr(0, 5); }
  void Seed() {
    ASSERT_EQ(Run("CREATE TABLE t (k INT PRIMARY KEY, v TEXT, n NUMERIC(10,2))"), "CREATE TABLE");
    ASSERT_EQ(Run("INSERT INTO t VALUES (1, 'one', 1.5), (2, 'two', NULL), (3, NULL, 3)"), "INSERT 0 3");
  }
  // The number of storage reads a statement takes.
  uint64_t Steps(std::string_view text) {
    const OperationCounts before = store_->counts();
    Run(text);
    const OperationCounts after = store_->counts() - before;
    return after.iterator_steps + after.gets;
  }

  std::unique_ptr<TestSession> session_ = NewSession();
};

}  // namespace anabranch
