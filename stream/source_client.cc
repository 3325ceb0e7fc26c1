#include "stream/source_client.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/coding.h"
#include "base/status.h"
#include "libpq-fe.h"
#include "stream/conninfo.h"
#include "stream/inline_credentials.h"
#include "stream/resolve.h"

namespace anabranch {
namespace {

struct FreeConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, ClearResult>;

uint64_t DeadlineIn(uint64_t ms) { return SystemClock()->MonotonicNs() + ms * 1'000'000; }

int MsUntil(uint64_t deadline_ns) {
  const uint64_t now_ns = SystemClock()->MonotonicNs();
  return deadline_ns <= now_ns ? 0 : static_cast<int>((deadline_ns - now_ns + 999'999) / 1'000'000);
}

absl::Status Cancelled() { return absl::CancelledError("stopped"); }

std::string FirstLine(std::string_view text) { return std::string(text.substr(0, text.find('\n'))); }

std::string Field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? "" : text;
}

// What is kept and shown of a peer's text.
constexpr size_t kPeerTextBytesMax = 1'000;
constexpr const char* kNoFile = "/dev/null/none";  // nothing can be called so

bool IsSqlState(std::string_view text) {
  constexpr size_t kSqlStateLength = 5;
  return text.size() == kSqlStateLength &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); });
}

class Client final : public SourceClient, public FrameTransport {
 public:
  explicit Client(std::stop_token stop) : stop_(std::move(stop)), on_stop_(stop_, [this] { stopped_.Signal(); }) {}

  // Tries the hosts in their order, each with a deadline of its own.
  absl::Status Start(const Conninfo& parameters);

  absl::StatusOr<wire::OpenResponse> Open(const wire::OpenRequest& request) override {
    return Ask<wire::OpenResponse>("OPEN", request.SerializeAsString());
  }
  absl::StatusOr<wire::FinishResponse> Finish(const wire::FinishRequest& request) override {
    return Ask<wire::FinishResponse>("FINISH", request.SerializeAsString());
  }
  absl::StatusOr<FrameTransport*> Subscribe(const wire::SubscribeRequest& request) override {
    return StartCopy("SUBSCRIBE", request.SerializeAsString());
  }
  absl::StatusOr<FrameTransport*> Copy(const wire::CopyRequest& request) override {
    return StartCopy("COPY", request.SerializeAsString());
  }

  uint64_t heard() const override { return heard_; }
  absl::Status Send(std::string_view frame, WakeEvent* wake) override;
  absl::StatusOr<std::optional<std::string>> Receive(int timeout_ms, WakeEvent* wake) override;

 private:
  enum class Waited { kReady, kTimeout, kWoken };

  absl::Status DialHost(Conninfo parameters, uint64_t timeout_ms);
  absl::Status Dial(const Conninfo& parameters, uint64_t timeout_ms);

  absl::StatusOr<Waited> Wait(short events, uint64_t deadline_ns, WakeEvent* wake);
  absl::Status Flush(uint64_t deadline_ns, WakeEvent* wake);
  absl::StatusOr<Result> NextResult(uint64_t deadline_ns);
  absl::StatusOr<Result> Query(std::string_view verb, const std::string& request);
  absl::Status EndCopy();
  absl::Status CopyEnded();
  absl::StatusOr<FrameTransport*> StartCopy(std::string_view verb, const std::string& request);
  template <typename Response>
  absl::StatusOr<Response> Ask(std::string_view verb, const std::string& request);
  absl::Status Lost() const;
  absl::Status Unreachable() const;
  absl::Status Refusal(std::string_view sqlstate, const std::string& message, const std::string& hint) const;
  absl::Status FromResult(const PGresult* result) const;
  std::string Shown(std::string text) const;

  const std::stop_token stop_;
  WakeEvent stopped_;
  const std::stop_callback<std::function<void()>> on_stop_;
  std::string password_;
  InlineCredentials inline_credentials_;
  std::unique_ptr<PGconn, FreeConnection> connection_;
  bool copying_ = false;  // the connection is in COPY BOTH
  uint64_t heard_ = 0;
};

// A line of text of the peer, or of libpq about it, as it may be kept: no password, nothing that a terminal, a log or a
// record would not take.
std::string Client::Shown(std::string text) const {
  text = FirstLine(text);
  if (!password_.empty()) {
    for (size_t at = text.find(password_); at != std::string::npos; at = text.find(password_, at)) {
      text.replace(at, password_.size(), "...");
      at += 3;
    }
  }
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text.substr(0, kPeerTextBytesMax);
}

// The source's own, which keeps its SQLSTATE.
absl::Status Client::Refusal(std::string_view sqlstate, const std::string& message, const std::string& hint) const {
  return SqlError(IsSqlState(sqlstate) ? sqlstate : sqlstate::kProtocolViolation, Shown(message), Shown(hint));
}

