// The options of COPY, and one row's text in either format.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/parse/tree_types.h"
#include "sql/value/datum.h"

namespace anabranch {

struct CopyFormat {
  bool csv = false;
  char delimiter = '\t';
  std::string null = "\\N";
  bool header = false;
  char quote = '"';
  char escape = '"';
};

// 0A000 for an option that we have not, 22023 and 42601 as PostgreSQL.
absl::StatusOr<CopyFormat> ReadCopyFormat(const pg_query::CopyStmt& copy);

// Where the line that `bytes` begin with ends, without its line feed; npos: not here. *quoted: whether what came before
// ended within quotes (CSV); set for the next call.
size_t FindLineEnd(const CopyFormat& format, std::string_view bytes, bool* quoted);

// The fields of one line; nullopt: NULL. Those that need no decoding are views of the line, others of *decoded.
class CopyFields {
 public:
  // 22P04 for what is malformed.
  absl::Status Split(const CopyFormat& format, std::string_view line);
  const std::vector<std::optional<std::string_view>>& fields() const { return fields_; }

 private:
  absl::Status SplitText(const CopyFormat& format, std::string_view line);
  absl::Status SplitCsv(const CopyFormat& format, std::string_view line);

  std::vector<std::optional<std::string_view>> fields_;
  std::string decoded_;  // never grows while fields are views of it
};

// One row, without its line feed, at the end of *out.
void AppendCopyRow(const CopyFormat& format, const Row& row, const TimeZone& zone, std::string* out);
void AppendCopyHeader(const CopyFormat& format, const std::vector<std::string>& names, std::string* out);

}  // namespace anabranch
