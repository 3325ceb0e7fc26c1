#include "sql/copy.h"

#include <algorithm>
#include <optional>

#include "base/status.h"
#include "sql/tree.h"

namespace anabranch {
namespace {

absl::Status BadFormat(std::string message) { return SqlError(sqlstate::kBadCopyFileFormat, std::move(message)); }

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The character that a backslash and what follows it at raw[*at] mean; *at moves past it.
char Unescaped(std::string_view raw, size_t* at) {
  const char c = raw[(*at)++];
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    case 'x': {
      if (*at >= raw.size() || HexValue(raw[*at]) < 0) return c;
      int value = HexValue(raw[(*at)++]);
      if (*at < raw.size() && HexValue(raw[*at]) >= 0) value = value * 16 + HexValue(raw[(*at)++]);
      return static_cast<char>(value);
    }
    default:
      break;
  }
  if (c < '0' || c > '7') return c;
  int value = c - '0';
  for (int digits = 1; digits < 3 && *at < raw.size() && raw[*at] >= '0' && raw[*at] <= '7'; ++digits) {
    value = value * 8 + (raw[(*at)++] - '0');
  }
  return static_cast<char>(value);
}

// nullopt: NULL.
std::optional<std::string> DecodeField(std::string_view raw) {
  if (raw == "\\N") return std::nullopt;
  std::string text;
  text.reserve(raw.size());
  for (size_t at = 0; at < raw.size();) {
    const char c = raw[at++];
    text.push_back(c == '\\' && at < raw.size() ? Unescaped(raw, &at) : c);
  }
  return text;
}

}  // namespace

absl::StatusOr<std::string> CopyTarget(const pg_query::CopyStmt& copy) {
  if (!copy.is_from()) return UnsupportedError("COPY TO");
  for (const pg_query::Node& node : copy.options()) {
    const pg_query::DefElem& option = node.def_elem();
    if (option.defname() == "freeze") continue;  // says how PostgreSQL is to store the rows
    if (option.defname() != "format") return UnsupportedError(fmt::format("COPY option {}", option.defname()));
    if (StringOf(option.arg()) != "text") return UnsupportedError(fmt::format("COPY format {}", StringOf(option.arg())));
  }
  return RelationName(copy.relation());
}

absl::Status CopyReader::Data(std::string_view bytes) {
  while (!ended_) {
    const size_t end = bytes.find('\n');
    if (end == std::string_view::npos) break;
    if (pending_.empty()) {
      RETURN_IF_ERROR(Line(bytes.substr(0, end)));
    } else {
      pending_.append(bytes.substr(0, end));
      RETURN_IF_ERROR(Line(pending_));
      pending_.clear();
    }
    bytes.remove_prefix(end + 1);
  }
  if (ended_) return absl::OkStatus();
  pending_.append(bytes);
  if (pending_.size() <= kCopyLineBytesMax) return absl::OkStatus();
  return SqlError(sqlstate::kProgramLimitExceeded,
                  fmt::format("a line of COPY exceeds the limit of {} bytes", kCopyLineBytesMax));
}

absl::StatusOr<uint64_t> CopyReader::Done() {
  if (!pending_.empty() && !ended_) RETURN_IF_ERROR(Line(pending_));
  RETURN_IF_ERROR(inserter_.Finish());
  return rows_;
}

absl::Status CopyReader::Line(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line == "\\.") {
    ended_ = true;
    return absl::OkStatus();
  }
  const std::string context = fmt::format("COPY {}, line {}", table_->name, rows_ + 1);
  const size_t last = line.find_last_not_of('\\');
  if ((line.size() - (last == std::string_view::npos ? 0 : last + 1)) % 2 == 1) {
    return WithContext(BadFormat("a backslash before the end of a line is not supported"), context);
  }
  ASSIGN_OR_RETURN(Row row, inserter_.Defaults());
  size_t index = 0;
  while (!positions_.empty()) {
    // A tab after a backslash belongs to the field.
    size_t end = 0;
    while (end < line.size() && line[end] != '\t') end += line[end] == '\\' ? 2 : 1;
    end = std::min(end, line.size());
    if (index == positions_.size()) return WithContext(BadFormat("extra data after last expected column"), context);
    RETURN_IF_ERROR(WithContext(Field(index++, line.substr(0, end), &row), context));
    if (end == line.size()) break;
    line.remove_prefix(end + 1);
  }
  if (index < positions_.size()) {
    const std::string& missing = table_->columns[positions_[index]].name;
    return WithContext(BadFormat(fmt::format("missing data for column \"{}\"", missing)), context);
  }
  RETURN_IF_ERROR(WithContext(inserter_.Insert(row), context));
  ++rows_;
  return absl::OkStatus();
}

absl::Status CopyReader::Field(size_t index, std::string_view raw, Row* row) {
  const Column& column = table_->columns[positions_[index]];
  const std::optional<std::string> text = DecodeField(raw);
  if (!text) {
    (*row)[positions_[index]] = Null{};
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(Datum value, FromText(column.type, *text));
  ASSIGN_OR_RETURN((*row)[positions_[index]], FitNumeric(std::move(value), column.numeric));
  return absl::OkStatus();
}

}  // namespace anabranch
