// Tells sources that a stream is over, in the background and at most once: a source that does not hear of it releases the
// history by itself when the stream has been silent for the expiration window. No statement waits for it.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "base/ids.h"
#include "tenant/catalog/external_connections.h"

namespace anabranch {

enum class Ending { kPromoted, kAbandoned };

// Thread-safe.
class Farewells {
 public:
  Farewells(ClusterId self, const ExternalConnections* connections);  // the connections are not owned
  ~Farewells();                                                       // gives up on what is not said yet

  void Send(const std::string& uri, StreamId stream, Ending ending);

 private:
  struct Farewell {
    std::string uri;
    StreamId stream;
    Ending ending;
  };
  void Run(std::stop_token stop);

  const ClusterId self_;
  const ExternalConnections* const connections_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Farewell> queue_;  // guarded by mutex_
  std::jthread thread_;
};

}  // namespace anabranch
