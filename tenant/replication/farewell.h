// Tells sources that a stream is over, in the background. No statement waits for it.
//
// What ends a stream that a record of the catalog names is journaled with it (tenant/catalog/farewells.h), and said until the
// source has heard it: at once, at each start, and by the housekeeper. A source that is not reached within the expiration
// window has released the history by itself. What was only agreed on in a handshake is said once, and at most once.
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
#include "tenant/catalog/external_connections.h"
#include "tenant/catalog/farewells.h"

namespace anabranch {

// Thread-safe.
class Farewells {
 public:
  Farewells(Store* store, const ExternalConnections* connections);  // neither is owned
  ~Farewells();                                                     // leaves to the next start what is journaled

  // Of a stream that no record has named: once.
  void Send(const std::string& uri, StreamId stream, Ending ending);
  // All that are journaled.
  void SayJournaled();
  // Whether one is to be said, or being said, through this address.
  absl::StatusOr<bool> AreWaiting(const std::string& uri);

 private:
  struct Farewell {
    std::string uri;
    StreamId stream;
    Ending ending;
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
