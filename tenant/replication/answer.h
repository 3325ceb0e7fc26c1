// What a source may answer to OPEN (R14): judged as it arrives, before anything of it is followed or kept.
#pragma once

#include "absl/status/status.h"
#include "base/ids.h"
#include "storage/api/store.h"
#include "stream/wire.pb.h"

namespace anabranch {

// Whether `response` can be an answer to `request`: names, ids, history and window are such as ours are, and it starts where
// both histories say. 08P01. What it says of clock, partitions and files is judged by who goes by it. Pure.
absl::Status CheckAnswer(const wire::OpenRequest& request, const wire::OpenResponse& response);

// 08P01 if a virtual cluster, a ledger or a farewell of this node names a stream of that id: another one would take its place.
absl::Status CheckNewStream(Store* store, StreamId stream);

}  // namespace anabranch
