// Tells sources that a stream is over, in the background. No statement waits for it.
//
// What ends a stream that a record of the catalog names is journaled with it (tenant/catalog/farewells.h), and said until the
// source has heard it, and nobody else in its place: at once, at each start, and by the housekeeper. It is given up after
// the stream's expiration window: a source that has run for as long without hearing of us has released the history by
// itself, and one that was down does so once it has. What was only agreed on in a handshake is said once, and at most once.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>

#include "base/ids.h"
#include "storage/api/store.h"
#include "stream/wire.pb.h"
#include "tenant/catalog/external_connections.h"
#include "tenant/catalog/farewells.h"

namespace anabranch {

// Thread-safe.
class Farewells {
 public:
  Farewells(Store* store, const ExternalConnections* connections);  // neither is owned
  ~Farewells();                                                     // leaves to the next start what is journaled

  // The source's answer to an OPEN was of no use, and no record names its stream: once.
  void SendAbandoned(const std::string& uri, const wire::OpenResponse& answer);
  // All that are journaled.
  void SayJournaled();
  // Whether one is to be said, or being said, through this address.
  absl::StatusOr<bool> AreWaiting(const std::string& uri);

 private:
  struct Farewell {
    std::string uri;
    StreamId stream;
    Ending ending = Ending::kAbandoned;
    std::string source_cluster_id;  // empty: not known
    uint32_t opening = 0;           // as in wire::FinishRequest
  };
  void Run(std::stop_token stop);
  absl::Status Say(const Farewell& farewell, std::stop_token stop);
  absl::Status SayAll(std::stop_token stop);

  Store* const store_;
  const ExternalConnections* const connections_;
  std::set<StreamId> failed_;  // of those that are journaled; the thread's own: only the first failure is logged
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool journaled_ = false;       // guarded by mutex_; what is journaled is to be said
  std::deque<Farewell> queue_;   // guarded by mutex_
  std::deque<Farewell> saying_;  // guarded by mutex_; those of which one is being said
  std::jthread thread_;
};

}  // namespace anabranch
