// Moving a keyspace as files: RocksDB tables are hard-linked out, shipped by whoever asked, and adopted in one step. Cost
// of export, clone and adoption does not depend on size (checksums apart).
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/api/keyspace.h"
#include "storage/api/store.h"

namespace anabranch {

// One table file of an export.
struct TransferFile {
  enum class Family { kData, kChanges };
  Family family = Family::kData;
  std::string name;  // unique within the family, a plain file name
  uint64_t size = 0;
  int level = 0;
  uint64_t smallest_seqno = 0;
  uint64_t largest_seqno = 0;
  std::string smallest_key;
  std::string largest_key;
};

// Everything an importer needs besides the files' bytes. Files lie at <dir>/data/<name> and <dir>/changes/<name>.
struct TransferManifest {
  std::string comparator_name;
  std::vector<TransferFile> files;
  Timestamp floor;        // the source keyspace's floor, read after the export (R8)
  Timestamp copied_from;  // S: `visible` before the export; the files hold everything at or below S
  Timestamp copied_upto;  // E: `visible` after the export, taken on the writer thread; the files may hold some of (S, E]
};

std::string TransferPath(const std::string& dir, const TransferFile& file);

// Of a peer (R14): 08P01 unless names, levels, sizes and sequence numbers are such as an export has, each file is listed
// once, and floor <= S <= E; 22023 if E is ahead of this store's clock by more than kPeerClockAheadNsMax.
inline constexpr size_t kTransferFilesMax = 1'000'000;
absl::Status CheckManifest(Store* store, const TransferManifest& manifest);

// Hard-links the keyspace's files into `dir` (created; must not exist). `data` first, `changes` second, then E (R9). 55006
// while a hidden interval is not retired (R7). The caller deletes `dir` when done.
absl::StatusOr<TransferManifest> ExportKeyspace(Store* store, const KeyspaceRef& keyspace, const std::string& dir);

// Adopts (moves) the files into a new unpublished keyspace with the manifest's floor. CheckManifest's errors; 22023 for a
// version that is ahead of the clock as E may not be; DataLoss if a file is missing, damaged, of the wrong size, or if a
// version in (floor, S] lacks its index entry or an entry its version (R9). Cancelled with `stop`, which is looked at all
// along; nothing of the keyspace is left then.
absl::StatusOr<KeyspaceRef> ImportKeyspace(Store* store, const TransferManifest& manifest, const std::string& dir,
                                           std::stop_token stop = {});

// A new unpublished keyspace of this store with the same contents, hidden intervals and floor. Hidden, too, is what lies
// above `upto`, and above the frontier if it is under ingestion (R7). 22023 if `upto` is below the floor. On an error
// nothing is left. Nobody who writes or ingests waits for it, but for a flush.
absl::StatusOr<KeyspaceRef> CloneKeyspace(Store* store, const KeyspaceRef& keyspace, Timestamp upto = kTimestampMax);

}  // namespace anabranch
