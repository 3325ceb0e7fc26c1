// The sessions of this node as seen from outside them: who may come in, cancel requests, and ending sessions of a virtual
// cluster that stops or of a node that shuts down.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/wake_event.h"
#include "sql/session/statement_timer.h"
#include "sql/stored/session_context.h"

namespace anabranch {

inline constexpr int kConnectionsMax = 500;
inline constexpr int kConnectionsKeptForRoot = 3;
// Connections that are no sessions yet: their clients have not proved who they are. Beyond it the oldest must go, and
// where they would have a quarter of the open files that the node may have.
inline constexpr int kConnectionsStartingMax = 500;

// One session's controls. Thread-safe; what belongs to the session's own thread is marked.
class SessionControl {
 public:
  // `timer` is not owned.
  SessionControl(int32_t process_id, int32_t secret, StatementTimer* timer)
      : process_id_(process_id), secret_(secret), timer_(timer) {}

  int32_t process_id() const { return process_id_; }
  int32_t secret() const { return secret_; }

  // A stream to another cluster ends only when it is told to; everything else ends by itself.
  enum class StatementKind { kOrdinary, kEndless };
  // Own thread: a statement begins, which may take timeout_ms (0: as long as it takes). The token is stopped by Cancel, by
  // the timeout, by End and by nothing else; already so if the session is ending.
  std::stop_token BeginStatement(StatementKind kind = StatementKind::kOrdinary, int timeout_ms = 0);
  void EndStatement();
  // Own thread: 57014 and why, if the statement of now, or the last one, was stopped by Cancel or its timeout.
  absl::Status stop_reason() const;
  // Own thread: what to tell the client before closing, once End was called.
  absl::Status end_reason() const;
  bool running() const;  // whether there is a statement of now

  // Stop the running statement, if any.
  void Cancel();
  void StatementTimedOut();
  // Ends the session with this FATAL error: kWhenIdle lets a running statement finish first, unless it is an endless one.
  enum class EndMode { kWhenIdle, kNow };
  void End(EndMode mode, absl::Status reason);

  EndEvent* end_idle() { return &end_idle_; }               // set once the session must not wait for another statement
  WakeEvent* wake_statement() { return &wake_statement_; }  // set once the running statement must not wait for the client
  WakeEvent* end_now() { return &end_now_; }                // set once it must not wait for anything

 private:
  void StopStatement(std::string_view why);

  const int32_t process_id_;
  const int32_t secret_;
  StatementTimer* const timer_;
  uint64_t deadline_ns_ = 0;  // of the running statement, 0: none; own thread only
  EndEvent end_idle_;
  WakeEvent wake_statement_;
  WakeEvent end_now_;
  mutable std::mutex mutex_;
  std::optional<std::stop_source> statement_;  // this and below: guarded by mutex_
  StatementKind kind_ = StatementKind::kOrdinary;
  absl::Status stop_reason_;
  bool ending_now_ = false;
  absl::Status end_reason_;
};

// Thread-safe.
class SessionRegistry final : public SessionList {
 public:
  explicit SessionRegistry(Clock* clock) : timer_(clock) {}

  // A new connection. Where too many have not been admitted yet, the oldest of them is ended (53300). 53300 if the node has
  // no file descriptors left for it; FATAL reason if it is shutting down.
  absl::StatusOr<std::shared_ptr<SessionControl>> Add();
  void Remove(const SessionControl& session);
  // The client proved who it is. 53300 when the places for this user are taken, some of which are kept for root of the
  // virtual cluster `system`; FATAL reason if the node is shutting down.
  absl::Status Admit(const SessionControl& session, const std::string& user);
  // From now on EndTenant reaches it.
  void SetTenant(const SessionControl& session, TenantId tenant);

  std::vector<Listed> List(TenantId tenant) const override;

  void Cancel(int32_t process_id, int32_t secret);
  // Ends the sessions of `tenant`, those that come to it meanwhile as well, and returns when they are gone. REQUIRES: its
  // record refuses sessions by now, so that not many come.
  void EndTenant(TenantId tenant, const absl::Status& reason);
  // Ends all: idle ones at once, running ones after `grace_ms`. Returns when they are gone; none is admitted from now on.
  void EndAll(const absl::Status& reason, int grace_ms);

 private:
  struct Entry {
    std::shared_ptr<SessionControl> control;
    bool admitted = false;
    bool dismissed = false;  // it must make room, and is not counted any more
    std::string user = {};
    std::optional<TenantId> tenant;
  };
  int CountAdmittedLocked() const;
  void MakeRoomLocked();

  StatementTimer timer_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;    // one was removed, or belongs to a virtual cluster now
  std::map<int32_t, Entry> sessions_;  // by process id; this and below: guarded by mutex_
  int32_t last_process_id_ = 0;
  absl::Status closing_;  // not OK once EndAll was called
};

}  // namespace anabranch
