#include "sql/wire/message.h"

#include <algorithm>

#include "base/status.h"
#include "sql/value/error_field.h"
#include "sql/value/type_name.h"
#include "sql/wire/value.h"

namespace anabranch {
namespace {

constexpr uint32_t kCancelRequestCode = 80877102;
constexpr uint32_t kSslRequestCode = 80877103;
constexpr uint32_t kGssEncRequestCode = 80877104;

absl::Status Malformed(std::string_view what) {
  return SqlError(sqlstate::kProtocolViolation, fmt::format("invalid {} message", what));
}

// Takes values off the front of a body. After the first thing that is missing every take fails.
class Reader {
 public:
  explicit Reader(std::string_view body) : rest_(body) {}

  uint32_t Fixed32() { return static_cast<uint32_t>(BigEndian(4)); }
  uint16_t Fixed16() { return static_cast<uint16_t>(BigEndian(2)); }
  char Byte() { return static_cast<char>(BigEndian(1)); }

  std::string String() {
    const size_t end = rest_.find('\0');
    if (end == std::string_view::npos) {
      ok_ = false;
      return "";
    }
    std::string text(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return text;
  }

  std::string Bytes(size_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      return "";
    }
    std::string bytes(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return bytes;
  }

  // A count of things of which each takes at least `bytes_each`; so a count cannot ask for more memory than the message
  // has.
  size_t Count(size_t bytes_each) {
    const size_t count = Fixed16();
    if (count * bytes_each > rest_.size()) ok_ = false;
    return ok_ ? count : 0;
  }

  bool ok() const { return ok_; }
  bool empty() const { return rest_.empty(); }
  bool finished() const { return ok_ && rest_.empty(); }

 private:
  uint64_t BigEndian(size_t size) {
    if (!ok_ || rest_.size() < size) {
      ok_ = false;
      return 0;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(rest_[i]);
    rest_.remove_prefix(size);
    return value;
  }

  std::string_view rest_;
  bool ok_ = true;
};

void Put16(std::string* out, uint16_t value) {
  out->push_back(static_cast<char>(value >> 8));
  out->push_back(static_cast<char>(value));
}

void Put32(std::string* out, uint32_t value) {
  Put16(out, static_cast<uint16_t>(value >> 16));
  Put16(out, static_cast<uint16_t>(value));
}

void PutString(std::string* out, std::string_view text) {
  // A zero byte would end the string early and shift everything after it.
  out->append(text.substr(0, text.find('\0')));
  out->push_back('\0');
}

// One message: writes the type, and the length when it goes out of scope.
class Message {
 public:
  Message(std::string* out, char type) : out_(out) {
    out->push_back(type);
    length_at_ = out->size();
    Put32(out, 0);
  }
  ~Message() {
    const uint32_t length = static_cast<uint32_t>(out_->size() - length_at_);
    for (int i = 0; i < 4; ++i) (*out_)[length_at_ + i] = static_cast<char>(length >> (24 - 8 * i));
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

 private:
  std::string* out_;
  size_t length_at_;
};

bool TakeFormats(Reader* reader, std::vector<Format>* formats) {
  for (size_t count = reader->Count(2); count > 0; --count) {
    const uint16_t code = reader->Fixed16();
    if (code > 1) return false;
    formats->push_back(static_cast<Format>(code));
  }
  return reader->ok();
}

void PutField(std::string* out, char field, std::string_view text) {
  out->push_back(field);
  PutString(out, text);
}

void AppendDiagnostic(std::string* out, char type, std::string_view severity, std::string_view sqlstate,
                      std::string_view text, std::string_view hint, const absl::Status& fields = absl::OkStatus()) {
  Message message(out, type);
  PutField(out, 'S', severity);
  PutField(out, 'V', severity);
  PutField(out, 'C', sqlstate);
  PutField(out, 'M', text);
  if (!hint.empty()) PutField(out, 'H', hint);
  for (const ErrorField field : kErrorFields) {
    if (const std::string value = FieldOf(fields, field); !value.empty()) PutField(out, static_cast<char>(field), value);
  }
  out->push_back('\0');
}

// The length before the value is known once the value is there.
void PutDatum(std::string* out, const Datum& datum, SqlType type, Format format, const TimeZone& zone) {
  const size_t begin = out->size();
  Put32(out, 0);
  if (format == Format::kBinary) {
    AppendBinary(datum, type, out);
  } else {
    AppendText(datum, zone, out);
  }
  const auto length = static_cast<uint32_t>(out->size() - begin - sizeof(uint32_t));
  for (size_t i = 0; i < sizeof(length); ++i) (*out)[begin + i] = static_cast<char>(length >> (8 * (3 - i)));
}

}  // namespace

absl::StatusOr<StartupPacket> DecodeStartup(std::string_view body) {
  Reader reader(body);
  const uint32_t code = reader.Fixed32();
  if (!reader.ok()) return Malformed("startup");
  if (code == kSslRequestCode || code == kGssEncRequestCode) {
    if (!reader.finished()) return Malformed("startup");
    return EncryptionRequest{.tls = code == kSslRequestCode};
  }
  if (code == kCancelRequestCode) {
    CancelRequest cancel;
    cancel.process_id = static_cast<int32_t>(reader.Fixed32());
    cancel.secret = static_cast<int32_t>(reader.Fixed32());
    if (!reader.finished()) return Malformed("cancel request");
    return cancel;
  }
  if (code >> 16 != 3) {
    return SqlError(sqlstate::kFeatureNotSupported,
                    fmt::format("unsupported frontend protocol {}.{}: the server supports 3.0", code >> 16, code & 0xffff));
  }
  StartupMessage startup;
  startup.minor_version = static_cast<uint16_t>(code);
  while (true) {
    std::string name = reader.String();
    if (!reader.ok()) return Malformed("startup");
    if (name.empty()) break;
    std::string value = reader.String();
    startup.parameters.emplace_back(std::move(name), std::move(value));
  }
  if (!reader.finished()) return Malformed("startup");
  return startup;
}

bool IsLegalLength(char type, uint32_t length) {
  if (length < 4) return false;
  switch (type) {
    case 'Q':
    case 'P':
    case 'B':
    case 'd':
      return length <= kSkippedMessageBytesMax;
    case 'C':
    case 'D':
    case 'E':
    case 'H':
    case 'S':
    case 'X':
    case 'c':
    case 'f':
    case 'p':
    case 'F':
      return length <= kSmallMessageBytesMax;
    default:
      return false;
  }
}

absl::StatusOr<std::string> DecodeQuery(std::string_view body) {
  Reader reader(body);
  std::string query = reader.String();
  if (!reader.finished()) return Malformed("query");
  return query;
}

absl::StatusOr<ParseMessage> DecodeParse(std::string_view body) {
  Reader reader(body);
  ParseMessage parse;
  parse.name = reader.String();
  parse.query = reader.String();
  for (size_t count = reader.Count(4); count > 0; --count) parse.parameter_oids.push_back(reader.Fixed32());
  if (!reader.finished()) return Malformed("parse");
  return parse;
}

absl::StatusOr<BindMessage> DecodeBind(std::string_view body) {
  Reader reader(body);
  BindMessage bind;
  bind.portal = reader.String();
  bind.statement = reader.String();
  if (!reader.ok() || !TakeFormats(&reader, &bind.parameter_formats)) return Malformed("bind");
  for (size_t count = reader.Count(4); count > 0; --count) {
    const int32_t size = static_cast<int32_t>(reader.Fixed32());
    if (size < -1) return Malformed("bind");
    if (size == -1) {
      bind.parameters.push_back(std::nullopt);
    } else {
      bind.parameters.push_back(reader.Bytes(static_cast<size_t>(size)));
    }
  }
  if (!reader.ok() || !TakeFormats(&reader, &bind.result_formats) || !reader.finished()) return Malformed("bind");
  if (bind.parameter_formats.size() > 1 && bind.parameter_formats.size() != bind.parameters.size()) {
    return SqlError(sqlstate::kProtocolViolation, fmt::format("bind message has {} parameter formats but {} parameters",
                                                              bind.parameter_formats.size(), bind.parameters.size()));
  }
  return bind;
}

absl::StatusOr<TargetMessage> DecodeTarget(std::string_view body) {
  Reader reader(body);
  const char kind = reader.Byte();
  TargetMessage target;
  target.name = reader.String();
  if (!reader.finished() || (kind != 'S' && kind != 'P')) return Malformed("describe or close");
  target.kind = static_cast<TargetKind>(kind);
  return target;
}

absl::StatusOr<ExecuteMessage> DecodeExecute(std::string_view body) {
  Reader reader(body);
  ExecuteMessage execute;
  execute.portal = reader.String();
  execute.rows_max = std::max(0, static_cast<int32_t>(reader.Fixed32()));
  if (!reader.finished()) return Malformed("execute");
  return execute;
}

absl::StatusOr<std::string> DecodeCopyFail(std::string_view body) {
  Reader reader(body);
  std::string reason = reader.String();
  if (!reader.finished()) return Malformed("copy fail");
  return reason;
}

absl::StatusOr<SaslInitialResponse> DecodeSaslInitialResponse(std::string_view body) {
  Reader reader(body);
  SaslInitialResponse response;
  response.mechanism = reader.String();
  response.data = reader.Bytes(reader.Fixed32());
  if (!reader.finished()) return Malformed("SASL initial response");
  return response;
}

void AppendAuthenticationOk(std::string* out) {
  Message message(out, 'R');
  Put32(out, 0);
}

void AppendAuthenticationSasl(std::string* out, const std::vector<std::string_view>& mechanisms) {
  Message message(out, 'R');
  Put32(out, 10);
  for (const std::string_view mechanism : mechanisms) PutString(out, mechanism);
  out->push_back('\0');
}

void AppendAuthenticationSaslContinue(std::string* out, std::string_view data) {
  Message message(out, 'R');
  Put32(out, 11);
  out->append(data);
}

void AppendAuthenticationSaslFinal(std::string* out, std::string_view data) {
  Message message(out, 'R');
  Put32(out, 12);
  out->append(data);
}

void AppendBackendKeyData(std::string* out, int32_t process_id, int32_t secret) {
  Message message(out, 'K');
  Put32(out, static_cast<uint32_t>(process_id));
  Put32(out, static_cast<uint32_t>(secret));
}

void AppendParameterStatus(std::string* out, std::string_view name, std::string_view value) {
  Message message(out, 'S');
  PutString(out, name);
  PutString(out, value);
}

void AppendNegotiateProtocolVersion(std::string* out, const std::vector<std::string>& unknown_options) {
  Message message(out, 'v');
  Put32(out, 0);  // the newest minor version that is supported
  Put32(out, static_cast<uint32_t>(unknown_options.size()));
  for (const std::string& option : unknown_options) PutString(out, option);
}

void AppendReadyForQuery(std::string* out, TransactionStatus status) {
  Message message(out, 'Z');
  out->push_back(static_cast<char>(status));
}

void AppendRowDescription(std::string* out, const std::vector<ColumnDescription>& columns,
                          const std::vector<Format>& formats) {
  Message message(out, 'T');
  Put16(out, static_cast<uint16_t>(columns.size()));
  for (size_t i = 0; i < columns.size(); ++i) {
    PutString(out, columns[i].name);
    Put32(out, 0);  // no table's column
    Put16(out, 0);
    // Clients know no type "unknown" in results; PostgreSQL resolves it to text as well.
    const SqlType type = columns[i].type == SqlType::kUnknown ? SqlType::kText : columns[i].type;
    Put32(out, static_cast<uint32_t>(type));
    Put16(out, static_cast<uint16_t>(TypeLength(type)));
    Put32(out, static_cast<uint32_t>(columns[i].modifier));
    Put16(out, static_cast<uint16_t>(FormatAt(formats, i)));
  }
}

void AppendParameterDescription(std::string* out, const std::vector<SqlType>& types) {
  Message message(out, 't');
  Put16(out, static_cast<uint16_t>(types.size()));
  for (const SqlType type : types) Put32(out, static_cast<uint32_t>(type == SqlType::kUnknown ? SqlType::kText : type));
}

void AppendDataRow(std::string* out, const Row& row, const std::vector<ColumnDescription>& columns,
                   const std::vector<Format>& formats, const TimeZone& zone) {
  Message message(out, 'D');
  Put16(out, static_cast<uint16_t>(row.size()));
  for (size_t i = 0; i < row.size(); ++i) {
    if (IsNull(row[i])) {
      Put32(out, static_cast<uint32_t>(-1));
    } else {
      PutDatum(out, row[i], columns[i].type, FormatAt(formats, i), zone);
    }
  }
}

void AppendCommandComplete(std::string* out, std::string_view tag) {
  Message message(out, 'C');
  PutString(out, tag);
}

void AppendCopyResponse(std::string* out, char type, size_t columns) {
  Message message(out, type);
  out->push_back(0);  // text
  Put16(out, static_cast<uint16_t>(columns));
  for (size_t i = 0; i < columns; ++i) Put16(out, 0);
}

void AppendCopyInResponse(std::string* out, size_t columns) { AppendCopyResponse(out, 'G', columns); }
void AppendCopyOutResponse(std::string* out, size_t columns) { AppendCopyResponse(out, 'H', columns); }

void AppendCopyBothResponse(std::string* out) {
  Message message(out, 'W');
  out->push_back(0);
  Put16(out, 0);
}

void AppendCopyDataHeader(std::string* out, size_t body_bytes) {
  out->push_back('d');
  Put32(out, static_cast<uint32_t>(4 + body_bytes));
}

void AppendBare(std::string* out, BareMessage bare) { Message message(out, static_cast<char>(bare)); }

void AppendError(std::string* out, Severity severity, const absl::Status& status) {
  AppendDiagnostic(out, 'E', severity == Severity::kFatal ? "FATAL" : "ERROR", SqlStateOf(status), MessageOf(status),
                   HintOf(status), status);
}

void AppendNotice(std::string* out, std::string_view sqlstate, std::string_view message) {
  const bool warning = sqlstate.starts_with("01") || sqlstate.starts_with("25");
  AppendDiagnostic(out, 'N', warning ? "WARNING" : "NOTICE", sqlstate, message, "");
}

Format FormatAt(const std::vector<Format>& formats, size_t index) {
  if (formats.empty()) return Format::kText;
  return formats.size() == 1 ? formats[0] : formats[index];
}

absl::StatusOr<Datum> DecodeParameter(SqlType type, Format format, std::string_view bytes, const TimeZone& zone) {
  if (type == SqlType::kUnknown) type = SqlType::kText;
  return format == Format::kBinary ? FromBinary(type, bytes) : FromText(type, bytes, zone);
}

absl::StatusOr<SqlType> ParameterTypeOfOid(uint32_t oid) {
  if (oid == 0) return SqlType::kUnknown;
  const std::optional<SqlType> type = TypeOfOid(oid);
  if (type && *type != SqlType::kVoid) return *type;
  return SqlError(sqlstate::kFeatureNotSupported, fmt::format("a parameter of the type with oid {} is not supported", oid));
}

}  // namespace anabranch
