#include "sql/control/time_expression.h"

#include <algorithm>
#include <array>

#include "base/status.h"
#include "base/system_time.h"
#include "base/timestamp.h"
#include "fmt/format.h"
#include "sql/value/error_field.h"

namespace anabranch {
namespace {

// The text is checked to be what the cast says, and written so that it is taken for that.
absl::StatusOr<std::string> Cast(std::string text, const std::string& type) {
  if (type == "interval") {
    ASSIGN_OR_RETURN(const int64_t ns, ParseIntervalNs(text));
    const uint64_t magnitude = ns < 0 ? 0 - static_cast<uint64_t>(ns) : static_cast<uint64_t>(ns);
    return fmt::format("{}{}.{:09}s", ns < 0 ? "-" : "", magnitude / 1'000'000'000, magnitude % 1'000'000'000);
  }
  if (type == "timestamp" || type == "timestamptz") {
    RETURN_IF_ERROR(ParseTimestampTzNs(text).status());
    return text;
  }
  static constexpr std::array kNumbers = {"decimal", "numeric", "int", "int8", "integer", "bigint"};
  if (std::find(kNumbers.begin(), kNumbers.end(), type) != kNumbers.end()) {
    RETURN_IF_ERROR(ParseHlc(text).status());
    return text;
  }
  if (type == "string" || type == "text") return text;
  return SqlError(sqlstate::kFeatureNotSupported,
                  fmt::format("a cast to {} in a SYSTEM TIME expression is not supported in this version", type));
}

}  // namespace

absl::StatusOr<std::string> ReadTimeExpression(const SyntaxMatch& match, const Captured& captured) {
  const std::vector<SystemToken>& tokens = match.tokens();
  std::string text;
  if (const Captured* sign = match.Find("sign", &captured); sign != nullptr && tokens[sign->begin].value == "-") text = "-";
  for (size_t i = captured.begin; i < captured.end; ++i) {
    if (tokens[i].kind != SystemToken::Kind::kString && tokens[i].kind != SystemToken::Kind::kNumber) continue;
    text += tokens[i].value;
    break;
  }
  std::vector<Captured> types = match.All("type_before");  // INTERVAL '...', then each ::interval
  for (const Captured& type : match.All("type")) types.push_back(type);
  for (const Captured& type : types) {
    if (type.begin < captured.begin || type.end > captured.end) continue;
    const SystemToken& name = tokens[type.begin];
    absl::StatusOr<std::string> cast = Cast(std::move(text), name.value);
    if (!cast.ok()) return WithLocation(std::move(cast).status(), name.location);
    text = *std::move(cast);
  }
  return text;
}

}  // namespace anabranch
