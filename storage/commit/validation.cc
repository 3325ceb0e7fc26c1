#include "storage/commit/validation.h"

#include <algorithm>

#include "base/status.h"
#include "storage/commit/span_set.h"
#include "storage/mvcc/change_index.h"

namespace anabranch {

absl::Status SerializationFailure() {
  return SqlError(sqlstate::kSerializationFailure,
                  "could not serialize access due to read/write dependencies among transactions",
                  "The transaction might succeed if retried.");
}

absl::Status ValidateVisible(Store* store, CommitRequest* request) {
  const SpanSet read(request->validate_spans);
  // Not `visible`: a large commit that holds the keyspace is not in the index yet, and below it.
  const Timestamp upto = store->Resolved(*request->keyspace);
  ++request->validations;
  if (upto <= request->validate_after) return absl::OkStatus();
  auto cursor = ChangeCursor::Open(store, request->keyspace, request->validate_after, upto, ChangeFilter::kVisible);
  if (SqlStateOf(cursor.status()) == sqlstate::kInvalidParameterValue)
    return SerializationFailure();  // R8: below the floor
  RETURN_IF_ERROR(cursor.status());
  ChangeEntry entry;
  while (true) {
    ASSIGN_OR_RETURN(const bool found, (*cursor)->Next(&entry));
    if (!found) break;
    if (request->stop.stop_requested()) return absl::CancelledError("stopped while validating what was read");
    const auto was_read = [&](const std::string& key) { return read.Contains(key); };
    if (std::any_of(entry.keys.begin(), entry.keys.end(), was_read)) return SerializationFailure();
  }
  request->validate_after = upto;
  return absl::OkStatus();
}

absl::Status TooMuchToValidate() { return absl::OutOfRangeError("too much was committed since the reads were validated"); }

bool IsTooMuchToValidate(const absl::Status& status) { return absl::IsOutOfRange(status); }

}  // namespace anabranch
