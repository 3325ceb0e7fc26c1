#include "tenant/replication/farewell.h"

#include "base/log.h"
#include "base/status.h"
#include "stream/source_client.h"
#include "tenant/catalog/catalog.h"
#include "tenant/catalog/limits.h"

namespace anabranch {
namespace {

absl::Status Say(const ExternalConnections& connections, const std::string& address, const ClusterId& self, StreamId stream,
                 Ending ending, std::stop_token stop) {
  ASSIGN_OR_RETURN(const std::string uri, connections.Resolve(address));
  ASSIGN_OR_RETURN(const auto client, SourceClient::Connect(uri, stop));
  wire::FinishRequest request;
  request.set_stream_id(stream.value());
  request.set_promoted(ending == Ending::kPromoted);
  request.set_destination_cluster_id(self.value());
  return client->Finish(request);
}

}  // namespace

Farewells::Farewells(ClusterId self, const ExternalConnections* connections)
    : self_(std::move(self)), connections_(connections), thread_([this](std::stop_token stop) { Run(std::move(stop)); }) {}

Farewells::~Farewells() {
  thread_.request_stop();
  thread_.join();
}

void Farewells::Send(const std::string& uri, StreamId stream, Ending ending) {
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() == kFarewellsMax) queue_.pop_front();
    queue_.push_back({uri, stream, ending});
  }
  changed_.notify_one();
}

void Farewells::Run(std::stop_token stop) {
  while (true) {
    Farewell next;
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [this] { return !queue_.empty(); })) return;
      next = std::move(queue_.front());
      queue_.pop_front();
    }
    if (stop.stop_requested()) return;
    const absl::Status status = Say(*connections_, next.uri, self_, next.stream, next.ending, stop);
    Log(LogLevel::kInfo, "stream.farewell", "stream={} source={} result=\"{}\"", StreamText(next.stream),
        RedactUri(next.uri), status.ok() ? "told" : MessageOf(status));
  }
}

}  // namespace anabranch
