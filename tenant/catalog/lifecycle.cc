#include "tenant/catalog/lifecycle.h"

#include "base/check.h"
#include "base/quote.h"
#include "base/status.h"
#include "fmt/format.h"
#include "tenant/catalog/catalog.h"

namespace anabranch {
namespace {

absl::Status WrongState(std::string message, std::string hint = "") {
  return SqlError(sqlstate::kObjectNotInPrerequisiteState, std::move(message), std::move(hint));
}

std::string Alter(std::string_view name, std::string_view what) {
  return fmt::format("Use ALTER VIRTUAL CLUSTER {} {}{}", QuotedIdentifier(name), what, what.ends_with("...") ? "" : ".");
}

std::string StatusOf(std::string_view name) {
  return fmt::format("SHOW VIRTUAL CLUSTER {} WITH REPLICATION STATUS", QuotedIdentifier(name));
}

// What makes a virtual cluster in this state `ready`. Which statement that is, is in the record (tenant/replication/failover.h).
std::string HowToGetReady(std::string_view name, DataState state) {
  switch (state) {
    case DataState::kReplicating:
      return fmt::format(
          "It is a standby. To promote it, which ends the replication, use ALTER VIRTUAL CLUSTER {} COMPLETE REPLICATION "
          "TO LATEST.",
          QuotedIdentifier(name));
    case DataState::kInitializing:
    case DataState::kPaused:
    case DataState::kError:
      return fmt::format("It is a standby. What makes it ready, and ends the replication, is in the column ready_by of {}.",
                         StatusOf(name));
    case DataState::kPendingFailover:
      return fmt::format("Wait until the failover is done. {} shows it, and in ready_by what ends the wait.",
                         StatusOf(name));
    case DataState::kAdd:
      return fmt::format("It reads a standby, and serves by itself as soon as that has a replicated_time: see {}.",
                         "SHOW VIRTUAL CLUSTERS WITH REPLICATION STATUS");
    case DataState::kReady:
    case DataState::kDropping:
      break;
  }
  return "";
}

// For START REPLICATION on what has a stream.
std::string HowItReplicates(std::string_view name, DataState state) {
  switch (state) {
    case DataState::kPaused:
    case DataState::kError:
      return fmt::format("It is a standby. Use ALTER VIRTUAL CLUSTER {} RESUME REPLICATION to go on.",
                         QuotedIdentifier(name));
    case DataState::kInitializing:
    case DataState::kReplicating:
    case DataState::kPendingFailover:
      return fmt::format("It is a standby and goes on by itself; {} shows how far it is.", StatusOf(name));
    case DataState::kAdd:
    case DataState::kReady:
    case DataState::kDropping:
      break;
  }
  return "";
}

absl::Status CheckReplicating(std::string_view name, DataState state) {
  if (IsReplicating(state)) return absl::OkStatus();
  return WrongState(fmt::format("tenant \"{}\" does not have an active replication consumer job: it is in state {}", name,
                                ToString(state)),
                    state == DataState::kReady ? Alter(name, "START REPLICATION OF ... ON ...") : "");
}

absl::Status CheckUndoComplete(std::string_view name, DataState state) {
  if (state == DataState::kReady) return absl::OkStatus();
  return WrongState(
      fmt::format("cannot undo the failover of virtual cluster \"{}\" in state {}: it is not promoted", name,
                  ToString(state)),
      state == DataState::kPendingFailover
          ? fmt::format("A failover that is pending gets another target by ALTER VIRTUAL CLUSTER {} COMPLETE REPLICATION.",
                        QuotedIdentifier(name))
          : "");
}

absl::Status CheckStartService(std::string_view name, DataState state, ServiceMode mode) {
  if (state != DataState::kReady) {
    return WrongState(fmt::format("cannot start service for tenant \"{}\" in state {}", name, ToString(state)),
                      HowToGetReady(name, state));
  }
  if (mode == ServiceMode::kStopping) {
    return WrongState(fmt::format(
        "cannot start service for tenant \"{}\": service currently stopping, cannot start service until stop has "
        "completed",
        name));
  }
  return absl::OkStatus();
}

absl::Status CheckStartReplication(std::string_view name, DataState state, ServiceMode mode) {
  if (state != DataState::kReady) {
    return WrongState(
        fmt::format("cannot start replication for tenant \"{}\" in state {} (is replication already running?)", name,
                    ToString(state)),
        HowItReplicates(name, state));
  }
  if (mode != ServiceMode::kNone) {
    return WrongState(
        fmt::format("cannot start replication for tenant \"{}\" in service mode {}; service mode must be none", name,
                    ToString(mode)),
        Alter(name, "STOP SERVICE"));
  }
  return absl::OkStatus();
}

absl::Status CheckResetData(std::string_view name, DataState state, ServiceMode mode) {
  if (state != DataState::kReady) {
    return WrongState(fmt::format("cannot reset data of virtual cluster \"{}\" in state {}", name, ToString(state)),
                      HowToGetReady(name, state));
  }
  if (mode != ServiceMode::kNone) {
    return WrongState(
        fmt::format("cannot reset data of virtual cluster \"{}\" in service mode {}; service mode must be none", name,
                    ToString(mode)),
        Alter(name, "STOP SERVICE"));
  }
  return absl::OkStatus();
}

absl::Status CheckDrop(std::string_view name, DataState state, ServiceMode mode) {
  if (state == DataState::kDropping)
    return WrongState(fmt::format("tenant \"{}\" is already in data state dropping", name));
  if (mode != ServiceMode::kNone) {
    return WrongState(
        fmt::format("cannot drop tenant \"{}\" in service mode {}", name, ToString(mode)),
        fmt::format("Use ALTER VIRTUAL CLUSTER {} STOP SERVICE before DROP VIRTUAL CLUSTER.", QuotedIdentifier(name)));
  }
  return absl::OkStatus();
}

absl::Status CheckServeSession(std::string_view name, DataState state, ServiceMode mode) {
  if (state == DataState::kReady && mode == ServiceMode::kShared) return absl::OkStatus();
  if (state == DataState::kReady && mode == ServiceMode::kNone) {
    return SqlError(sqlstate::kCannotConnectNow,
                    fmt::format("virtual cluster \"{}\" is not serving: its service is none", name),
                    Alter(name, "START SERVICE SHARED"));
  }
  if (state == DataState::kReady) {
    return SqlError(sqlstate::kCannotConnectNow,
                    fmt::format("virtual cluster \"{}\" is not serving: its service is stopping", name));
  }
  return SqlError(sqlstate::kCannotConnectNow,
                  fmt::format("virtual cluster \"{}\" is not serving: its data state is {}", name, ToString(state)),
                  HowToGetReady(name, state));
}

absl::Status CheckServeStream(std::string_view name, DataState state) {
  if (state == DataState::kReady) return absl::OkStatus();
  return WrongState(
      fmt::format("cannot replicate from virtual cluster \"{}\" in state {}: only a ready one can be a source", name,
                  ToString(state)),
      IsReplicating(state) ? "It is a standby itself: replicate from its source." : "");
}

}  // namespace

bool IsReplicating(DataState state) {
  return state == DataState::kInitializing || state == DataState::kReplicating || state == DataState::kPaused ||
         state == DataState::kPendingFailover || state == DataState::kError;
}

std::string_view ToString(DataState state) {
  switch (state) {
    case DataState::kAdd:
      return "add";
    case DataState::kInitializing:
      return "initializing replication";
    case DataState::kReplicating:
      return "replicating";
    case DataState::kPaused:
      return "replication paused";
    case DataState::kPendingFailover:
      return "replication pending failover";
    case DataState::kError:
      return "replication error";
    case DataState::kReady:
      return "ready";
    case DataState::kDropping:
      return "dropping";
  }
  CHECK(false, "unknown data state");
}

std::string_view ToString(ServiceMode mode) {
  switch (mode) {
    case ServiceMode::kNone:
      return "none";
    case ServiceMode::kShared:
      return "shared";
    case ServiceMode::kStopping:
      return "stopping";
  }
  CHECK(false, "unknown service mode");
}

absl::Status CheckAllowed(LifecycleAction action, std::string_view name, DataState state, ServiceMode mode) {
  if (state == DataState::kDropping && action != LifecycleAction::kDrop && action != LifecycleAction::kServeSession) {
    return WrongState(fmt::format("virtual cluster \"{}\" is being dropped", name));
  }
  switch (action) {
    case LifecycleAction::kStartService:
      return CheckStartService(name, state, mode);
    case LifecycleAction::kStopService:
    case LifecycleAction::kSetSetting:
    case LifecycleAction::kRename:
      return absl::OkStatus();
    case LifecycleAction::kPause:
    case LifecycleAction::kResume:
    case LifecycleAction::kComplete:
    case LifecycleAction::kChangeReplication:
    case LifecycleAction::kAddReader:
      return CheckReplicating(name, state);
    case LifecycleAction::kCancel:
      return state == DataState::kReady ? absl::OkStatus() : CheckReplicating(name, state);
    case LifecycleAction::kUndoComplete:
      return CheckUndoComplete(name, state);
    case LifecycleAction::kStartReplication:
      return CheckStartReplication(name, state, mode);
    case LifecycleAction::kDrop:
      return CheckDrop(name, state, mode);
    case LifecycleAction::kServeSession:
      return CheckServeSession(name, state, mode);
    case LifecycleAction::kServeStream:
      return CheckServeStream(name, state);
    case LifecycleAction::kResetData:
      return CheckResetData(name, state, mode);
    case LifecycleAction::kClone:
      if (state == DataState::kReady || IsReplicating(state)) return absl::OkStatus();
      return WrongState(fmt::format("cannot clone virtual cluster \"{}\" in state {}", name, ToString(state)),
                        HowToGetReady(name, state));
  }
  CHECK(false, "unknown lifecycle action");
}

}  // namespace anabranch
