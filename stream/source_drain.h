// Takes in what the source has committed by now, for a failover that shall lose as little as it can. It waits for sources
// that are alive only: one that said nothing for kDrainSilenceNs, or far beyond its idle interval, is given up at once.
#pragma once

#include <condition_variable>
#include <list>
#include <mutex>
#include <stop_token>

#include "base/wake_event.h"

namespace anabranch {

inline constexpr uint64_t kDrainSilenceNs = 1'000'000'000;

// Thread-safe.
class SourceDrain {
 private:
  struct Ingestion {
    WakeEvent* wake;
    uint64_t wanted = 0;  // counts up; guarded by the drain's mutex, as what follows
    uint64_t done = 0;
  };

 public:
  // One ingestion's place, for as long as it runs. Used by its thread.
  class Attachment {
   public:
    // `wake` (not owned, outlives this) is set when something is asked. No drain: nothing ever is.
    Attachment(SourceDrain* drain, WakeEvent* wake);
    ~Attachment();
    Attachment(const Attachment&) = delete;
    Attachment& operator=(const Attachment&) = delete;

    // The newest one asked for; zero if there is none.
    uint64_t Wanted() const;
    // All up to this one are durable, or given up.
    void Done(uint64_t drain);

   private:
    SourceDrain* const drain_;
    std::list<Ingestion>::iterator ingestion_;
  };

  // Asks the ingestions that run now, and returns when each is done or over, or after budget_ms, or with `stop`.
  void Wait(uint64_t budget_ms, std::stop_token stop);

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::list<Ingestion> ingestions_;  // guarded by mutex_
};

}  // namespace anabranch
