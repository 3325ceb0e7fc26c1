#include "storage/mvcc_reader.h"

#include <bit>
#include <cstring>
#include <utility>

#include "base/coding.h"
#include "base/status.h"
#include "storage/keyspace_iterator.h"

namespace anabranch {
namespace {

constexpr size_t kTimestampBytes = 8;
constexpr char kTerminator[2] = {0x00, 0x01};
constexpr char kPastTerminator = 0x02;  // in place of the terminator's last byte: above the key, below every longer one
// A Next costs about a tenth of a Seek, and most keys have few versions.
constexpr int kNextsBeforeSeek = 6;

void AppendKeyPrefix(std::string* out, std::string_view user_key) {
  size_t zero = user_key.find('\0');
  while (zero != std::string_view::npos) {
    out->append(user_key.substr(0, zero + 1));
    out->push_back('\xff');
    user_key.remove_prefix(zero + 1);
    zero = user_key.find('\0');
  }
  out->append(user_key);
  out->append(kTerminator, sizeof(kTerminator));
}

void AppendTimestamp(std::string* out, Timestamp ts) { PutFixed64BigEndian(out, ~ts.ns); }

// REQUIRES: encoded.size() >= kTimestampBytes
Timestamp TimestampOf(std::string_view encoded) {
  uint64_t inverted = 0;  // read for every version that a scan passes: no byte by byte decoding
  std::memcpy(&inverted, encoded.data() + encoded.size() - kTimestampBytes, kTimestampBytes);
  static_assert(std::endian::native == std::endian::little);
  return {~__builtin_bswap64(inverted)};
}

absl::Status Malformed(std::string_view encoded, std::string_view what) {
  return absl::DataLossError(fmt::format("{} at data key {}", what, ToHex(encoded)));
}

// The versions of one key after the other as of one timestamp, hidden intervals applied (R7).
class VersionWalker {
 public:
  VersionWalker(std::unique_ptr<KeyspaceIterator> iterator, Timestamp at) : iterator_(std::move(iterator)), at_(at) {}

  KeyspaceIterator& iterator() { return *iterator_; }

  // Positions on the newest visible version of the key, wherever in the keyspace it stood before.
  bool SeekVisible(std::string_view prefix) {
    SeekVersion(prefix, at_);
    return InKey(prefix) && FindVisible(prefix);
  }

  // The same. REQUIRES: it stands on a version of that key. False: there is none, and it stands past the key (or at the
  // end).
  bool FindVisible(std::string_view prefix) {
    int nexts = 0;
    do {
      const Timestamp ts = TimestampOf(iterator_->key());
      Timestamp target = at_;
      if (ts <= at_) {
        const HiddenInterval* hidden = HiddenAround(ts);
        if (hidden == nullptr) return true;
        target = hidden->after;
      }
      if (nexts < kNextsBeforeSeek) {
        ++nexts;
        iterator_->Next();
      } else {
        nexts = 0;
        SeekVersion(prefix, target);
      }
    } while (InKey(prefix));
    return false;
  }

  // To the first version of the next key. REQUIRES: it stands on a version of this one.
  void SkipKey(std::string_view prefix) {
    for (int i = 0; i < kNextsBeforeSeek; ++i) {
      iterator_->Next();
      if (!InKey(prefix)) return;
    }
    seek_key_.assign(prefix);
    seek_key_.back() = kPastTerminator;
    iterator_->Seek(seek_key_);
  }

  Timestamp timestamp() const { return TimestampOf(iterator_->key()); }

  // Splits the value. DataLoss for an unknown kind: never guessed.
  absl::Status Read(WriteKind* kind, std::string_view* value) const {
    *value = iterator_->value();
    if (!value->empty()) {
      *kind = static_cast<WriteKind>(value->front());
      value->remove_prefix(1);
      if (*kind == WriteKind::kPut || *kind == WriteKind::kTombstone) [[likely]]
        return absl::OkStatus();
    }
    return Malformed(iterator_->key(), "value of unknown kind");
  }

 private:
  bool InKey(std::string_view prefix) const {
    if (!iterator_->Valid()) return false;
    const std::string_view encoded = iterator_->key();
    return encoded.size() == prefix.size() + kTimestampBytes &&
           std::memcmp(encoded.data(), prefix.data(), prefix.size()) == 0;
  }

