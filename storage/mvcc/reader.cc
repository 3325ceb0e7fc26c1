#include "storage/mvcc/reader.h"

#include <cstring>
#include <utility>

#include "base/coding.h"
#include "base/status.h"
#include "storage/mvcc/keyspace_iterator.h"
#include "storage/mvcc/version_walker.h"

namespace anabranch {
namespace {

constexpr char kTerminator[kTerminatorBytes] = {0x00, 0x01};

void AppendKeyPrefix(std::string* out, std::string_view user_key) {
  size_t zero = user_key.find('\0');
  while (zero != std::string_view::npos) {
    out->append(user_key.substr(0, zero + 1));
    out->push_back('\xff');
    user_key.remove_prefix(zero + 1);
    zero = user_key.find('\0');
  }
  out->append(user_key);
  out->append(kTerminator, kTerminatorBytes);
}

void AppendTimestamp(std::string* out, Timestamp ts) { PutFixed64BigEndian(out, ~ts.ns); }

class SpanScan final : public MvccScan {
 public:
  SpanScan(std::unique_ptr<KeyspaceIterator> iterator, Timestamp at, std::string start)
      : walker_(std::move(iterator), at, std::move(start)) {}

  absl::StatusOr<bool> Next() override {
    if (!walker_.Next()) {
      RETURN_IF_ERROR(walker_.status());
      return false;
    }
    // Without an escape, as nearly all keys are, the key stands in the prefix as it is.
    const std::string_view prefix = walker_.prefix();
    const void* zero = std::memchr(prefix.data(), 0, prefix.size());
    const std::string_view terminator = prefix.substr(prefix.size() - kTerminatorBytes);
    if (zero == terminator.data() && terminator.back() == kTerminator[1]) [[likely]] {
      key_ = prefix.substr(0, prefix.size() - kTerminatorBytes);
      return true;
    }
    Timestamp ignored;
    if (!DecodeVersionKey(walker_.encoded_key(), &decoded_, &ignored)) {
      return MalformedVersion(walker_.encoded_key(), "malformed key");
    }
    key_ = decoded_;
    return true;
  }

  std::string_view key() const override { return key_; }
  std::string_view value() const override { return walker_.stored().substr(1); }
  Timestamp timestamp() const override { return walker_.timestamp(); }

 private:
  SpanWalker walker_;
  std::string decoded_;   // a key with escapes, without them
  std::string_view key_;  // into decoded_ or the walker's prefix
};

class RefusedScan final : public MvccScan {
 public:
  explicit RefusedScan(absl::Status status) : status_(std::move(status)) {}
  absl::StatusOr<bool> Next() override { return status_; }
  std::string_view key() const override { return {}; }
  std::string_view value() const override { return {}; }
  Timestamp timestamp() const override { return {}; }

 private:
  const absl::Status status_;
};

class Reader final : public MvccReader {
 public:
  Reader(KeyspaceRef keyspace, Timestamp at) : keyspace_(std::move(keyspace)), at_(at) {}

  Timestamp at() const override { return at_; }

  absl::StatusOr<std::optional<ReadVersion>> Get(std::string_view key) override {
    WriteKind kind{};
    std::string_view value;
    ASSIGN_OR_RETURN(const bool found, Find(key, &kind, &value));
    if (!found || kind == WriteKind::kTombstone) return std::nullopt;
    return ReadVersion{std::string(value), point_->timestamp()};
  }

  absl::StatusOr<std::optional<Version>> GetVersion(std::string_view key) override {
    Version version;
    std::string_view value;
    ASSIGN_OR_RETURN(const bool found, Find(key, &version.write.kind, &value));
    if (!found) return std::nullopt;
    version.key = std::string(key);
    version.timestamp = point_->timestamp();
    version.write.value = std::string(value);
    return version;
  }

  absl::StatusOr<Timestamp> NewestTimestamp(std::string_view key) override {
    WriteKind kind{};
    std::string_view value;
    ASSIGN_OR_RETURN(const bool found, Find(key, &kind, &value));
    return found ? point_->timestamp() : kTimestampZero;
  }

