#include "sql/value/settings.h"

#include <algorithm>
#include <array>

#include "base/status.h"
#include "sql/value/datum.h"
#include "sql/value/duration_setting.h"

namespace anabranch {
namespace {

enum class Check { kAny, kFixed, kBool, kIsolation, kInteger, kTimeout, kUtf8, kDateStyle, kTimeZone, kOwnUser };

struct Definition {
  std::string_view name;
  std::string_view value;
  Check check;
  bool reported = false;
};

// kFixed: what this server is, told but not changed. kUtf8, kDateStyle, kOwnUser: accepted when it is what we do
// anyway.
constexpr auto kDefinitions = std::to_array<Definition>({
    {"server_version", "15.0 (Anabranch)", Check::kFixed, true},
    {"server_version_num", "150000", Check::kFixed},
    {"server_encoding", "UTF8", Check::kFixed, true},
    {"client_encoding", "UTF8", Check::kUtf8, true},
    {"DateStyle", "ISO, MDY", Check::kDateStyle, true},
    {"IntervalStyle", "postgres", Check::kFixed, true},
    {"TimeZone", "UTC", Check::kTimeZone, true},
    {"integer_datetimes", "on", Check::kFixed, true},
    {"standard_conforming_strings", "on", Check::kFixed, true},
    {"application_name", "", Check::kAny, true},
    {"extra_float_digits", "1", Check::kInteger},
    {"in_hot_standby", "off", Check::kFixed, true},
    {"default_transaction_read_only", "off", Check::kBool, true},
    {"default_transaction_isolation", "read committed", Check::kIsolation},
    {"statement_timeout", "0", Check::kTimeout},
    {"lock_timeout", "0", Check::kTimeout},
    {"idle_in_transaction_session_timeout", "0", Check::kTimeout},
    {"idle_session_timeout", "0", Check::kTimeout},
    {"search_path", "\"$user\", public", Check::kAny},
    {"client_min_messages", "notice", Check::kAny},
    {"bytea_output", "hex", Check::kAny},
    {"max_identifier_length", "63", Check::kFixed},
    {"max_index_keys", "32", Check::kFixed},
    {"is_superuser", "", Check::kFixed, true},
    {"session_authorization", "", Check::kOwnUser, true},
    {"role", "none", Check::kOwnUser},
});

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return lower;
}

absl::StatusOr<const Definition*> Find(std::string_view name) {
  const std::string lower = Lower(name);
  for (const Definition& definition : kDefinitions) {
    if (Lower(definition.name) == lower) return &definition;
  }
  return SqlError(sqlstate::kUndefinedObject, fmt::format("unrecognized configuration parameter \"{}\"", name));
}

absl::Status BadValue(std::string_view name, std::string_view value, std::string hint = "") {
  return SqlError(sqlstate::kInvalidParameterValue, fmt::format("invalid value for parameter \"{}\": \"{}\"", name, value),
                  std::move(hint));
}

absl::Status OnlyValue(std::string_view name, std::string_view value, std::string_view only) {
  return SqlError(sqlstate::kFeatureNotSupported, fmt::format("{} \"{}\" is not supported", name, value),
                  fmt::format("Only {} is.", only));
}

bool IsInteger(std::string_view text) { return FromText(SqlType::kInt8, text).ok(); }

// The value as it is kept.
absl::StatusOr<std::string> Checked(const Definition& definition, const std::string& value) {
  const std::string lower = Lower(value);
  switch (definition.check) {
    case Check::kAny:
      return value;
    case Check::kBool: {
      const absl::StatusOr<Datum> parsed = FromText(SqlType::kBool, value);
      if (!parsed.ok()) {
        return SqlError(sqlstate::kInvalidParameterValue,
                        fmt::format("parameter \"{}\" requires a Boolean value", definition.name));
      }
      return std::string(std::get<bool>(*parsed) ? "on" : "off");
    }
    case Check::kIsolation: {
      ASSIGN_OR_RETURN(const IsolationLevel isolation, ParseIsolationLevel(value));
      return std::string(IsolationLevelName(isolation));
    }
    case Check::kInteger:
      if (!IsInteger(value)) return BadValue(definition.name, value);
      return value;
    case Check::kTimeout: {
      ASSIGN_OR_RETURN(const int ms, ParseMilliseconds(definition.name, value));
      return FormatMilliseconds(ms);
    }
    case Check::kUtf8:
      if (lower == "utf8" || lower == "utf-8" || lower == "unicode") return std::string("UTF8");
      return OnlyValue(definition.name, value, "UTF8");
    case Check::kDateStyle:
      if (lower.starts_with("iso")) return std::string(definition.value);
      return OnlyValue(definition.name, value, "ISO, MDY");
    case Check::kTimeZone: {
      const TimeZoneRef zone = FindTimeZoneSetting(value);
      if (zone) return zone->name();
      return BadValue(definition.name, value,
                      HasTimeZoneDatabase() ? "" : "This machine has no time zone database: install tzdata and restart.");
    }
    case Check::kFixed:
    case Check::kOwnUser:
      break;  // Settings::CheckFixed, Settings::CheckOwnUser
  }
  return BadValue(definition.name, value);
}

}  // namespace

