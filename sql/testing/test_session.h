// For tests of sql/: sessions over a real store, their results as text.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "sql/control/statement.h"
#include "sql/session/prepared_statement.h"
#include "sql/session/session.h"
#include "sql/stored/sequence.h"
#include "storage/test_store.h"

namespace anabranch {

// Rows as "a|b" lines, NULL as ~.
class TextSink final : public ResultSink {
 public:
  absl::Status Columns(const std::vector<ColumnDescription>& described) override {
    described_rows = true;
    for (const ColumnDescription& column : described) columns += (columns.empty() ? "" : ",") + column.name;
    return absl::OkStatus();
  }
  absl::Status AddRow(const Row& row) override {
    if (!rows.empty()) rows += "\n";
    for (size_t i = 0; i < row.size(); ++i) rows += (i == 0 ? "" : "|") + (IsNull(row[i]) ? "~" : ToText(row[i], zone()));
    ++count;
    return absl::OkStatus();
  }
  void Notice(std::string_view sqlstate, const std::string& message) override {
    notices += fmt::format("{} {}\n", sqlstate, message);
  }
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
  std::vector<ColumnDescription> Describe(const SystemStatement& statement) override {
    if (!ReturnsRows(statement)) return {};
    return {{"id", SqlType::kInt8}, {"name", SqlType::kText}, {"replication_lag", SqlType::kInterval}};
  }
  absl::StatusOr<std::string> Run(const SystemStatement& statement, ResultSink& sink, std::stop_token) override {
    ++runs;
    if (const auto* fingerprints = std::get_if<ShowFingerprints>(&statement)) as_of = fingerprints->as_of.value_or("none");
    if (!ReturnsRows(statement)) return std::string("DONE");
    RETURN_IF_ERROR(sink.Columns(Describe(statement)));
    RETURN_IF_ERROR(sink.AddRow({int64_t{1}, std::string("system"), Null{}}));
    RETURN_IF_ERROR(sink.AddRow({int64_t{3}, std::string("main"), Interval{2'000'000}}));
    return std::string("SHOW");
  }

  int runs = 0;
  std::string as_of;
};

class TestSession {
 public:
  explicit TestSession(SessionContext context) : session_(SqlSession::Create(std::move(context))) {}

  // The rows of the last statement, or its tag if it has none; "SQLSTATE: message" of an error. One statement alone commits
  // by itself, several are one implicit block.
  std::string Run(std::string_view text, std::stop_token stop = {}) {
    auto commands = session_->ParseCommands(text);
    if (!commands.ok()) return Fail(commands.status());
    const bool block = commands->size() > 1;
    if (block) session_->BeginImplicitBlock();
    std::string result;
    for (const Command& command : *commands) {
      result = Execute(command, stop);
      if (failed_) {
        if (block) session_->EndImplicitBlock(false).IgnoreError();
        return result;
      }
    }
    if (!block) return result;
    const absl::Status ended = session_->EndImplicitBlock(true);
    return ended.ok() ? result : Error(ended);
  }

  // One statement with parameters, prepared as a client of the extended protocol does it.
  std::string RunWith(std::string_view text, const std::vector<std::optional<std::string>>& parameters,
                      const std::vector<SqlType>& hints = {}) {
    auto prepared = session_->Prepare(text, hints);
    if (!prepared.ok()) return Error(prepared.status());
    return RunPrepared(*prepared, parameters);
  }

  std::string RunPrepared(const PreparedRef& prepared, const std::vector<std::optional<std::string>>& parameters) {
    Command command{prepared->statement(), prepared};
    for (size_t i = 0; i < parameters.size(); ++i) {
      command.parameters.emplace_back();
      if (!parameters[i]) continue;
      auto value = FromText(prepared->description().parameters[i], *parameters[i], session_->zone());
      if (!value.ok()) return Error(value.status());
      command.parameters.back() = *std::move(value);
    }
    return Execute(command, {});
  }

  // "parameter types -> columns".
  std::string Describe(std::string_view text, const std::vector<SqlType>& hints = {}) {
    auto prepared = session_->Prepare(text, hints);
    if (!prepared.ok()) return Error(prepared.status());
    std::string result;
    for (const SqlType type : (*prepared)->description().parameters) result += fmt::format("{} ", TypeName(type));
    result += "->";
    for (const ColumnDescription& column : (*prepared)->description().columns) {
      result += fmt::format(" {}:{}", column.name, TypeName(column.type));
    }
    return result;
  }

  std::string Copy(std::string_view text, const std::vector<std::string>& pieces) {
    auto statements = session_->Parse(text);
    if (!statements.ok()) return Error(statements.status());
    EXPECT_TRUE(SqlSession::IsCopyIn(*statements->front()));
    auto copy = session_->BeginCopy(statements->front(), {});
    if (!copy.ok()) return Error(copy.status());
    for (const std::string& piece : pieces) {
      if (const absl::Status status = (*copy)->Data(piece, {}); !status.ok()) return Error(status);
    }
    auto tag = (*copy)->Done({});
    return tag.ok() ? *tag : Error(tag.status());
  }

  SqlSession& session() { return *session_; }
  const TextSink& last() const { return last_; }
  const absl::Status& error() const { return error_; }  // of the last Run that failed
  char status() const { return static_cast<char>(session_->status()); }

 private:
  std::string Execute(const Command& command, std::stop_token stop) {
    last_ = TextSink();
    last_.session = session_.get();
    auto tag = session_->Execute(command, last_, std::move(stop));
    failed_ = !tag.ok();
    if (failed_) return Fail(tag.status());
    return last_.columns.empty() ? *tag : last_.rows;
  }

  std::string Fail(const absl::Status& status) {
    error_ = status;
    return Error(status);
  }

  static std::string Error(const absl::Status& status) {
    return fmt::format("{}: {}", SqlStateOf(status), MessageOf(status));
  }

  std::unique_ptr<SqlSession> session_;
  TextSink last_;
  absl::Status error_;
  bool failed_ = false;
};

class SessionFixture : public StoreFixture {
 protected:
  SessionFixture() : keyspace_(NewKeyspace()) {}

  SessionContext Context() {
    return {.transaction = {store_.get(), keyspace_, keyspace_->state()->epoch, locks_.get()},
            .virtual_cluster = "main",
            .user = "root",
            .admin = true,
            .system = nullptr,
            .sequences = &sequences_};
  }
  std::unique_ptr<TestSession> NewSession() { return std::make_unique<TestSession>(Context()); }

  std::unique_ptr<LockTable> locks_ = LockTable::Create();
  SequenceBlocks sequences_;
  KeyspaceRef keyspace_;
};

}  // namespace anabranch
