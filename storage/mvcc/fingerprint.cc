#include "storage/mvcc/fingerprint.h"

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "storage/mvcc/change_index.h"
#include "storage/mvcc/keyspace_iterator.h"
#include "storage/mvcc/reader.h"
#include "storage/mvcc/version_walker.h"

#define XXH_INLINE_ALL
#include "xxhash.h"

namespace anabranch {
namespace {

constexpr uint64_t kVersionsBetweenStopChecks = 4096;

// Of one version: its key and its stored value as they stand on disk, each hashed in place. Both are functions of the
// version alone, never of where or with what it is stored.
void AddVersion(Fingerprint* fingerprint, std::string_view encoded_key, std::string_view stored) {
  const uint64_t seed = XXH3_64bits(encoded_key.data(), encoded_key.size());
  fingerprint->digest += XXH3_64bits_withSeed(stored.data(), stored.size(), seed);
  ++fingerprint->versions;
}

absl::Status CheckStop(const Fingerprint& fingerprint, const std::stop_token& stop) {
  if (fingerprint.versions % kVersionsBetweenStopChecks != 0 || !stop.stop_requested()) return absl::OkStatus();
  return absl::CancelledError("the fingerprint was cancelled");
}

absl::StatusOr<Fingerprint> OfLiveVersions(const KeyspaceRef& keyspace, Timestamp at, const std::stop_token& stop) {
  ASSIGN_OR_RETURN(auto iterator, KeyspaceIterator::Open(keyspace, KeyspaceIterator::Family::kData,
                                                         KeyspaceIterator::Access::kRange, "", at));
  SpanWalker walker(std::move(iterator), at, "");
  Fingerprint fingerprint;
  while (walker.Next()) {
    RETURN_IF_ERROR(CheckStop(fingerprint, stop));
    AddVersion(&fingerprint, walker.encoded_key(), walker.stored());
  }
  RETURN_IF_ERROR(walker.status());
  return fingerprint;
}

absl::StatusOr<Fingerprint> OfChanges(Store* store, const KeyspaceRef& keyspace, Timestamp after, Timestamp upto,
                                      const std::stop_token& stop) {
  ASSIGN_OR_RETURN(auto cursor, ChangeCursor::Open(store, keyspace, after, upto, ChangeFilter::kVisible));
  Fingerprint fingerprint;
  ChangeEntry entry;
  std::string stored;
  while (true) {
    ASSIGN_OR_RETURN(const bool found, cursor->NextTimestamp(&entry));
    if (!found) return fingerprint;
    ASSIGN_OR_RETURN(const std::vector<Version> versions, ReadVersions(store, keyspace, entry));
    for (const Version& version : versions) {
      RETURN_IF_ERROR(CheckStop(fingerprint, stop));
      stored.assign(1, static_cast<char>(version.write.kind)).append(version.write.value);
      AddVersion(&fingerprint, EncodeVersionKey(version.key, version.timestamp), stored);
    }
  }
}

}  // namespace

absl::StatusOr<Fingerprint> ComputeFingerprint(Store* store, const KeyspaceRef& keyspace, std::optional<Timestamp> start,
                                               Timestamp at, std::stop_token stop) {
  RETURN_IF_ERROR(MvccReader::Open(store, keyspace, at).status());  // a timestamp is refused as a read at it is
  if (start) return OfChanges(store, keyspace, *start, at, stop);
  return OfLiveVersions(keyspace, at, stop);
}

}  // namespace anabranch
