// Internal to storage/: MetaUpdate, and its StagedKeyspace, over a group of its own.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "storage/commit/write_group.h"

namespace anabranch {

class MetaUpdateImpl final : public MetaUpdate {
 public:
  MetaUpdateImpl(RocksEngine* engine, WriteGroup* group, Timestamp visible)
      : engine_(engine), group_(group), visible_(visible) {}

  absl::StatusOr<std::optional<std::string>> GetBefore(std::string_view key) override;
  Timestamp visible() const override { return visible_; }
  void Put(std::string_view key, std::string_view value) override { group_->PutMeta(key, value); }
  void Delete(std::string_view key) override { group_->DeleteMeta(key); }
  StagedKeyspace Stage(const KeyspaceRef& keyspace) override { return {this, keyspace}; }

  // For the store itself.
  void CarryHidden(const KeyspaceRef& keyspace, const std::vector<HiddenInterval>& hidden);
  absl::Status Forget(const KeyspaceRef& keyspace);  // R12: 55000 unless dropping or unpublished

  // The first thing that went wrong; the whole update is refused for it.
  const absl::Status& status() const { return status_; }

 private:
  friend class StagedKeyspace;

  // False, and the update is refused, if the keyspace was dropped: its records must not come back.
  bool IsThere(const KeyspaceRef& keyspace);
  void Refuse(absl::Status status);
  // The least timestamp that a record of `meta` protects; kTimestampMax: none does.
  absl::StatusOr<Timestamp> LeastProtected(const KeyspaceRef& keyspace);

  RocksEngine* const engine_;
  WriteGroup* const group_;
  const Timestamp visible_;
  absl::Status status_;
};

}  // namespace anabranch
