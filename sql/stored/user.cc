#include "sql/stored/user.h"

#include <algorithm>

#include "base/status.h"
#include "sql/stored/row_codec.h"
#include "sql/stored/user.pb.h"

namespace anabranch {
namespace {

User MakeRoot() {
  return {.id = 0,
          .name = std::string(kRootUser),
          .login = true,
          .superuser = true,
          .create_role = true,
          .create_db = true,
          .roles = {{.role = std::string(kAdminRole), .admin_option = true}}};
}

User MakeAdmin() {
  return {.id = 0, .name = std::string(kAdminRole), .superuser = true, .create_role = true, .create_db = true};
}

}  // namespace

const Membership* User::FindRole(std::string_view role) const {
  const auto found =
      std::find_if(roles.begin(), roles.end(), [&](const Membership& membership) { return membership.role == role; });
  return found == roles.end() ? nullptr : &*found;
}

std::string EncodeUser(const User& user) {
  user::User stored;
  stored.set_id(user.id);
  stored.set_name(user.name);
  stored.set_login(user.login);
  stored.set_superuser(user.superuser);
  stored.set_create_role(user.create_role);
  stored.set_create_db(user.create_db);
  stored.set_no_inherit(!user.inherit);
  stored.set_connection_limit(user.connection_limit);
  if (user.valid_until) stored.set_valid_until_us(user.valid_until->us);
  stored.set_password(user.password);
  stored.set_system_privileges(user.system_privileges);
  for (const Membership& membership : user.roles) {
    user::Membership* to = stored.add_roles();
    to->set_role(membership.role);
    to->set_admin_option(membership.admin_option);
  }
  return stored.SerializeAsString();
}

absl::StatusOr<UserRef> DecodeUser(std::string_view bytes) {
  user::User stored;
  if (!stored.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || stored.name().empty()) {
    return SqlError(sqlstate::kDataCorrupted, "the record of a user is corrupt: it does not parse");
  }
  auto user = std::make_shared<User>();
  user->id = stored.id();
  user->name = stored.name();
  user->login = stored.login();
  user->superuser = stored.superuser();
  user->create_role = stored.create_role();
  user->create_db = stored.create_db();
  user->inherit = !stored.no_inherit();
  user->connection_limit = stored.connection_limit();
  if (stored.has_valid_until_us()) user->valid_until = TimestampTz{stored.valid_until_us()};
  user->password = stored.password();
  user->system_privileges = stored.system_privileges();
  for (const user::Membership& membership : stored.roles()) {
    user->roles.push_back({membership.role(), membership.admin_option()});
  }
  return UserRef(std::move(user));
}

std::string UserKey(std::string_view name) {
  std::string key = TablePrefix(kUsersTableId);
  EncodeKeyPart(Datum(std::string(name)), &key);
  return key;
}

UserRef BuiltInUser(std::string_view name) {
  static const UserRef kRoot = std::make_shared<const User>(MakeRoot());
  static const UserRef kAdmin = std::make_shared<const User>(MakeAdmin());
  if (name == kRootUser) return kRoot;
  if (name == kAdminRole) return kAdmin;
  return nullptr;
}

absl::StatusOr<UserRef> FindUser(Transaction& transaction, std::string_view name) {
  ASSIGN_OR_RETURN(const std::optional<ReadVersion> kept, transaction.Get(UserKey(name)));
  if (kept) return DecodeUser(kept->value);
  return BuiltInUser(name);
}

absl::StatusOr<UserRef> LockUser(Transaction& transaction, std::string_view name, std::stop_token stop) {
  ASSIGN_OR_RETURN(const LockedRow locked, transaction.LockRow(UserKey(name), std::move(stop)));
  if (!locked.row) return BuiltInUser(name);
  return DecodeUser(locked.row->value);
}

absl::StatusOr<std::vector<UserRef>> ReadUsers(Transaction& transaction) {
  std::vector<UserRef> users;
  const std::string prefix = TablePrefix(kUsersTableId);
  const std::unique_ptr<MvccScan> scan = transaction.Scan({prefix, PrefixEnd(prefix)});
  while (true) {
    ASSIGN_OR_RETURN(const bool found, scan->Next());
    if (!found) break;
    ASSIGN_OR_RETURN(users.emplace_back(), DecodeUser(scan->value()));
  }
  for (const std::string_view name : {kAdminRole, kRootUser}) {
    const auto same = [&](const UserRef& user) { return user->name == name; };
    if (std::none_of(users.begin(), users.end(), same)) users.push_back(BuiltInUser(name));
  }
  std::sort(users.begin(), users.end(), [](const UserRef& a, const UserRef& b) { return a->name < b->name; });
  return users;
}

absl::StatusOr<UserRef> ReadUser(const TransactionContext& context, const std::string& name) {
  const std::unique_ptr<Transaction> transaction = Transaction::Begin(context, IsolationLevel::kReadCommitted);
  RETURN_IF_ERROR(transaction->BeginStatement());
  return FindUser(*transaction, name);
}

bool IsExpired(const User& user, uint64_t wall_ns) {
  return user.valid_until && *user.valid_until <= TimestampTz{static_cast<int64_t>(wall_ns / 1000)};
}

absl::Status CheckLogin(const TransactionContext& context, const std::string& user) {
  if (user == kRootUser) return absl::OkStatus();
  ASSIGN_OR_RETURN(const UserRef found, ReadUser(context, user));
  if (!found) {
    return SqlError(sqlstate::kInvalidAuthorizationSpecification, fmt::format("role \"{}\" does not exist", user),
                    "Connect as root and CREATE USER.");
  }
  if (!found->login) {
    return SqlError(sqlstate::kInvalidAuthorizationSpecification,
                    fmt::format("role \"{}\" is not permitted to log in", user));
  }
  return absl::OkStatus();
}

}  // namespace anabranch
