#include "tenant/catalog/external_connections.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>

#include "base/disk_error.h"
#include "base/quote.h"
#include "base/status.h"
#include "fmt/format.h"
#include "stream/source_client.h"
#include "tenant/catalog/catalog.h"

namespace anabranch {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kUnfinished = ".new";  // no name holds a dot
constexpr size_t kUriBytesMax = 64 << 10;

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; });
}

absl::Status CheckConnectionName(std::string_view name) {
  if (IsName(name)) return absl::OkStatus();
  return SqlError(sqlstate::kInvalidParameterValue,
                  fmt::format("invalid name of an external connection: \"{}\"", name.substr(0, kNameBytesMax)),
                  fmt::format("A name has 1 to {} letters, digits, '-' and '_'.", kNameBytesMax));
}

absl::Status CheckUri(const std::string& uri) {
  if (!uri.starts_with("postgresql://") && !uri.starts_with("postgres://")) {
    return SqlError(sqlstate::kInvalidParameterValue, "the URI of an external connection must begin with postgresql://");
  }
  if (uri.size() > kUriBytesMax) return SqlError(sqlstate::kProgramLimitExceeded, "the URI is longer than 64 KiB");
  return CheckSourceUri(uri);
}

absl::Status NoSuchConnection(std::string_view name) {
  return SqlError(sqlstate::kUndefinedObject, fmt::format("external connection \"{}\" does not exist", name),
                  fmt::format("Use CREATE EXTERNAL CONNECTION {} AS 'postgresql://...'.", QuotedIdentifier(name)));
}

// Closed at the end of its scope.
class File {
 public:
  File(const std::string& path, int flags, mode_t mode = 0) : fd_(open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) return false;
    if (written > 0) bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

absl::StatusOr<std::string> NormalizeAddress(const std::string& address) {
  if (address.starts_with("postgresql://") || address.starts_with("postgres://")) return address;
  std::string_view name = address;
  if (name.starts_with(kExternalScheme)) name.remove_prefix(kExternalScheme.size());
  if (name.empty()) {
    return SqlError(sqlstate::kInvalidParameterValue, "the connection string of the source is empty",
                    "Give 'postgresql://user@host:port', or the name of an external connection.");
  }
  if (name.find("://") != std::string_view::npos) {
    return SqlError(sqlstate::kInvalidParameterValue, "the connection string of the source must begin with postgresql://",
                    "Give 'postgresql://user@host:port', or the name of an external connection.");
  }
  RETURN_IF_ERROR(CheckConnectionName(name));
  return fmt::format("{}{}", kExternalScheme, name);
}

absl::Status ExternalConnections::Recover() {
  std::error_code error;
  if (fs::create_directories(folder_, error)) fs::permissions(folder_, fs::perms::owner_all, error);
  RETURN_IF_ERROR(DiskError(error, "creating", folder_));
  for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == kUnfinished) fs::remove(it->path(), error);
  }
  return DiskError(error, "reading", folder_);
}

absl::StatusOr<std::optional<std::string>> ExternalConnections::Read(const std::string& name) const {
  const std::string path = fmt::format("{}/{}", folder_, name);
  const File file(path, O_RDONLY);
  if (file.fd() < 0 && errno == ENOENT) return std::optional<std::string>();
  if (file.fd() < 0) return DiskError(errno, "opening", path);
  std::string uri(kUriBytesMax, '\0');
  const ssize_t bytes = read(file.fd(), uri.data(), uri.size());
  if (bytes < 0) return DiskError(errno, "reading", path);
  uri.resize(static_cast<size_t>(bytes));
  return std::optional<std::string>(std::move(uri));
}

absl::Status ExternalConnections::Write(const std::string& name, const std::string& uri) {
  const std::string path = fmt::format("{}/{}", folder_, name);
  const std::string unfinished = fmt::format("{}{}", path, kUnfinished);
  {
    const File file(unfinished, O_WRONLY | O_CREAT | O_TRUNC, S_IRUSR | S_IWUSR);
    if (file.fd() < 0) return DiskError(errno, "creating", unfinished);
    if (!WriteAll(file.fd(), uri) || fsync(file.fd()) != 0) return DiskError(errno, "writing", unfinished);
  }
  std::error_code error;
  fs::rename(unfinished, path, error);
  RETURN_IF_ERROR(DiskError(error, "renaming", unfinished));
  return SyncFolder(folder_);
}

