// Garbage collection of all virtual clusters, one after the other, by one thread per process. What may go is decided in
// storage/gc.h from protections, hidden intervals and gc.ttlseconds; a keyspace under ingestion ages by its frontier, so in
// its source's time.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include "storage/api/store.h"
#include "storage/gc.h"
#include "tenant/catalog/catalog.h"

namespace anabranch {

inline constexpr uint64_t kCollectIntervalMs = 60'000;

class Collector {
 public:
  struct Options {
    Store* store = nullptr;                       // not owned
    uint64_t ttl_seconds = kGcTtlSecondsDefault;  // of virtual clusters that have no setting of their own
    uint64_t interval_ms = kCollectIntervalMs;    // between two passes; the first one comes after it
  };
  explicit Collector(Options options) : options_(options) {}
  ~Collector() { Stop(); }

  void Start();
  // Interrupts and joins. The next pass goes on from there, in this process or the next.
  void Stop();
  // One pass. What fails for one virtual cluster is logged and keeps nobody else waiting. REQUIRES: not started.
  void CollectAll(std::stop_token stop);

 private:
  void Run(std::stop_token stop);
  void CollectOne(const catalog::TenantRecord& record, std::stop_token stop);

  const Options options_;
  std::mutex mutex_;  // only to wait on
  std::condition_variable_any due_;
  std::jthread thread_;
};

}  // namespace anabranch
