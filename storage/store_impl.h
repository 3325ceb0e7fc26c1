// Internal to storage/: the Store over RocksDB, with what transfer.cc needs of it besides the public interface.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rocksdb/metadata.h"
#include "storage/api/store.h"
#include "storage/commit/hybrid_clock.h"
#include "storage/commit/writer.h"
#include "storage/rocks/keyspace.h"
#include "storage/rocks/options.h"

namespace anabranch {

class RocksStore final : public Store {
 public:
  RocksStore(StoreOptions options, const RocksOptions& rocks_options, uint64_t reserve_bytes);
  ~RocksStore() override;

  // Opens the database and everything in it; before any other method. In store_open.cc.
  absl::Status Load();

  const ClusterId& cluster_id() const override { return cluster_id_; }
  const std::string& dir() const override { return options_.dir; }
  Clock* clock() const override { return options_.clock; }
  Random* random() const override { return options_.random; }

  absl::StatusOr<KeyspaceRef> CreateKeyspace() override;
  absl::StatusOr<KeyspaceRef> FindKeyspace(const IncarnationId& incarnation) override;
  std::vector<KeyspaceRef> Keyspaces() override;
  absl::Status DropKeyspace(const KeyspaceRef& keyspace) override;

  absl::StatusOr<Timestamp> Commit(CommitRequest request) override;
  absl::Status Ingest(IngestRequest request) override;
  absl::Status UpdateMeta(std::function<absl::Status(MetaUpdate&)> build) override;
  absl::Status Erase(EraseRequest request) override;
  absl::Status Sync() override { return writer_->Sync(); }

  Timestamp visible() const override { return writer_->visible(); }
  Timestamp Resolved(const Keyspace& keyspace) const override;
  absl::Status WaitVisible(Timestamp ts, std::stop_token stop) override;
  absl::Status WaitReadable(const KeyspaceRef& keyspace, Timestamp ts, std::stop_token stop) override;
  absl::StatusOr<Timestamp> ReserveTimestamp() override;
  absl::Status ForwardClock(Timestamp ts) override;

  absl::StatusOr<std::optional<std::string>> GetMeta(std::string_view key) override;
  absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ScanMeta(std::string_view prefix) override;

  void SetObserver(CommitObserver* observer) override { writer_->SetObserver(observer); }
  OperationCounts counts() const override { return engine_->counter.Read(); }

  // --- For transfer.cc ---
  // Makes one column family of the given name and layout.
  using MakeFamily = std::function<absl::StatusOr<rocksdb::ColumnFamilyHandle*>(
      Family family, const std::string& name, const rocksdb::ColumnFamilyOptions& options)>;
  // A new unpublished keyspace, epoch 1, of two families made by `make`. Off the writer thread: creation takes
  // milliseconds.
  absl::StatusOr<KeyspaceRef> AddKeyspace(Timestamp floor, const MakeFamily& make);
  absl::StatusOr<rocksdb::ColumnFamilyHandle*> MakeEmptyFamily(const std::string& name,
                                                               const rocksdb::ColumnFamilyOptions& options);
  absl::StatusOr<rocksdb::ColumnFamilyHandle*> MakeImportedFamily(const std::string& name,
                                                                  const rocksdb::ColumnFamilyOptions& options,
                                                                  const rocksdb::ExportImportFilesMetaData& files);
  Writer& writer() { return *writer_; }
  RocksEngine& engine() { return *engine_; }
  absl::Status CheckVersion(Timestamp ts) const { return clock_->CheckVersion(ts); }
  const RocksOptions& rocks_options() const { return rocks_options_; }
  rocksdb::Env* env() const { return engine_->env.get(); }
  // A path in the scratch folder that nothing else uses.
  absl::StatusOr<std::string> NewScratchPath();

 private:
  absl::Status CheckNotLocked() const;
  absl::Status OpenDatabase(std::vector<rocksdb::ColumnFamilyHandle*>* handles);
  absl::Status InitializeMeta(bool has_keyspaces);
  absl::Status LoadKeyspaces(std::vector<rocksdb::ColumnFamilyHandle*> handles);
  absl::Status LoadKeyspace(const std::string& incarnation, std::string_view record,
                            std::map<std::string, rocksdb::ColumnFamilyHandle*>& families);
  absl::StatusOr<KeyspaceRef> AddReserved(Timestamp floor, const MakeFamily& make);
  absl::Status CommitFilesAt(Timestamp ts, const CommitRequest& request);

  const StoreOptions options_;
  const RocksOptions rocks_options_;
  const uint64_t reserve_bytes_;
  const std::shared_ptr<RocksEngine> engine_;
  ClusterId cluster_id_;
  std::optional<HybridClock> clock_;
  std::unique_ptr<Writer> writer_;

  std::mutex mutex_;
  std::map<IncarnationId, KeyspaceRef> keyspaces_;  // guarded by mutex_
  int being_made_ = 0;                              // guarded by mutex_; these count towards kKeyspacesMax, too
};

// Store::Open over another file system, for tests. `env` outlives the store; the folder above options.dir exists in it.
absl::StatusOr<std::unique_ptr<Store>> OpenStoreWithEnv(StoreOptions options, rocksdb::Env* env,
                                                        uint64_t reserve_bytes = kReserveBytes);

}  // namespace anabranch
