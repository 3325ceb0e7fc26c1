#include "storage/api/keyspace.h"

#include "absl/strings/cord.h"
#include "base/status.h"

namespace anabranch {
namespace {

constexpr char kFencedUrl[] = "anabranch/fenced";

}  // namespace

absl::Status FencedError(std::string message) {
  absl::Status status = SqlError(sqlstate::kObjectNotInPrerequisiteState, std::move(message));
  status.SetPayload(kFencedUrl, absl::Cord());
  return status;
}

bool IsFenced(const absl::Status& status) { return status.GetPayload(kFencedUrl).has_value(); }

}  // namespace anabranch
