// Statements that a session sends again and again as text, with other literals each time, are parsed and planned once.
//
// A text's shape (sql/parse/literal.h) leads to a statement that has parameters in the place of its literals: those that
// the parse tree shows to be operands of a condition, of SET or of VALUES, where a parameter of the literal's type means
// the same. Every other literal (LIMIT 5, ORDER BY 1, interval '1 day') belongs to the shape. Used by the session's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "sql/parse/literal.h"
#include "sql/session/session.h"
#include "sql/value/time_zone.h"

namespace anabranch {

inline constexpr size_t kCachedTextBytesMax = 4096;
inline constexpr size_t kCachedLiteralsMax = 64;
inline constexpr size_t kCachedShapesMax = 256;
inline constexpr size_t kCachedVariantsMax = 8;  // of one shape, with other literals that belong to it
inline constexpr size_t kCachedPreparedMax = 256;
inline constexpr size_t kRememberedMax = 4096;  // shapes and texts, seen once

class StatementCache {
 public:
  using Prepare = std::function<absl::StatusOr<PreparedRef>(const StatementRef&, const std::vector<SqlType>&)>;

  // nullopt: not known, or its literals are no values of the types they were. `zone` is the session's: what was planned in
  // one is not for another, as literals of timestamps are read in it.
  std::optional<Command> Find(std::string_view text, const TimeZoneRef& zone);
  // A statement that was just parsed from `text`, which Find did not know. Kept the second time its shape is seen; then
  // this is how to run it.
  std::optional<Command> Add(std::string_view text, const StatementRef& statement, const TimeZoneRef& zone,
                             const Prepare& prepare);

  // The same for the texts that a client prepares, with the types that it gave its parameters. Null: not known. What is
  // known may have been planned under other descriptors.
  PreparedRef FindPrepared(std::string_view text, const std::vector<SqlType>& hints, const TimeZoneRef& zone);
  // Kept the second time it is prepared.
  void AddPrepared(std::string_view text, const std::vector<SqlType>& hints, const TimeZoneRef& zone,
                   const PreparedRef& prepared);

  void Clear() {
    by_pattern_.clear();
    by_text_.clear();
  }

 private:
  struct Variant {
    StatementRef statement;
    PreparedRef prepared;                           // null: nothing to plan (BEGIN, COMMIT)
    std::vector<std::optional<std::string>> fixed;  // by literal: as it must be written; nullopt: a parameter
  };

  bool IsNew(std::string_view key);

  void Use(const TimeZoneRef& zone);

  TimeZoneRef zone_;  // of all variants; null: there was none yet
  absl::flat_hash_map<std::string, std::vector<Variant>> by_pattern_;
  absl::flat_hash_map<std::string, PreparedRef> by_text_;  // the types, then the text
  absl::flat_hash_set<uint64_t> seen_;                     // hashes of keys of both
  TextShape shape_;                                        // kept for its memory
};

}  // namespace anabranch
