#include "storage/commit/files.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "rocksdb/sst_file_writer.h"
#include "storage/mvcc/change_index.h"
#include "storage/mvcc/reader.h"
#include "storage/rocks/files.h"

namespace anabranch {
namespace {

// A file of one family, under the options of that family. Finish syncs it.
rocksdb::SstFileWriter FileOf(const RocksEngine& engine, rocksdb::ColumnFamilyHandle* family,
                              CommitFiles::Filters filters) {
  return {rocksdb::EnvOptions(), rocksdb::Options(engine.db->GetDBOptions(), engine.db->GetOptions(family)), family,
          /*invalidate_page_cache=*/false, rocksdb::Env::IO_TOTAL,
          // Of a load it lies below all others, where a key that is looked up mostly is: a filter would only be asked in
          // vain and take a place in the cache.
          /*skip_filters=*/filters == CommitFiles::Filters::kNone};
}

}  // namespace

CommitFiles::CommitFiles(RocksEngine* engine, const RocksKeyspace* keyspace, Timestamp ts, Filters filters)
    : engine_(engine),
      keyspace_(keyspace),
      timestamp_(ts),
      filters_(filters),
      data_path_(fmt::format("{}/commit-{}-data", ScratchRoot(engine->db->GetName()), ts.ns)),
      changes_path_(fmt::format("{}/commit-{}-changes", ScratchRoot(engine->db->GetName()), ts.ns)) {}

CommitFiles::~CommitFiles() {
  // A file that was adopted, or never made, is not there.
  for (const std::string& path : {data_path_, changes_path_}) (void)engine_->env->DeleteFile(path);
}

rocksdb::Status CommitFiles::Write(const WriteList& writes) {
  rocksdb::Status status = engine_->env->CreateDirIfMissing(FolderOf(data_path_));
  rocksdb::SstFileWriter data = FileOf(*engine_, keyspace_->data(), filters_);
  if (status.ok()) status = data.Open(data_path_);
  std::vector<std::string_view> keys;
  keys.reserve(writes.size());
  std::string version_key;
  for (const WriteList::Entry write : writes) {
    if (!status.ok()) return status;
    version_key.clear();
    AppendVersionKey(&version_key, write.key, timestamp_);
    status = data.Put(version_key, write.stored);
    keys.push_back(write.key);
  }
  if (status.ok()) status = data.Finish();
  rocksdb::SstFileWriter changes = FileOf(*engine_, keyspace_->changes(), filters_);
  if (status.ok()) status = changes.Open(changes_path_);
  entries_ = writes.size();
  std::vector<std::pair<std::string, std::string>> entries = EncodeChange(timestamp_, keys);
  std::sort(entries.begin(), entries.end());  // entries of one timestamp are ordered by their hash
  for (const auto& [key, change] : entries) {
    if (!status.ok()) return status;
    status = changes.Put(key, change);
    ++entries_;
  }
  if (status.ok()) status = changes.Finish();
  rocksdb::FlushOptions flush;
  flush.allow_write_stall = true;  // or it waits until there is none
  return status.ok() ? engine_->db->Flush(flush, keyspace_->data()) : status;
}

rocksdb::Status CommitFiles::Adopt() {
  rocksdb::IngestExternalFileOptions options;
  options.move_files = true;
  options.write_global_seqno = false;    // RocksDB leaves the files as they were written
  options.snapshot_consistency = false;  // no reader looks above `visible`
  std::vector<rocksdb::IngestExternalFileArg> families(2);
  families[0].column_family = keyspace_->data();
  families[0].external_files = {data_path_};
  families[1].column_family = keyspace_->changes();
  families[1].external_files = {changes_path_};
  for (rocksdb::IngestExternalFileArg& family : families) family.options = options;
  return engine_->db->IngestExternalFiles(families);
}

}  // namespace anabranch