  std::unique_ptr<MvccScan> Scan(const Span& span) override {
    std::string upper_bound = span.end.empty() ? "" : EncodeKeyPrefix(span.end);
    auto iterator = KeyspaceIterator::Open(keyspace_, KeyspaceIterator::Family::kData, KeyspaceIterator::Access::kRange,
                                           std::move(upper_bound), at_);
    if (!iterator.ok()) return FailedScan(std::move(iterator).status());
    return std::make_unique<SpanScan>(*std::move(iterator), at_, EncodeKeyPrefix(span.start));
  }

 private:
  // Stands on the newest visible version of the key; *value points into it.
  absl::StatusOr<bool> Find(std::string_view key, WriteKind* kind, std::string_view* value) {
    // One iterator serves all point reads: what it pinned when it was made already holds every version at or below `at`.
    if (!point_) {
      ASSIGN_OR_RETURN(auto iterator, KeyspaceIterator::Open(keyspace_, KeyspaceIterator::Family::kData,
                                                             KeyspaceIterator::Access::kPoint, "", at_));
      point_.emplace(std::move(iterator), at_);
    }
    prefix_.clear();
    AppendKeyPrefix(&prefix_, key);
    const bool found = point_->SeekVisible(prefix_);
    point_->iterator().CountSteps();
    if (found) {
      RETURN_IF_ERROR(point_->Read(kind, value));
    } else if (!point_->iterator().Valid()) {
      RETURN_IF_ERROR(point_->iterator().status());
    }
    return found;
  }

  const KeyspaceRef keyspace_;
  const Timestamp at_;
  std::optional<VersionWalker> point_;  // opened by the first point read
  std::string prefix_;                  // the encoded key of the last point read; kept for its memory
};

}  // namespace

absl::StatusOr<std::unique_ptr<MvccReader>> MvccReader::Open(Store* store, KeyspaceRef keyspace, Timestamp at) {
  // The frontier counts also when nothing is ingested any more: `visible` may come to it later than the state does.
  if (const Timestamp resolved = store->Resolved(*keyspace); at > resolved) {
    if (at > AsRocks(*keyspace).published().frontier()) return NotComplete(at, resolved);
  }
  // Refused early; each iterator checks again once it is open (R8).
  RETURN_IF_ERROR(CheckFloor(AsRocks(*keyspace), at));
  return std::make_unique<Reader>(std::move(keyspace), at);
}

absl::Status NotComplete(Timestamp at, Timestamp upto) {
  return SqlError(sqlstate::kInvalidParameterValue,
                  fmt::format("cannot read at {}: complete only up to {}", FormatHlc(at), FormatHlc(upto)));
}

std::unique_ptr<MvccScan> FailedScan(absl::Status status) { return std::make_unique<RefusedScan>(std::move(status)); }

std::string EncodeKeyPrefix(std::string_view user_key) {
  std::string encoded;
  encoded.reserve(user_key.size() + kTerminatorBytes + kTimestampBytes);
  AppendKeyPrefix(&encoded, user_key);
  return encoded;
}

std::string EncodeVersionKey(std::string_view user_key, Timestamp ts) {
  std::string encoded = EncodeKeyPrefix(user_key);
  AppendTimestamp(&encoded, ts);
  return encoded;
}

void AppendVersionKey(std::string* out, std::string_view user_key, Timestamp ts) {
  AppendKeyPrefix(out, user_key);
  AppendTimestamp(out, ts);
}

bool DecodeVersionKey(std::string_view encoded, std::string* user_key, Timestamp* ts) {
  if (encoded.size() < kTerminatorBytes + kTimestampBytes) return false;
  *ts = VersionTimestamp(encoded);
  encoded.remove_suffix(kTimestampBytes);
  user_key->clear();
  while (true) {
    const size_t zero = encoded.find('\0');
    if (zero == std::string_view::npos || zero + 1 >= encoded.size()) return false;
    const char next = encoded[zero + 1];
    if (next == kTerminator[1]) {
      user_key->append(encoded.substr(0, zero));
      return zero + kTerminatorBytes == encoded.size();
    }
    if (next != '\xff') return false;
    user_key->append(encoded.substr(0, zero + 1));
    encoded.remove_prefix(zero + 2);
  }
}

}  // namespace anabranch
