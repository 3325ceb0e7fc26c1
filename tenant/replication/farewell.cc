#include "tenant/replication/farewell.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "stream/source_client.h"
#include "tenant/catalog/catalog.h"
#include "tenant/catalog/cluster_settings.h"
#include "tenant/catalog/limits.h"

namespace anabranch {

Farewells::Farewells(Store* store, const ExternalConnections* connections)
    : store_(store), connections_(connections), thread_([this](std::stop_token stop) { Run(std::move(stop)); }) {}

Farewells::~Farewells() {
  thread_.request_stop();
  thread_.join();
}

void Farewells::SendAbandoned(const std::string& uri, const wire::OpenResponse& answer) {
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() == kFarewellsMax) queue_.pop_front();
    queue_.push_back({.uri = uri,
                      .stream = StreamId(answer.stream_id()),
                      .ending = Ending::kAbandoned,
                      .source_cluster_id = answer.source_cluster_id(),
                      .opening = answer.opening()});
  }
  changed_.notify_one();
}

void Farewells::SayJournaled() {
  {
    std::lock_guard lock(mutex_);
    journaled_ = true;
  }
  changed_.notify_one();
}

absl::StatusOr<bool> Farewells::AreWaiting(const std::string& uri) {
  ASSIGN_OR_RETURN(const std::vector<catalog::FarewellRecord> records, LoadFarewells(store_));
  const auto goes_there = [&](const Farewell& farewell) { return farewell.uri == uri; };
  std::lock_guard lock(mutex_);
  return std::any_of(records.begin(), records.end(), [&](const auto& record) { return record.uri() == uri; }) ||
         std::any_of(queue_.begin(), queue_.end(), goes_there) || std::any_of(saying_.begin(), saying_.end(), goes_there);
}

absl::Status Farewells::Say(const Farewell& farewell, std::stop_token stop) {
  ASSIGN_OR_RETURN(const std::string uri, connections_->Resolve(farewell.uri));
  ASSIGN_OR_RETURN(const auto client, SourceClient::Connect(uri, std::move(stop)));
  wire::FinishRequest request;
  request.set_stream_id(farewell.stream.value());
  request.set_promoted(farewell.ending == Ending::kPromoted);
  request.set_destination_cluster_id(store_->cluster_id().value());
  request.set_opening(farewell.opening);
  ASSIGN_OR_RETURN(const wire::FinishResponse response, client->Finish(request));
  const std::string& expected = farewell.source_cluster_id;
  if (expected.empty() || response.cluster_id().empty() || response.cluster_id() == expected) return absl::OkStatus();
  return SqlError(sqlstate::kInvalidParameterValue,
                  fmt::format("the connection string leads to cluster {}; the stream is of cluster {}",
                              response.cluster_id(), expected));
}

absl::Status Farewells::SayAll(std::stop_token stop) {
  ASSIGN_OR_RETURN(const std::vector<catalog::FarewellRecord> records, LoadFarewells(store_));
  ASSIGN_OR_RETURN(const uint64_t default_ns, ReadDurationNs(store_, ClusterSetting::kExpirationWindow));
  const uint64_t now_ns = store_->clock()->WallNs();
  for (size_t i = 0; i < records.size() && !stop.stop_requested(); ++i) {
    const catalog::FarewellRecord& record = records[i];
    const Farewell farewell{.uri = record.uri(),
                            .stream = StreamId(record.stream_id()),
                            .ending = record.promoted() ? Ending::kPromoted : Ending::kAbandoned,
                            .source_cluster_id = record.source_cluster_id()};
    const uint64_t source_ns = record.source_expiration_window_ns();
    const uint64_t window_ns = source_ns != 0 ? source_ns : default_ns;
    const bool late = now_ns > record.journaled_at_ns() && now_ns - record.journaled_at_ns() > window_ns;
    const bool too_many = i + kFarewellsMax < records.size();
    const absl::Status said = late || too_many ? absl::CancelledError("given up") : Say(farewell, stop);
    const bool over = said.ok() || late || too_many;
    if (over || failed_.insert(farewell.stream).second) {
      Log(LogLevel::kInfo, "stream.farewell", "stream={} source={} result=\"{}\"", StreamText(farewell.stream),
          RedactUri(farewell.uri), said.ok() ? "told" : MessageOf(said));
    }
    if (!over) continue;
    failed_.erase(farewell.stream);
    RETURN_IF_ERROR(ForgetFarewell(store_, record));
  }
  return absl::OkStatus();
}

void Farewells::Run(std::stop_token stop) {
  while (true) {
    std::deque<Farewell> queue;
    bool journaled = false;
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [this] { return journaled_ || !queue_.empty(); })) return;
      queue = std::exchange(queue_, {});
      saying_ = queue;
      journaled = std::exchange(journaled_, false);
    }
    for (const Farewell& farewell : queue) {
      if (stop.stop_requested()) return;
      const absl::Status status = Say(farewell, stop);
      Log(LogLevel::kInfo, "stream.farewell", "stream={} source={} result=\"{}\"", StreamText(farewell.stream),
          RedactUri(farewell.uri), status.ok() ? "told" : MessageOf(status));
    }
    {
      std::lock_guard lock(mutex_);
      saying_.clear();
    }
    if (!journaled) continue;
    if (const absl::Status status = SayAll(stop); !status.ok()) {
      Log(LogLevel::kWarning, "stream.farewells_failed", "error=\"{}\"", MessageOf(status));
    }
  }
}

}  // namespace anabranch
