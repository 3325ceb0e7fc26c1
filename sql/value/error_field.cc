#include "sql/value/error_field.h"

#include "absl/strings/cord.h"
#include "base/status.h"
#include "fmt/format.h"

namespace anabranch {
namespace {

constexpr char kLocationUrl[] = "anabranch/location";

std::string Url(ErrorField field) { return std::string("anabranch/field/") + static_cast<char>(field); }

}  // namespace

absl::Status UnsupportedError(std::string_view what) {
  return SqlError(sqlstate::kFeatureNotSupported, fmt::format("{} is not supported", what));
}

absl::Status WithField(absl::Status status, ErrorField field, std::string_view text) {
  if (!status.ok()) status.SetPayload(Url(field), absl::Cord(std::string(text)));
  return status;
}

std::string FieldOf(const absl::Status& status, ErrorField field) {
  const absl::optional<absl::Cord> payload = status.GetPayload(Url(field));
  return payload ? std::string(*payload) : std::string();
}

absl::Status WithLocation(absl::Status status, int location) {
  if (!status.ok() && location >= 0 && !LocationOf(status)) {
    status.SetPayload(kLocationUrl, absl::Cord(std::to_string(location)));
  }
  return status;
}

std::optional<int> LocationOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kLocationUrl);
  return payload ? std::optional(std::stoi(std::string(*payload))) : std::nullopt;
}

absl::Status WithoutLocation(absl::Status status) {
  status.ErasePayload(kLocationUrl);
  return status;
}

}  // namespace anabranch
