#include "sql/wire/replication.h"

#include <algorithm>
#include <utility>

#include "base/coding.h"
#include "base/status.h"
#include "sql/stored/system_privilege.h"
#include "stream/frame.h"
#include "stream/transport.h"

namespace anabranch {
namespace {

constexpr std::string_view kCommand = "REPLICATION_STREAM";
constexpr size_t kSendTogetherBytes = 64 << 10;
// How often a stream that runs looks whether its user may still have it.
constexpr uint64_t kUserCheckedNs = 1'000'000'000;

absl::StatusOr<StreamUser> CheckUser(const SessionContext& session) {
  ASSIGN_OR_RETURN(const Identity identity, ReadIdentity(session.transaction, session.user));
  RETURN_IF_ERROR(CheckSystemPrivilege(identity, SystemPrivilege::kReplicationSource));
  return StreamUser{.name = session.user, .admin = identity.admin};
}

// Frames as COPY data. While there is no room to send, the connection takes in what the peer sends, so two full sockets do
// not wait for each other. Ends with 42501 soon after its user was told that it may no longer replicate.
class CopyBothTransport : public FrameTransport {
 public:
  explicit CopyBothTransport(const SessionParts& parts) : parts_(parts) {}

  absl::Status Send(std::string_view frame, WakeEvent* wake) override {
    RETURN_IF_ERROR(CheckUserNowAndThen());
    RETURN_IF_ERROR(Put(frame, wake));
    return Flush(wake);
  }

  absl::Status SendAll(const std::vector<std::string>& frames, WakeEvent* wake) override {
    RETURN_IF_ERROR(CheckUserNowAndThen());
    for (const std::string& frame : frames) {
      RETURN_IF_ERROR(Put(frame, wake));
      if (parts_.connection.out()->size() >= kSendTogetherBytes) RETURN_IF_ERROR(Flush(wake));
    }
    return Flush(wake);
  }

  absl::StatusOr<std::optional<std::string>> Receive(int timeout_ms, WakeEvent* wake) override {
    while (true) {
      if (finished_) return absl::UnavailableError("the destination has ended the stream");
      RETURN_IF_ERROR(CheckUserNowAndThen());
      absl::StatusOr<std::optional<FrontendMessage>> message = parts_.connection.TryReadMessage(timeout_ms, wake);
      if (!message.ok()) return message.status();
      if (!message->has_value()) {
        RETURN_IF_ERROR(parts_.control.end_reason());
        return std::optional<std::string>();
      }
      FrontendMessage& taken = **message;
      switch (taken.type) {
        case 'd':
          if (taken.too_large) return SqlError(sqlstate::kProtocolViolation, "a frame is larger than any frame may be");
          return std::optional<std::string>(std::move(taken.body));
        case 'X':
          terminated_ = true;
          [[fallthrough]];
        case 'c':
        case 'f':
          finished_ = true;
          break;
        case 'H':
        case 'S':
          break;
        default:
          return SqlError(sqlstate::kProtocolViolation,
                          fmt::format("unexpected message type 0x{:02x} during a replication stream",
                                      static_cast<uint8_t>(taken.type)));
      }
    }
  }

  void SetTakesNothingMs(int ms) override { takes_nothing_ms_ = ms; }
  void SetPace(Pace pace) override { pace_ = std::move(pace); }
  std::string PeerAddress() const override { return parts_.connection.PeerAddress(); }

  bool finished() const { return finished_; }      // the peer said that it wants no more
  bool terminated() const { return terminated_; }  // and that it leaves

 private:
  absl::Status CheckUserNowAndThen() {
    const SessionContext& session = parts_.sql.context();
    const uint64_t now_ns = session.transaction.store->clock()->MonotonicNs();
    if (now_ns - checked_at_ns_ < kUserCheckedNs) return absl::OkStatus();
    checked_at_ns_ = now_ns;
    return CheckUser(session).status();
  }
  absl::Status Put(std::string_view frame, WakeEvent* wake) {
    AppendCopyDataHeader(parts_.connection.out(), frame.size());
    for (; !frame.empty(); frame.remove_prefix(std::min(frame.size(), kPieceBytes))) {
      const std::string_view piece = frame.substr(0, kPieceBytes);
      const absl::StatusOr<bool> waited = pace_ ? pace_(piece.size(), wake) : false;
      if (!waited.ok()) return EndReasonOr(waited.status());
      parts_.connection.out()->append(piece);
      if (*waited) RETURN_IF_ERROR(Flush(wake));
    }
    return absl::OkStatus();
  }
  absl::Status Flush(WakeEvent* wake) { return EndReasonOr(parts_.connection.Flush(wake, takes_nothing_ms_)); }
  absl::Status EndReasonOr(const absl::Status& status) const {
    if (absl::IsCancelled(status)) RETURN_IF_ERROR(parts_.control.end_reason());
    return status;
  }