absl::StatusOr<std::vector<std::string>> ExternalConnections::Names() const {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error)) {
    if (IsName(it->path().filename().string())) names.push_back(it->path().filename().string());
  }
  RETURN_IF_ERROR(DiskError(error, "reading", folder_));
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status ExternalConnections::Create(const std::string& name, const std::string& uri, bool if_not_exists) {
  RETURN_IF_ERROR(CheckConnectionName(name));
  RETURN_IF_ERROR(CheckUri(uri));
  std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(const std::optional<std::string> there, Read(name));
  if (there && if_not_exists) return absl::OkStatus();
  if (there) {
    return SqlError(sqlstate::kDuplicateObject, fmt::format("external connection \"{}\" already exists", name),
                    fmt::format("Use ALTER EXTERNAL CONNECTION {} AS '...' to change it.", QuotedIdentifier(name)));
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> names, Names());
  if (names.size() >= kExternalConnectionsMax) {
    return SqlError(
        sqlstate::kProgramLimitExceeded,
        fmt::format("a cluster holds at most {} external connections (kExternalConnectionsMax)", kExternalConnectionsMax),
        "Use DROP EXTERNAL CONNECTION on one that is no longer needed.");
  }
  return Write(name, uri);
}

absl::Status ExternalConnections::Alter(const std::string& name, const std::string& uri, bool if_exists) {
  RETURN_IF_ERROR(CheckConnectionName(name));
  RETURN_IF_ERROR(CheckUri(uri));
  std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(const std::optional<std::string> there, Read(name));
  if (!there) return if_exists ? absl::OkStatus() : NoSuchConnection(name);
  return Write(name, uri);
}

absl::Status ExternalConnections::Drop(const std::string& name, bool if_exists,
                                       const std::function<absl::Status(const std::string& address)>& check_unused) {
  RETURN_IF_ERROR(CheckConnectionName(name));
  std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(const std::optional<std::string> there, Read(name));
  if (!there) return if_exists ? absl::OkStatus() : NoSuchConnection(name);
  const std::string address = fmt::format("{}{}", kExternalScheme, name);
  if (uses_.contains(address)) {
    return SqlError(sqlstate::kObjectInUse, fmt::format("a statement is using external connection \"{}\"", name),
                    "Try again when it has ended.");
  }
  RETURN_IF_ERROR(check_unused(address));
  const std::string path = fmt::format("{}/{}", folder_, name);
  if (unlink(path.c_str()) != 0) return DiskError(errno, "removing", path);
  return SyncFolder(folder_);
}

absl::StatusOr<std::vector<ExternalConnectionInfo>> ExternalConnections::Show() const {
  std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(const std::vector<std::string> names, Names());
  std::vector<ExternalConnectionInfo> rows;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const std::optional<std::string> uri, Read(name));
    if (uri) rows.push_back({name, RedactUri(*uri)});
  }
  return rows;
}

absl::StatusOr<ExternalConnectionInfo> ExternalConnections::Show(const std::string& name) const {
  RETURN_IF_ERROR(CheckConnectionName(name));
  std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(const std::optional<std::string> uri, Read(name));
  if (!uri) return NoSuchConnection(name);
  return ExternalConnectionInfo{name, RedactUri(*uri)};
}

absl::StatusOr<std::string> ExternalConnections::Resolve(const std::string& address) const {
  if (!address.starts_with(kExternalScheme)) return address;
  const std::string name = address.substr(kExternalScheme.size());
  RETURN_IF_ERROR(CheckConnectionName(name));
  std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(std::optional<std::string> uri, Read(name));
  if (!uri) return NoSuchConnection(name);
  return *std::move(uri);
}

ExternalConnections::Use::Use(ExternalConnections* connections, const std::string& address)
    : connections_(connections), address_(address) {
  std::lock_guard lock(connections_->mutex_);
  ++connections_->uses_[address_];
}

ExternalConnections::Use::~Use() {
  std::lock_guard lock(connections_->mutex_);
  const auto found = connections_->uses_.find(address_);
  if (--found->second == 0) connections_->uses_.erase(found);
}

}  // namespace anabranch
