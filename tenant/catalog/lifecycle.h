// The states of a virtual cluster and the moves between them, as a pure function. Every statement asks it before it changes
// anything, and nothing else decides what may follow what.
//
//   CREATE                          -> ready
//   CREATE FROM REPLICATION         -> initializing -> replicating <-> paused
//   replicating, paused, error      -> [pending failover ->] ready                      (COMPLETE REPLICATION)
//   ready, service none             -> initializing (reverting) -> replicating          (START REPLICATION OF)
//   the same, until it replicates   -> ready                                            (CANCEL REPLICATION)
//   ready, promoted a moment ago    -> paused                                           (UNDO COMPLETE REPLICATION)
//   ready, service none             -> ready, as it was at a past moment                (RESET DATA)
//   any, service none               -> dropping -> gone
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace anabranch {

enum class DataState {
  kAdd = 1,
  kInitializing = 2,
  kReplicating = 3,
  kPaused = 4,
  kPendingFailover = 5,
  kError = 7,  // 6 was never written, and is not to be
  kReady = 8,
  kDropping = 9,
};
enum class ServiceMode { kNone = 1, kShared = 2, kStopping = 3 };

// "initializing replication", "replication pending failover", ... as SHOW prints them (docs/promises.md).
std::string_view ToString(DataState state);
std::string_view ToString(ServiceMode mode);

// Whether a replication stream belongs to it: initializing, replicating, paused, pending failover, error.
bool IsReplicating(DataState state);

enum class LifecycleAction {
  kStartService,
  kStopService,
  kPause,
  kResume,
  kComplete,
  kCancel,
  kUndoComplete,
  kStartReplication,
  kDrop,
  kServeSession,
  kServeStream,
  kSetSetting,
  kResetData,
  kClone,
  kRename,
  kChangeReplication,
  kAddReader,
};

// OK if the action is allowed for a virtual cluster in this state; otherwise an error that names it, the state and the
// statement that would help, with the SQLSTATE of reference §7 (55000 for wrong state, 57P03 for sessions). Resume of
// something that runs, Stop of what is stopped and Cancel of what is ready are allowed: they do nothing. No hint names a
// statement that would end a replication that goes well, unless it says so.
absl::Status CheckAllowed(LifecycleAction action, std::string_view name, DataState state, ServiceMode mode);

}  // namespace anabranch
