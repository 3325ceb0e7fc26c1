#include "sql/wire/extended.h"

#include "base/status.h"
#include "sql/session/prepared_statement.h"
#include "sql/value/memory.h"

namespace anabranch {
namespace {

absl::Status TooMuchInPortals() {
  return SqlError(sqlstate::kOutOfMemory,
                  fmt::format("the portals of this session hold more than {} MiB of parameters and rows that were not "
                              "fetched yet",
                              kPortalBytesMax >> 20),
                  "Close those that are no longer needed, fetch without a row limit, or select fewer rows at a time.");
}

std::string Quoted(const std::string& portal) { return fmt::format("portal \"{}\"", portal); }

}  // namespace

// Sends the first rows and keeps the rest for later Executes, up to kPortalBytesMax.
class ExtendedProtocol::PortalSink : public ResultSink {
 public:
  // A wait for the client ends when `wake` is set.
  // `bytes` are those of all portals.
  PortalSink(const SessionParts& parts, Portal* portal, int32_t rows_max, size_t bytes)
      : parts_(parts), portal_(portal), rows_max_(rows_max), bytes_(bytes) {}

  absl::Status Columns(const std::vector<ColumnDescription>&) override { return absl::OkStatus(); }

  absl::Status AddRow(const Row& row) override {
    const std::vector<ColumnDescription>& columns = portal_->command.prepared->description().columns;
    if (rows_max_ == 0 || rows_ < rows_max_) {
      ++rows_;
      AppendDataRow(parts_.connection.out(), row, columns, portal_->formats, parts_.sql.zone());
      return parts_.connection.FlushIfFull(parts_.control.wake_statement());
    }
    AppendDataRow(&portal_->rows.emplace_back(), row, columns, portal_->formats, parts_.sql.zone());
    bytes_ += portal_->rows.back().size();
    portal_->bytes += portal_->rows.back().size();
    return bytes_ > kPortalBytesMax ? TooMuchInPortals() : absl::OkStatus();
  }

  void Notice(std::string_view sqlstate, const std::string& message) override {
    AppendNotice(parts_.connection.out(), sqlstate, message);
  }

