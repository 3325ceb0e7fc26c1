// What a source tells of a stream that leaves from it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/timestamp.h"

namespace anabranch {

// A stream that leaves from here, as SHOW REPLICATION STREAMS tells of it.
struct ReplicationStreamInfo {
  StreamId stream;
  int64_t job_id = 0;  // of its producer (tenant/catalog/jobs.h)
  TenantId tenant;
  std::string virtual_cluster;  // its name
  std::string standby_cluster;
  std::string standby_name;     // of the virtual cluster there
  std::string standby_address;  // empty unless it is connected
  // exporting (its standby does not know it yet), unclaimed (its standby has not come back), copying, failback agreed, streaming, disconnected, finished (promoted: the
  // history is kept for a failback).
  std::string state;
  Timestamp protected_at;
  std::optional<uint64_t> bytes_behind;  // unless it streams; while it catches up with what was before it connected
  uint64_t connected_since_ns = 0;       // wall clock; zero: it is not connected
  uint64_t created_at_ns = 0;            // wall clock; zero: unknown
  uint64_t expires_at_ns = 0;            // wall clock; silence until then forgets it, if this cluster runs all the while
};

}  // namespace anabranch
