// JSON as text: checked, and in the one spelling that jsonb has.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace anabranch {

absl::Status CheckJson(std::string_view text);  // 22P02
// As jsonb prints: keys by length and bytes, the last of equal ones, one space after colon and comma. 22P02, 22P05.
absl::StatusOr<std::string> NormalizeJson(std::string_view text);
// The same for equal documents only: numbers lose the zeros that do not count. REQUIRES: from NormalizeJson.
std::string JsonEqualityText(std::string_view text);
// jsonb's order. REQUIRES: both from NormalizeJson.
std::strong_ordering CompareJson(std::string_view a, std::string_view b);

// A step into a document: a key, or an index that counts from the end when negative.
using JsonStep = std::variant<std::string, int64_t>;
enum class JsonForm { kJson, kText };  // -> and ->>: a string with and without its quotes
// The member as it is spelled; nullopt if there is none, and for kText if it is null. REQUIRES: checked.
std::optional<std::string> JsonMember(std::string_view text, const JsonStep& step, JsonForm form);
// "object", "array", "string", "number", "boolean", "null"
std::string_view JsonTypeOf(std::string_view text);

std::string JsonQuoted(std::string_view text);

}  // namespace anabranch
