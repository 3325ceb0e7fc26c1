#include "sql/write/copy_format.h"

#include <algorithm>

#include "base/status.h"
#include "sql/parse/tree.h"

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

absl::StatusOr<char> OneByte(const pg_query::DefElem& option) {
  const std::string& text = StringOf(option.arg());
  if (text.size() == 1) return text.front();
  return SqlError(sqlstate::kFeatureNotSupported,
                  fmt::format("COPY {} must be a single one-byte character", option.defname()));
}

bool IsTrue(const pg_query::DefElem& option) {
  if (!option.has_arg()) return true;
  if (option.arg().has_boolean()) return option.arg().boolean().boolval();
  if (option.arg().has_integer()) return option.arg().integer().ival() != 0;
  const std::string& text = StringOf(option.arg());
  return text == "true" || text == "on" || text == "1";
}

absl::Status Read(const pg_query::DefElem& option, CopyFormat* format) {
  const std::string& name = option.defname();
  if (name == "format" || name == "freeze") return absl::OkStatus();  // read before; says how PostgreSQL stores
  if (name == "null") {
    format->null = StringOf(option.arg());
    return absl::OkStatus();
  }
  if (name == "header") {
    format->header = IsTrue(option);
    return absl::OkStatus();
  }
  if (name == "delimiter") {
    ASSIGN_OR_RETURN(format->delimiter, OneByte(option));
    return absl::OkStatus();
  }
  if ((name == "quote" || name == "escape") && !format->csv) {
    return SqlError(sqlstate::kFeatureNotSupported, fmt::format("COPY {} available only in CSV mode", name));
  }
  if (name == "quote") {
    ASSIGN_OR_RETURN(format->quote, OneByte(option));
    return absl::OkStatus();
  }
  if (name == "escape") {
    ASSIGN_OR_RETURN(format->escape, OneByte(option));
    return absl::OkStatus();
  }
  if (name == "encoding") {
    std::string encoding = StringOf(option.arg());
    for (char& c : encoding) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    if (encoding == "utf8" || encoding == "utf-8") return absl::OkStatus();
    return UnsupportedError(fmt::format("COPY encoding {}", StringOf(option.arg())));
  }
  return UnsupportedError(fmt::format("COPY option {}", name));
}

bool NeedsQuotes(const CopyFormat& format, std::string_view text) {
  if (text == format.null || text == "\\.") return true;
  return std::any_of(text.begin(), text.end(),
                     [&](char c) { return c == format.delimiter || c == format.quote || c == '\n' || c == '\r'; });
}

void AppendCsvField(const CopyFormat& format, std::string_view text, std::string* out) {
  if (!NeedsQuotes(format, text)) {
    out->append(text);
    return;
  }
  out->push_back(format.quote);
  for (const char c : text) {
    if (c == format.quote || c == format.escape) out->push_back(format.escape);
    out->push_back(c);
  }
  out->push_back(format.quote);
}

void AppendTextField(const CopyFormat& format, std::string_view text, std::string* out) {
  constexpr std::string_view kSpecial = "\b\f\n\r\t\v\\";
  constexpr std::string_view kLetters = "bfnrtv\\";
  for (const char c : text) {
    if (const size_t at = kSpecial.find(c); at != std::string_view::npos) {
      out->push_back('\\');
      out->push_back(kLetters[at]);
      continue;
    }
    if (c == format.delimiter) out->push_back('\\');
    out->push_back(c);
  }
}

}  // namespace

absl::StatusOr<CopyFormat> ReadCopyFormat(const pg_query::CopyStmt& copy) {
  CopyFormat format;
  for (const pg_query::Node& node : copy.options()) {
    const pg_query::DefElem& option = node.def_elem();
    if (option.defname() != "format") continue;
    const std::string& name = StringOf(option.arg());
    if (name != "text" && name != "csv") return UnsupportedError(fmt::format("COPY format {}", name));
    format.csv = name == "csv";
  }
  if (format.csv) {
    format.delimiter = ',';
    format.null.clear();
  }
  bool escape_given = false;
  for (const pg_query::Node& node : copy.options()) {
    RETURN_IF_ERROR(Read(node.def_elem(), &format));
    escape_given = escape_given || node.def_elem().defname() == "escape";
  }
  if (!escape_given) format.escape = format.quote;
  if (copy.is_from() && format.escape != format.quote) return UnsupportedError("COPY FROM with an ESCAPE other than QUOTE");
  return format;
}

