// Session settings (SET, SHOW, RESET). A value: copied when a transaction begins, put back when it rolls back.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/transaction.h"

namespace anabranch {

inline constexpr std::string_view kVersionText = "PostgreSQL 15.0 (Anabranch)";
inline constexpr std::string_view kDatabaseName = "defaultdb";

class Settings {
 public:
  explicit Settings(const std::string& user);

  // Names are matched without case. 42704 for an unknown one.
  absl::StatusOr<std::string> Get(std::string_view name) const;
  // As SHOW heads its column: "TimeZone".
  absl::StatusOr<std::string> CanonicalName(std::string_view name) const;
  // 22023 for a value it cannot take, 55P02 (cannot be changed) for one that tells a fact.
  absl::Status Set(std::string_view name, const std::string& value);
  absl::Status Reset(std::string_view name);
  void ResetAll();
  static std::vector<std::string_view> Names();  // in the order of SHOW ALL

  IsolationLevel default_isolation() const;
  bool default_read_only() const;

  // Clients are told of these by ParameterStatus: name and value.
  std::vector<std::pair<std::string, std::string>> Reported() const;

 private:
  absl::Status CheckOwnUser(std::string_view name, const std::string& value) const;

  std::map<std::string, std::string, std::less<>> values_;  // by canonical name; unset: the default
  std::string user_;
};

// 22023 for a name that is no isolation level.
absl::StatusOr<IsolationLevel> ParseIsolationLevel(std::string_view name);
std::string_view IsolationLevelName(IsolationLevel isolation);

}  // namespace anabranch
