#include "sql/security/certificate_authority.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/disk_error.h"
#include "base/secret.h"
#include "base/status.h"

namespace anabranch {
namespace {

constexpr size_t kSerialBytes = 15;  // enough never to meet again; positive in any encoding
constexpr int64_t kSecondsPerDay = 24 * 60 * 60;
// A machine whose clock is behind takes a new certificate, too.
constexpr int64_t kValidBeforeSeconds = kSecondsPerDay;
constexpr mode_t kKeyMode = 0600;
constexpr mode_t kCertificateMode = 0644;

using Extensions = std::vector<std::pair<int, std::string>>;

struct Issuer {
  CertificatePtr certificate;
  KeyPtr key;
};

absl::Status Exists(const std::filesystem::path& path) {
  return SqlError(sqlstate::kDuplicateObject, fmt::format("{} already exists", path.string()),
                  "Give --overwrite to replace it.");
}

absl::Status CheckAbsent(const std::filesystem::path& path, Overwrite overwrite) {
  std::error_code ignored;
  return overwrite == Overwrite::kNo && std::filesystem::exists(path, ignored) ? Exists(path) : absl::OkStatus();
}

absl::Status WriteFile(const std::filesystem::path& path, std::string_view bytes, mode_t mode) {
  const std::string draft = path.string() + ".new";
  const auto failed = [&] { return DiskError(errno, "writing", draft); };
  std::error_code ignored;
  std::filesystem::remove(draft, ignored);
  const int file = open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (file < 0) return failed();
  const bool written = write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
                       fchmod(file, mode) == 0 && fsync(file) == 0;
  const absl::Status status = written ? absl::OkStatus() : failed();
  close(file);
  RETURN_IF_ERROR(status);
  std::error_code error;
  std::filesystem::rename(draft, path, error);
  return DiskError(error, "writing", path.string());
}

template <typename Write>
absl::Status WritePem(const std::filesystem::path& path, mode_t mode, Write write) {
  BIO* const memory = BIO_new(BIO_s_mem());
  absl::Status status = OpenSslError(fmt::format("cannot encode {}", path.string()));
  if (write(memory) == 1) {
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(memory, &bytes);
    status = WriteFile(path, {bytes, static_cast<size_t>(size)}, mode);
    OPENSSL_cleanse(bytes, static_cast<size_t>(size));
  }
  BIO_free(memory);
  return status;
}

absl::Status AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  const bool added = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added ? absl::OkStatus() : OpenSslError(fmt::format("{} cannot be put into a certificate", value));
}

// A certificate for `key`, signed by the issuer, or by itself.
absl::StatusOr<CertificatePtr> Sign(const std::string& common_name, EVP_PKEY* key, const Issuer* issuer,
                                    const Extensions& extensions, const CertificateOptions& options) {
  CertificatePtr certificate(X509_new());
  X509* const made = certificate.get();
  X509* const signer = issuer == nullptr ? made : issuer->certificate.get();
  const std::string serial = SecretBytes(kSerialBytes);
  BIGNUM* const number = BN_bin2bn(reinterpret_cast<const unsigned char*>(serial.data()), kSerialBytes, nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(made));
  BN_free(number);
  X509_NAME* const subject = X509_get_subject_name(made);
  const auto text = [](const std::string& value) { return reinterpret_cast<const unsigned char*>(value.c_str()); };
  const bool named = X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, text("Anabranch"), -1, -1, 0) == 1 &&
                     X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, text(common_name), -1, -1, 0) == 1;
  if (!named) return OpenSslError(fmt::format("\"{}\" cannot be the name in a certificate", common_name));
  const auto now = static_cast<time_t>(options.clock->WallNs() / 1'000'000'000);
  ASN1_TIME_set(X509_getm_notBefore(made), now - kValidBeforeSeconds);
  ASN1_TIME_set(X509_getm_notAfter(made), now + options.lifetime_days * kSecondsPerDay);
  X509_set_version(made, X509_VERSION_3);
  X509_set_pubkey(made, key);
  X509_set_issuer_name(made, X509_get_subject_name(signer));
  for (const auto& [nid, value] : extensions) RETURN_IF_ERROR(AddExtension(made, signer, nid, value));
  if (X509_sign(made, issuer == nullptr ? key : issuer->key.get(), EVP_sha256()) == 0) {
    return OpenSslError("cannot sign the certificate");
  }
  return certificate;
}

