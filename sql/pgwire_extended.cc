#include "sql/pgwire_extended.h"

#include "base/status.h"

namespace anabranch {
namespace {

absl::Status TooMany(std::string_view what, size_t max) {
  return SqlError(sqlstate::kProgramLimitExceeded, fmt::format("more than {} {} in one session", max, what));
}

bool SameColumns(const std::vector<ColumnDescription>& a, const std::vector<ColumnDescription>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].type != b[i].type) return false;
  }
  return true;
}

}  // namespace

// Sends the first rows and keeps the rest for later Executes, up to kQueryMemoryBytesMax.
class ExtendedProtocol::PortalSink : public ResultSink {
 public:
  PortalSink(PgConnection* connection, Portal* portal, int32_t rows_max)
      : connection_(connection), portal_(portal), rows_max_(rows_max) {}

  absl::Status Columns(const std::vector<ColumnDescription>& columns) override {
    // The formats were checked against what was described.
    if (!SameColumns(columns, portal_->prepared->description.columns)) {
      return SqlError(sqlstate::kFeatureNotSupported, "cached plan must not change result type");
    }
    return absl::OkStatus();
  }

  absl::Status AddRow(const Row& row) override {
    const std::vector<ColumnDescription>& columns = portal_->prepared->description.columns;
    if (rows_max_ == 0 || rows_ < rows_max_) {
      ++rows_;
      AppendDataRow(connection_->out(), row, columns, portal_->formats);
      return connection_->FlushIfFull();
    }
    AppendDataRow(&portal_->rows.emplace_back(), row, columns, portal_->formats);
    held_bytes_ += portal_->rows.back().size();
    if (held_bytes_ > kQueryMemoryBytesMax) {
      return SqlError(
          sqlstate::kOutOfMemory,
          fmt::format("the rows beyond the portal's row limit need more than {} MiB", kQueryMemoryBytesMax >> 20),
          "Fetch without a row limit, or select fewer rows at a time.");
    }
    return absl::OkStatus();
  }

  void Notice(std::string_view sqlstate, const std::string& message) override {
    AppendNotice(connection_->out(), sqlstate, message);
  }

 private:
  PgConnection* connection_;
  Portal* portal_;
  const int32_t rows_max_;
  int32_t rows_ = 0;
  size_t held_bytes_ = 0;
};

absl::Status ExtendedProtocol::Handle(const FrontendMessage& message) {
  if (message.too_large) return TooLarge();
  switch (message.type) {
    case 'P': {
      ASSIGN_OR_RETURN(const ParseMessage parse, DecodeParse(message.body));
      return Parse(parse);
    }
    case 'B': {
      ASSIGN_OR_RETURN(BindMessage bind, DecodeBind(message.body));
      return Bind(std::move(bind));
    }
    case 'E': {
      ASSIGN_OR_RETURN(const ExecuteMessage execute, DecodeExecute(message.body));
      return Execute(execute);
    }
    case 'D': {
      ASSIGN_OR_RETURN(const TargetMessage target, DecodeTarget(message.body));
      return Describe(target);
    }
    default: {
      ASSIGN_OR_RETURN(const TargetMessage target, DecodeTarget(message.body));
      Close(target);
      return absl::OkStatus();
    }
  }
}

void ExtendedProtocol::Fail() {
  skipping_ = true;
  if (in_block_) parts_.sql.EndImplicitBlock(false).IgnoreError();  // what matters is the error that caused it
  in_block_ = false;
}

absl::Status ExtendedProtocol::Sync() {
  skipping_ = false;
  absl::Status status;
  if (in_block_) status = parts_.sql.EndImplicitBlock(true);
  in_block_ = false;
  // Portals end with their transaction.
  if (parts_.sql.status() == TransactionStatus::kIdle) portals_.clear();
  return status;
}

absl::Status ExtendedProtocol::BeforeSimpleQuery() {
  prepared_.erase("");
  portals_.erase("");
  return Sync();
}

absl::StatusOr<std::shared_ptr<const ExtendedProtocol::Prepared>> ExtendedProtocol::FindPrepared(
    const std::string& name) const {
  const auto found = prepared_.find(name);
  if (found != prepared_.end()) return found->second;
  return SqlError(sqlstate::kInvalidSqlStatementName, name.empty()
                                                          ? "unnamed prepared statement does not exist"
                                                          : fmt::format("prepared statement \"{}\" does not exist", name));
}

absl::StatusOr<ExtendedProtocol::Portal*> ExtendedProtocol::FindPortal(const std::string& name) {
  const auto found = portals_.find(name);
  if (found != portals_.end()) return &found->second;
  return SqlError(sqlstate::kInvalidCursorName, fmt::format("portal \"{}\" does not exist", name));
}

absl::Status ExtendedProtocol::Parse(const ParseMessage& parse) {
  if (parse.name.empty()) {
    prepared_.erase("");
  } else if (prepared_.contains(parse.name)) {
    return SqlError(sqlstate::kDuplicatePreparedStatement,
                    fmt::format("prepared statement \"{}\" already exists", parse.name));
  } else if (prepared_.size() >= kPreparedStatementsMax) {
    return TooMany("prepared statements", kPreparedStatementsMax);
  }
  std::vector<SqlType> hints;
  for (const uint32_t oid : parse.parameter_oids) {
    ASSIGN_OR_RETURN(hints.emplace_back(), ParameterTypeOfOid(oid));
  }
  ASSIGN_OR_RETURN(const std::vector<StatementRef> statements, parts_.sql.Parse(parse.query));
  if (statements.size() > 1) {
    return SqlError(sqlstate::kSyntaxError, "cannot insert multiple commands into a prepared statement");
  }
  auto prepared = std::make_shared<Prepared>();
  if (!statements.empty()) {
    prepared->statement = statements[0];
    ASSIGN_OR_RETURN(prepared->description, parts_.sql.Describe(statements[0], hints));
  }
  prepared_[parse.name] = std::move(prepared);
  AppendBare(parts_.connection.out(), BareMessage::kParseComplete);
  return absl::OkStatus();
}

