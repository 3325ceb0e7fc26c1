// Internal to storage/: MetaUpdate over a group of its own.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "storage/write_group.h"

namespace anabranch {

class MetaUpdateImpl final : public MetaUpdate {
 public:
  MetaUpdateImpl(RocksEngine* engine, WriteGroup* group, Timestamp visible)
      : engine_(engine), group_(group), visible_(visible) {}

  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override;
  void Put(std::string_view key, std::string_view value) override { group_->PutMeta(key, value); }
  void Delete(std::string_view key) override { group_->DeleteMeta(key); }
  Epoch BumpEpoch(const KeyspaceRef& keyspace) override;
  Timestamp Hide(const KeyspaceRef& keyspace, Timestamp after) override;
  void RetireHidden(const KeyspaceRef& keyspace, Timestamp after) override;
  void SetIngesting(const KeyspaceRef& keyspace, bool ingesting, Timestamp frontier) override;
  void Publish(const KeyspaceRef& keyspace) override;
  void MarkDropping(const KeyspaceRef& keyspace) override;
  Timestamp RaiseFloor(const KeyspaceRef& keyspace, Timestamp wanted) override;
  Timestamp visible() const override { return visible_; }

  // For the store itself.
  void CarryHidden(const KeyspaceRef& keyspace, const std::vector<HiddenInterval>& hidden);
  absl::Status Forget(const KeyspaceRef& keyspace);  // R12: 55000 unless dropping or unpublished

  // The first thing that went wrong; the whole update is refused for it.
  const absl::Status& status() const { return status_; }

 private:
  // False, and the update is refused, if the keyspace was dropped: its records must not come back.
  bool IsThere(const KeyspaceRef& keyspace);
  void Refuse(absl::Status status);

  RocksEngine* const engine_;
  WriteGroup* const group_;
  const Timestamp visible_;
  absl::Status status_;
};

}  // namespace anabranch
