// Identities, as distinct types: a StreamId cannot be passed where an Epoch is expected.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace anabranch {

// A value with a name. Tag only tells types apart; T must be ordered and cheap to copy (or moved in).
template <typename T, typename Tag>
class NamedType {
 public:
  constexpr NamedType() = default;
  constexpr explicit NamedType(T value) : value_(std::move(value)) {}
  constexpr const T& value() const { return value_; }
  friend auto operator<=>(const NamedType&, const NamedType&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const NamedType& id) {
    return H::combine(std::move(h), id.value_);
  }

 private:
  T value_{};
};

// A virtual cluster within one physical cluster. Counts up from 1 (`system`), never reused.
using TenantId = NamedType<uint64_t, struct TenantIdTag>;
// A replication stream, minted by the source. Random and non-zero.
using StreamId = NamedType<uint64_t, struct StreamIdTag>;
// Ownership of a keyspace. Grows by one with each change of owner; see storage/api/keyspace.h.
using Epoch = NamedType<uint64_t, struct EpochTag>;
// A physical cluster: 32 hex digits, minted when its store is created.
using ClusterId = NamedType<std::string, struct ClusterIdTag>;
// One keyspace on one node: 16 hex digits, random. Names its column families.
using IncarnationId = NamedType<std::string, struct IncarnationIdTag>;
// One line of history of a virtual cluster: 32 hex digits, random. See stream/lineage.h.
using BranchId = NamedType<std::string, struct BranchIdTag>;

}  // namespace anabranch
