// Removes what a failover hid, in the background: one sweeper per virtual cluster. It uses whatever epoch owns the keyspace
// at the moment (R4); START SERVICE bumps it, and the sweep goes on under the new one.
//
// What a failover keeps for its undo is not touched, whenever the sweeper was started, and for what. It takes the epoch in a
// write that also sees that nothing is kept; whatever hides something more to be kept bumps the epoch, and fences it.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/api/store.h"
#include "storage/revert.h"

namespace anabranch {

// Thread-safe.
class Sweeper {
 public:
  // Called on the sweeper's thread, but `kept`: in a write. Each may be null.
  struct Hooks {
    std::function<absl::StatusOr<bool>(MetaUpdate&)> kept;  // whether what is hidden is kept for an undo
    std::function<void(uint64_t versions)> begun;           // with how many there are to remove
    std::function<void()> done;                             // nothing is left; before WaitIdle returns
  };
  Sweeper(Store* store, std::string name, Hooks hooks = {})
      : store_(store), name_(std::move(name)), hooks_(std::move(hooks)) {}
  ~Sweeper() { Stop(); }

  // Sweeps until no hidden interval is left that may go. If it already does, it looks again before it ends.
  void Start(KeyspaceRef keyspace);
  // Interrupts and joins. Start goes on from there.
  void Stop();
  // Returns when nothing is being swept. Cancelled when `stop` is requested, 55006 after timeout_ms.
  absl::Status WaitIdle(std::stop_token stop, uint64_t timeout_ms);
  // What was removed by this process so far.
  EraseProgress progress();
  // What is being done, as SHOW prints it: "sweeping: 12000 of 34000 versions". Empty when nothing is.
  std::string Step();
  // How much of it is done; nullopt when nothing is, or that is not known yet.
  std::optional<double> Fraction();

 private:
  void Run(const KeyspaceRef& keyspace, std::stop_token stop);
  bool End();
  absl::StatusOr<std::shared_ptr<const KeyspaceState>> Judge(const KeyspaceRef& keyspace);
  absl::StatusOr<bool> SweepOnce(const KeyspaceRef& keyspace, std::stop_token stop);

  Store* const store_;
  const std::string name_;
  const Hooks hooks_;
  std::mutex lifetime_;  // one Start or Stop at a time
  std::jthread thread_;  // guarded by lifetime_
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool running_ = false;    // guarded by mutex_
  bool again_ = false;      // guarded by mutex_; started since it looked last
  EraseProgress progress_;  // guarded by mutex_
  uint64_t swept_ = 0;      // guarded by mutex_; versions, of the sweep under way
  uint64_t to_sweep_ = 0;   // guarded by mutex_
};

}  // namespace anabranch
