// Session settings (SET, SHOW, RESET). A value, cheap to copy: copied when a transaction begins, put back when it rolls
// back.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/value/time_zone.h"
#include "storage/mvcc/transaction.h"

namespace anabranch {

inline constexpr std::string_view kVersionText = "PostgreSQL 15.0 (Anabranch)";
inline constexpr std::string_view kDatabaseName = "defaultdb";

// In milliseconds; 0: none.
struct Timeouts {
  int statement_ms = 0;
  int lock_ms = 0;
  int idle_in_transaction_ms = 0;
  int idle_session_ms = 0;
};

enum class UserKind { kOrdinary, kAdmin };
// kStandby: sessions only read, and are told so as PostgreSQL's hot standby tells them.
enum class ServerKind { kPrimary, kStandby };

class Settings {
 public:
  explicit Settings(const std::string& user, UserKind kind = UserKind::kOrdinary, ServerKind server = ServerKind::kPrimary);

  // Names are matched without case. 42704 for an unknown one.
  absl::StatusOr<std::string> Get(std::string_view name) const;
  // As SHOW heads its column: "TimeZone".
  absl::StatusOr<std::string> CanonicalName(std::string_view name) const;
  // 22023 for a value it cannot take, 55P02 (cannot be changed) for one that tells a fact.
  absl::Status Set(std::string_view name, const std::string& value);
  // As Set, and what Reset comes back to: the client asked for it when it connected.
  absl::Status SetAtStart(std::string_view name, const std::string& value);
  absl::Status Reset(std::string_view name);
  void ResetAll();
  static std::vector<std::string_view> Names();  // in the order of SHOW ALL

  IsolationLevel default_isolation() const { return state_->isolation; }
  bool default_read_only() const { return state_->read_only; }
  const Timeouts& timeouts() const { return state_->timeouts; }
  // The same object for as long as the zone is the same. Never null.
  const TimeZoneRef& zone() const { return state_->zone; }
  // Nothing was set in either since one was a copy of the other.
  bool IsUnchanged(const Settings& other) const { return state_ == other.state_; }

  // Clients are told of these by ParameterStatus: name and value.
  std::vector<std::pair<std::string, std::string>> Reported() const;

 private:
  using Values = std::map<std::string, std::string, std::less<>>;  // by canonical name; unset: the default

  struct State {
    Values values = {};
    // Of the values: what every statement asks for.
    Timeouts timeouts = {};
    IsolationLevel isolation = IsolationLevel::kReadCommitted;
    bool read_only = false;
    TimeZoneRef zone = std::make_shared<const TimeZone>();
  };

  absl::Status CheckFixed(std::string_view name, const std::string& value) const;
  absl::Status CheckOwnUser(std::string_view name, const std::string& value) const;
  void Become(Values values);

  std::shared_ptr<const State> state_ = std::make_shared<State>();  // shared by copies
  std::shared_ptr<const State> at_start_ = state_;
  std::string user_;
  UserKind kind_;
};

// 22023 for a name that is no isolation level.
absl::StatusOr<IsolationLevel> ParseIsolationLevel(std::string_view name);
std::string_view IsolationLevelName(IsolationLevel isolation);

}  // namespace anabranch
