// Values in the binary format of the wire, both ways. (sql/value/datum.h has the text format.)
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "sql/value/datum.h"

namespace anabranch {

// A value of a column of that type, without its length. REQUIRES: not null.
void AppendBinary(const Datum& datum, SqlType type, std::string* out);
// 22P03 for bytes that are no such value, 22021 for text that is not UTF-8.
absl::StatusOr<Datum> FromBinary(SqlType type, std::string_view bytes);

}  // namespace anabranch
