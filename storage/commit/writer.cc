#include "storage/commit/writer.h"

#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "storage/rocks/meta_format.h"

namespace anabranch {
namespace {

constexpr uint64_t kResumeIntervalNs = 1'000'000'000;

}  // namespace

const CommitRequest* Writer::Request::commit() const {
  if (const auto* small = std::get_if<const CommitRequest*>(&work)) return *small;
  const auto* large = std::get_if<EndHoldWork>(&work);
  return large != nullptr && large->files != nullptr ? large->commit : nullptr;
}

KeyspaceRef Writer::Request::keyspace() const {
  if (const auto* commit = std::get_if<const CommitRequest*>(&work)) return (*commit)->keyspace;
  if (const auto* ingest = std::get_if<const IngestRequest*>(&work)) return (*ingest)->keyspace;
  if (const auto* erase = std::get_if<const Store::EraseRequest*>(&work)) return (*erase)->keyspace;
  if (const auto* hold = std::get_if<HoldWork>(&work)) return hold->commit->keyspace;
  return nullptr;
}

void Writer::Request::TellPublished() const {
  const CommitRequest* const published = commit();
  if (published != nullptr && status.ok() && published->published) published->published();
}

void Writer::Request::Wait() {
  while (sem_wait(&finished) != 0) {  // by a signal
  }
}

Writer::Writer(std::shared_ptr<RocksEngine> engine, HybridClock* clock, Clock* wall, Reserve reserve, Rest rest)
    : engine_(std::move(engine)),
      clock_(clock),
      wall_(wall),
      visible_ns_(clock->last().ns),
      reserve_(std::move(reserve)),
      rest_(std::move(rest)) {}

Writer::~Writer() { Stop(); }

absl::Status Writer::Start() {
  while (!reserve_.stands()) {
    if (const absl::Status status = reserve_.Refill(); !status.ok()) {
      Log(LogLevel::kWarning, "store.no_reserve", "error=\"{}\"", MessageOf(status));
      break;
    }
  }
  RETURN_IF_ERROR(Prepare());
  AdvanceVisible();
  thread_ = std::thread([this] { Loop(); });
  return absl::OkStatus();
}

void Writer::Stop() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
  if (!halted_.ok()) return;
  if (absl::Status status = WriteCeiling(clock_->last()); !status.ok()) {
    Log(LogLevel::kWarning, "store.close_incomplete", "error=\"{}\"", MessageOf(status));
  }
}

absl::StatusOr<Timestamp> Writer::Commit(const CommitRequest& request, size_t bytes) {
  Request queued(&request, bytes);
  RETURN_IF_ERROR(Submit(queued));
  return queued.timestamp;
}

absl::StatusOr<Timestamp> Writer::Hold(const CommitRequest& request) {
  Request queued(HoldWork{&request});
  RETURN_IF_ERROR(Submit(queued));
  return queued.timestamp;
}

absl::Status Writer::EndHold(const CommitRequest& request, Timestamp ts, CommitFiles* files) {
  Request queued(EndHoldWork{&request, ts, files});
  return Submit(queued);
}

absl::Status Writer::Ingest(const IngestRequest& request, size_t bytes) {
  Request queued(&request, bytes);
  return Submit(queued);
}

absl::Status Writer::Erase(const Store::EraseRequest& request, size_t bytes) {
  Request queued(&request, bytes);
  return Submit(queued);
}

absl::Status Writer::Update(const MetaBuild& build) {
  Request queued(&build);
  return Submit(queued);
}

absl::Status Writer::Run(const Call& call) {
  Request queued(&call);
  return Submit(queued);
}

absl::Status Writer::Sync() {
  return Run([this] {
    RETURN_IF_ERROR(halted_);
    if (const rocksdb::Status status = engine_->Sync(); !status.ok()) return Halt(status);
    ++engine_->counter.syncs;
    return absl::OkStatus();
  });
}

absl::Status Writer::RenewCeiling() {
  return Run([this] { return halted_; });  // Prepare, before every group, has renewed it
}

