// What one query may hold in memory, and who counts it: operators by a MemoryAccount, functions that make one large value
// by CheckValueBytes.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/status.h"
#include "fmt/format.h"
#include "sql/value/datum.h"

namespace anabranch {

inline constexpr size_t kQueryMemoryBytesMax = 64 << 20;  // of one query, all of its operators together: 53200 beyond it

// Counts what one operator of a query holds in memory: 53200 when all of them together pass kQueryMemoryBytesMax. Gives it
// back when it goes.
class MemoryAccount {
 public:
  MemoryAccount() = default;
  // `statement_bytes`: what all operators of the statement hold; null: this one is alone.
  explicit MemoryAccount(size_t* statement_bytes) : total_(statement_bytes == nullptr ? &bytes_ : statement_bytes) {}
  ~MemoryAccount() { Clear(); }
  MemoryAccount(const MemoryAccount&) = delete;
  MemoryAccount& operator=(const MemoryAccount&) = delete;

  absl::Status Add(size_t bytes) {
    bytes_ += bytes;
    if (total_ != &bytes_) *total_ += bytes;
    if (*total_ <= kQueryMemoryBytesMax) return absl::OkStatus();
    return SqlError(
        sqlstate::kOutOfMemory,
        fmt::format("the sorts, aggregations and joins of this query need more than {} bytes", kQueryMemoryBytesMax),
        "Reduce its rows by WHERE or LIMIT, or order by the primary key.");
  }
  void Release(size_t bytes) {
    bytes_ -= bytes;
    if (total_ != &bytes_) *total_ -= bytes;
  }
  void Clear() { Release(bytes_); }

 private:
  size_t bytes_ = 0;
  size_t* const total_ = &bytes_;
};

// The memory a row holds, near enough.
size_t RowBytes(const Row& row);

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
