// What users may do with tables: privileges, and how statements are judged by them.
//
// Grants stand in the descriptor of the table, so a statement that was bound stays allowed as long as the descriptors it
// was bound from are the same versions, and running it checks nothing again.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/stored/descriptor.h"
#include "sql/stored/user.h"

namespace anabranch {

enum class Privilege : uint32_t {
  kInsert = 1,
  kSelect = 2,
  kUpdate = 4,
  kDelete = 8,
  kTruncate = 16,
  kReferences = 32,
  kTrigger = 64,
  kUsage = 128,  // of a sequence
};
inline constexpr uint32_t kTablePrivileges = 127;
inline constexpr uint32_t kSequencePrivileges = static_cast<uint32_t>(Privilege::kSelect) |
                                                static_cast<uint32_t>(Privilege::kUpdate) |
                                                static_cast<uint32_t>(Privilege::kUsage);

struct PrivilegeName {
  Privilege privilege;
  std::string_view name;  // "SELECT"
  char letter;            // of an aclitem
};
const std::vector<PrivilegeName>& PrivilegeNames();              // in the order of an aclitem
std::optional<Privilege> PrivilegeNamed(std::string_view name);  // in any case

// The roles that a user acts as: itself and all it is a member of, and whether that makes it an administrator, who may do
// everything.
struct Identity {
  std::string user;
  std::vector<std::string> roles = {};  // with `user`
  bool admin = false;
  uint32_t system_privileges = 0;  // SystemPrivilege bits of all of them

  bool Has(std::string_view role) const;
};
// From users already read.
Identity IdentityOf(const std::vector<UserRef>& users, const std::string& user);

// Grants as one of `grantees` (or everyone) has them: the privileges, or those that it may grant on.
uint32_t GrantedTo(const std::vector<Grant>& grants, const Identity& identity);
uint32_t GrantableBy(const std::vector<Grant>& grants, const Identity& identity);

// Who a user is, and whether someone may do everything, as it stands now.
absl::StatusOr<Identity> ReadIdentity(const TransactionContext& context, const std::string& user);
absl::StatusOr<bool> IsAdmin(const TransactionContext& context, const std::string& user);

// Judges one user's statements. Used by one session's thread.
class Authorization {
 public:
  // What the judgement was made from beyond the table is added to `tables`, if that notes uses.
  Authorization(const std::string* user, Transaction* transaction, TableReader* tables)
      : user_(user), transaction_(transaction), tables_(tables) {}

  // 42501 "permission denied for table t".
  absl::Status Check(const Table& table, Privilege privilege) const;
  absl::Status Check(const Sequence& sequence, Privilege privilege) const;
  // The tables that a query reads.
  absl::Status CheckReads(const std::vector<TableRef>& tables) const;
  // 42501 "must be owner of table t".
  absl::Status CheckOwner(std::string_view kind, std::string_view name, const std::string& owner) const;
  absl::StatusOr<Identity> ReadIdentity() const;

 private:
  absl::StatusOr<bool> Allows(const std::string& owner, const std::vector<Grant>& grants, Privilege privilege) const;

  const std::string* user_;
  Transaction* transaction_;
  TableReader* tables_;  // null: nothing is noted
};

}  // namespace anabranch
