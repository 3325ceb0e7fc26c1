// The extended query protocol: prepared statements and portals of one session.
//
// Between two Syncs everything is one implicit transaction, as in PostgreSQL, unless it is one Execute directly followed by
// Sync: then that statement commits by itself, before it is reported as complete. An error skips every message up to the
// next Sync.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sql/pgwire_message.h"
#include "sql/pgwire_session.h"

namespace anabranch {

inline constexpr size_t kPreparedStatementsMax = 10'000;
inline constexpr size_t kPortalsMax = 1'000;

class ExtendedProtocol {
 public:
  explicit ExtendedProtocol(SessionParts parts) : parts_(parts) {}

  // Parse, Bind, Describe, Execute, Close. After an error the caller calls Fail and reports it.
  absl::Status Handle(const FrontendMessage& message);
  void Fail();
  // Ends the implicit transaction; an error is that of its commit.
  absl::Status Sync();
  void ForgetStatements() { prepared_.clear(); }
  absl::Status BeforeSimpleQuery();  // Sync, and ends the unnamed statement and its portal
  // True after an error: everything up to the next Sync is ignored.
  bool skipping() const { return skipping_; }

 private:
  struct Prepared {
    StatementRef statement;  // null: an empty query string
    StatementDescription description;
  };
  struct Portal {
    std::shared_ptr<const Prepared> prepared;
    std::vector<std::optional<std::string>> parameters;
    std::vector<Format> formats;
    bool executed = false;
    std::deque<std::string> rows;  // encoded, not yet asked for
    std::string tag;
  };
  class PortalSink;

  absl::Status Parse(const ParseMessage& parse);
  absl::Status Bind(BindMessage bind);
  absl::Status Describe(const TargetMessage& target);
  absl::Status Execute(const ExecuteMessage& execute);
  absl::Status Run(Portal& portal, int32_t rows_max);
  void Close(const TargetMessage& target);
  absl::StatusOr<std::shared_ptr<const Prepared>> FindPrepared(const std::string& name) const;
  absl::StatusOr<Portal*> FindPortal(const std::string& name);

  SessionParts parts_;
  std::map<std::string, std::shared_ptr<const Prepared>> prepared_;
  std::map<std::string, Portal> portals_;
  bool in_block_ = false;
  bool skipping_ = false;
};

}  // namespace anabranch
