#include "storage/transfer.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "base/log.h"
#include "base/status.h"
#include "rocksdb/comparator.h"
#include "rocksdb/sst_file_reader.h"
#include "rocksdb/utilities/checkpoint.h"
#include "storage/rocks/files.h"
#include "storage/store_impl.h"
#include "storage/transfer_check.h"

namespace anabranch {
namespace {

const char* FolderOf(TransferFile::Family family) { return family == TransferFile::Family::kData ? "data" : "changes"; }

Family RocksFamily(TransferFile::Family family) {
  return family == TransferFile::Family::kData ? Family::kData : Family::kChanges;
}

// Removes a folder and what is in it.
class ScratchFolder {
 public:
  ScratchFolder(rocksdb::Env* env, std::string path) : env_(env), path_(std::move(path)) {}
  ~ScratchFolder() { (void)RemoveTree(env_, path_); }  // what stays after an error the next start removes
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  rocksdb::Env* const env_;
  const std::string path_;
};

absl::Status ExportFamily(rocksdb::Checkpoint* checkpoint, rocksdb::ColumnFamilyHandle* handle, TransferFile::Family family,
                          const std::string& dir, TransferManifest* manifest) {
  rocksdb::ExportImportFilesMetaData* raw = nullptr;
  const rocksdb::Status status = checkpoint->ExportColumnFamily(handle, dir + "/" + FolderOf(family), &raw);
  const std::unique_ptr<rocksdb::ExportImportFilesMetaData> metadata(raw);
  RETURN_IF_ERROR(FromRocks(status, "export keyspace"));
  manifest->comparator_name = metadata->db_comparator_name;
  for (const rocksdb::LiveFileMetaData& file : metadata->files) {
    manifest->files.push_back({
        .family = family,
        .name = file.relative_filename.empty() ? file.name.substr(1) : file.relative_filename,
        .size = file.size,
        .level = file.level,
        .smallest_seqno = file.smallest_seqno,
        .largest_seqno = file.largest_seqno,
        .smallest_key = file.smallestkey,
        .largest_key = file.largestkey,
    });
  }
  return absl::OkStatus();
}

// The files of both families as of two moments, `data` first (R9): an index entry that lacks its version lies above S.
// REQUIRES: the erase gate is held.
absl::StatusOr<TransferManifest> ExportFiles(RocksStore* store, const KeyspaceRef& keyspace, const std::string& dir) {
  const RocksKeyspace& rocks = AsRocks(*keyspace);
  RETURN_IF_ERROR(FromRocks(store->env()->CreateDir(dir), "create folder " + dir));
  TransferManifest manifest;
  manifest.copied_from = store->Resolved(*keyspace);
  rocksdb::Checkpoint* raw = nullptr;
  RETURN_IF_ERROR(FromRocks(rocksdb::Checkpoint::Create(rocks.db(), &raw), "export keyspace"));
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
  RETURN_IF_ERROR(ExportFamily(checkpoint.get(), rocks.data(), TransferFile::Family::kData, dir, &manifest));
  RETURN_IF_ERROR(ExportFamily(checkpoint.get(), rocks.changes(), TransferFile::Family::kChanges, dir, &manifest));
  // E, on the writer thread: every group that an export may have caught half-way is published by then. Under ingestion
  // timestamps are the source's, so the newest one present counts too.
  RETURN_IF_ERROR(store->writer().Run([&] {
    const std::shared_ptr<const KeyspaceState> state = keyspace->state();
    manifest.copied_upto = state->ingesting ? std::max(state->newest, state->frontier) : store->visible();
    manifest.floor = state->floor;  // R8: the floor is read after the export
    return absl::OkStatus();
  }));
  return manifest;
}

absl::Status RefuseHidden(const Keyspace& keyspace) {
  if (keyspace.state()->hidden.empty()) return absl::OkStatus();
  return SqlError(sqlstate::kObjectInUse,
                  fmt::format("keyspace {} holds undone writes that are not swept yet", keyspace.incarnation().value()),
                  "Try again when the sweep is done.");
}

constexpr uint64_t kFileBytesMax = 1ull << 40;
constexpr size_t kFileNameBytesMax = 200;
// The sequence numbers of a database end at 2^56, and an import takes its own beyond those of its files.
constexpr uint64_t kSequenceNumberMax = 1ull << 55;

absl::Status Malformed(std::string_view what) {
  return SqlError(sqlstate::kProtocolViolation, fmt::format("the list of files to copy has {}", what));
}

absl::Status CheckListed(const TransferFile& file, int levels) {
  const bool plain = !file.name.empty() && file.name.size() <= kFileNameBytesMax && file.name.front() != '.' &&
                     file.name.find_first_of(std::string_view("/\0", 2)) == std::string::npos;
  if (!plain) return Malformed("a name that is no plain file name");
  if (file.size == 0 || file.size > kFileBytesMax) return Malformed("a file of a size that none has");
  if (file.level < 0 || file.level >= levels) return Malformed("a level that there is not");
  const bool numbered = file.smallest_seqno <= file.largest_seqno && file.largest_seqno <= kSequenceNumberMax;
  return numbered ? absl::OkStatus() : Malformed("sequence numbers out of range");
}

// A file as the manifest promises it, every block of it, and on disk.
absl::Status CheckFile(const rocksdb::ColumnFamilyOptions& options, const rocksdb::DBOptions& db_options,
                       const TransferFile& file, const std::string& path) {
  uint64_t size = 0;
  if (const rocksdb::Status found = db_options.env->GetFileSize(path, &size); !found.ok()) {
    return absl::DataLossError(fmt::format("transfer file {} is missing: {}", path, found.ToString()));
  }
  if (size != file.size) {
    return absl::DataLossError(fmt::format("transfer file {} has {} bytes, expected {}", path, size, file.size));
  }
  rocksdb::SstFileReader reader(rocksdb::Options(db_options, options));
  rocksdb::Status status = reader.Open(path);
  if (status.ok()) status = reader.VerifyChecksum();
  if (!status.ok()) return absl::DataLossError(fmt::format("transfer file {} is damaged: {}", path, status.ToString()));
  return SyncFile(db_options.env, path);
}

absl::Status CheckFiles(RocksStore* store, const TransferManifest& manifest, const std::string& dir,
                        const std::stop_token& stop) {
  if (manifest.comparator_name != rocksdb::BytewiseComparator()->Name()) {
    return absl::DataLossError(fmt::format("transfer is ordered by \"{}\", this store by \"{}\"", manifest.comparator_name,
                                           rocksdb::BytewiseComparator()->Name()));
  }
  for (const TransferFile& file : manifest.files) {
    if (stop.stop_requested()) return absl::CancelledError("the check of the files was stopped");
    const Family family = RocksFamily(file.family);
    RETURN_IF_ERROR(
        CheckFile(store->rocks_options().family(family), store->rocks_options().db(), file, TransferPath(dir, file)));
  }
  return absl::OkStatus();
}

absl::StatusOr<KeyspaceRef> Adopt(RocksStore* store, const TransferManifest& manifest, const std::string& dir) {
  return store->AddKeyspace(
      manifest.floor,
      [&](Family family, const std::string& name,
          const rocksdb::ColumnFamilyOptions& options) -> absl::StatusOr<rocksdb::ColumnFamilyHandle*> {
        const auto wanted = family == Family::kData ? TransferFile::Family::kData : TransferFile::Family::kChanges;
        rocksdb::ExportImportFilesMetaData metadata;
        metadata.db_comparator_name = manifest.comparator_name;
        for (const TransferFile& file : manifest.files) {
          if (file.family != wanted) continue;
          rocksdb::LiveFileMetaData live;
          live.name = "/" + file.name;
          live.db_path = dir + "/" + FolderOf(wanted);
          live.size = file.size;
          live.level = file.level;
          live.smallest_seqno = file.smallest_seqno;
          live.largest_seqno = file.largest_seqno;
          live.smallestkey = file.smallest_key;
          live.largestkey = file.largest_key;
          metadata.files.push_back(std::move(live));
        }
        if (metadata.files.empty()) return store->MakeEmptyFamily(name, options);  // RocksDB refuses to import no files
        return store->MakeImportedFamily(name, options, metadata);
      });
}

// What stays after an error the next start drops.
void DropUnpublished(Store* store, const KeyspaceRef& keyspace) {
  if (const absl::Status dropped = store->DropKeyspace(keyspace); !dropped.ok()) {
    Log(LogLevel::kWarning, "transfer.drop_failed", "error=\"{}\"", MessageOf(dropped));
  }
}

}  // namespace

std::string TransferPath(const std::string& dir, const TransferFile& file) {
  return fmt::format("{}/{}/{}", dir, FolderOf(file.family), file.name);
}

absl::Status CheckManifest(Store* store, const TransferManifest& manifest) {
  const RocksStore& rocks = *static_cast<RocksStore*>(store);
  if (manifest.files.size() > kTransferFilesMax) return Malformed("too many files");
  std::set<std::pair<TransferFile::Family, std::string_view>> listed;
  for (const TransferFile& file : manifest.files) {
    RETURN_IF_ERROR(CheckListed(file, rocks.rocks_options().family(RocksFamily(file.family)).num_levels));
    if (!listed.emplace(file.family, file.name).second) return Malformed("a file twice");
  }
  if (manifest.floor > manifest.copied_from || manifest.copied_from > manifest.copied_upto) {
    return Malformed("timestamps that contradict each other");
  }
  return rocks.CheckVersion(manifest.copied_upto);
}

absl::StatusOr<TransferManifest> ExportKeyspace(Store* store, const KeyspaceRef& keyspace, const std::string& dir) {
  std::shared_lock gate(AsRocks(*keyspace).erase_gate());
  RETURN_IF_ERROR(RefuseHidden(*keyspace));
  ASSIGN_OR_RETURN(TransferManifest manifest, ExportFiles(static_cast<RocksStore*>(store), keyspace, dir));
  RETURN_IF_ERROR(RefuseHidden(*keyspace));  // promoted meanwhile: the files may hold what was undone
  return manifest;
}

absl::StatusOr<KeyspaceRef> ImportKeyspace(Store* store, const TransferManifest& manifest, const std::string& dir,
                                           std::stop_token stop) {
  RocksStore* const rocks = static_cast<RocksStore*>(store);
  RETURN_IF_ERROR(CheckManifest(store, manifest));
  RETURN_IF_ERROR(CheckFiles(rocks, manifest, dir, stop));
  ASSIGN_OR_RETURN(KeyspaceRef keyspace, Adopt(rocks, manifest, dir));
  if (absl::Status status = CheckIndexMatchesData(*keyspace, manifest.floor, manifest.copied_from, stop); !status.ok()) {
    DropUnpublished(store, keyspace);
    return WithContext(std::move(status), "imported keyspace");
  }
  return keyspace;
}

absl::StatusOr<KeyspaceRef> CloneKeyspace(Store* store, const KeyspaceRef& keyspace, Timestamp upto) {
  RocksStore* const rocks = static_cast<RocksStore*>(store);
  ASSIGN_OR_RETURN(std::string scratch, rocks->NewScratchPath());
  const ScratchFolder folder(rocks->env(), std::move(scratch));
  std::shared_lock gate(AsRocks(*keyspace).erase_gate());
  // As of before the files: what is hidden meanwhile may be in them, or not.
  const std::vector<HiddenInterval> hidden = keyspace->state()->hidden;
  ASSIGN_OR_RETURN(const TransferManifest manifest, ExportFiles(rocks, keyspace, folder.path()));
  ASSIGN_OR_RETURN(KeyspaceRef clone, Adopt(rocks, manifest, folder.path()));
  // R7: whatever was hidden stays hidden, and so does what the files hold above S: half of a moment, or above a standby's
  // frontier.
  absl::Status status = rocks->writer().Update([&](MetaUpdateImpl& update) -> absl::Status {
    for (const HiddenInterval& now : update.Before(keyspace)->hidden) {
      if (std::find(hidden.begin(), hidden.end(), now) != hidden.end()) continue;
      return SqlError(
          sqlstate::kObjectInUse,
          fmt::format("the history of keyspace {} changed while it was cloned", keyspace->incarnation().value()),
          "Try again.");
    }
    update.CarryHidden(clone, hidden);
    update.Stage(clone).Hide(std::min(upto, manifest.copied_from));
    return absl::OkStatus();
  });
  if (status.ok()) return clone;
  DropUnpublished(store, clone);
  return status;
}

}  // namespace anabranch