  const SessionParts parts_;
  uint64_t checked_at_ns_ = 0;  // monotonic
  int takes_nothing_ms_ = kTakesNothingMs;
  Pace pace_;
  bool finished_ = false;
  bool terminated_ = false;
};

struct StreamCommand {
  std::string verb;
  std::string request;  // serialized
};

absl::StatusOr<StreamCommand> ParseCommand(std::string_view query) {
  const auto malformed = [] {
    return SqlError(sqlstate::kSyntaxError, "expected REPLICATION_STREAM <OPEN|COPY|SUBSCRIBE|FINISH> '<hex>'");
  };
  query.remove_prefix(kCommand.size());
  const size_t open = query.find('\'');
  const size_t close = query.rfind('\'');
  if (open == std::string_view::npos || close == open) return malformed();
  if (query.find_first_not_of(" ;\n", close + 1) != std::string_view::npos) return malformed();
  std::string_view verb = query.substr(0, open);
  while (verb.starts_with(' ')) verb.remove_prefix(1);
  while (verb.ends_with(' ')) verb.remove_suffix(1);
  StreamCommand command{std::string(verb), ""};
  if (!FromHex(query.substr(open + 1, close - open - 1), &command.request)) return malformed();
  return command;
}

template <typename Request>
absl::StatusOr<Request> ParseRequest(const StreamCommand& command) {
  Request request;
  if (!request.ParseFromString(command.request)) {
    return SqlError(sqlstate::kProtocolViolation,
                    fmt::format("the request of REPLICATION_STREAM {} does not parse", command.verb));
  }
  return request;
}

void Answer(const SessionParts& parts, const std::string& response) {
  std::string* out = parts.connection.out();
  const std::vector<ColumnDescription> columns = {{"response", SqlType::kText}};
  AppendRowDescription(out, columns, {});
  AppendDataRow(out, {ToHex(response)}, columns, {}, UtcZone());
  AppendCommandComplete(out, kCommand);
}

// Runs `serve` with the connection in COPY BOTH mode.
template <typename Serve>
absl::Status Stream(const SessionParts& parts, const Serve& serve) {
  std::string* out = parts.connection.out();
  AppendCopyBothResponse(out);
  RETURN_IF_ERROR(parts.connection.Flush());
  CopyBothTransport transport(parts);
  const absl::Status status = serve(transport);
  if (transport.terminated()) {
    return SqlError(sqlstate::kAdminShutdown, "the destination has closed the connection of the stream");
  }
  // An end that the destination asked for is none that it needs explained.
  if (!status.ok() && !(transport.finished() && absl::IsUnavailable(status))) return status;
  AppendBare(out, BareMessage::kCopyDone);
  AppendCommandComplete(out, kCommand);
  return absl::OkStatus();
}

absl::Status Run(const StreamCommand& command, const SessionParts& parts, VirtualClusters& clusters, std::stop_token stop) {
  ASSIGN_OR_RETURN(const StreamUser user, CheckUser(parts.sql.context()));
  if (command.verb == "OPEN") {
    ASSIGN_OR_RETURN(const auto request, ParseRequest<wire::OpenRequest>(command));
    const HangupWatch watch(parts.connection, std::move(stop));
    ASSIGN_OR_RETURN(const wire::OpenResponse response, clusters.OpenStream(request, user, watch.token()));
    Answer(parts, response.SerializeAsString());
    return absl::OkStatus();
  }
  if (command.verb == "FINISH") {
    ASSIGN_OR_RETURN(const auto request, ParseRequest<wire::FinishRequest>(command));
    ASSIGN_OR_RETURN(const wire::FinishResponse response, clusters.FinishStream(request, user));
    Answer(parts, response.SerializeAsString());
    return absl::OkStatus();
  }
  if (command.verb == "COPY") {
    ASSIGN_OR_RETURN(const auto request, ParseRequest<wire::CopyRequest>(command));
    return Stream(parts, [&](FrameTransport& transport) { return clusters.ServeCopy(request, user, transport, stop); });
  }
  if (command.verb == "SUBSCRIBE") {
    ASSIGN_OR_RETURN(const auto request, ParseRequest<wire::SubscribeRequest>(command));
    return Stream(parts,
                  [&](FrameTransport& transport) { return clusters.ServeSubscription(request, user, transport, stop); });
  }
  return SqlError(sqlstate::kSyntaxError, fmt::format("unknown command REPLICATION_STREAM {}", command.verb));
}

}  // namespace

bool IsReplicationCommand(std::string_view query) {
  return query.starts_with(kCommand) && query.size() > kCommand.size() && query[kCommand.size()] == ' ';
}

absl::Status RunReplicationCommand(std::string_view query, const SessionParts& parts, VirtualClusters& clusters) {
  ASSIGN_OR_RETURN(const StreamCommand command, ParseCommand(query));
  const bool endless = command.verb == "COPY" || command.verb == "SUBSCRIBE";
  const std::stop_token stop = parts.control.BeginStatement(endless ? SessionControl::StatementKind::kEndless
                                                                    : SessionControl::StatementKind::kOrdinary);
  const absl::Status status = Run(command, parts, clusters, stop);
  parts.control.EndStatement();
  return status;
}

}  // namespace anabranch
