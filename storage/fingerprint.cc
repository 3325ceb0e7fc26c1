#include "storage/fingerprint.h"

#include <string>
#include <string_view>

#include "base/coding.h"
#include "base/status.h"
#include "storage/change_index.h"
#include "storage/mvcc_reader.h"

#define XXH_INLINE_ALL
#include "xxhash.h"

namespace anabranch {
namespace {

constexpr uint64_t kVersionsBetweenStopChecks = 4096;

class Digester {
 public:
  explicit Digester(std::stop_token stop) : stop_(std::move(stop)) {}

  absl::Status Add(std::string_view key, Timestamp ts, WriteKind kind, std::string_view value) {
    if (result_.versions % kVersionsBetweenStopChecks == 0 && stop_.stop_requested()) {
      return absl::CancelledError("the fingerprint was cancelled");
    }
    frame_.clear();
    PutLengthPrefixed(&frame_, key);
    PutFixed64BigEndian(&frame_, ts.ns);
    frame_.push_back(static_cast<char>(kind));
    frame_.append(value);
    result_.digest += XXH3_64bits(frame_.data(), frame_.size());
    ++result_.versions;
    result_.bytes += key.size() + value.size();
    return absl::OkStatus();
  }

  const Fingerprint& result() const { return result_; }

 private:
  const std::stop_token stop_;
  std::string frame_;
  Fingerprint result_;
};

}  // namespace

absl::StatusOr<Fingerprint> ComputeFingerprint(Store* store, const KeyspaceRef& keyspace, std::optional<Timestamp> start,
                                               Timestamp at, std::stop_token stop) {
  Digester digester(std::move(stop));
  ASSIGN_OR_RETURN(auto reader, MvccReader::Open(store, keyspace, at));
  if (!start) {
    const std::unique_ptr<MvccScan> scan = reader->Scan(Span{});
    while (true) {
      ASSIGN_OR_RETURN(const bool found, scan->Next());
      if (!found) return digester.result();
      RETURN_IF_ERROR(digester.Add(scan->key(), scan->timestamp(), WriteKind::kPut, scan->value()));
    }
  }
  ASSIGN_OR_RETURN(auto cursor, ChangeCursor::Open(store, keyspace, *start, at, ChangeFilter::kVisible));
  ChangeEntry entry;
  while (true) {
    ASSIGN_OR_RETURN(const bool found, cursor->NextTimestamp(&entry));
    if (!found) return digester.result();
    ASSIGN_OR_RETURN(const std::vector<Version> versions, ReadVersions(store, keyspace, entry));
    for (const Version& version : versions) {
      RETURN_IF_ERROR(digester.Add(version.key, version.timestamp, version.write.kind, version.write.value));
    }
  }
}

}  // namespace anabranch