absl::Status Writer::RaiseClock(Timestamp ts) {
  return Run([this, ts] {
    RETURN_IF_ERROR(halted_);
    if (ts > clock_->ceiling()) {
      const Timestamp ceiling = clock_->NextCeiling(ts);
      RETURN_IF_ERROR(WriteCeiling(ceiling));
      clock_->SetCeiling(ceiling);
    }
    clock_->RaiseTo(ts);
    Tick();
    return absl::OkStatus();
  });
}

void Writer::SetObserver(CommitObserver* observer) {
  (void)Run([this, observer] {
    observer_ = observer;
    return absl::OkStatus();
  });
}

absl::Status Writer::WaitVisible(Timestamp ts, std::stop_token stop) {
  if (visible() >= ts) return absl::OkStatus();
  {
    std::lock_guard lock(mutex_);
    tick_wanted_ = true;  // no need to wait for the next one if the clock is there already
  }
  work_.notify_one();
  std::unique_lock lock(visible_mutex_);
  if (visible_moved_.wait(lock, stop, [&] { return visible() >= ts; })) return absl::OkStatus();
  return absl::CancelledError("stopped while waiting for a timestamp to become visible");
}

absl::Status Writer::WaitReadable(const RocksKeyspace& keyspace, Timestamp ts, std::stop_token stop) {
  RETURN_IF_ERROR(WaitVisible(ts, stop));
  std::unique_lock lock(visible_mutex_);
  const auto readable = [&] { return keyspace.state()->held_at.value_or(kTimestampMax) >= ts; };
  if (visible_moved_.wait(lock, stop, readable)) return absl::OkStatus();
  return absl::CancelledError("stopped while waiting for a commit to become visible");
}

absl::Status Writer::Submit(Request& request) {
  {
    std::unique_lock lock(mutex_);
    // Those that are in the queue may wait for the end of a hold.
    room_.wait(lock, [&] { return queue_.size() < kWriteQueueRequestsMax || request.EndsHold(); });
    queue_.push_back(&request);
  }
  work_.notify_one();
  request.Wait();
  return std::move(request.status);
}

void Writer::Loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait_for(lock, std::chrono::nanoseconds(kTickIntervalNs),
                   [this] { return CanRun() || stopping_ || tick_wanted_; });
    if (queue_.empty() && stopping_) return;
    tick_wanted_ = false;
    const std::vector<Request*> requests = TakeGroup();
    lock.unlock();
    if (requests.empty()) {
      if (Prepare().ok()) {
        Tick();
        rest_.Look(wall_->MonotonicNs());
      }
    } else {
      room_.notify_all();
      RunGroup(requests);
    }
    lock.lock();
  }
}

std::vector<Writer::Request*> Writer::TakeGroup() {
  std::vector<Request*> group;
  size_t bytes = 0;
  bool behind_update = false;
  for (auto next = queue_.begin(); next != queue_.end();) {
    Request* const request = *next;
    if (HasToWait(*request, behind_update)) {
      behind_update |= request->Administers();
      ++next;
      continue;
    }
    if (!group.empty() && (request->TakesGroupOfItsOwn() || bytes + request->bytes > kGroupBytesMax)) break;
    group.push_back(request);
    next = queue_.erase(next);
    bytes += request->bytes;
    if (request->TakesGroupOfItsOwn()) break;
  }
  return group;
}

// An update waits for all holds, and no other begins before it: it may decide about any keyspace.
bool Writer::HasToWait(const Request& request, bool behind_update) const {
  if (held_.empty()) return false;
  if (request.Administers()) return true;
  return held_.contains(request.keyspace()) || (behind_update && std::holds_alternative<HoldWork>(request.work));
}

bool Writer::CanRun() const {
  bool behind_update = false;
  for (const Request* request : queue_) {
    if (!HasToWait(*request, behind_update)) return true;
    behind_update |= request->Administers();
  }
  return false;
}

// The commit is over. If writing has stopped, its files may be there after a restart all the same: until it goes on, the
// keyspace resolves below them.
void Writer::EndHoldOf(const KeyspaceRef& keyspace) {
  {
    std::lock_guard lock(mutex_);
    auto held = held_.extract(keyspace);
    if (!halted_.ok()) unsettled_.insert(std::move(held));
  }
  if (halted_.ok()) ResolveAgain(keyspace);
}

