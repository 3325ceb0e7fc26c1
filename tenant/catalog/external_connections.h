// External connections: names for the connection strings of sources, so that a password is written once and changed in one
// place. A stream keeps the name and looks it up whenever it connects.
//
// They are files, not records of `meta`: `<store>/connections/<name>`, with the mode 0600 in a folder with the mode 0700,
// so that secrets are readable for the node's user alone and leave with no copy of the database. A file is replaced as a
// whole; what a crash leaves of an unfinished one is removed at the next start. Neither logs nor statements show one.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace anabranch {

inline constexpr std::string_view kExternalScheme = "external://";
inline constexpr size_t kExternalConnectionsMax = 1'000;

struct ExternalConnectionInfo {
  std::string name;
  std::string uri;  // redacted
};

// Thread-safe.
class ExternalConnections {
 public:
  explicit ExternalConnections(std::string folder) : folder_(std::move(folder)) {}

  absl::Status Recover();

  // 42710 if it is there, unless `if_not_exists`; 22023 for a name or a connection string that cannot be meant, 54000 over
  // the limit.
  absl::Status Create(const std::string& name, const std::string& uri, bool if_not_exists);
  // 42704 if it is not there, unless `if_exists`. Counts from the next connect of each stream on.
  absl::Status Alter(const std::string& name, const std::string& uri, bool if_exists);
  // 42704 likewise; 55006 while a statement is using it. `check_unused` judges who else does.
  absl::Status Drop(const std::string& name, bool if_exists,
                    const std::function<absl::Status(const std::string& address)>& check_unused);
  absl::StatusOr<std::vector<ExternalConnectionInfo>> Show() const;            // by name
  absl::StatusOr<ExternalConnectionInfo> Show(const std::string& name) const;  // 42704

  // The connection string behind what a statement or a record gives: itself, or that of 'external://name'. 42704 if there
  // is no such connection.
  absl::StatusOr<std::string> Resolve(const std::string& address) const;

  // While a statement makes something use an address: it cannot be dropped.
  class Use {
   public:
    Use(ExternalConnections* connections, const std::string& address);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    ExternalConnections* const connections_;
    const std::string address_;
  };

 private:
  absl::StatusOr<std::optional<std::string>> Read(const std::string& name) const;
  absl::Status Write(const std::string& name, const std::string& uri);
  absl::StatusOr<std::vector<std::string>> Names() const;

  const std::string folder_;
  mutable std::mutex mutex_;
  std::map<std::string, int> uses_;  // guarded by mutex_
};

// As records keep an address: a bare name of a connection becomes 'external://name'. 22023 for what is neither a
// postgresql:// URI nor a name.
absl::StatusOr<std::string> NormalizeAddress(const std::string& address);

}  // namespace anabranch
