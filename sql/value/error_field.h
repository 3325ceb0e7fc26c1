// What an error report says beside its message and hint, in the fields that PostgreSQL has for it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace anabranch {

enum class ErrorField : char {
  kDetail = 'D',
  kPosition = 'P',
  kSchema = 's',
  kTable = 't',
  kColumn = 'c',
  kConstraint = 'n'
};
inline constexpr ErrorField kErrorFields[] = {ErrorField::kDetail, ErrorField::kPosition, ErrorField::kSchema,
                                              ErrorField::kTable,  ErrorField::kColumn,   ErrorField::kConstraint};

absl::Status UnsupportedError(std::string_view what);  // 0A000 "<what> is not supported"

// `status` with that field. OK stays OK.
absl::Status WithField(absl::Status status, ErrorField field, std::string_view text);
// Empty: it has none.
std::string FieldOf(const absl::Status& status, ErrorField field);

inline absl::Status WithDetail(absl::Status status, std::string_view detail) {
  return WithField(std::move(status), ErrorField::kDetail, detail);
}

// Where an error is: a byte of the text that was parsed, as the parse tree's nodes say it. Whoever knows a node around the
// error attaches its place, and the first, which is the innermost, stays. WithPosition (sql/parse/statement.h) makes a
// client's position of it. Negative: no place.
absl::Status WithLocation(absl::Status status, int location);
std::optional<int> LocationOf(const absl::Status& status);
// For an error in a text that is not the client's.
absl::Status WithoutLocation(absl::Status status);

template <typename T>
absl::StatusOr<T> WithLocation(absl::StatusOr<T> result, int location) {
  if (result.ok()) return result;
  return WithLocation(std::move(result).status(), location);
}

}  // namespace anabranch
