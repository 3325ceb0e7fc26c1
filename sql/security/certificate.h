// The room security/: certificates, TLS, and proofs of passwords. May use stored/ and value/.
//
// X.509 certificates and private keys, and the folder that keeps them, with CockroachDB's names: ca.crt, ca.key, node.crt,
// node.key, client.USER.crt, client.USER.key.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace anabranch {

struct FreeOpenSsl {
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using CertificatePtr = std::unique_ptr<X509, FreeOpenSsl>;
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeOpenSsl>;

class CertsDir {
 public:
  explicit CertsDir(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path ca_certificate() const { return path_ / "ca.crt"; }
  std::filesystem::path ca_key() const { return path_ / "ca.key"; }
  std::filesystem::path node_certificate() const { return path_ / "node.crt"; }
  std::filesystem::path node_key() const { return path_ / "node.key"; }
  std::filesystem::path client_certificate(std::string_view user) const;
  std::filesystem::path client_key(std::string_view user) const;
  // Those that are there, by name.
  std::vector<std::filesystem::path> certificates() const;

 private:
  std::filesystem::path path_;
};

// 22023 naming the file, if it is not there or holds no such thing.
absl::StatusOr<CertificatePtr> ReadCertificate(const std::filesystem::path& path);
// As ReadCertificate; 42501 if others than its owner may read it: its mode must be 0600 or 0400.
absl::StatusOr<KeyPtr> ReadKey(const std::filesystem::path& path);

// The common name of the subject. 22023 if there is none, more than one, or one with a zero byte in it.
absl::StatusOr<std::string> CommonName(const X509* certificate);
// The hosts of a subject's alternative names: "localhost", "127.0.0.1".
std::vector<std::string> HostNames(const X509* certificate);
int64_t ValidUntil(const X509* certificate);  // in seconds since 1970
std::string FormatDate(int64_t seconds);      // "2031-11-29"

// 22023 with what OpenSSL says was wrong, after `what`.
absl::Status OpenSslError(std::string_view what);

}  // namespace anabranch