 private:
  const SessionParts& parts_;
  Portal* portal_;
  const int32_t rows_max_;
  int32_t rows_ = 0;
  size_t bytes_;
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
  parts_.sql.prepared().Remove("");
  portals_.erase("");
  return Sync();
}

absl::StatusOr<ExtendedProtocol::Portal*> ExtendedProtocol::FindPortal(const std::string& name) {
  const auto found = portals_.find(name);
  if (found != portals_.end()) return &found->second;
  return SqlError(sqlstate::kInvalidCursorName, Quoted(name) + " does not exist");
}

size_t ExtendedProtocol::PortalBytes() const {
  size_t bytes = 0;
  for (const auto& [name, portal] : portals_) bytes += portal.bytes;
  return bytes;
}

absl::Status ExtendedProtocol::Parse(const ParseMessage& parse) {
  PreparedStatements& prepared = parts_.sql.prepared();
  if (parse.name.empty()) prepared.Remove("");
  std::vector<SqlType> hints;
  for (const uint32_t oid : parse.parameter_oids) {
    ASSIGN_OR_RETURN(hints.emplace_back(), ParameterTypeOfOid(oid));
  }
  ASSIGN_OR_RETURN(PreparedRef added, parts_.sql.Prepare(parse.query, hints));
  RETURN_IF_ERROR(prepared.Add(parse.name, std::move(added)));
  AppendBare(parts_.connection.out(), BareMessage::kParseComplete);
  return absl::OkStatus();
}

absl::Status ExtendedProtocol::Bind(BindMessage bind) {
  Portal portal;
  ASSIGN_OR_RETURN(PreparedRef prepared, parts_.sql.prepared().Find(bind.statement));
  if (bind.portal.empty()) {
    portals_.erase("");
  } else if (portals_.contains(bind.portal)) {
    return SqlError(sqlstate::kDuplicateCursor, Quoted(bind.portal) + " already exists");
  } else if (portals_.size() >= kPortalsMax) {
    return SqlError(sqlstate::kProgramLimitExceeded, fmt::format("more than {} portals in one session", kPortalsMax));
  }
  const StatementDescription& description = prepared->description();
  if (bind.parameters.size() != description.parameters.size()) {
    return SqlError(sqlstate::kProtocolViolation,
                    fmt::format("bind message supplies {} parameters, but prepared statement \"{}\" requires {}",
                                bind.parameters.size(), bind.statement, description.parameters.size()));
  }
  Row& parameters = portal.command.parameters;
  parameters.reserve(bind.parameters.size());
  for (size_t i = 0; i < bind.parameters.size(); ++i) {
    parameters.emplace_back();
    if (!bind.parameters[i]) continue;
    ASSIGN_OR_RETURN(parameters.back(), DecodeParameter(description.parameters[i], FormatAt(bind.parameter_formats, i),
                                                        *bind.parameters[i], parts_.sql.zone()));
    portal.bytes += ValueBytes(parameters.back());
  }
  if (portal.bytes > 0 && PortalBytes() + portal.bytes > kPortalBytesMax) return TooMuchInPortals();
  if (bind.result_formats.size() > 1 && bind.result_formats.size() != description.columns.size()) {
    return SqlError(sqlstate::kProtocolViolation, fmt::format("bind message has {} result formats but query has {} columns",
                                                              bind.result_formats.size(), description.columns.size()));
  }
  portal.command.statement = prepared->statement();
  portal.command.prepared = std::move(prepared);
  portal.formats = std::move(bind.result_formats);
  portals_.insert_or_assign(std::move(bind.portal), std::move(portal));
  AppendBare(parts_.connection.out(), BareMessage::kBindComplete);
  return absl::OkStatus();
}

absl::Status ExtendedProtocol::Describe(const TargetMessage& target) {
  PreparedRef prepared;
  std::vector<Format> formats;
  if (target.kind == TargetKind::kStatement) {
    ASSIGN_OR_RETURN(prepared, parts_.sql.prepared().Find(target.name));
    AppendParameterDescription(parts_.connection.out(), prepared->description().parameters);
  } else {
    ASSIGN_OR_RETURN(const Portal* portal, FindPortal(target.name));
    prepared = portal->command.prepared;
    formats = portal->formats;
  }
  if (!prepared->description().returns_rows && prepared->description().columns.empty()) {
    AppendBare(parts_.connection.out(), BareMessage::kNoData);
  } else {
    AppendRowDescription(parts_.connection.out(), prepared->description().columns, formats);
  }
  return absl::OkStatus();
}

absl::Status ExtendedProtocol::Execute(const ExecuteMessage& execute) {
  ASSIGN_OR_RETURN(Portal * portal, FindPortal(execute.portal));
  if (portal->command.statement == nullptr) {
    AppendBare(parts_.connection.out(), BareMessage::kEmptyQueryResponse);
    return absl::OkStatus();
  }
  if (portal->cursor || (execute.rows_max > 0 && !portal->executed && SqlSession::IsQuery(*portal->command.prepared))) {
    return Fetch(*portal, execute.rows_max);
  }
  if (!portal->executed) {
    RETURN_IF_ERROR(Run(*portal, execute.rows_max));
  } else if (portal->rows.empty()) {
    return SqlError(sqlstate::kObjectNotInPrerequisiteState, Quoted(execute.portal) + " cannot be run");
  } else {
    RETURN_IF_ERROR(SendHeld(*portal, execute.rows_max));
  }
  if (!portal->rows.empty()) {
    AppendBare(parts_.connection.out(), BareMessage::kPortalSuspended);
  } else {
    AppendCommandComplete(parts_.connection.out(), portal->tag);
  }
  return absl::OkStatus();
}

void ExtendedProtocol::BeginBlock() {
  if (in_block_ || parts_.sql.status() != TransactionStatus::kIdle) return;
  parts_.sql.BeginImplicitBlock();
  in_block_ = true;
}

absl::Status ExtendedProtocol::Run(Portal& portal, int32_t rows_max) {
  // A client expects nothing before its next Sync or Flush, so waiting for that message delays nobody.
  ASSIGN_OR_RETURN(const char next_type, parts_.connection.PeekType(parts_.control.end_idle()));
  if (next_type != 'S') BeginBlock();
  portal.executed = true;
  const TimedStatement timed(parts_);
  if (SqlSession::IsCopyIn(*portal.command.statement)) {
    ASSIGN_OR_RETURN(portal.tag, RunCopyIn(parts_, portal.command.statement, timed.stop()));
    return absl::OkStatus();
  }
  PortalSink sink(parts_, &portal, rows_max, PortalBytes());
  ASSIGN_OR_RETURN(portal.tag, parts_.sql.Execute(portal.command, sink, timed.stop()));
  return absl::OkStatus();
}

// The rows of a query are made as they are asked for.
absl::Status ExtendedProtocol::Fetch(Portal& portal, int32_t rows_max) {
  const TimedStatement timed(parts_);
  if (!portal.cursor) {
    BeginBlock();
    ASSIGN_OR_RETURN(portal.cursor, parts_.sql.OpenCursor(portal.command, timed.stop()));
    portal.executed = true;
  }
  PortalSink sink(parts_, &portal, 0, PortalBytes());
  const size_t rows = rows_max == 0 ? SIZE_MAX : static_cast<size_t>(rows_max);
  ASSIGN_OR_RETURN(const std::optional<std::string> tag, portal.cursor->Fetch(rows, sink, timed.stop()));
  if (tag) {
    AppendCommandComplete(parts_.connection.out(), *tag);
  } else {
    AppendBare(parts_.connection.out(), BareMessage::kPortalSuspended);
  }
  return absl::OkStatus();
}

absl::Status ExtendedProtocol::SendHeld(Portal& portal, int32_t rows_max) {
  const TimedStatement timed(parts_);
  for (int32_t sent = 0; !portal.rows.empty() && (rows_max == 0 || sent < rows_max); ++sent) {
    portal.bytes -= portal.rows.front().size();
    parts_.connection.out()->append(portal.rows.front());
    portal.rows.pop_front();
    RETURN_IF_ERROR(parts_.connection.FlushIfFull(parts_.control.wake_statement()));
  }
  return absl::OkStatus();
}

void ExtendedProtocol::Close(const TargetMessage& target) {
  if (target.kind == TargetKind::kStatement) {
    parts_.sql.prepared().Remove(target.name);
  } else {
    portals_.erase(target.name);
  }
  AppendBare(parts_.connection.out(), BareMessage::kCloseComplete);
}

}  // namespace anabranch
