// CREATE VIRTUAL CLUSTER ... FROM CLONE OF: a writable virtual cluster of its own, with the history that another one of this
// node had at a moment.
//
// The files are linked, not copied (storage/transfer.h), so it takes as long as a flush, whatever the size. The original is
// not held up: a serving one goes on serving, a standby goes on replicating. What the files hold above the moment is hidden in
// the clone (R7) and swept there. Its history forks from the original's at that moment (R10): the two are kin from then on,
// and a clone can be made a standby of its original, or of its original's source, without a copy.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/timestamp.h"
#include "storage/api/store.h"
#include "tenant/catalog/catalog.h"

namespace anabranch {

// What there is to clone of a virtual cluster: history from `floor` on, complete up to `newest`. 55000 if it holds nothing
// that is complete.
struct CloneWindow {
  Timestamp floor;
  Timestamp newest;
  uint64_t rewinds = 0;  // KeyspaceState's, then
};
absl::StatusOr<CloneWindow> WindowToClone(const catalog::TenantRecord& original, const KeyspaceState& state,
                                          Timestamp visible);
// 22023, naming the window, for a moment outside it.
absl::Status CheckInWindow(const catalog::TenantRecord& original, const CloneWindow& window, Timestamp at);

struct PublishedClone {
  catalog::TenantRecord record;
  KeyspaceRef keyspace;  // its hidden intervals are to be swept
};
// Clones and publishes, in one meta write that checks that `original` is still what it was in `window`: 55006 if not. A crash
// before leaves nothing. REQUIRES: CheckInWindow(at).
absl::StatusOr<PublishedClone> PublishClone(Store* store, const catalog::TenantRecord& original, const CloneWindow& window,
                                            Timestamp at, const std::string& name);

}  // namespace anabranch
