// Internal to storage/: what the marks of the store's records are signed with (storage/rocks/log_check.h). What users write
// stands in the log as it is, records made up by them included: a mark counts only with a signature that nobody can make
// without the key. It is random, in a file of its own, and shown nowhere; nor are the logs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "base/random.h"
#include "rocksdb/env.h"

namespace anabranch {

// A value. Thread-safe as long as it is not assigned to.
class LogKey {
 public:
  LogKey() = default;

  // That of the store; nullopt: it has none, no program has signed a mark in it yet. XX001 if the file is no key.
  static absl::StatusOr<std::optional<LogKey>> Read(rocksdb::Env* env, const std::string& dir);
  // A new one, which is on disk.
  static absl::StatusOr<LogKey> Make(rocksdb::Env* env, const std::string& dir, Random* random);

  uint64_t Sign(std::string_view message) const;

 private:
  explicit LogKey(std::string secret) : secret_(std::move(secret)) {}

  std::string secret_;
};

}  // namespace anabranch
