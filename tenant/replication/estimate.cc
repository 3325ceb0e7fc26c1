#include "tenant/replication/estimate.h"

#include "base/status.h"
#include "fmt/format.h"

namespace anabranch {
namespace {

// Keys and values of the first versions, for what one of them takes on average.
class Sample {
 public:
  Sample(Store* store, KeyspaceRef keyspace) : store_(store), keyspace_(std::move(keyspace)) {}

  absl::Status Add(const ChangeEntry& entry) {
    if (versions_ >= kEstimateSampleVersions) return absl::OkStatus();
    ChangeEntry part = entry;
    part.keys.resize(std::min<size_t>(part.keys.size(), kEstimateSampleVersions - versions_));
    ASSIGN_OR_RETURN(const std::vector<Version> versions, ReadVersions(store_, keyspace_, part));
    for (const Version& version : versions) bytes_ += version.key.size() + version.write.value.size();
    versions_ += versions.size();
    return absl::OkStatus();
  }
  uint64_t BytesOf(uint64_t versions) const {
    return versions_ == 0 ? 0
                          : static_cast<uint64_t>(static_cast<double>(bytes_) / static_cast<double>(versions_) *
                                                  static_cast<double>(versions));
  }

 private:
  Store* const store_;
  const KeyspaceRef keyspace_;
  uint64_t versions_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace

absl::StatusOr<RangeEstimate> EstimateRange(Store* store, const KeyspaceRef& keyspace, Timestamp after, ChangeFilter filter,
                                            std::stop_token stop) {
  ASSIGN_OR_RETURN(const auto cursor, ChangeCursor::Open(store, keyspace, after, kTimestampMax.Prev(), filter));
  RangeEstimate estimate;
  Sample sample(store, keyspace);
  ChangeEntry entry;
  while (true) {
    if (stop.stop_requested()) return absl::CancelledError("stopped while counting changes");
    ASSIGN_OR_RETURN(const bool found, cursor->NextTimestamp(&entry));
    if (!found) break;
    if (estimate.versions >= kEstimateVersionsMax) {
      estimate.at_least = true;
      break;
    }
    RETURN_IF_ERROR(sample.Add(entry));
    ++estimate.transactions;
    estimate.versions += entry.keys.size();
    estimate.newest = entry.timestamp;
  }
  estimate.bytes = sample.BytesOf(estimate.versions);
  return estimate;
}

wire::RangeEstimate ToWire(const RangeEstimate& estimate) {
  wire::RangeEstimate result;
  result.set_transactions(estimate.transactions);
  result.set_versions(estimate.versions);
  result.set_bytes(estimate.bytes);
  result.set_at_least(estimate.at_least);
  return result;
}

RangeEstimate FromWire(const wire::RangeEstimate& estimate) {
  return {.transactions = estimate.transactions(),
          .versions = estimate.versions(),
          .bytes = estimate.bytes(),
          .at_least = estimate.at_least(),
          .newest = {}};
}

std::string CountText(uint64_t count, const RangeEstimate& estimate) {
  return fmt::format("{}{}", estimate.at_least ? "at least " : "", count);
}

}  // namespace anabranch