absl::Status ExtendedProtocol::Bind(BindMessage bind) {
  Portal portal;
  ASSIGN_OR_RETURN(portal.prepared, FindPrepared(bind.statement));
  if (bind.portal.empty()) {
    portals_.erase("");
  } else if (portals_.contains(bind.portal)) {
    return SqlError("42P03", fmt::format("portal \"{}\" already exists", bind.portal));
  } else if (portals_.size() >= kPortalsMax) {
    return TooMany("portals", kPortalsMax);
  }
  const StatementDescription& description = portal.prepared->description;
  if (bind.parameters.size() != description.parameters.size()) {
    return SqlError(sqlstate::kProtocolViolation,
                    fmt::format("bind message supplies {} parameters, but prepared statement \"{}\" requires {}",
                                bind.parameters.size(), bind.statement, description.parameters.size()));
  }
  for (size_t i = 0; i < bind.parameters.size(); ++i) {
    std::optional<std::string>& parameter = bind.parameters[i];
    if (!parameter.has_value()) continue;
    if (FormatAt(bind.parameter_formats, i) == Format::kBinary) {
      ASSIGN_OR_RETURN(parameter, BinaryParameterToText(description.parameters[i], *parameter));
    }
  }
  if (bind.result_formats.size() > 1 && bind.result_formats.size() != description.columns.size()) {
    return SqlError(sqlstate::kProtocolViolation, fmt::format("bind message has {} result formats but query has {} columns",
                                                              bind.result_formats.size(), description.columns.size()));
  }
  portal.parameters = std::move(bind.parameters);
  portal.formats = std::move(bind.result_formats);
  portals_[bind.portal] = std::move(portal);
  AppendBare(parts_.connection.out(), BareMessage::kBindComplete);
  return absl::OkStatus();
}

absl::Status ExtendedProtocol::Describe(const TargetMessage& target) {
  std::shared_ptr<const Prepared> prepared;
  std::vector<Format> formats;
  if (target.kind == TargetKind::kStatement) {
    ASSIGN_OR_RETURN(prepared, FindPrepared(target.name));
    AppendParameterDescription(parts_.connection.out(), prepared->description.parameters);
  } else {
    ASSIGN_OR_RETURN(const Portal* portal, FindPortal(target.name));
    prepared = portal->prepared;
    formats = portal->formats;
  }
  if (!prepared->description.returns_rows && prepared->description.columns.empty()) {
    AppendBare(parts_.connection.out(), BareMessage::kNoData);
  } else {
    AppendRowDescription(parts_.connection.out(), prepared->description.columns, formats);
  }
  return absl::OkStatus();
}

absl::Status ExtendedProtocol::Execute(const ExecuteMessage& execute) {
  ASSIGN_OR_RETURN(Portal * portal, FindPortal(execute.portal));
  std::string* out = parts_.connection.out();
  if (portal->prepared->statement == nullptr) {
    AppendBare(out, BareMessage::kEmptyQueryResponse);
    return absl::OkStatus();
  }
  if (!portal->executed) {
    RETURN_IF_ERROR(Run(*portal, execute.rows_max));
  } else if (portal->rows.empty()) {
    return SqlError(sqlstate::kObjectNotInPrerequisiteState, fmt::format("portal \"{}\" cannot be run", execute.portal));
  } else {
    for (int32_t sent = 0; !portal->rows.empty() && (execute.rows_max == 0 || sent < execute.rows_max); ++sent) {
      out->append(portal->rows.front());
      portal->rows.pop_front();
      RETURN_IF_ERROR(parts_.connection.FlushIfFull());
    }
  }
  if (!portal->rows.empty()) {
    AppendBare(out, BareMessage::kPortalSuspended);
  } else {
    AppendCommandComplete(out, portal->tag);
  }
  return absl::OkStatus();
}

absl::Status ExtendedProtocol::Run(Portal& portal, int32_t rows_max) {
  // A client expects nothing before its next Sync or Flush, so waiting for that message delays nobody.
  ASSIGN_OR_RETURN(const char next_type, parts_.connection.PeekType(parts_.control.wake_idle()));
  if (next_type != 'S' && !in_block_ && parts_.sql.status() == TransactionStatus::kIdle) {
    parts_.sql.BeginImplicitBlock();
    in_block_ = true;
  }
  portal.executed = true;
  const Prepared& prepared = *portal.prepared;
  const std::stop_token stop = parts_.control.BeginStatement();
  PortalSink sink(&parts_.connection, &portal, rows_max);
  absl::StatusOr<std::string> tag =
      SqlSession::IsCopyIn(*prepared.statement)
          ? RunCopyIn(parts_, prepared.statement, stop)
          : parts_.sql.Execute(prepared.statement, prepared.description.parameters, portal.parameters, sink, stop);
  parts_.control.EndStatement();
  if (!tag.ok()) return tag.status();
  portal.tag = *std::move(tag);
  return absl::OkStatus();
}

void ExtendedProtocol::Close(const TargetMessage& target) {
  if (target.kind == TargetKind::kStatement) {
    prepared_.erase(target.name);
  } else {
    portals_.erase(target.name);
  }
  AppendBare(parts_.connection.out(), BareMessage::kCloseComplete);
}

}  // namespace anabranch
