// GRANT and REVOKE of privileges on tables and sequences.
#include <algorithm>
#include <bit>

#include "base/status.h"
#include "sql/parse/tree.h"
#include "sql/schema/user_statement.h"
#include "sql/stored/privilege.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;

struct Target {
  std::string name;
  bool sequence = false;
};

uint32_t AllOf(const Target& target) { return target.sequence ? kSequencePrivileges : kTablePrivileges; }

// What is granted of what a kind of relation has. No list: ALL.
absl::StatusOr<uint32_t> PrivilegesOf(const pg_query::GrantStmt& grant, const Target& target) {
  if (grant.privileges_size() == 0) return AllOf(target);
  uint32_t privileges = 0;
  for (const Node& node : grant.privileges()) {
    const pg_query::AccessPriv& access = node.access_priv();
    if (access.cols_size() > 0) return UnsupportedError("a privilege on columns");
    const std::optional<Privilege> privilege = PrivilegeNamed(access.priv_name());
    if (!privilege) {
      return SqlError(sqlstate::kSyntaxError, fmt::format("unrecognized privilege type \"{}\"", access.priv_name()));
    }
    const auto bit = static_cast<uint32_t>(*privilege);
    if ((bit & AllOf(target)) == 0) {
      std::string upper = access.priv_name();
      for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
      return SqlError(sqlstate::kInvalidGrantOperation,
                      fmt::format("invalid privilege type {} for {}", upper, target.sequence ? "sequence" : "table"));
    }
    privileges |= bit;
  }
  return privileges;
}

class Granter {
 public:
  Granter(const pg_query::GrantStmt& grant, const Execution& execution, ResultSink& sink)
      : grant_(grant), execution_(execution), transaction_(*execution.transaction), sink_(sink) {}

  absl::Status Run() {
    if (grant_.objtype() == pg_query::OBJECT_SCHEMA || grant_.objtype() == pg_query::OBJECT_DATABASE) return OnContainer();
    if (grant_.objtype() != pg_query::OBJECT_TABLE && grant_.objtype() != pg_query::OBJECT_SEQUENCE) {
      return UnsupportedError("GRANT on something other than tables and sequences");
    }
    if (grant_.targtype() == pg_query::ACL_TARGET_DEFAULTS) return UnsupportedError("ALTER DEFAULT PRIVILEGES");
    ASSIGN_OR_RETURN(std::vector<Target> targets, Targets());
    for (const Node& node : grant_.grantees()) {
      ASSIGN_OR_RETURN(std::string grantee, RoleName(node.role_spec(), execution_));
      if (!grantee.empty()) RETURN_IF_ERROR(transaction_.Lock(UserKey(grantee), LockMode::kShared, execution_.stop));
      grantees_.push_back(std::move(grantee));
    }
    for (const Target& target : targets) {
      RETURN_IF_ERROR(transaction_.Lock(DescriptorKey(target.name), LockMode::kExclusive, execution_.stop));
    }
    RETURN_IF_ERROR(transaction_.BeginStatement());
    RETURN_IF_ERROR(CheckGrantees());
    for (const Target& target : targets) RETURN_IF_ERROR(OnRelation(target));
    return absl::OkStatus();
  }

 private:
  // There is one schema and one database, and everyone may use them: granting that changes nothing, taking it away cannot
  // be.
  absl::Status OnContainer() {
    if (!grant_.is_grant()) return UnsupportedError("REVOKE on a schema or database");
    RETURN_IF_ERROR(transaction_.BeginStatement());
    for (const Node& node : grant_.grantees()) {
      ASSIGN_OR_RETURN(std::string grantee, RoleName(node.role_spec(), execution_));
      grantees_.push_back(std::move(grantee));
    }
    return CheckGrantees();
  }

  absl::StatusOr<std::vector<Target>> Targets() {
    std::vector<Target> targets;
    const bool sequences = grant_.objtype() == pg_query::OBJECT_SEQUENCE;
    if (grant_.targtype() == pg_query::ACL_TARGET_OBJECT) {
      for (const Node& node : grant_.objects()) {
        ASSIGN_OR_RETURN(std::string name, RelationName(node.range_var()));
        targets.push_back({std::move(name), sequences});
      }
    } else {
      for (const Node& schema : grant_.objects()) {
        if (StringOf(schema) != "public") {
          return SqlError(sqlstate::kInvalidSchemaName, fmt::format("schema \"{}\" does not exist", StringOf(schema)));
        }
      }
      RETURN_IF_ERROR(transaction_.BeginStatement());
      std::vector<TableRef> all_tables;
      std::vector<SequenceRef> all_sequences;
      RETURN_IF_ERROR(ReadDescriptors(transaction_, &all_tables, &all_sequences));
      for (const TableRef& table : all_tables) {
        if (!sequences) targets.push_back({table->name, false});
      }
      for (const SequenceRef& sequence : all_sequences) {
        if (sequences) targets.push_back({sequence->name, true});
      }
    }
    std::sort(targets.begin(), targets.end(), [](const Target& a, const Target& b) { return a.name < b.name; });
    return targets;
  }

  absl::Status CheckGrantees() {
    for (const std::string& grantee : grantees_) {
      if (grantee.empty()) {
        if (grant_.is_grant() && grant_.grant_option()) {
          return SqlError(sqlstate::kInvalidGrantOperation, "grant options can only be granted to roles");
        }
        continue;
      }
      ASSIGN_OR_RETURN(const UserRef user, FindUser(transaction_, grantee));
      if (!user) return SqlError(sqlstate::kUndefinedObject, fmt::format("role \"{}\" does not exist", grantee));
    }
    return absl::OkStatus();
  }

