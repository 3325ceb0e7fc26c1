// What one value or row of a query may hold in memory, wherever it is made: kQueryMemoryBytesMax, as all operators
// together.
#pragma once

#include "base/status.h"
#include "sql/datum.h"
#include "sql/session.h"

namespace anabranch {

// Of text and bytea: what can be large.
inline size_t ValueBytes(const Datum& datum) {
  if (const std::string* text = std::get_if<std::string>(&datum)) return text->size();
  if (const Bytes* raw = std::get_if<Bytes>(&datum)) return raw->bytes.size();
  return 0;
}

// 53200 for too much in one `what`.
inline absl::Status CheckValueBytes(std::string_view what, size_t bytes) {
  if (bytes <= kQueryMemoryBytesMax) return absl::OkStatus();
  return SqlError(sqlstate::kOutOfMemory,
                  fmt::format("{} of this query needs more than {} bytes", what, kQueryMemoryBytesMax));
}

}  // namespace anabranch
