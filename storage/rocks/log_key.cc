#include "storage/rocks/log_key.h"

#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>

#include "base/check.h"
#include "base/coding.h"
#include "base/disk_error.h"
#include "base/status.h"
#include "storage/rocks/files.h"
#include "storage/rocks/keyspace.h"

namespace anabranch {
namespace {

constexpr size_t kSecretBytes = 32;

std::string PathIn(const std::string& dir) { return dir + "/log_key"; }

// For nobody else to read. A file system in memory has no such modes, and the system no such file.
absl::Status MakePrivate(const std::string& path) {
  if (chmod(path.c_str(), S_IRUSR | S_IWUSR) == 0 || errno == ENOENT) return absl::OkStatus();
  return DiskError(errno, "restrict", path);
}

}  // namespace

absl::StatusOr<std::optional<LogKey>> LogKey::Read(rocksdb::Env* env, const std::string& dir) {
  const std::string path = PathIn(dir);
  if (env->FileExists(path).IsNotFound()) return std::nullopt;
  std::string secret;
  RETURN_IF_ERROR(FromRocks(rocksdb::ReadFileToString(env, path, &secret), "read " + path));
  if (secret.size() == kSecretBytes) return LogKey(std::move(secret));
  return SqlError(sqlstate::kDataCorrupted, fmt::format("{} has {} bytes and not {}", path, secret.size(), kSecretBytes),
                  "Put back the file that belongs to this store, or remove it: the next start makes another.");
}

absl::StatusOr<LogKey> LogKey::Make(rocksdb::Env* env, const std::string& dir, Random* random) {
  std::string secret;
  while (secret.size() < kSecretBytes) PutFixed64BigEndian(&secret, random->Next());
  const std::string path = PathIn(dir);
  const std::string unfinished = path + ".new";
  std::unique_ptr<rocksdb::WritableFile> file;
  RETURN_IF_ERROR(FromRocks(env->NewWritableFile(unfinished, &file, rocksdb::EnvOptions()), "create " + unfinished));
  RETURN_IF_ERROR(MakePrivate(unfinished));
  rocksdb::Status status = file->Append(secret);
  if (status.ok()) status = file->Fsync();
  if (status.ok()) status = file->Close();
  if (status.ok()) status = env->RenameFile(unfinished, path);
  RETURN_IF_ERROR(FromRocks(status, "write " + path));
  RETURN_IF_ERROR(SyncFolder(env, dir));
  return LogKey(std::move(secret));
}

uint64_t LogKey::Sign(std::string_view message) const {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  const unsigned char* made = HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
                                   reinterpret_cast<const unsigned char*>(message.data()), message.size(), digest, nullptr);
  CHECK(made != nullptr, "HMAC-SHA-256 failed");
  std::string_view bytes(reinterpret_cast<const char*>(digest), sizeof(digest));
  uint64_t signature = 0;
  TakeFixed64BigEndian(&bytes, &signature);
  return signature;
}

}  // namespace anabranch
