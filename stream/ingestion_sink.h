// Where the partitions of one ingestion attempt meet: versions go to the store, and the frontier made durable is the
// minimum over all.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

#include "absl/status/statusor.h"
#include "stream/frontier.h"
#include "stream/ingestion.h"
#include "stream/transport.h"

namespace anabranch {

class IngestionSink {
 public:
  // Errors as Frontier::Create.
  static absl::StatusOr<std::unique_ptr<IngestionSink>> Create(IngestionOptions options);

  const IngestionOptions& options() const { return options_; }

  struct Durable {
    Timestamp frontier;
    Timestamp retained;
  };
  Durable durable();
  // Stores the versions of a partition that is then complete up to `frontier`, if set, and makes the new minimum durable if
  // that moved. Returns what is durable afterwards. Thread-safe.
  absl::StatusOr<Durable> Put(size_t partition, std::vector<Version> versions, std::optional<Timestamp> frontier,
                              int64_t source_clock_offset_ns);

 private:
  IngestionSink(IngestionOptions options, Frontier frontier);

  absl::Status Ingest(std::vector<Version> versions, std::optional<Timestamp> frontier);

  const IngestionOptions options_;
  std::mutex mutex_;   // also held while a frontier is made durable: frontiers must not overtake each other (K4)
  Frontier frontier_;  // guarded by mutex_
  Durable durable_;    // guarded by mutex_
};

// One partition's loop over a connection that is subscribed already. Returns as RunIngestion does.
absl::Status IngestPartition(IngestionSink& sink, size_t partition, FrameTransport& transport, std::stop_token stop);

}  // namespace anabranch