// What libpq makes of a broken connection has no SQLSTATE.
absl::Status Client::FromResult(const PGresult* result) const {
  const std::string sqlstate = Field(result, PG_DIAG_SQLSTATE);
  if (sqlstate.empty()) {
    return SqlError(sqlstate::kConnectionFailure,
                    fmt::format("connection to the source lost: {}", Shown(PQresultErrorMessage(result))));
  }
  return Refusal(sqlstate, Field(result, PG_DIAG_MESSAGE_PRIMARY), Field(result, PG_DIAG_MESSAGE_HINT));
}

absl::Status Client::Lost() const {
  return SqlError(sqlstate::kConnectionFailure,
                  fmt::format("connection to the source lost: {}", Shown(PQerrorMessage(connection_.get()))));
}

// A refusal by the source during the handshake reads "...FATAL:  28000: text" (verbose errors); what the network refused
// has no SQLSTATE.
absl::Status Client::Unreachable() const {
  const std::string text = PQerrorMessage(connection_.get());
  constexpr std::string_view kFatal = "FATAL:  ";
  constexpr size_t kSqlStateLength = 5;
  const size_t fatal = text.rfind(kFatal);
  if (fatal != std::string::npos) {
    const std::string rest = text.substr(fatal + kFatal.size());
    if (rest.size() > kSqlStateLength + 2 && rest[kSqlStateLength] == ':') {
      constexpr std::string_view kHint = "HINT:  ";
      const size_t hint = rest.find(kHint);
      return Refusal(rest.substr(0, kSqlStateLength), FirstLine(rest).substr(kSqlStateLength + 2),
                     hint == std::string::npos ? "" : rest.substr(hint + kHint.size()));
    }
  }
  return SqlError(sqlstate::kSqlclientUnableToConnect, fmt::format("could not connect to the source: {}", Shown(text)));
}

absl::StatusOr<Client::Waited> Client::Wait(short events, uint64_t deadline_ns, WakeEvent* wake) {
  std::array<pollfd, 3> fds = {pollfd{PQsocket(connection_.get()), events, 0}, pollfd{stopped_.fd(), POLLIN, 0},
                               pollfd{wake == nullptr ? -1 : wake->fd(), POLLIN, 0}};
  while (true) {
    const int ready = poll(fds.data(), fds.size(), MsUntil(deadline_ns));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return absl::InternalError("poll failed");
    if (fds[1].revents != 0) return Cancelled();
    if (fds[0].revents != 0) return Waited::kReady;
    if (fds[2].revents != 0) return Waited::kWoken;
    return Waited::kTimeout;
  }
}

absl::Status Client::Start(const Conninfo& given) {
  Conninfo parameters = given;
  password_ = parameters["password"];
  RETURN_IF_ERROR(inline_credentials_.Materialize(&parameters));
  std::string& options = parameters["options"];
  if (options.find("ccluster") == std::string::npos) options += options.empty() ? "-ccluster=system" : " -ccluster=system";
  // Else libpq would look for the secrets of this node's user, in files that the string does not name.
  parameters["passfile"] = kNoFile;
  if (parameters["sslcert"].empty()) parameters["sslcert"] = kNoFile;
  parameters.try_emplace("application_name", "anabranch replication");
  parameters.try_emplace("keepalives_idle", "5");
  parameters.try_emplace("keepalives_interval", "2");
  parameters.try_emplace("keepalives_count", "3");
  parameters.try_emplace("tcp_user_timeout", std::to_string(kConnectTimeoutMs));
  const uint64_t timeout_ms = ConnectTimeoutMs(parameters);
  absl::Status status;
  for (Conninfo& host : OnePerHost(parameters)) {
    status = DialHost(std::move(host), timeout_ms);
    // What a source has answered stands, unless it is that it cannot serve now: then another one may.
    const bool next = !status.ok() && (SqlStateOf(status) == sqlstate::kSqlclientUnableToConnect ||
                                       SqlStateOf(status) == sqlstate::kCannotConnectNow);
    if (!next) break;
  }
  return status;
}

// Of a name each address is dialled.
absl::Status Client::DialHost(Conninfo parameters, uint64_t timeout_ms) {
  const std::string& host = parameters["host"];
  const bool named = parameters["hostaddr"].empty() && !host.starts_with('/') && !host.starts_with('@');
  if (!named) return Dial(parameters, timeout_ms);
  ASSIGN_OR_RETURN(const std::vector<std::string> addresses, Resolve(host, DeadlineIn(timeout_ms), stop_));
  absl::Status status;
  for (const std::string& address : addresses) {
    parameters["hostaddr"] = address;
    status = Dial(parameters, timeout_ms);
    if (status.ok() || SqlStateOf(status) != sqlstate::kSqlclientUnableToConnect) break;
  }
  return status;
}

