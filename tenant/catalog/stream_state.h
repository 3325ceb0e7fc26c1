// The states of a stream at its source, and what may happen in each: beside lifecycle.h, which has those of virtual
// clusters.
//
//   OPEN for an initial copy                  -> exporting -> copying -> standing
//   OPEN for a failback                       -> promised -> standing
//   FINISH       copying, promised, standing  -> finished
//   silence      all but exporting            -> gone
//   a restart    exporting                    -> gone: its standby never heard of it
//   drop of the source, CANCEL JOB            -> gone
//
// exporting: the files of the initial copy are being made, and the standby does not know the stream yet. copying: it
// fetches them, or, as long as the stream is unclaimed, may never have heard the answer to its OPEN. promised: a failback
// was agreed to, and it is not known whether it is journaled (R13). standing: history is kept for it, connected or not.
// finished: the standby was promoted; history is kept until it expires, for a failback.
//
// Derived from the records, and kept nowhere else. Whether a connection is there now is StreamRegistry's business.
#pragma once

#include <algorithm>

#include "tenant/catalog/catalog.h"

namespace anabranch {

enum class StreamState { kExporting, kCopying, kPromised, kStanding, kFinished };

// What its own record tells: a promised one is standing.
inline StreamState StateOf(const catalog::StreamRecord& stream) {
  if (stream.finished()) return StreamState::kFinished;
  if (stream.exporting()) return StreamState::kExporting;
  return stream.has_manifest() ? StreamState::kCopying : StreamState::kStanding;
}

// With what `source`, its virtual cluster, tells.
inline StreamState StateOf(const catalog::StreamRecord& stream, const catalog::TenantRecord& source) {
  const StreamState state = StateOf(stream);
  const auto& promised = source.promised_streams();
  const bool is_promised = std::find(promised.begin(), promised.end(), stream.stream_id()) != promised.end();
  return state == StreamState::kStanding && is_promised ? StreamState::kPromised : state;
}

// Opened again, subscribed to, copied from.
inline bool IsOpen(StreamState state) { return state != StreamState::kExporting && state != StreamState::kFinished; }
// A silent one is forgotten. One that is being exported is its own OPEN's to forget.
inline bool CanExpire(StreamState state) { return state != StreamState::kExporting; }

// How much silence it takes. `default_ns`: as the cluster is set.
inline uint64_t WindowOf(const catalog::StreamRecord& stream, uint64_t default_ns) {
  return stream.expiration_window_ns() != 0 ? stream.expiration_window_ns() : default_ns;
}

}  // namespace anabranch