// Where the store does.
void Writer::ResolveAgain(const KeyspaceRef& keyspace) {
  KeyspaceState state = *keyspace->state();
  if (!state.held_at) return;
  state.held_at.reset();
  AsRocks(*keyspace).SetState(std::move(state));
  AdvanceVisible();  // wakes those who wait to read there
}

void Writer::RunGroup(const std::vector<Request*>& requests) {
  const bool administers = requests.front()->Administers();
  absl::Status status = Prepare();
  if (!status.ok() && administers && GiveUpReserve()) status = Prepare();
  if (const auto* call = std::get_if<const Call*>(&requests.front()->work)) {
    requests.front()->status = (**call)();
    return requests.front()->Finish();
  }
  const auto* const ends_hold = std::get_if<EndHoldWork>(&requests.front()->work);
  if (ends_hold != nullptr && ends_hold->files == nullptr) {
    EndHoldOf(ends_hold->commit->keyspace);
    return requests.front()->Finish();
  }
  WriteGroup group(engine_.get(), clock_);
  if (status.ok()) {
    for (Request* request : requests) Add(group, *request);
    // Half of a refused request may be in its group, which is its own.
    if (requests.front()->TakesGroupOfItsOwn()) status = requests.front()->status;
  }
  if (status.ok() && !group.empty()) {
    rocksdb::Status written = group.WriteBatch();
    if (!written.ok()) status = Halt(written);
    if (!status.ok() && administers && GiveUpReserve()) {
      written = group.WriteBatch();
      status = written.ok() ? absl::OkStatus() : Halt(written);
    }
  }
  if (status.ok()) {
    group.Publish();
    NoteHold(*requests.front());
    AdvanceVisible();
    for (const Request* request : requests) request->TellPublished();
  }
  if (ends_hold != nullptr) EndHoldOf(ends_hold->commit->keyspace);
  for (Request* request : requests) {
    if (!status.ok() && request->status.ok()) request->status = status;
    request->Finish();
  }
  if (status.ok()) Notify(group.commits());
}

void Writer::Add(WriteGroup& group, Request& request) {
  if (!reserve_.stands() && !request.Administers()) {
    request.status = FromRocks(rocksdb::Status::NoSpace("what is left of it is for failovers, stops and drops"),
                               "the store's disk is full");
    return;
  }
  if (const auto* commit = std::get_if<const CommitRequest*>(&request.work)) {
    absl::StatusOr<Timestamp> ts = group.AddCommit(**commit);
    if (ts.ok()) request.timestamp = *ts;
    request.status = std::move(ts).status();
  } else if (const auto* hold = std::get_if<HoldWork>(&request.work)) {
    absl::StatusOr<Timestamp> ts = group.AddHold(*hold->commit);
    if (ts.ok()) request.timestamp = *ts;
    request.status = std::move(ts).status();
  } else if (const auto* files = std::get_if<EndHoldWork>(&request.work)) {
    request.status = group.AddFiles(*files->commit, files->timestamp, files->files);
  } else if (const auto* ingest = std::get_if<const IngestRequest*>(&request.work)) {
    request.status = group.AddIngest(**ingest);
  } else if (const auto* erase = std::get_if<const Store::EraseRequest*>(&request.work)) {
    request.status = group.AddErase(**erase);
  } else {
    group.RequireSync();
    MetaUpdateImpl update(engine_.get(), &group, visible());
    request.status = (*std::get<const MetaBuild*>(request.work))(update);
    if (request.status.ok()) request.status = update.status();
  }
}

void Writer::NoteHold(const Request& request) {
  const auto* const hold = std::get_if<HoldWork>(&request.work);
  if (hold == nullptr) return;
  std::lock_guard lock(mutex_);
  held_.emplace(hold->commit->keyspace, request.timestamp.Prev());
}

void Writer::Tick() {
  AdvanceVisible();
  Notify({});
}

