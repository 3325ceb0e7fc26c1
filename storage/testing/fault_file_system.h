// For tests: a file system in memory that loses what a power failure would lose, and fails when told to.
//
// It keeps two states. What was written is seen at once by every reader; what was synced survives Crash(). A file's bytes
// become durable by its sync, a name (created, renamed, linked, deleted) by the sync of its folder, as POSIX says and no
// better. Every change is a numbered point; the machine can be stopped at any of them.
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "rocksdb/env.h"
#include "rocksdb/file_system.h"

namespace anabranch {

// What becomes of bytes and names that were not synced.
enum class Unsynced {
  kLost,
  kKept,
  kTorn,   // of each file a prefix, of each folder's changes the first few
  kHoles,  // as kTorn, and pages inside the prefix may be zeros: a disk writes them in any order
};
inline constexpr Unsynced kAllUnsynced[] = {Unsynced::kLost, Unsynced::kKept, Unsynced::kTorn, Unsynced::kHoles};

class FaultFileSystem final : public rocksdb::FileSystem {
 public:
  enum class PointKind { kWrite, kSync, kName };  // kName: create, rename, link, delete

  // One file, shared by its names. Public for fault_file.h.
  struct File {
    bool is_folder = false;
    std::string bytes;
    std::string durable;      // as of the last sync
    size_t changed_from = 0;  // [changed_from, changed_upto) may differ from it
    size_t changed_upto = 0;  // equal: nothing was changed
  };
  using Names = std::map<std::string, std::shared_ptr<File>>;

  FaultFileSystem();
  const char* Name() const override { return "anabranch.FaultFileSystem"; }

  // --- Crashes. REQUIRES for Crash and Load: nothing has a file open that it will still write to. ---
  // The machine stops at the n-th point from now (1: the next): that change reaches memory, nothing after it does anything.
  void StopAt(uint64_t points);
  bool stopped() const;
  // Power comes back: what was not synced is dealt with, everything works again.
  void Crash(Unsynced unsynced, uint64_t seed);
  // A copy of everything that is seen, and back to it, all of it durable.
  Names Save() const;
  void Load(const Names& names);

  // --- Faults ---
  // The n-th point of `kind` from now, of a path that ends so, fails with `error` and does nothing. Once.
  void FailAt(PointKind kind, std::string suffix, uint64_t points, rocksdb::IOStatus error);
  // While set every write and every new file fails with NoSpace.
  void SetFull(bool full);
  // A write that would take all files together above it writes what there is room for, as a disk does, and fails with
  // NoSpace. 0: no bound.
  void SetCapacity(uint64_t bytes);
  uint64_t Used() const;
  // As some file systems do. Otherwise it is accepted and not counted: the bytes are.
  void RefuseToAllocate();
  rocksdb::IOStatus Allocate() const;
  void FlipBit(const std::string& path, uint64_t bit);

  // --- What happened ---
  uint64_t points() const;     // since the start or the last ResetCounts
  uint64_t faults() const;     // injected since then: a test proves that its fault acted
  uint64_t log_bytes() const;  // written to write-ahead logs since then, but for zeros ahead of them
  void ResetCounts();
  std::vector<std::string> Files() const;  // paths, without folders
  uint64_t SizeOf(const std::string& path) const;

  // --- rocksdb::FileSystem ---
  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* result,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                        rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* result,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomRWFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSRandomRWFile>* result,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* result, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus FileExists(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildren(const std::string& folder, const rocksdb::IOOptions& options,
                                std::vector<std::string>* result, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDirIfMissing(const std::string& path, const rocksdb::IOOptions& options,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFileSize(const std::string& path, const rocksdb::IOOptions& options, uint64_t* size,
                                rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFileModificationTime(const std::string& path, const rocksdb::IOOptions& options, uint64_t* time,
                                            rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LockFile(const std::string& path, const rocksdb::IOOptions& options, rocksdb::FileLock** lock,
                             rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus UnlockFile(rocksdb::FileLock* lock, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetTestDirectory(const rocksdb::IOOptions& options, std::string* path,
                                     rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetAbsolutePath(const std::string& path, const rocksdb::IOOptions& options, std::string* absolute,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus IsDirectory(const std::string& path, const rocksdb::IOOptions& options, bool* is_folder,
                                rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFreeSpace(const std::string& path, const rocksdb::IOOptions& options, uint64_t* bytes,
                                 rocksdb::IODebugContext* debug) override;

  // --- For fault_file.h ---
  rocksdb::IOStatus Append(const std::string& path, File& file, const rocksdb::Slice& data);
  rocksdb::IOStatus Write(const std::string& path, File& file, uint64_t offset, const rocksdb::Slice& data);
  rocksdb::IOStatus Sync(const std::string& path, File& file);
  rocksdb::IOStatus Resize(const std::string& path, File& file, uint64_t size);
  rocksdb::IOStatus SyncFolder(const std::string& folder);
  rocksdb::IOStatus ReadAt(const File& file, uint64_t offset, size_t bytes, rocksdb::Slice* result, char* scratch) const;
  uint64_t Size(const File& file) const;

 private:
  // Names that change together; `folder` is whose sync makes it durable.
  struct NameChange {
    std::string folder;
    Names to;  // nullptr: removed
  };

  // All REQUIRE: mutex_ held.
  rocksdb::IOStatus Point(PointKind kind, const std::string& path);  // not OK: the change does not take place
  rocksdb::IOStatus Full();
  rocksdb::IOStatus Done();  // of a change that Point let through
  void Restart();
  rocksdb::IOStatus ChangeNames(const std::string& folder, Names to);
  rocksdb::IOStatus RenameFolder(const std::string& from, const std::string& to);
  rocksdb::IOStatus NewFolder(const std::string& path);
  uint64_t Room(uint64_t wanted) const;  // for so many more bytes, at most
  uint64_t Occupied() const;
  rocksdb::IOStatus WriteAt(const std::string& path, File& file, uint64_t offset, const rocksdb::Slice& data);
  std::shared_ptr<File> Find(const std::string& path) const;
  static void Apply(const NameChange& change, Names* names);

  mutable std::mutex mutex_;
  Names seen_;  // guarded by mutex_, like all below
  Names durable_;
  std::vector<NameChange> unsynced_;  // from durable_ to seen_, in order
  std::set<std::string> locks_;
  uint64_t points_ = 0;
  uint64_t faults_ = 0;
  uint64_t log_bytes_ = 0;
  uint64_t points_until_stop_ = 0;  // 0: never
  bool stopping_ = false;           // the change under way is the last one
  bool stopped_ = false;
  bool full_ = false;
  uint64_t capacity_ = 0;
  bool allocates_ = true;
  PointKind fail_kind_ = PointKind::kWrite;
  std::string fail_suffix_;
  uint64_t points_until_failure_ = 0;  // 0: never
  rocksdb::IOStatus failure_;
};

}  // namespace anabranch
