// Folders of the node's store that belong to streams.
#pragma once

#include <string>

#include "fmt/format.h"
#include "storage/api/store.h"
#include "tenant/catalog/catalog.h"

namespace anabranch {

// Source: the hard-linked files of an initial copy, while it lasts.
inline std::string ExportsRoot(Store* store) { return store->dir() + "/exports"; }
inline std::string ExportDir(Store* store, StreamId stream) {
  return fmt::format("{}/{}", ExportsRoot(store), StreamText(stream));
}
// Standby: the files as they arrive.
inline std::string IncomingRoot(Store* store) { return store->dir() + "/incoming"; }
inline std::string IncomingDir(Store* store, StreamId stream) {
  return fmt::format("{}/{}", IncomingRoot(store), StreamText(stream));
}
// Standby: what a failback undid. Kept until the virtual cluster is dropped.
inline std::string LedgerRoot(Store* store) { return store->dir() + "/ledger"; }
inline std::string LedgerPath(Store* store, TenantId tenant, StreamId stream) {
  return fmt::format("{}/{}-{}.ledger", LedgerRoot(store), tenant.value(), StreamText(stream));
}

}  // namespace anabranch
