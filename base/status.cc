#include "base/status.h"

#include "absl/strings/cord.h"
#include "fmt/format.h"

namespace anabranch {
namespace {

constexpr char kSqlStateUrl[] = "anabranch/sqlstate";
constexpr char kHintUrl[] = "anabranch/hint";

absl::StatusCode CodeFor(std::string_view sqlstate) {
  const std::string_view sqlstate_class = sqlstate.substr(0, 2);
  if (sqlstate == sqlstate::kFeatureNotSupported) return absl::StatusCode::kUnimplemented;
  if (sqlstate == sqlstate::kQueryCanceled || sqlstate == sqlstate::kAdminShutdown) return absl::StatusCode::kCancelled;
  if (sqlstate == sqlstate::kDataCorrupted) return absl::StatusCode::kDataLoss;
  if (sqlstate == sqlstate::kUniqueViolation || sqlstate == sqlstate::kDuplicateObject) {
    return absl::StatusCode::kAlreadyExists;
  }
  if (sqlstate == sqlstate::kUndefinedObject || sqlstate == sqlstate::kUndefinedTable) return absl::StatusCode::kNotFound;
  if (sqlstate_class == "08" || sqlstate_class == "58") return absl::StatusCode::kUnavailable;
  if (sqlstate_class == "22" || sqlstate_class == "42") return absl::StatusCode::kInvalidArgument;
  if (sqlstate_class == "40") return absl::StatusCode::kAborted;
  if (sqlstate_class == "53" || sqlstate_class == "54") return absl::StatusCode::kResourceExhausted;
  if (sqlstate_class == "XX") return absl::StatusCode::kInternal;
  return absl::StatusCode::kFailedPrecondition;
}

std::string Payload(const absl::Status& status, const char* url) {
  const absl::optional<absl::Cord> payload = status.GetPayload(url);
  return payload ? std::string(*payload) : std::string();
}

}  // namespace

absl::Status SqlError(std::string_view sqlstate, std::string message, std::string hint) {
  absl::Status status(CodeFor(sqlstate), message);
  status.SetPayload(kSqlStateUrl, absl::Cord(std::string(sqlstate)));
  if (!hint.empty()) status.SetPayload(kHintUrl, absl::Cord(hint));
  return status;
}

std::string SqlStateOf(const absl::Status& status) {
  if (std::string attached = Payload(status, kSqlStateUrl); !attached.empty()) return attached;
  switch (status.code()) {
    case absl::StatusCode::kCancelled:
      return std::string(sqlstate::kQueryCanceled);
    case absl::StatusCode::kDataLoss:
      return std::string(sqlstate::kDataCorrupted);
    case absl::StatusCode::kUnavailable:
      return std::string(sqlstate::kIoError);
    case absl::StatusCode::kResourceExhausted:
      return std::string(sqlstate::kConfigurationLimitExceeded);
    case absl::StatusCode::kUnimplemented:
      return std::string(sqlstate::kFeatureNotSupported);
    default:
      return std::string(sqlstate::kInternalError);
  }
}

std::string HintOf(const absl::Status& status) { return Payload(status, kHintUrl); }

std::string MessageOf(const absl::Status& status) { return std::string(status.message().data(), status.message().size()); }

absl::Status WithContext(absl::Status status, std::string_view context) {
  if (status.ok()) return status;
  absl::Status result(status.code(), fmt::format("{}: {}", context, MessageOf(status)));
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) { result.SetPayload(url, payload); });
  return result;
}

}  // namespace anabranch
