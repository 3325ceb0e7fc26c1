#include "storage/mvcc/transaction.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/status.h"
#include "storage/rocks/keyspace.h"

namespace anabranch {
namespace {

// What a serializable transaction read, for validation. Beyond this many spans they are merged, and if that does not halve
// them, they become one span over everything: more 40001 than needed, never fewer.
constexpr size_t kReadSpansMax = 4096;

bool EndsBefore(const std::string& end, const std::string& start) { return !end.empty() && end < start; }

// Ascending, disjoint, not touching.
void MergeSpans(std::vector<Span>* spans) {
  if (spans->empty()) return;
  std::sort(spans->begin(), spans->end(), [](const Span& a, const Span& b) { return a.start < b.start; });
  size_t last = 0;
  for (size_t i = 1; i < spans->size(); ++i) {
    Span& into = (*spans)[last];
    Span& next = (*spans)[i];
    if (EndsBefore(into.end, next.start)) {
      if (++last != i) (*spans)[last] = std::move(next);
    } else if (!into.end.empty() && (next.end.empty() || into.end < next.end)) {
      into.end = std::move(next.end);
    }
  }
  spans->resize(last + 1);
}

class ReadSpans {
 public:
  void Add(Span span) {
    if (!spans_.empty() && Covers(spans_.back(), span)) return;
    spans_.push_back(std::move(span));
    if (spans_.size() < kReadSpansMax) return;
    MergeSpans(&spans_);
    if (spans_.size() > kReadSpansMax / 2) spans_.assign(1, Span{});
  }

  std::vector<Span> Take() {
    MergeSpans(&spans_);
    return std::move(spans_);
  }

 private:
  static bool Covers(const Span& outer, const Span& inner) {
    return outer.start <= inner.start && (outer.end.empty() || (!inner.end.empty() && inner.end <= outer.end));
  }

  std::vector<Span> spans_;
};

// Committed rows with the transaction's own writes, as they stood when the scan began, laid over them.
class OverlaidScan final : public MvccScan {
 public:
  OverlaidScan(std::unique_ptr<MvccScan> committed, WriteSet own)
      : committed_(std::move(committed)), own_(std::move(own)), next_own_(own_.begin()) {}

  absl::StatusOr<bool> Next() override {
    while (true) {
      if (source_ != Source::kOwn) {
        ASSIGN_OR_RETURN(committed_valid_, committed_->Next());
      }
      if (source_ != Source::kCommitted && source_ != Source::kStart) ++next_own_;
      if (!committed_valid_ && next_own_ == own_.end()) return false;
      source_ = Choose();
      if (source_ == Source::kCommitted || next_own_->second.kind == WriteKind::kPut) return true;
    }
  }

  std::string_view key() const override { return FromOwn() ? next_own_->first : committed_->key(); }
  std::string_view value() const override { return FromOwn() ? next_own_->second.value : committed_->value(); }
  Timestamp timestamp() const override { return FromOwn() ? kTimestampZero : committed_->timestamp(); }

 private:
  // Where the current row came from, and so what the next step moves. kBoth: an own write over a committed row.
  enum class Source { kStart, kCommitted, kOwn, kBoth };

  bool FromOwn() const { return source_ != Source::kCommitted; }

  Source Choose() const {
    if (!committed_valid_) return Source::kOwn;
    if (next_own_ == own_.end()) return Source::kCommitted;
    const int order = committed_->key().compare(next_own_->first);
    return order < 0 ? Source::kCommitted : order > 0 ? Source::kOwn : Source::kBoth;
  }

