#include "sql/testing/test_session.h"

#include <gtest/gtest.h>

namespace anabranch {

absl::Status TextSink::Columns(const std::vector<ColumnDescription>& described) {
  described_rows = true;
  for (const ColumnDescription& column : described) columns += (columns.empty() ? "" : ",") + column.name;
  return absl::OkStatus();
}

absl::Status TextSink::AddRow(const Row& row) {
  if (!rows.empty()) rows += "\n";
  for (size_t i = 0; i < row.size(); ++i) rows += (i == 0 ? "" : "|") + (IsNull(row[i]) ? "~" : ToText(row[i], zone()));
  ++count;
  return absl::OkStatus();
}

void TextSink::Notice(std::string_view sqlstate, const std::string& message) {
  notices += fmt::format("{} {}\n", sqlstate, message);
}

std::vector<ColumnDescription> FakeSystemStatements::Describe(const SystemStatement& statement) {
  if (!ReturnsRows(statement)) return {};
  return {{"id", SqlType::kInt8}, {"name", SqlType::kText}, {"replication_lag", SqlType::kInterval}};
}

absl::StatusOr<std::string> FakeSystemStatements::Run(const SystemStatement& statement, const SessionContext&,
                                                      ResultSink& sink, std::stop_token) {
  ++runs;
  if (const auto* fingerprints = std::get_if<ShowFingerprints>(&statement)) as_of = fingerprints->as_of.value_or("none");
  if (!ReturnsRows(statement)) return std::string("DONE");
  RETURN_IF_ERROR(sink.Columns(Describe(statement)));
  RETURN_IF_ERROR(sink.AddRow({int64_t{1}, std::string("system"), Null{}}));
  RETURN_IF_ERROR(sink.AddRow({int64_t{3}, std::string("main"), Interval{2'000'000}}));
  return std::string("SHOW");
}

std::string TestSession::Run(std::string_view text, std::stop_token stop) {
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

std::string TestSession::RunWith(std::string_view text, const std::vector<std::optional<std::string>>& parameters,
                                 const std::vector<SqlType>& hints) {
  auto prepared = session_->Prepare(text, hints);
  if (!prepared.ok()) return Error(prepared.status());
  return RunPrepared(*prepared, parameters);
}

std::string TestSession::RunPrepared(const PreparedRef& prepared,
                                     const std::vector<std::optional<std::string>>& parameters) {
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

std::string TestSession::Describe(std::string_view text, const std::vector<SqlType>& hints) {
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

std::string TestSession::Copy(std::string_view text, const std::vector<std::string>& pieces) {
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

std::string TestSession::Execute(const Command& command, std::stop_token stop) {
  last_ = TextSink();
  last_.session = session_.get();
  auto tag = session_->Execute(command, last_, std::move(stop));
  failed_ = !tag.ok();
  if (failed_) return Fail(tag.status());
  return last_.columns.empty() ? *tag : last_.rows;
}

std::string TestSession::Fail(const absl::Status& status) {
  error_ = status;
  return Error(status);
}

std::string TestSession::Error(const absl::Status& status) {
  return fmt::format("{}: {}", SqlStateOf(status), MessageOf(status));
}

SessionContext SessionFixture::Context() {
  return {.transaction = {store_.get(), keyspace_, keyspace_->state()->epoch, locks_.get()},
          .virtual_cluster = "main",
          .user = "root",
          .admin = true,
          .system = nullptr,
          .sequences = &sequences_};
}

}  // namespace anabranch
