// The messages of PostgreSQL's wire protocol, version 3, to and from bytes. Pure: no sockets, no sessions.
//
// Decode* take the body of a message (after type and length) and return 08P01 for everything that is not exactly one such
// message. Append* add a whole message to *out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sql/session/session.h"

namespace anabranch {

inline constexpr size_t kStartupBytesMax = 10 << 10;
// A statement of the largest size, with names and parameter types around it. Larger ones are read past and refused by name
// (54000).
inline constexpr size_t kMessageBytesMax = kStatementBytesMax + (64 << 10);
// Messages that carry no text of the user's.
inline constexpr size_t kSmallMessageBytesMax = 64 << 10;
// What is read past. A length beyond it is noise, not a message.
inline constexpr size_t kSkippedMessageBytesMax = 1 << 30;

// --- From the client ---

struct StartupMessage {
  uint16_t minor_version = 0;
  std::vector<std::pair<std::string, std::string>> parameters;
};
struct CancelRequest {
  int32_t process_id = 0;
  int32_t secret = 0;
};
struct EncryptionRequest {
  bool tls = false;  // SSLRequest, else GSSENCRequest
};
using StartupPacket = std::variant<StartupMessage, CancelRequest, EncryptionRequest>;
// 0A000 for a protocol version that is not 3.x.
absl::StatusOr<StartupPacket> DecodeStartup(std::string_view body);

struct FrontendMessage {
  char type = 0;
  std::string body;
  bool too_large = false;  // beyond kMessageBytesMax: the body was read past and is empty
};
// True if a message of this type may have this length (which counts itself, as on the wire).
bool IsLegalLength(char type, uint32_t length);

absl::StatusOr<std::string> DecodeQuery(std::string_view body);

struct ParseMessage {
  std::string name;
  std::string query;
  std::vector<uint32_t> parameter_oids;
};
absl::StatusOr<ParseMessage> DecodeParse(std::string_view body);

enum class Format : int16_t { kText = 0, kBinary = 1 };

struct BindMessage {
  std::string portal;
  std::string statement;
  std::vector<Format> parameter_formats;  // none: all text; one: for all
  std::vector<std::optional<std::string>> parameters;
  std::vector<Format> result_formats;  // as parameter_formats
};
absl::StatusOr<BindMessage> DecodeBind(std::string_view body);

enum class TargetKind : char { kStatement = 'S', kPortal = 'P' };
struct TargetMessage {
  TargetKind kind = TargetKind::kStatement;
  std::string name;
};
absl::StatusOr<TargetMessage> DecodeTarget(std::string_view body);  // Describe, Close

struct ExecuteMessage {
  std::string portal;
  int32_t rows_max = 0;  // 0: all
};
absl::StatusOr<ExecuteMessage> DecodeExecute(std::string_view body);
absl::StatusOr<std::string> DecodeCopyFail(std::string_view body);

// Which SASL mechanism the client chooses, and its first message.
struct SaslInitialResponse {
  std::string mechanism;
  std::string data;
};
absl::StatusOr<SaslInitialResponse> DecodeSaslInitialResponse(std::string_view body);

// --- To the client ---

void AppendAuthenticationSasl(std::string* out, const std::vector<std::string_view>& mechanisms);
void AppendAuthenticationSaslContinue(std::string* out, std::string_view data);
void AppendAuthenticationSaslFinal(std::string* out, std::string_view data);
void AppendAuthenticationOk(std::string* out);
void AppendBackendKeyData(std::string* out, int32_t process_id, int32_t secret);
void AppendParameterStatus(std::string* out, std::string_view name, std::string_view value);
void AppendNegotiateProtocolVersion(std::string* out, const std::vector<std::string>& unknown_options);
void AppendReadyForQuery(std::string* out, TransactionStatus status);
// `formats` as in Bind.
void AppendRowDescription(std::string* out, const std::vector<ColumnDescription>& columns,
                          const std::vector<Format>& formats);
void AppendParameterDescription(std::string* out, const std::vector<SqlType>& types);
void AppendDataRow(std::string* out, const Row& row, const std::vector<ColumnDescription>& columns,
                   const std::vector<Format>& formats, const TimeZone& zone);
void AppendCommandComplete(std::string* out, std::string_view tag);
void AppendCopyInResponse(std::string* out, size_t columns);
void AppendCopyOutResponse(std::string* out, size_t columns);
void AppendCopyBothResponse(std::string* out);
void AppendCopyDataHeader(std::string* out, size_t body_bytes);  // the caller sends the body after it
// Messages without a body.
enum class BareMessage : char {
  kParseComplete = '1',
  kBindComplete = '2',
  kCloseComplete = '3',
  kNoData = 'n',
  kEmptyQueryResponse = 'I',
  kPortalSuspended = 's',
  kCopyDone = 'c',
};
void AppendBare(std::string* out, BareMessage message);

// kFatal: the connection closes after it.
enum class Severity { kError, kFatal };
void AppendError(std::string* out, Severity severity, const absl::Status& status);
// WARNING for what PostgreSQL warns about (classes 01 and 25), else NOTICE.
void AppendNotice(std::string* out, std::string_view sqlstate, std::string_view message);

// --- Values ---

// The format of column or parameter `index`: none given is text, one given counts for all.
Format FormatAt(const std::vector<Format>& formats, size_t index);
// The value of a parameter. 22P02 and the like for text, 22P03 for bytes that are no such value.
absl::StatusOr<Datum> DecodeParameter(SqlType type, Format format, std::string_view bytes, const TimeZone& zone);
// The type a client means by an oid in Parse; kUnknown for "you say". 0A000 naming the oid for types there are not.
absl::StatusOr<SqlType> ParameterTypeOfOid(uint32_t oid);

}  // namespace anabranch