  const std::unique_ptr<MvccScan> committed_;
  const WriteSet own_;
  WriteSet::const_iterator next_own_;
  Source source_ = Source::kStart;
  bool committed_valid_ = false;
};

absl::Status TooLarge(std::string_view what, size_t bytes, size_t bytes_max) {
  return SqlError(sqlstate::kProgramLimitExceeded,
                  fmt::format("{} of {} bytes exceeds the limit of {} bytes", what, bytes, bytes_max));
}

LockOwner NextOwner() {
  static std::atomic<LockOwner> last{0};
  return ++last;
}

class StoreTransaction final : public Transaction {
 public:
  StoreTransaction(TransactionContext context, IsolationLevel isolation, std::unique_ptr<MvccReader> as_of)
      : context_(std::move(context)),
        isolation_(isolation),
        as_of_(as_of != nullptr),
        read_only_(as_of_ || context_.follows),
        owner_(NextOwner()),
        snapshot_(as_of_ ? as_of->at() : ReadableUpto(context_)),
        reader_(std::move(as_of)) {
    if (as_of_) Pin();
  }
  StoreTransaction(StoreTransaction* outer) : StoreTransaction(outer->context_, IsolationLevel::kReadCommitted, nullptr) {
    lock_timeout_ = outer->lock_timeout_;
    outer->may_hold_locks_ = may_hold_locks_ = true;
    context_.locks->Nest(owner_, outer->owner_);
  }
  ~StoreTransaction() override { Rollback(); }

  std::unique_ptr<Transaction> BeginInner() override { return std::make_unique<StoreTransaction>(this); }

  absl::Status BeginStatement() override {
    if (as_of_ || (started_ && isolation_ != IsolationLevel::kReadCommitted)) return CheckFollowed();
    started_ = true;
    snapshot_ = ReadableUpto(context_);
    reader_.reset();
    Pin();
    return CheckFollowed();
  }

  Timestamp snapshot() const override { return snapshot_; }
  bool read_only() const override { return read_only_; }
  bool has_writes() const override { return !writes_.empty(); }
  std::optional<Timestamp> system_version() const override {
    if (Validates() || (!writes_.empty() && writes_.begin()->first < kSystemKeysEnd)) return std::nullopt;
    // Read after the snapshot was taken (storage/rocks/published_state.h): so it covers every change that the snapshot sees.
    const PublishedState& published = AsRocks(*context_.keyspace).published();
    // Nothing is ingested any more: the snapshot stays where it is, whatever is committed above it.
    if (context_.follows && !published.resolves_at()) return snapshot_;
    const Timestamp newest = published.system_newest();
    return newest <= snapshot_ ? std::optional(newest) : std::nullopt;
  }

  absl::StatusOr<std::optional<ReadVersion>> Get(std::string_view key) override {
    if (const auto own = writes_.find(key); own != writes_.end()) return OwnRow(own->second);
    if (Validates()) reads_.Add({std::string(key), std::string(key) + '\0'});
    if (std::optional<Version> recent = AsRocks(*context_.keyspace).FindRecent(key, snapshot_)) {
      return ToRow(*std::move(recent));
    }
    RETURN_IF_ERROR(EnsureReader());
    absl::StatusOr<std::optional<ReadVersion>> row = reader_->Get(key);
    RETURN_IF_ERROR(CheckFollowed());
    return row;
  }

  std::unique_ptr<MvccScan> Scan(const Span& span) override {
    if (absl::Status status = EnsureReader(); !status.ok()) return FailedScan(std::move(status));
    if (Validates()) reads_.Add(span);
    std::unique_ptr<MvccScan> committed = reader_->Scan(span);
    if (absl::Status status = CheckFollowed(); !status.ok()) return FailedScan(std::move(status));
    // Copied, so that later writes do not disturb it; only what the span covers.
    const auto begin = writes_.lower_bound(span.start);
    const auto end = span.end.empty() ? writes_.end() : writes_.lower_bound(std::max(span.start, span.end));
    if (begin == end) return committed;
    return std::make_unique<OverlaidScan>(std::move(committed), WriteSet(begin, end));
  }

  void SetLockTimeout(std::chrono::milliseconds timeout) override { lock_timeout_ = timeout; }

  absl::Status Lock(std::string_view key, LockMode mode, std::stop_token stop) override {
    if (read_only_ && mode == LockMode::kExclusive) return ReadOnly();
    may_hold_locks_ = true;
    return context_.locks->Lock(owner_, key, mode, std::move(stop), lock_timeout_);
  }

  absl::StatusOr<LockedRow> LockRow(std::string_view key, std::stop_token stop) override {
    RETURN_IF_ERROR(Lock(key, LockMode::kExclusive, std::move(stop)));
    return ReadLocked(key);
  }

