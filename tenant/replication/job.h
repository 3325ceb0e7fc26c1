// The room of what a replication does to the side that it flows into: copy, apply, failover, failback, and what follows each
// of them. It uses tenant/catalog/.
//
// The standby's job of one replication: initial copy or revert, then the stream, for as long as the virtual cluster
// replicates. It retries for ever what may pass, and stops in state `replication error` for what will not (the source
// refused for good).
//
// The catalog record says what to do next, so a job that is destroyed, or dies with its process, goes on where it was when
// it is made again. One attempt holds one epoch (R4), minted in a meta write that first checks that the record still wants
// a job.
//
// A job ends by itself when the record wants none any more, and decides that under the mutex under which it is told of
// targets. So whoever journals first and tells second either reaches a job that will act on it, or learns that there is
// none.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "base/ids.h"
#include "base/timestamp.h"
#include "storage/api/store.h"
#include "stream/ingestion.h"
#include "stream/source_drain.h"
#include "stream/wire.pb.h"
#include "tenant/catalog/catalog.h"
#include "tenant/replication/failover.h"

namespace anabranch {

// What SHOW reads while the job works. Thread-safe; outlives jobs.
class ReplicationProgress {
 public:
  void SetOffset(int64_t source_clock_offset_ns) { offset_ns_ = source_clock_offset_ns; }
  int64_t offset_ns() const { return offset_ns_; }

  void SetError(std::string message) {
    std::lock_guard lock(mutex_);
    last_error_ = std::move(message);
  }
  std::string last_error() const {
    std::lock_guard lock(mutex_);
    return last_error_;
  }

  // What is done before the stream flows: "copying: 120 of 300 MiB", "reverting: 5000 of 7000 versions", and how much of it
  // is. Empty: nothing.
  void SetStep(std::string step, std::optional<double> fraction = std::nullopt) {
    std::lock_guard lock(mutex_);
    step_ = std::move(step);
    fraction_ = fraction;
  }
  std::string step() const {
    std::lock_guard lock(mutex_);
    return step_;
  }
  std::optional<double> fraction() const {
    std::lock_guard lock(mutex_);
    return fraction_;
  }

 private:
  std::atomic<int64_t> offset_ns_{0};
  mutable std::mutex mutex_;
  std::string last_error_;          // guarded by mutex_
  std::string step_;                // guarded by mutex_
  std::optional<double> fraction_;  // guarded by mutex_
};

class ReplicationJob {
 public:
  struct Options {
    Store* store = nullptr;
    TenantId tenant;
    std::shared_ptr<ReplicationProgress> progress;
    // The connection string behind an address (tenant/catalog/external_connections.h), looked up at each connect.
    std::function<absl::StatusOr<std::string>(const std::string& address)> resolve;
    // Ends the streams that read this virtual cluster and returns when they are gone (R10). Called before a revert.
    std::function<void()> end_streams;
    // A pending target was reached and published. Called on the job's thread, which ends after it.
    std::function<void(const PublishedFailover&)> on_failover;
  };

  explicit ReplicationJob(Options options);
  ~ReplicationJob();  // stops and joins; what is under way is continued by the next job

  void RequestStop() { thread_.request_stop(); }
  // False: it has ended, or was asked to, and does nothing more: what the record wants now needs a new one.
  bool IsAlive() const;
  // Tells a job that is alive of the pending failover target, so that it need not read the record again. Returns IsAlive().
  // REQUIRES: journaled before.
  bool SetTarget(Timestamp target);
  // Takes in what a source that lives has committed by now, within the budget. Any thread.
  void DrainSource(uint64_t budget_ms, std::stop_token stop) { drain_.Wait(budget_ms, std::move(stop)); }

 private:
  enum class Outcome { kAgain, kRetry, kOver };
  struct Attempt {
    Outcome outcome;
    absl::Status why;
  };

  void Run(std::stop_token stop);
  bool TryEnd(std::stop_token stop);
  absl::StatusOr<catalog::TenantRecord> LoadRecord();
  Attempt RunOnce(std::stop_token stop);
  Attempt Copy(const catalog::TenantRecord& record, std::stop_token stop);
  Attempt Revert(const catalog::TenantRecord& record, std::stop_token stop);
  Attempt Stream(const catalog::TenantRecord& record, std::stop_token stop);
  Attempt FailOver(Timestamp target);

  absl::StatusOr<wire::OpenResponse> Open(const catalog::TenantRecord& record, Timestamp frontier, std::stop_token stop);
  absl::Status FollowSource(const catalog::Replication& before, const wire::OpenResponse& response);
  absl::Status Adopt(const catalog::TenantRecord& record, const wire::OpenResponse& response, const std::string& dir,
                     std::stop_token stop);
  absl::StatusOr<Epoch> TakeOver(const KeyspaceRef& keyspace, catalog::Replication::Phase phase);
  absl::Status FollowBranches(const catalog::TenantRecord& record, const wire::OpenResponse& response,
                              const KeyspaceRef& keyspace, Epoch epoch, Timestamp held, std::stop_token stop);
  absl::Status Ingest(const catalog::TenantRecord& record, wire::OpenResponse response, const KeyspaceRef& keyspace,
                      Epoch epoch, Timestamp after, std::stop_token stop);
  void JournalFrontier(const KeyspaceRef& keyspace, Epoch epoch, Timestamp frontier);
  bool TargetReached(const catalog::Replication& replication, Timestamp frontier) const;
  Attempt Refused(absl::Status why);
  Attempt GiveUp(absl::Status why);
  Attempt DamagedCopy(absl::Status why);
  void ShowCopy(const CopyProgress& copied, uint64_t begun_at_ns);
  void NoteRetry(const absl::Status& why, uint64_t wait_ms);
  Timestamp DurableFrontier() const;

  const Options options_;
  Store* const store_;
  std::atomic<uint64_t> target_ns_{0};  // the record's cutover; changed under mutex_, after the record
  int damaged_copies_ = 0;              // in a row
  uint64_t journaled_at_ns_ = 0;        // monotonic; of the ingestion that runs
  bool journaled_ = false;              // whether it has journaled at all
  mutable std::mutex mutex_;
  bool ended_ = false;  // guarded by mutex_
  std::condition_variable_any retry_;
  SourceDrain drain_;
  std::jthread thread_;  // last: everything above is there when it starts
};

}  // namespace anabranch
