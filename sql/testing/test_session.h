// For tests of sql/: sessions over a real store, their results as text.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "sql/control/executor.h"
#include "sql/control/statement.h"
#include "sql/session/prepared_statement.h"
#include "sql/session/session.h"
#include "sql/stored/sequence.h"
#include "storage/testing/test_store.h"

namespace anabranch {

// Rows as "a|b" lines, NULL as ~.
class TextSink final : public ResultSink {
 public:
  absl::Status Columns(const std::vector<ColumnDescription>& described) override;
  absl::Status AddRow(const Row& row) override;
  void Notice(std::string_view sqlstate, const std::string& message) override;
  absl::Status BeginCopyOut(size_t) override { return absl::OkStatus(); }
  absl::Status CopyData(std::string_view line) override {
    copied += line;
    return absl::OkStatus();
  }
  absl::Status EndCopyOut() override { return absl::OkStatus(); }

  const TimeZone& zone() const { return session == nullptr ? UtcZone() : session->zone(); }

  const SqlSession* session = nullptr;  // whose zone timestamps are shown in; null: UTC
  std::string columns;
  std::string rows;
  std::string notices;
  std::string copied;
  size_t count = 0;
  bool described_rows = false;
};

// Two virtual clusters to SHOW; notes what ran.
class FakeSystemStatements final : public SystemStatements {
 public:
  std::vector<ColumnDescription> Describe(const SystemStatement& statement) override;
  absl::StatusOr<std::string> Run(const SystemStatement& statement, const SessionContext&, ResultSink& sink,
                                  std::stop_token) override;

  int runs = 0;
  std::string as_of;
};

class TestSession {
 public:
  explicit TestSession(SessionContext context) : session_(SqlSession::Create(std::move(context))) {}

  // The rows of the last statement, or its tag if it has none; "SQLSTATE: message" of an error. One statement alone commits
  // by itself, several are one implicit block.
  std::string Run(std::string_view text, std::stop_token stop = {});

  // One statement with parameters, prepared as a client of the extended protocol does it.
  std::string RunWith(std::string_view text, const std::vector<std::optional<std::string>>& parameters,
                      const std::vector<SqlType>& hints = {});

  std::string RunPrepared(const PreparedRef& prepared, const std::vector<std::optional<std::string>>& parameters);

  // "parameter types -> columns".
  std::string Describe(std::string_view text, const std::vector<SqlType>& hints = {});

  std::string Copy(std::string_view text, const std::vector<std::string>& pieces);

  SqlSession& session() { return *session_; }
  const TextSink& last() const { return last_; }
  const absl::Status& error() const { return error_; }  // of the last Run that failed
  char status() const { return static_cast<char>(session_->status()); }

 private:
  std::string Execute(const Command& command, std::stop_token stop);

  std::string Fail(const absl::Status& status);

  static std::string Error(const absl::Status& status);

  std::unique_ptr<SqlSession> session_;
  TextSink last_;
  absl::Status error_;
  bool failed_ = false;
};

class SessionFixture : public StoreFixture {
 protected:
  SessionFixture() : keyspace_(NewKeyspace()) {}

  SessionContext Context();
  std::unique_ptr<TestSession> NewSession() { return std::make_unique<TestSession>(Context()); }

  std::unique_ptr<LockTable> locks_ = LockTable::Create();
  SequenceBlocks sequences_;
  KeyspaceRef keyspace_;
};

}  // namespace anabranch
