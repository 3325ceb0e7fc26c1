#include "sql/security/certificate.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <system_error>

#include "base/status.h"

namespace anabranch {
namespace {

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using BioPtr = std::unique_ptr<BIO, FreeBio>;

struct FreeText {
  void operator()(unsigned char* text) const { OPENSSL_free(text); }
};

absl::StatusOr<BioPtr> Open(const std::filesystem::path& path) {
  ERR_clear_error();
  BioPtr file(BIO_new_file(path.c_str(), "r"));
  if (file != nullptr) return file;
  return SqlError(sqlstate::kInvalidParameterValue,
                  fmt::format("cannot read {}: {}", path.string(), std::generic_category().message(errno)));
}

// A private key that needs a passphrase is refused; nobody is asked for it.
int NoPassphrase(char*, int, int, void*) { return -1; }

std::string AddressText(const ASN1_OCTET_STRING* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;
  const char* made = inet_ntop(family, ASN1_STRING_get0_data(address), text.data(), text.size());
  return made == nullptr ? "" : made;
}

}  // namespace

std::filesystem::path CertsDir::client_certificate(std::string_view user) const {
  return path_ / fmt::format("client.{}.crt", user);
}

std::filesystem::path CertsDir::client_key(std::string_view user) const {
  return path_ / fmt::format("client.{}.key", user);
}

std::vector<std::filesystem::path> CertsDir::certificates() const {
  std::vector<std::filesystem::path> found;
  std::error_code error;
  for (std::filesystem::directory_iterator it(path_, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".crt") found.push_back(it->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

absl::Status OpenSslError(std::string_view what) {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return SqlError(sqlstate::kInvalidParameterValue,
                  fmt::format("{}{}{}", what, reason == nullptr ? "" : ": ", reason == nullptr ? "" : reason));
}

absl::StatusOr<CertificatePtr> ReadCertificate(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const BioPtr file, Open(path));
  CertificatePtr certificate(PEM_read_bio_X509(file.get(), nullptr, NoPassphrase, nullptr));
  if (certificate == nullptr) return OpenSslError(fmt::format("{} holds no certificate", path.string()));
  return certificate;
}

absl::StatusOr<KeyPtr> ReadKey(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const BioPtr file, Open(path));
  struct stat info = {};
  if (stat(path.c_str(), &info) == 0 && (info.st_mode & 07177) != 0) {
    return SqlError(sqlstate::kInsufficientPrivilege,
                    fmt::format("the private key {} has mode {:04o}; it must be for its owner alone, 0600 or 0400",
                                path.string(), info.st_mode & 07777),
                    fmt::format("chmod 0600 {}", path.string()));
  }
  KeyPtr key(PEM_read_bio_PrivateKey(file.get(), nullptr, NoPassphrase, nullptr));
  if (key == nullptr) return OpenSslError(fmt::format("{} holds no private key", path.string()));
  return key;
}

absl::StatusOr<std::string> CommonName(const X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return SqlError(sqlstate::kInvalidParameterValue, "the certificate's subject has no common name");
  if (X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) {
    return SqlError(sqlstate::kInvalidParameterValue, "the certificate's subject has several common names");
  }
  unsigned char* text = nullptr;
  const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (size < 0) return OpenSslError("the certificate's common name is no text");
  const std::unique_ptr<unsigned char, FreeText> owner(text);
  std::string name(reinterpret_cast<const char*>(text), static_cast<size_t>(size));
  if (name.find('\0') != std::string::npos) {
    return SqlError(sqlstate::kInvalidParameterValue, "the certificate's common name has a zero byte in it");
  }
  return name;
}

std::vector<std::string> HostNames(const X509* certificate) {
  std::vector<std::string> hosts;
  auto* const names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_DNS) {
      hosts.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                         static_cast<size_t>(ASN1_STRING_length(name->d.dNSName)));
    } else if (name->type == GEN_IPADD) {
      hosts.push_back(AddressText(name->d.iPAddress));
    }
  }
  GENERAL_NAMES_free(names);
  return hosts;
}

int64_t ValidUntil(const X509* certificate) {
  std::tm fields = {};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &fields) != 1) return 0;
  return timegm(&fields);
}

std::string FormatDate(int64_t seconds) {
  const time_t time = seconds;
  std::tm fields = {};
  gmtime_r(&time, &fields);
  return fmt::format("{:04}-{:02}-{:02}", fields.tm_year + 1900, fields.tm_mon + 1, fields.tm_mday);
}

}  // namespace anabranch
