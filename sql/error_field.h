// What an error report says beside its message and hint, in the fields that PostgreSQL has for it.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace anabranch {

enum class ErrorField : char { kDetail = 'D', kSchema = 's', kTable = 't', kColumn = 'c', kConstraint = 'n' };
inline constexpr ErrorField kErrorFields[] = {ErrorField::kDetail, ErrorField::kSchema, ErrorField::kTable,
                                              ErrorField::kColumn, ErrorField::kConstraint};

// `status` with that field. OK stays OK.
absl::Status WithField(absl::Status status, ErrorField field, std::string_view text);
// Empty: it has none.
std::string FieldOf(const absl::Status& status, ErrorField field);

inline absl::Status WithDetail(absl::Status status, std::string_view detail) {
  return WithField(std::move(status), ErrorField::kDetail, detail);
}

}  // namespace anabranch
