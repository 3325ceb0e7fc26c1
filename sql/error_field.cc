#include "sql/error_field.h"

#include "absl/strings/cord.h"

namespace anabranch {
namespace {

std::string Url(ErrorField field) { return std::string("anabranch/field/") + static_cast<char>(field); }

}  // namespace

absl::Status WithField(absl::Status status, ErrorField field, std::string_view text) {
  if (!status.ok()) status.SetPayload(Url(field), absl::Cord(std::string(text)));
  return status;
}

std::string FieldOf(const absl::Status& status, ErrorField field) {
  const absl::optional<absl::Cord> payload = status.GetPayload(Url(field));
  return payload ? std::string(*payload) : std::string();
}

}  // namespace anabranch