absl::Status Writer::Prepare() {
  if (!halted_.ok()) Resume();
  RETURN_IF_ERROR(halted_);
  if (!reserve_.stands()) RefillReserve();
  if (!clock_->CeilingIsNear()) return absl::OkStatus();
  const Timestamp ceiling = clock_->NextCeiling(kTimestampZero);
  RETURN_IF_ERROR(WriteCeiling(ceiling));
  clock_->SetCeiling(ceiling);
  return absl::OkStatus();
}

// Not in the operation counts: it follows the clock and not the work.
absl::Status Writer::WriteCeiling(Timestamp ceiling) {
  rocksdb::WriteBatch batch = engine_->NewBatch();
  batch.Put(engine_->meta, rocksdb::Slice(kMetaCeilingKey), EncodeTimestamp(ceiling));
  const rocksdb::Status status = engine_->Write(&batch, /*sync=*/true);
  return status.ok() ? absl::OkStatus() : Halt(status);
}

// What a failed write or sync left in the log may or may not be there after a restart. So nothing is written above it, and
// `visible` does not pass it: no reader and no standby may take for complete what a restart could still add to (R1, R3).
// A full disk is another matter: nothing is left of what it refused once there is a new log (storage/rocks/log_file.h). Unless
// RocksDB holds the error for a fatal one: then it takes nothing more before a restart.
absl::Status Writer::Halt(const rocksdb::Status& why) {
  halted_by_full_disk_ = why.IsNoSpace() && why.severity() < rocksdb::Status::kFatalError;
  resume_tried_ns_ = wall_->MonotonicNs();
  if (halted_by_full_disk_) {
    halted_ = FromRocks(why, "the store's disk is full");
  } else {
    halted_ = SqlError(sqlstate::kIoError,
                       fmt::format("the store stopped taking writes after a failed write or sync: {}", why.ToString()),
                       "Restart the node once its disk is in order; nothing acknowledged is lost.");
  }
  Log(LogLevel::kError, "store.halted", "error=\"{}\"", MessageOf(halted_));
  return halted_;
}

void Writer::Resume() {
  if (!halted_by_full_disk_ || wall_->MonotonicNs() - resume_tried_ns_ < kResumeIntervalNs) return;
  if (TakeWritesAgain()) Log(LogLevel::kInfo, "store.resumed");
}

bool Writer::TakeWritesAgain() {
  resume_tried_ns_ = wall_->MonotonicNs();
  rocksdb::Status status = engine_->db->Resume();  // flushes everything if a flush found no room, else does nothing
  if (status.ok()) status = engine_->BeginLog();
  if (status.severity() >= rocksdb::Status::kFatalError) (void)Halt(status);
  if (!status.ok()) return false;
  halted_ = absl::OkStatus();
  for (const auto& [keyspace, at] : std::exchange(unsettled_, {})) ResolveAgain(keyspace);
  return true;
}

bool Writer::GiveUpReserve() {
  if (halted_.ok() || !halted_by_full_disk_ || !reserve_.Release()) return false;
  Log(LogLevel::kWarning, "store.reserve_given_up");
  return TakeWritesAgain();
}

void Writer::RefillReserve() {
  if (refill_tried_ns_ != 0 && wall_->MonotonicNs() - refill_tried_ns_ < kResumeIntervalNs) return;
  const absl::Status status = reserve_.Refill();
  refill_tried_ns_ = status.ok() ? 0 : wall_->MonotonicNs();
  if (reserve_.stands()) Log(LogLevel::kInfo, "store.reserve_refilled");
}

void Writer::AdvanceVisible() {
  const Timestamp now = clock_->Now();
  {
    std::lock_guard lock(visible_mutex_);
    visible_ns_.store(now.ns, std::memory_order_release);
  }
  visible_moved_.notify_all();
}

void Writer::Notify(const std::vector<PublishedCommit>& commits) {
  if (observer_ == nullptr) return;
  HeldKeyspaces held;
  for (const auto* keyspaces : {&held_, &unsettled_}) {
    for (const auto& [keyspace, at] : *keyspaces) held.emplace(keyspace->incarnation(), at);
  }
  observer_->OnPublished(commits, visible(), held);
}

}  // namespace anabranch
