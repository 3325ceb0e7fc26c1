#include "stream/frontier.h"

#include <algorithm>

#include "base/check.h"
#include "base/coding.h"
#include "base/status.h"

namespace anabranch {
namespace {

// The first key that no span covers; nullopt if there is none.
std::optional<std::string> FirstUncovered(std::vector<Span> spans) {
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.start < b.start; });
  std::string covered_to;
  for (const Span& span : spans) {
    if (span.start > covered_to) return covered_to;
    if (span.end.empty()) return std::nullopt;
    covered_to = std::max(covered_to, span.end);
  }
  return covered_to;
}

}  // namespace

absl::StatusOr<Frontier> Frontier::Create(const std::vector<std::vector<Span>>& partitions, Timestamp start) {
  std::vector<Span> all;
  for (const std::vector<Span>& spans : partitions) {
    if (spans.empty()) all.emplace_back();
    all.insert(all.end(), spans.begin(), spans.end());
  }
  if (const std::optional<std::string> gap = FirstUncovered(std::move(all))) {
    return SqlError(sqlstate::kProtocolViolation, fmt::format("no partition of the stream carries key {}", ToHex(*gap)));
  }
  return Frontier(partitions.size(), start);
}

std::optional<Timestamp> Frontier::Advance(size_t partition, Timestamp resolved) {
  CHECK(partition < resolved_.size(), "no such partition");
  resolved_[partition] = std::max(resolved_[partition], resolved);
  const Timestamp minimum = *std::min_element(resolved_.begin(), resolved_.end());
  if (minimum <= minimum_) return std::nullopt;
  minimum_ = minimum;
  return minimum;
}

}  // namespace anabranch
