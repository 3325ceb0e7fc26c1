#include "stream/lineage.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "base/status.h"

namespace anabranch {
namespace {

// What is wrong with it (R10); empty: nothing.
std::string_view FaultOf(const Ancestry& ancestry) {
  if (ancestry.empty()) return "a history has a first branch";
  if (!ancestry.front().forked_at.IsZero()) return "the first branch forks from nothing";
  const auto forks_later = [](const BranchPoint& a, const BranchPoint& b) { return a.forked_at < b.forked_at; };
  if (!std::is_sorted(ancestry.begin(), ancestry.end(), forks_later)) return "forks ascend";
  std::set<BranchId> branches;
  for (const BranchPoint& point : ancestry) {
    if (!branches.insert(point.branch).second) return "a branch appears once";
  }
  return "";
}

}  // namespace

absl::StatusOr<Timestamp> CommonPoint(const Ancestry& source, const Ancestry& destination, Timestamp frontier) {
  size_t shared = 0;
  while (shared < source.size() && shared < destination.size() && source[shared] == destination[shared]) ++shared;
  if (shared == 0) {
    return SqlError(
        sqlstate::kObjectNotInPrerequisiteState, "the two virtual clusters share no history",
        "Only a virtual cluster that was replicated from the other, or from which the other was replicated, can be "
        "brought back; make a new one with CREATE VIRTUAL CLUSTER ... FROM REPLICATION OF.");
  }
  Timestamp common = frontier;
  if (shared < source.size()) common = std::min(common, source[shared].forked_at);
  if (shared < destination.size()) common = std::min(common, destination[shared].forked_at);
  return common;
}

absl::Status JudgeResume(const Ancestry& source, const Ancestry& destination, Timestamp frontier) {
  ASSIGN_OR_RETURN(const Timestamp common, CommonPoint(source, destination, frontier));
  if (frontier <= common) return absl::OkStatus();
  return SqlError(
      sqlstate::kObjectNotInPrerequisiteState,
      fmt::format("the histories diverged at {}: this virtual cluster holds writes up to {} that its source does not have",
                  FormatHlc(common), FormatHlc(frontier)),
      "Make this one ready, as ready_by in SHOW VIRTUAL CLUSTER ... WITH REPLICATION STATUS says, then undo what diverged "
      "with ALTER VIRTUAL CLUSTER ... START REPLICATION OF ... ON ...");
}

Ancestry Fork(Ancestry ancestry, BranchId branch, Timestamp at) {
  while (ancestry.size() > 1 && ancestry.back().forked_at > at) ancestry.pop_back();
  ancestry.push_back({std::move(branch), at});
  CheckAncestry(ancestry);
  return ancestry;
}

absl::Status JudgeAncestry(const Ancestry& ancestry) {
  const auto is_id = [](const BranchPoint& point) { return IsHexId(point.branch.value(), kBranchHexDigits); };
  std::string_view fault;
  if (ancestry.size() > kAncestryMax) {
    fault = "it has too many branches";
  } else if (!std::all_of(ancestry.begin(), ancestry.end(), is_id)) {
    fault = "it names what is no branch";
  } else {
    fault = FaultOf(ancestry);
  }
  if (fault.empty()) return absl::OkStatus();
  return SqlError(sqlstate::kProtocolViolation,
                  fmt::format("the peer has a history that no virtual cluster has: {}", fault));
}

bool IsHexId(std::string_view text, size_t digits) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return text.size() == digits && std::all_of(text.begin(), text.end(), is_hex);
}

void CheckAncestry(const Ancestry& ancestry) {
  const std::string_view fault = FaultOf(ancestry);
  CHECK(fault.empty(), fmt::format("R10: {}", fault).c_str());
}

}  // namespace anabranch