Settings::Settings(const std::string& user, UserKind kind, ServerKind server) : user_(user), kind_(kind) {
  if (server == ServerKind::kPrimary) return;
  Become({{"in_hot_standby", "on"}, {"default_transaction_read_only", "on"}});
  at_start_ = state_;
}

absl::StatusOr<std::string> Settings::CanonicalName(std::string_view name) const {
  ASSIGN_OR_RETURN(const Definition* definition, Find(name));
  return std::string(definition->name);
}

absl::StatusOr<std::string> Settings::Get(std::string_view name) const {
  ASSIGN_OR_RETURN(const Definition* definition, Find(name));
  if (definition->name == "session_authorization") return user_;
  if (definition->name == "is_superuser") return std::string(kind_ == UserKind::kAdmin ? "on" : "off");
  const auto found = state_->values.find(definition->name);
  return found == state_->values.end() ? std::string(definition->value) : found->second;
}

absl::Status Settings::CheckFixed(std::string_view name, const std::string& value) const {
  ASSIGN_OR_RETURN(const std::string fixed, Get(name));
  if (Lower(value) == Lower(fixed)) return absl::OkStatus();
  return SqlError(sqlstate::kCantChangeRuntimeParameter, fmt::format("parameter \"{}\" cannot be changed", name));
}

// A session acts as the user that it logged in as, from its beginning to its end.
absl::Status Settings::CheckOwnUser(std::string_view name, const std::string& value) const {
  if (value == user_ || (name == "role" && value == "none")) return absl::OkStatus();
  return SqlError(sqlstate::kFeatureNotSupported,
                  fmt::format("SET {} to another user is not supported", name == "role" ? "ROLE" : "SESSION AUTHORIZATION"),
                  "Log in as that user.");
}

absl::Status Settings::Set(std::string_view name, const std::string& value) {
  ASSIGN_OR_RETURN(const Definition* definition, Find(name));
  if (definition->check == Check::kOwnUser) return CheckOwnUser(definition->name, value);
  if (definition->check == Check::kFixed) return CheckFixed(definition->name, value);
  ASSIGN_OR_RETURN(std::string checked, Checked(*definition, value));
  Values values = state_->values;
  values.insert_or_assign(std::string(definition->name), std::move(checked));
  Become(std::move(values));
  return absl::OkStatus();
}

absl::Status Settings::SetAtStart(std::string_view name, const std::string& value) {
  RETURN_IF_ERROR(Set(name, value));
  at_start_ = state_;
  return absl::OkStatus();
}

absl::Status Settings::Reset(std::string_view name) {
  ASSIGN_OR_RETURN(const Definition* definition, Find(name));
  Values values = state_->values;
  values.erase(std::string(definition->name));
  if (const auto start = at_start_->values.find(definition->name); start != at_start_->values.end()) values.insert(*start);
  Become(std::move(values));
  return absl::OkStatus();
}

void Settings::ResetAll() { state_ = at_start_; }

void Settings::Become(Values values) {
  const auto value = [&](std::string_view name) {
    const auto found = values.find(name);
    return found == values.end() ? std::string() : found->second;
  };
  const auto ms = [&](std::string_view name) { return ParseMilliseconds(name, value(name)).value_or(0); };
  auto state = std::make_shared<State>();
  state->timeouts = {.statement_ms = ms("statement_timeout"),
                     .lock_ms = ms("lock_timeout"),
                     .idle_in_transaction_ms = ms("idle_in_transaction_session_timeout"),
                     .idle_session_ms = ms("idle_session_timeout")};
  state->isolation = ParseIsolationLevel(value("default_transaction_isolation")).value_or(IsolationLevel::kReadCommitted);
  state->read_only = value("default_transaction_read_only") == "on";
  if (value("TimeZone") == state_->zone->name()) {
    state->zone = state_->zone;
  } else if (TimeZoneRef zone = FindTimeZone(value("TimeZone"))) {
    state->zone = std::move(zone);
  }
  state->values = std::move(values);
  state_ = std::move(state);
}

std::vector<std::string_view> Settings::Names() {
  std::vector<std::string_view> names;
  for (const Definition& definition : kDefinitions) names.push_back(definition.name);
  return names;
}

std::vector<std::pair<std::string, std::string>> Settings::Reported() const {
  std::vector<std::pair<std::string, std::string>> reported;
  for (const Definition& definition : kDefinitions) {
    if (definition.reported) reported.emplace_back(definition.name, *Get(definition.name));
  }
  return reported;
}

absl::StatusOr<IsolationLevel> ParseIsolationLevel(std::string_view name) {
  const std::string lower = Lower(name);
  // As in PostgreSQL, READ UNCOMMITTED is READ COMMITTED.
  if (lower == "read committed" || lower == "read uncommitted") return IsolationLevel::kReadCommitted;
  if (lower == "repeatable read") return IsolationLevel::kRepeatableRead;
  if (lower == "serializable") return IsolationLevel::kSerializable;
  return SqlError(sqlstate::kInvalidParameterValue, fmt::format("\"{}\" is not an isolation level", name));
}

std::string_view IsolationLevelName(IsolationLevel isolation) {
  switch (isolation) {
    case IsolationLevel::kReadCommitted:
      return "read committed";
    case IsolationLevel::kRepeatableRead:
      return "repeatable read";
    case IsolationLevel::kSerializable:
      return "serializable";
  }
  return "read committed";
}

}  // namespace anabranch