size_t FindLineEnd(const CopyFormat& format, std::string_view bytes, bool* quoted) {
  if (!format.csv) return bytes.find('\n');
  for (size_t i = 0; i < bytes.size(); ++i) {
    // A quote that is escaped by itself closes and opens again.
    if (bytes[i] == format.quote) *quoted = !*quoted;
    if (bytes[i] == '\n' && !*quoted) return i;
  }
  return std::string_view::npos;
}

absl::Status CopyFields::Split(const CopyFormat& format, std::string_view line) {
  fields_.clear();
  decoded_.clear();
  decoded_.reserve(line.size());
  return format.csv ? SplitCsv(format, line) : SplitText(format, line);
}

absl::Status CopyFields::SplitText(const CopyFormat& format, std::string_view line) {
  while (true) {
    // A delimiter after a backslash belongs to the field.
    size_t end = 0;
    bool escaped = false;
    for (; end < line.size() && line[end] != format.delimiter; ++end) {
      if (line[end] != '\\') continue;
      escaped = true;
      ++end;
    }
    end = std::min(end, line.size());
    const std::string_view raw = line.substr(0, end);
    if (raw == format.null) {
      fields_.emplace_back();
    } else if (!escaped) {
      fields_.emplace_back(raw);
    } else {
      const size_t begin = decoded_.size();
      for (size_t at = 0; at < raw.size();) {
        const char c = raw[at++];
        decoded_.push_back(c == '\\' && at < raw.size() ? Unescaped(raw, &at) : c);
      }
      fields_.emplace_back(std::string_view(decoded_).substr(begin));
    }
    if (end == line.size()) return absl::OkStatus();
    line.remove_prefix(end + 1);
  }
}

absl::Status CopyFields::SplitCsv(const CopyFormat& format, std::string_view line) {
  size_t at = 0;
  while (true) {
    const size_t begin = decoded_.size();
    bool quotes = false;
    while (at < line.size() && line[at] != format.delimiter) {
      if (line[at] != format.quote) {
        decoded_.push_back(line[at++]);
        continue;
      }
      quotes = true;
      for (++at;; ++at) {
        if (at >= line.size()) return BadFormat("unterminated CSV quoted field");
        const bool escapes = line[at] == format.escape && at + 1 < line.size() &&
                             (line[at + 1] == format.quote || line[at + 1] == format.escape);
        if (escapes) {
          decoded_.push_back(line[++at]);
        } else if (line[at] == format.quote) {
          break;
        } else {
          decoded_.push_back(line[at]);
        }
      }
      ++at;
    }
    const std::string_view field = std::string_view(decoded_).substr(begin);
    fields_.push_back(!quotes && field == format.null ? std::nullopt : std::optional(field));
    if (at == line.size()) return absl::OkStatus();
    ++at;
  }
}

void AppendCopyRow(const CopyFormat& format, const Row& row, const TimeZone& zone, std::string* out) {
  for (size_t i = 0; i < row.size(); ++i) {
    if (i > 0) out->push_back(format.delimiter);
    if (IsNull(row[i])) {
      out->append(format.null);
    } else if (format.csv) {
      AppendCsvField(format, ToText(row[i], zone), out);
    } else {
      AppendTextField(format, ToText(row[i], zone), out);
    }
  }
}

void AppendCopyHeader(const CopyFormat& format, const std::vector<std::string>& names, std::string* out) {
  Row row;
  for (const std::string& name : names) row.emplace_back(name);
  AppendCopyRow(format, row, UtcZone(), out);
}

}  // namespace anabranch
