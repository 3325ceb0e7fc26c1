// The extended query protocol: prepared statements and portals of one session.
//
// Between two Syncs everything is one implicit transaction, as in PostgreSQL, unless it is one Execute directly followed by
// Sync: then that statement commits by itself, before it is reported as complete. An error skips every message up to the
// next Sync.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sql/wire/message.h"
#include "sql/wire/session.h"

namespace anabranch {

// In one session.
inline constexpr size_t kPortalsMax = 1'000;
inline constexpr size_t kPortalBytesMax = 64 << 20;  // of parameters, and of rows that were not asked for yet

class ExtendedProtocol {
 public:
  explicit ExtendedProtocol(SessionParts parts) : parts_(parts) {}

  // Parse, Bind, Describe, Execute, Close. After an error the caller calls Fail and reports it.
  absl::Status Handle(const FrontendMessage& message);
  void Fail();
  // Ends the implicit transaction; an error is that of its commit.
  absl::Status Sync();
  absl::Status BeforeSimpleQuery();  // Sync, and ends the unnamed statement and its portal
  // True after an error: everything up to the next Sync is ignored.
  bool skipping() const { return skipping_; }

 private:
  struct Portal {
    Command command;  // of the prepared statement; that of an empty query string is null
    std::vector<Format> formats;
    bool executed = false;
    std::unique_ptr<Cursor> cursor;  // of a query that was asked for with a row limit
    std::list<std::string> rows;     // of other statements: encoded, not yet asked for
    std::string tag;
    size_t bytes = 0;  // of parameters and rows
  };
  class PortalSink;

  absl::Status Parse(const ParseMessage& parse);
  absl::Status Bind(BindMessage bind);
  absl::Status Describe(const TargetMessage& target);
  absl::Status Execute(const ExecuteMessage& execute);
  absl::Status Run(Portal& portal, int32_t rows_max);
  absl::Status Fetch(Portal& portal, int32_t rows_max);
  absl::Status SendHeld(Portal& portal, int32_t rows_max);
  void BeginBlock();
  void Close(const TargetMessage& target);
  absl::StatusOr<Portal*> FindPortal(const std::string& name);
  size_t PortalBytes() const;

  SessionParts parts_;
  std::map<std::string, Portal> portals_;
  bool in_block_ = false;
  bool skipping_ = false;
};

}  // namespace anabranch