  absl::StatusOr<std::optional<LockedRow>> LockFoundRow(std::string_view key, std::stop_token stop) override {
    RETURN_IF_ERROR(Lock(key, LockMode::kExclusive, std::move(stop)));
    if (!writes_.contains(key) && AsRocks(*context_.keyspace).UnchangedSince(key, snapshot_)) return std::nullopt;
    ASSIGN_OR_RETURN(LockedRow locked, ReadLocked(key));
    return std::optional<LockedRow>(std::move(locked));
  }

  absl::StatusOr<std::optional<LockedRow>> TryLockRow(std::string_view key) override {
    if (read_only_) return ReadOnly();
    may_hold_locks_ = true;
    ASSIGN_OR_RETURN(const bool granted, context_.locks->TryLock(owner_, key, LockMode::kExclusive));
    if (!granted) return std::optional<LockedRow>();
    ASSIGN_OR_RETURN(LockedRow locked, ReadLocked(key));
    return std::optional<LockedRow>(std::move(locked));
  }

  absl::Status Put(std::string_view key, std::string value) override {
    return Buffer(key, {WriteKind::kPut, std::move(value)});
  }
  absl::Status Delete(std::string_view key) override { return Buffer(key, {WriteKind::kTombstone, ""}); }

  size_t savepoints() const override { return savepoints_.size(); }

  absl::Status Savepoint() override {
    CHECK(!over_, "savepoint in a transaction that is over");
    if (savepoints_.size() >= kSavepointsMax) {
      return SqlError(sqlstate::kProgramLimitExceeded,
                      fmt::format("more than {} savepoints in one transaction", kSavepointsMax),
                      "Use RELEASE SAVEPOINT for those that are no longer needed.");
    }
    savepoints_.push_back({.locks = context_.locks == nullptr ? 0 : context_.locks->Mark(owner_), .replaced = {}});
    return absl::OkStatus();
  }

  void RollbackTo(size_t open) override {
    CHECK(open > 0 && open <= savepoints_.size(), "rollback to a savepoint that is not open");
    while (savepoints_.size() > open) {
      PutBack(&savepoints_.back());
      savepoints_.pop_back();
    }
    PutBack(&savepoints_.back());
    if (context_.locks != nullptr) context_.locks->ReleaseSince(owner_, savepoints_.back().locks);
  }

  void Release(size_t open) override {
    CHECK(open > 0 && open <= savepoints_.size(), "release of a savepoint that is not open");
    for (; savepoints_.size() >= open; savepoints_.pop_back()) {
      auto& replaced = savepoints_.back().replaced;
      // What the one before kept is older, and so what it has to put back.
      if (savepoints_.size() > 1) savepoints_[savepoints_.size() - 2].replaced.merge(replaced);
      for (const auto& [key, write] : replaced) bytes_ -= Bytes(key, write);
    }
  }

  absl::StatusOr<Timestamp> Commit(std::stop_token stop) override {
    CHECK(!over_, "commit of a transaction that is over");
    if (writes_.empty()) {
      Rollback();
      return snapshot_;
    }
    auto writes = std::make_shared<const WriteList>(writes_);
    writes_.clear();  // else the writes would be held twice until they are published
    CommitRequest request{.keyspace = context_.keyspace,
                          .epoch = context_.epoch,
                          .writes = std::move(writes),
                          .validate_spans = reads_.Take(),
                          .validate_after = snapshot_,
                          .stop = std::move(stop),
                          .as_files = false,
                          .published = [this] { ReleaseFewLocks(); }};
    absl::StatusOr<Timestamp> committed = context_.store->Commit(std::move(request));
    Rollback();
    if (!committed.ok()) return Explain(std::move(committed).status());
    return committed;
  }

  void Rollback() override {
    if (over_) return;
    over_ = true;
    writes_.clear();
    savepoints_.clear();
    reader_.reset();
    Unpin();
    ReleaseLocks();
  }

 private:
  SnapshotPins& pins() const { return AsRocks(*context_.keyspace).pins(); }
  // What the snapshot sees is to stay.
  void Pin() {
    if (!context_.follows) return;
    Unpin();
    pin_ = pins().Add(snapshot_, context_.store->clock()->MonotonicNs());
  }
  void Unpin() {
    if (pin_) pins().Remove(*pin_);
    pin_.reset();
  }
  void ReleaseLocks() {
    if (std::exchange(may_hold_locks_, false)) context_.locks->ReleaseAll(owner_);
  }
  // On the writer's thread: many are given back by the committer, when it has woken (R18).
  void ReleaseFewLocks() {
    if (may_hold_locks_) may_hold_locks_ = !context_.locks->ReleaseFew(owner_);
  }
  bool Validates() const { return isolation_ == IsolationLevel::kSerializable && !read_only_; }