  const HiddenInterval* HiddenAround(Timestamp ts) const {
    for (const HiddenInterval& interval : iterator_->state().hidden) {
      if (interval.Contains(ts)) return &interval;
    }
    return nullptr;
  }

  void SeekVersion(std::string_view prefix, Timestamp newest) {
    seek_key_.assign(prefix);
    AppendTimestamp(&seek_key_, newest);
    iterator_->Seek(seek_key_);
  }

  const std::unique_ptr<KeyspaceIterator> iterator_;
  const Timestamp at_;
  std::string seek_key_;  // kept for its memory
};

class SpanScan final : public MvccScan {
 public:
  SpanScan(std::unique_ptr<KeyspaceIterator> iterator, Timestamp at, const Span& span)
      : walker_(std::move(iterator), at), start_(EncodeKeyPrefix(span.start)) {}

  absl::StatusOr<bool> Next() override {
    KeyspaceIterator& iterator = walker_.iterator();
    if (prefix_.empty()) {
      iterator.Seek(start_);
    } else if (iterator.Valid()) {
      walker_.SkipKey(prefix_);
    }
    while (iterator.Valid()) {
      const std::string_view encoded = iterator.key();
      if (encoded.size() < sizeof(kTerminator) + kTimestampBytes) return Malformed(encoded, "short key");
      prefix_.assign(encoded.substr(0, encoded.size() - kTimestampBytes));
      if (!walker_.FindVisible(prefix_)) continue;
      WriteKind kind{};
      RETURN_IF_ERROR(walker_.Read(&kind, &value_));
      if (kind == WriteKind::kPut) {
        if (!DecodeVersionKey(iterator.key(), &key_, &timestamp_)) return Malformed(iterator.key(), "malformed key");
        return true;
      }
      walker_.SkipKey(prefix_);
    }
    RETURN_IF_ERROR(iterator.status());
    iterator.CountSteps();
    return false;
  }

  std::string_view key() const override { return key_; }
  std::string_view value() const override { return value_; }
  Timestamp timestamp() const override { return timestamp_; }

 private:
  VersionWalker walker_;
  const std::string start_;
  std::string prefix_;  // of the key last stood on; empty before the first
  std::string key_;
  std::string_view value_;
  Timestamp timestamp_;
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
    return std::make_unique<SpanScan>(*std::move(iterator), at_, span);
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
  std::string prefix_;                  // kept for its memory
};

}  // namespace

absl::StatusOr<std::unique_ptr<MvccReader>> MvccReader::Open(Store* store, KeyspaceRef keyspace, Timestamp at) {
  if (const Timestamp resolved = store->Resolved(*keyspace); at > resolved) {
    return SqlError(sqlstate::kInvalidParameterValue,
                    fmt::format("cannot read at {}: complete only up to {}", FormatHlc(at), FormatHlc(resolved)));
  }
  // Refused early; each iterator checks again once it is open (R8).
  RETURN_IF_ERROR(CheckFloor(*keyspace->state(), at));
  return std::make_unique<Reader>(std::move(keyspace), at);
}

std::unique_ptr<MvccScan> FailedScan(absl::Status status) { return std::make_unique<RefusedScan>(std::move(status)); }

std::string EncodeKeyPrefix(std::string_view user_key) {
  std::string encoded;
  encoded.reserve(user_key.size() + sizeof(kTerminator) + kTimestampBytes);
  AppendKeyPrefix(&encoded, user_key);
  return encoded;
}

std::string EncodeVersionKey(std::string_view user_key, Timestamp ts) {
  std::string encoded = EncodeKeyPrefix(user_key);
  AppendTimestamp(&encoded, ts);
  return encoded;
}

bool DecodeVersionKey(std::string_view encoded, std::string* user_key, Timestamp* ts) {
  if (encoded.size() < sizeof(kTerminator) + kTimestampBytes) return false;
  *ts = TimestampOf(encoded);
  encoded.remove_suffix(kTimestampBytes);
  user_key->clear();
  while (true) {
    const size_t zero = encoded.find('\0');
    if (zero == std::string_view::npos || zero + 1 >= encoded.size()) return false;
    const char next = encoded[zero + 1];
    if (next == kTerminator[1]) {
      user_key->append(encoded.substr(0, zero));
      return zero + sizeof(kTerminator) == encoded.size();
    }
    if (next != '\xff') return false;
    user_key->append(encoded.substr(0, zero + 1));
    encoded.remove_prefix(zero + 2);
  }
}

}  // namespace anabranch
