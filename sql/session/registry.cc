#include "sql/session/registry.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/open_files.h"
#include "base/secret.h"
#include "base/status.h"
#include "tenant/catalog/limits.h"

namespace anabranch {
namespace {

// Each has four: its socket and its events.
constexpr int64_t kOpenFilesPerStartingConnection = 16;

int64_t ConnectionsStartingMax() {
  const auto files = static_cast<int64_t>(std::min<uint64_t>(OpenFilesMax(), INT64_MAX));
  return std::min<int64_t>(kConnectionsStartingMax, files / kOpenFilesPerStartingConnection);
}

}  // namespace

std::stop_token SessionControl::BeginStatement(StatementKind kind, int timeout_ms) {
  std::stop_token stop;
  {
    std::lock_guard lock(mutex_);
    statement_.emplace();
    kind_ = kind;
    if (!stop_reason_.ok()) wake_statement_.Clear();
    stop_reason_ = absl::OkStatus();
    if (ending_now_ || (kind == StatementKind::kEndless && !end_reason_.ok())) statement_->request_stop();
    stop = statement_->get_token();
  }
  if (timeout_ms > 0) deadline_ns_ = timer_->Arm(this, timeout_ms);
  return stop;
}

void SessionControl::EndStatement() {
  if (deadline_ns_ != 0) timer_->Disarm(this, std::exchange(deadline_ns_, 0));
  std::lock_guard lock(mutex_);
  statement_.reset();
}

absl::Status SessionControl::stop_reason() const {
  std::lock_guard lock(mutex_);
  return stop_reason_;
}

absl::Status SessionControl::end_reason() const {
  std::lock_guard lock(mutex_);
  return end_reason_;
}

bool SessionControl::running() const {
  std::lock_guard lock(mutex_);
  return statement_.has_value();
}

void SessionControl::Cancel() { StopStatement("user request"); }

void SessionControl::StatementTimedOut() { StopStatement("statement timeout"); }

void SessionControl::StopStatement(std::string_view why) {
  std::stop_source source(std::nostopstate);
  {
    std::lock_guard lock(mutex_);
    if (!statement_.has_value() || !stop_reason_.ok()) return;
    stop_reason_ = SqlError(sqlstate::kQueryCanceled, fmt::format("canceling statement due to {}", why));
    wake_statement_.Signal();
    source = *statement_;
  }
  source.request_stop();  // outside the lock: callbacks of the statement run here
}

void SessionControl::End(EndMode mode, absl::Status reason) {
  std::stop_source source(std::nostopstate);
  {
    std::lock_guard lock(mutex_);
    if (end_reason_.ok()) end_reason_ = std::move(reason);
    if (statement_.has_value() && kind_ == StatementKind::kEndless) mode = EndMode::kNow;
    if (mode == EndMode::kNow) {
      ending_now_ = true;
      if (statement_.has_value()) source = *statement_;
    }
  }
  source.request_stop();
  end_idle_.Signal();
  if (mode == EndMode::kNow) end_now_.Signal();
}

int SessionRegistry::CountAdmittedLocked() const {
  return static_cast<int>(
      std::count_if(sessions_.begin(), sessions_.end(), [](const auto& entry) { return entry.second.admitted; }));
}

// Process ids are given in the order of arrival.
void SessionRegistry::MakeRoomLocked() {
  const auto starts = [](const auto& entry) { return !entry.second.admitted && !entry.second.dismissed; };
  if (std::count_if(sessions_.begin(), sessions_.end(), starts) < ConnectionsStartingMax()) return;
  Entry& oldest = std::find_if(sessions_.begin(), sessions_.end(), starts)->second;
  oldest.dismissed = true;
  oldest.control->End(SessionControl::EndMode::kNow,
                      SqlError(sqlstate::kTooManyConnections,
                               "too many connections have not said yet who they are; this one has taken longest"));
}

absl::StatusOr<std::shared_ptr<SessionControl>> SessionRegistry::Add() {
  std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(closing_);
  MakeRoomLocked();
  do {
    last_process_id_ = last_process_id_ == INT32_MAX ? 1 : last_process_id_ + 1;
  } while (sessions_.contains(last_process_id_));
  int32_t secret = 0;
  std::memcpy(&secret, SecretBytes(sizeof(secret)).data(), sizeof(secret));
  std::shared_ptr<SessionControl> control;
  try {
    control = std::make_shared<SessionControl>(last_process_id_, secret, &timer_);
  } catch (const std::system_error& error) {  // of its events
    Log(LogLevel::kWarning, "sql.session_refused", "error=\"{}\"", error.what());
    return SqlError(sqlstate::kTooManyConnections, "the node has no file descriptors left for another session");
  }
  sessions_[last_process_id_].control = control;
  return control;
}

void SessionRegistry::Remove(const SessionControl& session) {
  std::lock_guard lock(mutex_);
  sessions_.erase(session.process_id());
  changed_.notify_all();
}

absl::Status SessionRegistry::Admit(const SessionControl& session, const std::string& user) {
  std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(closing_);
  const int admitted = CountAdmittedLocked();
  if (admitted >= kConnectionsMax) {
    return SqlError(sqlstate::kTooManyConnections,
                    fmt::format("sorry, too many clients already (at most {})", kConnectionsMax));
  }
  Entry& entry = sessions_[session.process_id()];
  const bool root = user == "root" && entry.tenant == kSystemTenantId;
  if (!root && admitted >= kConnectionsMax - kConnectionsKeptForRoot) {
    return SqlError(sqlstate::kTooManyConnections,
                    fmt::format("the remaining {} connection slots are reserved for root of the virtual cluster \"system\"",
                                kConnectionsKeptForRoot));
  }
  entry.admitted = true;
  entry.user = user;
  return absl::OkStatus();
}

void SessionRegistry::SetTenant(const SessionControl& session, TenantId tenant) {
  std::lock_guard lock(mutex_);
  sessions_[session.process_id()].tenant = tenant;
  changed_.notify_all();
}

std::vector<SessionRegistry::Listed> SessionRegistry::List(TenantId tenant) const {
  std::lock_guard lock(mutex_);
  std::vector<Listed> listed;
  for (const auto& [process_id, entry] : sessions_) {
    if (!entry.admitted || entry.tenant != tenant) continue;
    listed.push_back({.process_id = process_id, .user = entry.user, .running = entry.control->running()});
  }
  return listed;
}

void SessionRegistry::Cancel(int32_t process_id, int32_t secret) {
  std::shared_ptr<SessionControl> control;
  {
    std::lock_guard lock(mutex_);
    const auto found = sessions_.find(process_id);
    if (found == sessions_.end() || found->second.control->secret() != secret) return;
    control = found->second.control;
  }
  control->Cancel();
}

void SessionRegistry::EndTenant(TenantId tenant, const absl::Status& reason) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] {
    bool gone = true;
    for (const auto& [process_id, entry] : sessions_) {
      if (entry.tenant != tenant) continue;
      entry.control->End(SessionControl::EndMode::kNow, reason);
      gone = false;
    }
    return gone;
  });
}

void SessionRegistry::EndAll(const absl::Status& reason, int grace_ms) {
  std::unique_lock lock(mutex_);
  closing_ = reason;
  for (const auto& [process_id, entry] : sessions_) entry.control->End(SessionControl::EndMode::kWhenIdle, reason);
  const auto gone = [&] { return sessions_.empty(); };
  if (changed_.wait_for(lock, std::chrono::milliseconds(grace_ms), gone)) return;
  for (const auto& [process_id, entry] : sessions_) entry.control->End(SessionControl::EndMode::kNow, reason);
  changed_.wait(lock, gone);
}

}  // namespace anabranch
