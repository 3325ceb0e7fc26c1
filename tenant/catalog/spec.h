// What statements say of virtual clusters: which one, from when, with which options.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "base/ids.h"

namespace anabranch {

// A virtual cluster as a statement names it: `name`, `'name'` or `[id]`.
using VirtualClusterSpec = std::variant<std::string, TenantId>;

struct CreateOptions {
  bool if_not_exists = false;
  std::optional<VirtualClusterSpec> like;  // capabilities and settings are copied from it
};

struct ReplicationOptions {
  std::optional<uint64_t> retention_ns;          // unset: the cluster setting
  std::optional<uint64_t> expiration_window_ns;  // unset: as the source is set
  bool read_virtual_cluster = false;
  std::string user = {};  // who runs the statement; not part of its text
};

// What of a stream may change while it runs or is paused.
struct ReplicationChange {
  std::optional<uint64_t> retention_ns;
  std::optional<uint64_t> expiration_window_ns;
  std::optional<std::string> address;  // of the source: a connection string or an external connection
};

// COMPLETE REPLICATION TO LATEST | TO SYSTEM TIME '<expression>'. Resolved in the source's time domain.
struct ToLatest {};
struct ToSystemTime {
  std::string expression;
};
using FailoverTarget = std::variant<ToLatest, ToSystemTime>;

struct CompleteOptions {
  std::string user = {};     // who runs the statement: for the receipt
  bool fingerprint = false;  // of the data at the target, in the receipt
};

}  // namespace anabranch