absl::StatusOr<KeyPtr> MakeKey() {
  KeyPtr key(EVP_EC_gen("P-256"));
  if (key == nullptr) return OpenSslError("cannot make a private key");
  return key;
}

struct Files {
  std::filesystem::path certificate;
  std::filesystem::path key;
};

// The key first: a certificate is never there without its key.
absl::Status WriteBoth(const Files& files, X509* certificate, EVP_PKEY* key) {
  RETURN_IF_ERROR(WritePem(files.key, kKeyMode, [&](BIO* to) {
    return PEM_write_bio_PKCS8PrivateKey(to, key, nullptr, nullptr, 0, nullptr, nullptr);
  }));
  return WritePem(files.certificate, kCertificateMode, [&](BIO* to) { return PEM_write_bio_X509(to, certificate); });
}

absl::Status CreateSigned(const CertsDir& dir, const Files& files, const std::string& common_name, Extensions extensions,
                          const CertificateOptions& options) {
  RETURN_IF_ERROR(CheckAbsent(files.certificate, options.overwrite));
  RETURN_IF_ERROR(CheckAbsent(files.key, options.overwrite));
  Issuer issuer;
  ASSIGN_OR_RETURN(issuer.certificate, ReadCertificate(dir.ca_certificate()));
  ASSIGN_OR_RETURN(issuer.key, ReadKey(dir.ca_key()));
  extensions.emplace_back(NID_basic_constraints, "critical,CA:FALSE");
  extensions.emplace_back(NID_key_usage, "critical,digitalSignature");
  extensions.emplace_back(NID_subject_key_identifier, "hash");
  extensions.emplace_back(NID_authority_key_identifier, "keyid");
  ASSIGN_OR_RETURN(const KeyPtr key, MakeKey());
  ASSIGN_OR_RETURN(const CertificatePtr certificate, Sign(common_name, key.get(), &issuer, extensions, options));
  return WriteBoth(files, certificate.get(), key.get());
}

bool IsAddress(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> ignored{};
  return inet_pton(AF_INET, host.c_str(), ignored.data()) == 1 || inet_pton(AF_INET6, host.c_str(), ignored.data()) == 1;
}

}  // namespace

absl::Status CreateAuthority(const CertsDir& dir, const CertificateOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(dir.path(), error);
  RETURN_IF_ERROR(DiskError(error, "making", dir.path().string()));
  RETURN_IF_ERROR(CheckAbsent(dir.ca_certificate(), options.overwrite));
  RETURN_IF_ERROR(CheckAbsent(dir.ca_key(), options.overwrite));
  const Extensions extensions = {{NID_basic_constraints, "critical,CA:TRUE"},
                                 {NID_key_usage, "critical,keyCertSign,cRLSign"},
                                 {NID_subject_key_identifier, "hash"}};
  ASSIGN_OR_RETURN(const KeyPtr key, MakeKey());
  ASSIGN_OR_RETURN(const CertificatePtr certificate, Sign("Anabranch CA", key.get(), nullptr, extensions, options));
  return WriteBoth({dir.ca_certificate(), dir.ca_key()}, certificate.get(), key.get());
}

absl::Status CreateNodeCertificate(const CertsDir& dir, const std::vector<std::string>& hosts,
                                   const CertificateOptions& options) {
  std::string names;
  for (const std::string& host : hosts) {
    if (host.empty() || host.find_first_of(", \t\n") != std::string::npos) {
      return SqlError(sqlstate::kInvalidParameterValue, fmt::format("\"{}\" is no host name and no address", host));
    }
    names += fmt::format("{}{}:{}", names.empty() ? "" : ",", IsAddress(host) ? "IP" : "DNS", host);
  }
  const Extensions extensions = {{NID_subject_alt_name, names}, {NID_ext_key_usage, "serverAuth,clientAuth"}};
  return CreateSigned(dir, {dir.node_certificate(), dir.node_key()}, "node", extensions, options);
}

absl::Status CreateClientCertificate(const CertsDir& dir, const std::string& user, const CertificateOptions& options) {
  if (user.empty() || user.find('/') != std::string::npos || user.find('\0') != std::string::npos) {
    return SqlError(sqlstate::kInvalidParameterValue, fmt::format("\"{}\" cannot be a user's name in a file name", user));
  }
  const Extensions extensions = {{NID_ext_key_usage, "clientAuth"}};
  return CreateSigned(dir, {dir.client_certificate(user), dir.client_key(user)}, user, extensions, options);
}

}  // namespace anabranch
