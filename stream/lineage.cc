#include "stream/lineage.h"

#include <algorithm>

#include "base/check.h"
#include "base/status.h"

namespace anabranch {

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

void CheckAncestry(const Ancestry& ancestry) {
  CHECK(!ancestry.empty(), "R10: a history has a first branch");
  CHECK(ancestry.front().forked_at.IsZero(), "R10: the first branch forks from nothing");
  for (size_t i = 0; i < ancestry.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      CHECK(ancestry[j].branch != ancestry[i].branch, "R10: a branch appears once");
      CHECK(ancestry[j].forked_at <= ancestry[i].forked_at, "R10: forks ascend");
    }
  }
}

}  // namespace anabranch
