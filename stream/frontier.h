// How far a keyspace is complete when its spans arrive by several partitions: the minimum over them. Pure.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/api/types.h"

namespace anabranch {

class Frontier {
 public:
  // One entry per partition; a partition without spans is the whole keyspace. All begin at `start`. 08P01 if a key belongs
  // to no partition: its changes would be missing below every frontier.
  static absl::StatusOr<Frontier> Create(const std::vector<std::vector<Span>>& partitions, Timestamp start);

  // The partition is complete up to `resolved`; going back is ignored. The new minimum if that advanced it.
  std::optional<Timestamp> Advance(size_t partition, Timestamp resolved);
  Timestamp minimum() const { return minimum_; }

 private:
  Frontier(size_t partitions, Timestamp start) : resolved_(partitions, start), minimum_(start) {}

  std::vector<Timestamp> resolved_;
  Timestamp minimum_;
};

}  // namespace anabranch
