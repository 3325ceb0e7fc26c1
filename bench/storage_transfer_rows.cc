// Keyspaces as files: export, import, clone and drop, against RocksDB's own calls and against a plain copy.
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "bench/paired.h"
#include "bench/storage_world.h"
#include "fmt/format.h"
#include "rocksdb/metadata.h"
#include "rocksdb/utilities/checkpoint.h"
#include "storage/rocks/keyspace.h"
#include "storage/transfer.h"

namespace anabranch {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMoved = "read";

using Exported = std::unique_ptr<rocksdb::ExportImportFilesMetaData>;

Exported BareExport(rocksdb::DB* db, rocksdb::ColumnFamilyHandle* family, const std::string& dir) {
  rocksdb::Checkpoint* checkpoint = nullptr;
  CheckOk(rocksdb::Checkpoint::Create(db, &checkpoint));
  const std::unique_ptr<rocksdb::Checkpoint> owned(checkpoint);
  rocksdb::ExportImportFilesMetaData* files = nullptr;
  CheckOk(checkpoint->ExportColumnFamily(family, dir, &files));
  return Exported(files);
}

std::pair<Exported, Exported> BareExport(const RocksKeyspace& keyspace, const std::string& dir) {
  fs::create_directory(dir);
  return {BareExport(keyspace.db(), keyspace.data(), dir + "/data"),
          BareExport(keyspace.db(), keyspace.changes(), dir + "/changes")};
}

rocksdb::ColumnFamilyHandle* BareImport(World& world, Family family, const rocksdb::ExportImportFilesMetaData& files) {
  rocksdb::ImportColumnFamilyOptions options;
  options.move_files = true;
  rocksdb::ColumnFamilyHandle* handle = nullptr;
  CheckOk(world.raw()->CreateColumnFamilyWithImport(
      world.raw_options().family(family), family == Family::kData ? "copy/data" : "copy/changes", options, files, &handle));
  return handle;
}

void BareDrop(World& world, rocksdb::ColumnFamilyHandle* family) {
  CheckOk(world.raw()->DropColumnFamily(family));
  CheckOk(world.raw()->DestroyColumnFamilyHandle(family));
}

// Both families of the keyspace, adopted by the bare database.
std::vector<rocksdb::ColumnFamilyHandle*> BareClone(World& world, const KeyspaceRef& keyspace) {
  const std::string dir = world.dir() + "/raw-clone";
  const auto [data, changes] = BareExport(AsRocks(*keyspace), dir);
  const std::vector<rocksdb::ColumnFamilyHandle*> copy = {BareImport(world, Family::kData, *data),
                                                          BareImport(world, Family::kChanges, *changes)};
  fs::remove_all(dir);
  return copy;
}

void SyncAt(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  CHECK(fd >= 0 && fsync(fd) == 0, "sync a copy");
  close(fd);
}

void CopyTree(const std::string& from, const std::string& to) {
  fs::copy(from, to, fs::copy_options::recursive);
  for (const auto& entry : fs::recursive_directory_iterator(to)) SyncAt(entry.path());
}

void AddExport(World& world, const Sizes& sizes) {
  const std::string dir = world.dir() + "/export";
  const auto ours = [&world, sizes, dir] {
    const KeyspaceRef keyspace = world.Filled(kMoved, sizes);
    const double seconds = Time([&] { Take(ExportKeyspace(world.store(), keyspace, dir)); });
    fs::remove_all(dir);
    return seconds;
  };
  const auto raw = [&world, sizes, dir] {
    const KeyspaceRef keyspace = world.Filled(kMoved, sizes);
    const double seconds = Time([&] { BareExport(AsRocks(*keyspace), dir); });
    fs::remove_all(dir);
    return seconds;
  };
  RegisterPaired({.name = "export", .unit = "keyspaces", .units = 1, .ours = ours, .raw = raw}, sizes.pairs);
}

// Ours checks every block and the index against the data; the raw side copies the same files, synced.
void AddImport(World& world, const Sizes& sizes) {
  const std::string dir = world.dir() + "/import";
  const auto ours = [&world, sizes, dir] {
    const TransferManifest manifest = Take(ExportKeyspace(world.store(), world.Filled(kMoved, sizes), dir));
    KeyspaceRef adopted;
    const double seconds = Time([&] { adopted = Take(ImportKeyspace(world.store(), manifest, dir)); });
    CheckOk(world.store()->DropKeyspace(adopted));
    fs::remove_all(dir);
    return seconds;
  };
  const auto raw = [&world, sizes, dir] {
    BareExport(AsRocks(*world.Filled(kMoved, sizes)), dir);
    const double seconds = Time([&] { CopyTree(dir, dir + "-copy"); });
    fs::remove_all(dir);
    fs::remove_all(dir + "-copy");
    return seconds;
  };
  RegisterPaired({.name = "import", .unit = "keys", .units = static_cast<double>(sizes.keys), .ours = ours, .raw = raw},
                 sizes.pairs);
}

void AddClone(World& world, const Sizes& sizes) {
  const auto clone = [&world, sizes] {
    const KeyspaceRef keyspace = world.Filled(kMoved, sizes);
    KeyspaceRef copy;
    const double seconds = Time([&] { copy = Take(CloneKeyspace(world.store(), keyspace)); });
    CheckOk(world.store()->DropKeyspace(copy));
    return seconds;
  };
  const auto raw_clone = [&world, sizes] {
    const KeyspaceRef keyspace = world.Filled(kMoved, sizes);
    std::vector<rocksdb::ColumnFamilyHandle*> copy;
    const double seconds = Time([&] { copy = BareClone(world, keyspace); });
    for (rocksdb::ColumnFamilyHandle* family : copy) BareDrop(world, family);
    return seconds;
  };
  const auto drop = [&world, sizes] {
    KeyspaceRef copy = Take(CloneKeyspace(world.store(), world.Filled(kMoved, sizes)));
    return Time([&] {
      CheckOk(world.store()->DropKeyspace(copy));
      copy.reset();
    });
  };
  const auto raw_drop = [&world, sizes] {
    const auto copy = BareClone(world, world.Filled(kMoved, sizes));
    return Time([&] {
      for (rocksdb::ColumnFamilyHandle* family : copy) BareDrop(world, family);
    });
  };
  RegisterPaired({.name = "clone", .unit = "keyspaces", .units = 1, .ours = clone, .raw = raw_clone}, sizes.pairs);
  RegisterPaired({.name = "drop", .unit = "keyspaces", .units = 1, .ours = drop, .raw = raw_drop}, sizes.pairs);
}

}  // namespace

void AddTransferRows(World& world, const Sizes& sizes) {
  AddExport(world, sizes);
  AddImport(world, sizes);
  AddClone(world, sizes);
}

}  // namespace anabranch
