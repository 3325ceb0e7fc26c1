#include "tenant/replication/collector.h"

#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/status.h"

namespace anabranch {
namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;

// No overflow: a setting of centuries means never.
uint64_t TtlNs(uint64_t seconds) { return seconds > UINT64_MAX / kNsPerSecond ? UINT64_MAX : seconds * kNsPerSecond; }

}  // namespace

void Collector::Start() {
  thread_ = std::jthread([this](std::stop_token stop) { Run(std::move(stop)); });
}

void Collector::Stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

void Collector::Run(std::stop_token stop) {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      due_.wait_for(lock, stop, std::chrono::milliseconds(options_.interval_ms), [] { return false; });
    }
    if (stop.stop_requested()) return;
    CollectAll(stop);
  }
}

void Collector::CollectAll(std::stop_token stop) {
  const absl::StatusOr<std::vector<catalog::TenantRecord>> records = LoadTenants(options_.store);
  if (!records.ok()) {
    Log(LogLevel::kWarning, "gc.failed", "error=\"{}\"", MessageOf(records.status()));
    return;
  }
  for (const catalog::TenantRecord& record : *records) {
    if (stop.stop_requested()) return;
    if (!record.incarnation().empty()) CollectOne(record, stop);
  }
}

void Collector::CollectOne(const catalog::TenantRecord& record, std::stop_token stop) {
  const auto keyspace = options_.store->FindKeyspace(IncarnationId(record.incarnation()));
  if (!keyspace.ok()) return;  // dropped since the record was read
  const uint64_t ttl_seconds = record.gc_ttl_seconds() != 0 ? record.gc_ttl_seconds() : options_.ttl_seconds;
  // Whoever takes the keyspace over meanwhile fences this run; the next one carries the new epoch (R4).
  const auto collected = CollectGarbage(options_.store, *keyspace, (*keyspace)->state()->epoch, TtlNs(ttl_seconds),
                                        Pacing::kPaced, stop, nullptr);
  if (collected.ok()) {
    if (collected->entries == 0) return;
    Log(LogLevel::kInfo, "gc.finished", "vc={} floor={} versions={} entries={}", record.name(), FormatHlc(collected->floor),
        collected->versions, collected->entries);
  } else if (!IsFenced(collected.status()) && !stop.stop_requested()) {
    Log(LogLevel::kWarning, "gc.failed", "vc={} error=\"{}\"", record.name(), MessageOf(collected.status()));
  }
}

}  // namespace anabranch