  // After the iterator of a read was opened, as storage/rocks/published_state.h says.
  absl::Status CheckFollowed() const {
    if (!context_.follows) return absl::OkStatus();
    const PublishedState& published = AsRocks(*context_.keyspace).published();
    if (published.rewinds() != *context_.follows) {
      return SqlError(sqlstate::kAdminShutdown,
                      "terminating connection because the history that this read-only virtual cluster shows was taken back",
                      "Connect again.");
    }
    if (snapshot_ >= published.floor()) return absl::OkStatus();
    return SqlError(
        sqlstate::kSerializationFailure,
        fmt::format(
            "canceling statement because its snapshot at {} is older than the history that is kept, which begins at {}",
            FormatHlc(snapshot_), FormatHlc(published.floor())),
        "History is kept for a transaction of a read-only virtual cluster for 24 hours (kSnapshotPinNsMax). Begin another "
        "one.");
  }

  static absl::Status ReadOnly() {
    return SqlError(sqlstate::kReadOnlySqlTransaction, "cannot write in a read-only transaction");
  }

  static std::optional<ReadVersion> OwnRow(const Write& write) {
    if (write.kind == WriteKind::kTombstone) return std::nullopt;
    return ReadVersion{write.value, kTimestampZero};
  }

  static std::optional<ReadVersion> ToRow(Version version) {
    if (version.write.kind == WriteKind::kTombstone) return std::nullopt;
    return ReadVersion{std::move(version.write.value), version.timestamp};
  }

  absl::Status EnsureReader() {
    if (reader_) return absl::OkStatus();
    absl::StatusOr<std::unique_ptr<MvccReader>> reader = MvccReader::Open(context_.store, context_.keyspace, snapshot_);
    RETURN_IF_ERROR(CheckFollowed());
    ASSIGN_OR_RETURN(reader_, std::move(reader));
    return absl::OkStatus();
  }

  absl::StatusOr<LockedRow> ReadLocked(std::string_view key) {
    if (const auto own = writes_.find(key); own != writes_.end()) return LockedRow{.row = OwnRow(own->second)};
    // The lock keeps the row as it is, unless a savepoint gives it back.
    if (Validates() && !savepoints_.empty()) reads_.Add({std::string(key), std::string(key) + '\0'});
    // Whoever held the lock before has published (R3), so this reads what they wrote.
    absl::StatusOr<std::optional<Version>> newest = ReadNewest(key);
    if (!newest.ok()) return Explain(std::move(newest).status());
    // A row that was deleted after the snapshot may have left no trace.
    if (snapshot_ < AsRocks(*context_.keyspace).published().floor()) {
      return SqlError(sqlstate::kSerializationFailure,
                      "could not serialize access: history at the transaction's snapshot was garbage collected",
                      "The transaction might succeed if retried.");
    }
    LockedRow locked;
    if (!newest->has_value()) return locked;
    const Version& version = **newest;
    locked.changed_since_snapshot = version.timestamp > snapshot_;
    if (locked.changed_since_snapshot && isolation_ != IsolationLevel::kReadCommitted) {
      return SqlError(sqlstate::kSerializationFailure,
                      fmt::format("could not serialize access due to concurrent {}",
                                  version.write.kind == WriteKind::kTombstone ? "delete" : "update"));
    }
    locked.row = ToRow(**std::move(newest));
    return locked;
  }

  absl::StatusOr<std::optional<Version>> ReadNewest(std::string_view key) {
    const Timestamp now = context_.store->Resolved(*context_.keyspace);
    if (std::optional<Version> recent = AsRocks(*context_.keyspace).FindRecent(key, now)) return recent;
    ASSIGN_OR_RETURN(auto reader, MvccReader::Open(context_.store, context_.keyspace, now));
    return reader->GetVersion(key);
  }

