// The source's side of a stream on the wire: the statements REPLICATION_STREAM <OPEN|COPY|SUBSCRIBE|FINISH> '<hex>' of
// stream/source_client.h, and frames in COPY BOTH.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "sql/wire/session.h"

namespace anabranch {

bool IsReplicationCommand(std::string_view query);

// Runs one command and answers it, up to but without ReadyForQuery. COPY and SUBSCRIBE last as long as the stream does.
absl::Status RunReplicationCommand(std::string_view query, const SessionParts& parts, VirtualClusters& clusters);

}  // namespace anabranch
