// The history of a virtual cluster as a path of branches, and where two such paths part (R10).
//
// A branch is a line of appended history with a random id. Every change that is not an append (failover, undo, reset,
// failback) starts a new one at a fork timestamp. An ancestry lists the branches from the first to the present one; entry i
// left entry i-1 at forked_at.
//   A: [(a, 0)]            primary
//   B: [(a, 0), (b, 70)]   promoted at 70 from a standby of A
// What two clusters share is the longest common prefix of their ancestries, up to where the next branch of either leaves
// it. The idea is PostgreSQL's timeline history files, with random ids instead of counted ones so that two promotions never
// share a name.
//
// Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "base/timestamp.h"

namespace anabranch {

struct BranchPoint {
  BranchId branch;
  Timestamp forked_at;
  friend bool operator==(const BranchPoint&, const BranchPoint&) = default;
};

using Ancestry = std::vector<BranchPoint>;

// The newest timestamp at which both histories are the same: min over the next forks of either and `frontier`, the newest
// timestamp that the destination holds completely. 55000 if they share no branch.
absl::StatusOr<Timestamp> CommonPoint(const Ancestry& source, const Ancestry& destination, Timestamp frontier);

// Decides a connect. `frontier` as above. Resuming is allowed only if nothing of the destination lies beyond the common
// point; otherwise 55000 with a hint to fail back (ALTER VIRTUAL CLUSTER ... START REPLICATION OF ...).
absl::Status JudgeResume(const Ancestry& source, const Ancestry& destination, Timestamp frontier);

// `ancestry` with a new last branch that forks at `at`. Branches that forked later than `at` are cut off first: they are no
// longer part of this history.
Ancestry Fork(Ancestry ancestry, BranchId branch, Timestamp at);

// Of a peer (R14): 08P01 unless it is what CheckAncestry demands, of at most kAncestryMax branches with ids of
// kBranchHexDigits hex digits.
inline constexpr int kBranchHexDigits = 32;
inline constexpr size_t kAncestryMax = 10'000;
absl::Status JudgeAncestry(const Ancestry& ancestry);
// Whether it is made of that many hex digits, as the ids that we mint are.
bool IsHexId(std::string_view text, size_t digits);

// Of our own making: CHECKs what must always hold: not empty, first fork zero, forks ascending, ids distinct.
void CheckAncestry(const Ancestry& ancestry);

}  // namespace anabranch