  absl::Status Buffer(std::string_view key, Write write) {
    CHECK(!over_, "write in a transaction that is over");
    if (read_only_) return ReadOnly();
    if (key.size() > kKeyBytesMax) return TooLarge("key", key.size(), kKeyBytesMax);
    if (write.value.size() > kValueBytesMax) return TooLarge("row", write.value.size(), kValueBytesMax);
    const auto found = writes_.find(key);
    const bool keeps = !savepoints_.empty() && !savepoints_.back().replaced.contains(key);
    const size_t replaced = found == writes_.end() || keeps ? 0 : Bytes(key, found->second);
    const size_t kept = keeps && found == writes_.end() ? key.size() : 0;
    const size_t bytes = bytes_ - replaced + kept + Bytes(key, write);
    if (bytes > kTransactionBytesMax) return TooLarge("transaction", bytes, kTransactionBytesMax);
    bytes_ = bytes;
    if (keeps) Keep(key, found);
    if (found == writes_.end()) {
      writes_.emplace(key, std::move(write));
    } else {
      found->second = std::move(write);
    }
    return absl::OkStatus();
  }

  // What stood in the write set when a savepoint was made, for each key written since; nullopt: nothing.
  using Replaced = std::map<std::string, std::optional<Write>, std::less<>>;

  struct OpenSavepoint {
    LockMark locks;
    Replaced replaced;
  };

  static size_t Bytes(std::string_view key, const Write& write) { return key.size() + write.value.size(); }
  static size_t Bytes(std::string_view key, const std::optional<Write>& write) {
    return write ? Bytes(key, *write) : key.size();
  }

  // The newest savepoint keeps what `found` (in the write set, or its end) is about to lose.
  void Keep(std::string_view key, WriteSet::iterator found) {
    std::optional<Write>& kept = savepoints_.back().replaced[std::string(key)];
    if (found != writes_.end()) kept = std::move(found->second);
  }

  void PutBack(OpenSavepoint* savepoint) {
    for (auto& [key, kept] : savepoint->replaced) {
      const auto found = writes_.find(key);
      bytes_ -= Bytes(key, found->second) + Bytes(key, kept);
      if (kept) {
        bytes_ += Bytes(key, *kept);
        found->second = *std::move(kept);
      } else {
        writes_.erase(found);
      }
    }
    savepoint->replaced.clear();
  }

  // What failed because the service ended is told as that.
  absl::Status Explain(absl::Status status) const {
    if (!IsFenced(status) && context_.keyspace->state()->epoch == context_.epoch) return status;
    return SqlError(sqlstate::kAdminShutdown, "terminating connection because the virtual cluster's service was stopped");
  }

  const TransactionContext context_;
  const IsolationLevel isolation_;
  const bool as_of_;  // its one snapshot was given
  const bool read_only_;
  const LockOwner owner_;
  Timestamp snapshot_;
  bool started_ = false;  // a statement began; above kReadCommitted, later ones keep its snapshot
  bool over_ = false;
  bool may_hold_locks_ = false;
  std::chrono::milliseconds lock_timeout_ = kNoLockTimeout;
  std::unique_ptr<MvccReader> reader_;    // at snapshot_; opened by the first read
  std::optional<SnapshotPins::Pin> pin_;  // of snapshot_, of who follows
  WriteSet writes_;
  std::vector<OpenSavepoint> savepoints_;  // the newest last
  size_t bytes_ = 0;                       // of writes_, and of what savepoints_ keep
  ReadSpans reads_;
};

}  // namespace

Timestamp ReadableUpto(const TransactionContext& context) {
  if (context.follows) return AsRocks(*context.keyspace).published().frontier();
  return context.store->Resolved(*context.keyspace);
}

std::unique_ptr<Transaction> Transaction::Begin(TransactionContext context, IsolationLevel isolation) {
  return std::make_unique<StoreTransaction>(std::move(context), isolation, nullptr);
}

absl::StatusOr<std::unique_ptr<Transaction>> Transaction::BeginAsOf(TransactionContext context, Timestamp at) {
  // A keyspace that nothing is ingested into any more has resolved more than its followers may see.
  if (const Timestamp upto = ReadableUpto(context); context.follows && at > upto) return NotComplete(at, upto);
  ASSIGN_OR_RETURN(auto reader, MvccReader::Open(context.store, context.keyspace, at));
  return std::make_unique<StoreTransaction>(std::move(context), IsolationLevel::kRepeatableRead, std::move(reader));
}

}  // namespace anabranch