absl::Status Client::Dial(const Conninfo& parameters, uint64_t timeout_ms) {
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  for (const auto& [keyword, value] : parameters) {
    if (value.empty()) continue;
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  connection_.reset(PQconnectStartParams(keywords.data(), values.data(), /*expand_dbname=*/0));
  if (connection_ == nullptr) return SqlError(sqlstate::kOutOfMemory, "no memory for a connection to the source");
  PQsetErrorVerbosity(connection_.get(), PQERRORS_VERBOSE);
  if (PQstatus(connection_.get()) == CONNECTION_BAD) return Unreachable();

  const uint64_t deadline_ns = DeadlineIn(timeout_ms);
  short events = POLLOUT;
  while (true) {
    ASSIGN_OR_RETURN(const Waited waited, Wait(events, deadline_ns, nullptr));
    if (waited == Waited::kTimeout) {
      return SqlError(sqlstate::kSqlclientUnableToConnect,
                      fmt::format("could not connect to the source within {} ms", timeout_ms));
    }
    const PostgresPollingStatusType polled = PQconnectPoll(connection_.get());
    if (polled == PGRES_POLLING_FAILED) return Unreachable();
    if (polled == PGRES_POLLING_OK) break;
    events = polled == PGRES_POLLING_READING ? POLLIN : POLLOUT;
  }
  if (PQsetnonblocking(connection_.get(), 1) != 0) return Lost();
  return absl::OkStatus();
}

absl::Status Client::Flush(uint64_t deadline_ns, WakeEvent* wake) {
  while (true) {
    const int left = PQflush(connection_.get());
    if (left == 0) return absl::OkStatus();
    if (left < 0) return Lost();
    // Reading too: the source may be blocked sending to us.
    ASSIGN_OR_RETURN(const Waited waited, Wait(POLLIN | POLLOUT, deadline_ns, wake));
    if (waited == Waited::kWoken) return Cancelled();
    if (waited == Waited::kTimeout) return SqlError(sqlstate::kConnectionFailure, "the source takes no data");
    if (PQconsumeInput(connection_.get()) == 0) return Lost();
  }
}

// nullptr at the end of the statement's results.
absl::StatusOr<Result> Client::NextResult(uint64_t deadline_ns) {
  while (PQisBusy(connection_.get()) != 0) {
    ASSIGN_OR_RETURN(const Waited waited, Wait(POLLIN, deadline_ns, nullptr));
    if (waited == Waited::kTimeout) {
      return SqlError(sqlstate::kConnectionFailure,
                      fmt::format("the source did not answer within {} ms", kRequestTimeoutMs));
    }
    if (PQconsumeInput(connection_.get()) == 0) return Lost();
  }
  return Result(PQgetResult(connection_.get()));
}

// The first result of the statement; an error of the source is returned as such.
absl::StatusOr<Result> Client::Query(std::string_view verb, const std::string& request) {
  RETURN_IF_ERROR(EndCopy());
  const uint64_t deadline_ns = DeadlineIn(kRequestTimeoutMs);
  const std::string statement = fmt::format("REPLICATION_STREAM {} '{}'", verb, ToHex(request));
  if (PQsendQuery(connection_.get(), statement.c_str()) == 0) return Lost();
  RETURN_IF_ERROR(Flush(deadline_ns, nullptr));
  ASSIGN_OR_RETURN(Result result, NextResult(deadline_ns));
  if (result == nullptr) return Lost();
  if (PQresultStatus(result.get()) != PGRES_FATAL_ERROR) return result;
  const absl::Status refused = FromResult(result.get());
  while (result != nullptr) {
    ASSIGN_OR_RETURN(result, NextResult(deadline_ns));
  }
  return refused;
}

template <typename Response>
absl::StatusOr<Response> Client::Ask(std::string_view verb, const std::string& request) {
  ASSIGN_OR_RETURN(Result result, Query(verb, request));
  if (PQresultStatus(result.get()) != PGRES_TUPLES_OK || PQntuples(result.get()) != 1 || PQnfields(result.get()) != 1) {
    return SqlError(sqlstate::kProtocolViolation, fmt::format("the source did not answer {} with one value", verb));
  }
  std::string bytes;
  Response response;
  if (!FromHex(PQgetvalue(result.get(), 0, 0), &bytes) || !response.ParseFromString(bytes)) {
    return SqlError(sqlstate::kProtocolViolation, fmt::format("the answer of the source to {} does not parse", verb));
  }
  const uint64_t deadline_ns = DeadlineIn(kRequestTimeoutMs);
  while (result != nullptr) {
    ASSIGN_OR_RETURN(result, NextResult(deadline_ns));
    if (result != nullptr && PQresultStatus(result.get()) == PGRES_FATAL_ERROR) return FromResult(result.get());
  }
  return response;
}

absl::StatusOr<FrameTransport*> Client::StartCopy(std::string_view verb, const std::string& request) {
  ASSIGN_OR_RETURN(const Result result, Query(verb, request));
  if (PQresultStatus(result.get()) != PGRES_COPY_BOTH) {
    return SqlError(sqlstate::kProtocolViolation, fmt::format("the source did not answer {} with COPY BOTH", verb));
  }
  copying_ = true;
  return this;
}

// Leaves COPY BOTH after the last frame, so that the connection takes the next request.
absl::Status Client::EndCopy() {
  if (!std::exchange(copying_, false)) return absl::OkStatus();
  const uint64_t deadline_ns = DeadlineIn(kRequestTimeoutMs);
  if (PQputCopyEnd(connection_.get(), nullptr) != 1) return Lost();
  RETURN_IF_ERROR(Flush(deadline_ns, nullptr));
  char* data = nullptr;
  int length = 0;
  while ((length = PQgetCopyData(connection_.get(), &data, /*async=*/1)) >= 0) {
    if (length > 0) {
      PQfreemem(data);
      return SqlError(sqlstate::kProtocolViolation, "the source sent more than the file");
    }
    ASSIGN_OR_RETURN(const Waited waited, Wait(POLLIN, deadline_ns, nullptr));
    if (waited == Waited::kTimeout) return SqlError(sqlstate::kConnectionFailure, "the source did not end the copy");
    if (PQconsumeInput(connection_.get()) == 0) return Lost();
  }
  if (length == -2) return Lost();
  while (true) {
    ASSIGN_OR_RETURN(const Result result, NextResult(deadline_ns));
    if (result == nullptr) return absl::OkStatus();
    if (PQresultStatus(result.get()) == PGRES_FATAL_ERROR) return FromResult(result.get());
  }
}

absl::Status Client::Send(std::string_view frame, WakeEvent* wake) {
  const uint64_t deadline_ns = DeadlineIn(kTakesNothingMs);
  while (true) {
    const int put = PQputCopyData(connection_.get(), frame.data(), static_cast<int>(frame.size()));
    if (put < 0) return Lost();
    RETURN_IF_ERROR(Flush(deadline_ns, wake));
    if (put > 0) return absl::OkStatus();
  }
}

// The stream ended: what the source said last, or that it just went.
absl::Status Client::CopyEnded() {
  copying_ = false;
  ASSIGN_OR_RETURN(const Result result, NextResult(DeadlineIn(kConnectTimeoutMs)));
  if (result != nullptr && PQresultStatus(result.get()) == PGRES_FATAL_ERROR) return FromResult(result.get());
  return SqlError(sqlstate::kConnectionFailure, "the source ended the stream");
}

absl::StatusOr<std::optional<std::string>> Client::Receive(int timeout_ms, WakeEvent* wake) {
  const uint64_t deadline_ns = DeadlineIn(static_cast<uint64_t>(timeout_ms));
  for (bool last_look = false;;) {
    char* data = nullptr;
    const int length = PQgetCopyData(connection_.get(), &data, /*async=*/1);
    if (length > 0) {
      const std::unique_ptr<char, decltype(&PQfreemem)> owned(data, PQfreemem);
      return std::string(data, static_cast<size_t>(length));
    }
    if (length == -1) return CopyEnded();
    if (length < 0) return Lost();
    if (last_look) return std::nullopt;
    ASSIGN_OR_RETURN(const Waited waited, Wait(POLLIN, deadline_ns, wake));
    if (waited != Waited::kReady) return std::nullopt;
    if (PQconsumeInput(connection_.get()) == 0) return Lost();
    ++heard_;
    last_look = MsUntil(deadline_ns) == 0;
  }
}

}  // namespace

std::optional<Conninfo> ParseConninfo(const std::string& uri) {
  std::string text = uri;
  const bool inline_credentials = TakeSslInline(&text);
  char* why = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(PQconninfoParse(text.c_str(), &why),
                                                                            PQconninfoFree);
  PQfreemem(why);
  if (parsed == nullptr) return std::nullopt;
  Conninfo parameters;
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) parameters.emplace(option->keyword, option->val);
  }
  if (inline_credentials) parameters.emplace(kSslInline, "true");
  return parameters;
}

absl::StatusOr<std::unique_ptr<SourceClient>> SourceClient::Connect(const std::string& uri, std::stop_token stop) {
  RETURN_IF_ERROR(CheckSourceUri(uri));
  auto parameters = ParseConninfo(uri);
  auto client = std::make_unique<Client>(std::move(stop));
  RETURN_IF_ERROR(client->Start(*std::move(parameters)));
  return client;
}

}  // namespace anabranch