  absl::Status OnRelation(const Target& target) {
    ASSIGN_OR_RETURN(const LockedRow locked, transaction_.LockRow(DescriptorKey(target.name), execution_.stop));
    if (!locked.row) {
      if (grant_.targtype() != pg_query::ACL_TARGET_OBJECT) return absl::OkStatus();  // dropped meanwhile
      return SqlError(sqlstate::kUndefinedTable, fmt::format("relation \"{}\" does not exist", target.name));
    }
    ASSIGN_OR_RETURN(const Descriptor descriptor, DecodeDescriptor(locked.row->value));
    if (const auto* table = std::get_if<TableRef>(&descriptor)) {
      if (target.sequence)
        return SqlError(sqlstate::kWrongObjectType, fmt::format("\"{}\" is not a sequence", target.name));
      Table changed = **table;
      RETURN_IF_ERROR(Change(target, changed.owner, &changed.grants));
      return transaction_.Put(DescriptorKey(target.name), EncodeTable(changed));
    }
    if (const auto* sequence = std::get_if<SequenceRef>(&descriptor)) {
      // PostgreSQL takes a sequence after ON TABLE, too.
      Sequence changed = **sequence;
      RETURN_IF_ERROR(Change({target.name, true}, changed.owner, &changed.grants));
      return transaction_.Put(DescriptorKey(target.name), EncodeSequence(changed));
    }
    return SqlError(sqlstate::kWrongObjectType, fmt::format("\"{}\" is an index", target.name));
  }

  absl::Status Change(const Target& target, const std::string& owner, std::vector<Grant>* grants) {
    ASSIGN_OR_RETURN(uint32_t privileges, PrivilegesOf(grant_, target));
    ASSIGN_OR_RETURN(const Identity identity,
                     Authorization(&execution_.evaluation.session->user, &transaction_, nullptr).ReadIdentity());
    const bool as_owner = identity.admin || identity.Has(owner);
    if (!as_owner) {
      const uint32_t may = GrantableBy(*grants, identity);
      if ((may & privileges) == 0) {
        return SqlError(sqlstate::kInsufficientPrivilege,
                        fmt::format("permission denied for {} {}", target.sequence ? "sequence" : "table", target.name));
      }
      if ((privileges & ~may) != 0) {
        sink_.Notice("01007", fmt::format("not all privileges were granted for \"{}\"", target.name));
      }
      privileges &= may;
    }
    // What an owner or administrator grants, the owner has granted; else the role that may.
    const std::string grantor = as_owner ? owner : BestGrantor(*grants, identity, privileges);
    for (const std::string& grantee : grantees_) {
      if (grantee == owner) continue;  // has all
      if (grant_.is_grant()) {
        Add(grantee, grantor, privileges, grants);
      } else {
        Remove(grantee, grantor, privileges, grants);
      }
    }
    return RemoveDependents(owner, grants);
  }

  static std::string BestGrantor(const std::vector<Grant>& grants, const Identity& identity, uint32_t privileges) {
    std::string best = identity.user;
    int most = 0;
    for (const std::string& role : identity.roles) {
      const int count = std::popcount(GrantableBy(grants, {.user = role, .roles = {role}}) & privileges);
      if (count > most) best = role;
      most = std::max(most, count);
    }
    return best;
  }

  // What was granted by someone who may no longer grant it: refused, or with CASCADE taken away as well.
  absl::Status RemoveDependents(const std::string& owner, std::vector<Grant>* grants) const {
    for (bool changed = true; changed;) {
      changed = false;
      for (Grant& grant : *grants) {
        if (grant.grantor == owner) continue;
        const uint32_t lost = grant.privileges & ~GrantableBy(*grants, {.user = grant.grantor, .roles = {grant.grantor}});
        if (lost == 0) continue;
        if (grant_.behavior() != pg_query::DROP_CASCADE) {
          return SqlError(sqlstate::kDependentObjectsStillExist, "dependent privileges exist",
                          "Use CASCADE to revoke them too.");
        }
        grant.privileges &= ~lost;
        grant.grantable &= ~lost;
        changed = true;
      }
      std::erase_if(*grants, [](const Grant& grant) { return grant.privileges == 0; });
    }
    return absl::OkStatus();
  }

  void Add(const std::string& grantee, const std::string& grantor, uint32_t privileges, std::vector<Grant>* grants) const {
    auto found = Find(grantee, grantor, grants);
    if (found == grants->end()) found = grants->insert(grants->end(), {grantee, grantor, 0, 0});
    found->privileges |= privileges;
    if (grant_.grant_option()) found->grantable |= privileges;
  }

  void Remove(const std::string& grantee, const std::string& grantor, uint32_t privileges,
              std::vector<Grant>* grants) const {
    const auto found = Find(grantee, grantor, grants);
    if (found == grants->end()) return;
    found->grantable &= ~privileges;
    // REVOKE GRANT OPTION FOR leaves the privilege.
    if (!grant_.grant_option()) found->privileges &= ~privileges;
    if (found->privileges == 0) grants->erase(found);
  }

  static std::vector<Grant>::iterator Find(const std::string& grantee, const std::string& grantor,
                                           std::vector<Grant>* grants) {
    return std::find_if(grants->begin(), grants->end(),
                        [&](const Grant& grant) { return grant.grantee == grantee && grant.grantor == grantor; });
  }

  const pg_query::GrantStmt& grant_;
  const Execution& execution_;
  Transaction& transaction_;
  ResultSink& sink_;
  std::vector<std::string> grantees_;
};

}  // namespace

absl::Status GrantPrivileges(const pg_query::GrantStmt& grant, const Execution& execution, ResultSink& sink) {
  return Granter(grant, execution, sink).Run();
}

}  // namespace anabranch
