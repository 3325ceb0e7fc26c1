// The room of the one writer: clock, groups, changes of `meta`, what a full disk leaves in reserve. It uses storage/mvcc/.
//
// Internal to storage/: the writer thread. Forms groups from a bounded queue, publishes them, and ticks while nothing is
// written. The pipeline is described in storage/api/store.h.
#pragma once

#include <semaphore.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <variant>
#include <vector>

#include "storage/commit/meta_update.h"
#include "storage/commit/reserve.h"
#include "storage/commit/rest.h"
#include "storage/commit/write_group.h"

namespace anabranch {

class Writer {
 public:
  using MetaBuild = std::function<absl::Status(MetaUpdateImpl&)>;
  using Call = std::function<absl::Status()>;

  // Begins with `visible` at the clock's last timestamp. Nothing runs before Start.
  Writer(std::shared_ptr<RocksEngine> engine, HybridClock* clock, Clock* wall, Reserve reserve, Rest rest);
  ~Writer();  // Stop

  // Puts the ceiling ahead (R1), then takes requests.
  absl::Status Start();
  // Drains the queue and puts the ceiling down to the last timestamp given, so that a clean restart does not jump ahead.
  void Stop();

  absl::StatusOr<Timestamp> Commit(const CommitRequest& request, size_t bytes);
  // A large commit (storage/api/store.h). Its timestamp: the keyspace is held until EndHold.
  absl::StatusOr<Timestamp> Hold(const CommitRequest& request);
  // Adopts the files and publishes. Null: nothing was committed.
  absl::Status EndHold(const CommitRequest& request, Timestamp ts, CommitFiles* files);
  absl::Status Ingest(const IngestRequest& request, size_t bytes);
  absl::Status Erase(const Store::EraseRequest& request, size_t bytes);
  absl::Status Update(const MetaBuild& build);
  // Runs `call` on the writer thread, after everything queued before it is published.
  absl::Status Run(const Call& call);

  absl::Status Sync();
  // After it the ceiling is not near.
  absl::Status RenewCeiling();
  absl::Status RaiseClock(Timestamp ts);
  void SetObserver(CommitObserver* observer);

  Timestamp visible() const { return {visible_ns_.load(std::memory_order_acquire)}; }
  absl::Status WaitVisible(Timestamp ts, std::stop_token stop);
  absl::Status WaitReadable(const RocksKeyspace& keyspace, Timestamp ts, std::stop_token stop);

 private:
  struct HoldWork {
    const CommitRequest* commit;
  };
  struct EndHoldWork {
    const CommitRequest* commit;
    Timestamp timestamp;
    CommitFiles* files;  // null: there is nothing to commit
  };
  // On the caller's stack until done.
  struct Request {
    using Work = std::variant<const CommitRequest*, const IngestRequest*, const Store::EraseRequest*, const MetaBuild*,
                              const Call*, HoldWork, EndHoldWork>;
    explicit Request(Work what, size_t size = 0) : work(what), bytes(size) { sem_init(&finished, 0, 0); }
    ~Request() { sem_destroy(&finished); }
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;

    const Work work;
    const size_t bytes;
    absl::Status status;
    Timestamp timestamp;  // of a commit

    bool TakesGroupOfItsOwn() const { return work.index() >= 3; }
    bool EndsHold() const { return std::holds_alternative<EndHoldWork>(work); }
    const CommitRequest* commit() const;  // that it publishes; null: none
    KeyspaceRef keyspace() const;         // that it writes to; null: none, or whichever
    // Failovers, ends of services, drops: worth the reserve when the disk is full.
    bool Administers() const { return std::holds_alternative<const MetaBuild*>(work); }
    void TellPublished() const;
    void Finish() { sem_post(&finished); }
    void Wait();

    // POSIX promises that it may be destroyed as soon as the wait returns; a condition variable needs a lock held over its
    // notification for that, and the waiter that wakes runs into it.
    sem_t finished;
  };

  absl::Status Submit(Request& request);
  void Loop();
  // REQUIRE: mutex_ held
  std::vector<Request*> TakeGroup();
  bool HasToWait(const Request& request, bool behind_update) const;  // for the end of a hold
  bool CanRun() const;                                               // some request
  void RunGroup(const std::vector<Request*>& requests);
  void Add(WriteGroup& group, Request& request);
  void NoteHold(const Request& request);
  void EndHoldOf(const KeyspaceRef& keyspace);
  void ResolveAgain(const KeyspaceRef& keyspace);
  void Tick();
  // Takes writes again after a full disk, if it can, and keeps the ceiling ahead.
  absl::Status Prepare();
  absl::Status WriteCeiling(Timestamp ceiling);
  absl::Status Halt(const rocksdb::Status& why);
  void Resume();
  bool TakeWritesAgain();
  // On a full disk: takes writes again in the reserve's place, if there is one to give up and it is room enough.
  bool GiveUpReserve();
  void RefillReserve();
  void AdvanceVisible();  // step 5 of the order of publication (storage/rocks/published_state.h)
  void Notify(const std::vector<PublishedCommit>& commits);

  const std::shared_ptr<RocksEngine> engine_;
  HybridClock* const clock_;
  Clock* const wall_;

  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable room_;
  std::deque<Request*> queue_;             // guarded by mutex_, at most kWriteQueueRequestsMax
  bool stopping_ = false;                  // guarded by mutex_
  bool tick_wanted_ = false;               // guarded by mutex_
  std::map<KeyspaceRef, Timestamp> held_;  // guarded by mutex_, changed on the writer thread: where each resolves

  std::atomic<uint64_t> visible_ns_;
  std::mutex visible_mutex_;
  std::condition_variable_any visible_moved_;

  // Writer thread only.
  CommitObserver* observer_ = nullptr;
  absl::Status halted_;  // not OK: nothing is written, `visible` stands still
  bool halted_by_full_disk_ = false;
  std::map<KeyspaceRef, Timestamp> unsettled_;  // as held_; those whose hold ended while nothing was written
  uint64_t resume_tried_ns_ = 0;
  Reserve reserve_;  // while it does not stand, data are refused
  uint64_t refill_tried_ns_ = 0;
  Rest rest_;

  std::thread thread_;
};

}  // namespace anabranch
