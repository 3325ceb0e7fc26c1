// Whose statements a session runs, where, and what of the node it may ask. The same for as long as the session lives.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "storage/mvcc/transaction.h"

namespace anabranch {

class SequenceBlocks;
class SystemStatements;

// The sessions of a node, as other sessions see them. Thread-safe.
class SessionList {
 public:
  struct Listed {
    int32_t process_id = 0;
    std::string user;
    bool running = false;  // a statement runs in it now
  };
  virtual ~SessionList() = default;
  // The sessions of a virtual cluster, by process id.
  virtual std::vector<Listed> List(TenantId tenant) const = 0;
};

struct SessionContext {
  TransactionContext transaction;
  std::string virtual_cluster;
  std::string user;
  bool admin = false;                     // whether the user was an administrator when the session began
  TenantId tenant = {};                   // the id of the virtual cluster
  int32_t process_id = 0;                 // 0: outside a server
  const SessionList* sessions = nullptr;  // of the node; not owned; null outside a server
  SystemStatements* system = nullptr;     // not owned; null outside `system`
  SequenceBlocks* sequences = nullptr;    // not owned; shared by the sessions of a node
};

}  // namespace anabranch
