// Which connections are sending a virtual cluster's data at the moment, so that a change of its history can end them and
// wait until they are gone (R10).
//
// Whoever ends streams changes the catalog first, so that it refuses those that come later; a connection registers first
// and looks at the catalog second. So each one is either found and told, or refused by what it reads: to end waits for
// those that it told, and never for newcomers.
#pragma once

#include <condition_variable>
#include <list>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "base/ids.h"

namespace anabranch {

// Thread-safe.
class StreamRegistry {
 public:
  enum class Purpose { kCopy, kSubscription };
  // One connection, as SHOW REPLICATION STREAMS tells of it.
  struct Connection {
    Purpose purpose = Purpose::kSubscription;
    std::string peer_address;
    uint64_t since_ns = 0;  // wall clock
  };

 private:
  struct Entry {
    TenantId tenant;
    StreamId stream;
    Connection connection;
    uint64_t number;  // counts up
    std::stop_source stop;
  };

 public:
  // One connection's place in the registry. `stop` of its token is requested by whoever ends the stream, and by `outer`.
  class Registration {
   public:
    Registration(StreamRegistry* registry, TenantId tenant, StreamId stream, Connection connection, std::stop_token outer);
    ~Registration();
    Registration(const Registration&) = delete;
    Registration& operator=(const Registration&) = delete;
    std::stop_token token() const { return entry_->stop.get_token(); }

   private:
    struct Forward {
      std::stop_source* source;
      void operator()() const { source->request_stop(); }
    };
    StreamRegistry* const registry_;
    std::list<Entry>::iterator entry_;
    std::optional<std::stop_callback<Forward>> forward_;
  };

  void EndTenant(TenantId tenant);  // returns when those that were there are gone
  void EndStream(StreamId stream);  // likewise
  void EndAll();
  // The stream's subscription, else one of its copies; nullopt: it has no connection now.
  std::optional<Connection> Find(StreamId stream);

 private:
  template <typename Matches>
  void End(const Matches& matches);

  std::mutex mutex_;
  std::condition_variable left_;
  std::list<Entry> entries_;  // this and below: guarded by mutex_
  uint64_t next_number_ = 0;
};

}  // namespace anabranch
