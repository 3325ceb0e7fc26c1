// Makes the certificates of a cluster: its own authority, and what that signs for nodes and clients. Keys are ECDSA P-256,
// written in PKCS8 with mode 0600. A file that is there is kept (42710) unless it may be overwritten; what is written appears
// whole or not at all.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "sql/security/certificate.h"

namespace anabranch {

inline constexpr int kAuthorityLifetimeDays = 10 * 365;
inline constexpr int kCertificateLifetimeDays = 5 * 365;  // of nodes and clients

enum class Overwrite { kNo, kYes };

struct CertificateOptions {
  Clock* clock = nullptr;  // not owned
  int lifetime_days = kCertificateLifetimeDays;
  Overwrite overwrite = Overwrite::kNo;
};

// ca.crt and ca.key; makes the folder.
absl::Status CreateAuthority(const CertsDir& dir, const CertificateOptions& options);
// node.crt and node.key for a node that is reached under these names and addresses.
absl::Status CreateNodeCertificate(const CertsDir& dir, const std::vector<std::string>& hosts,
                                   const CertificateOptions& options);
// client.USER.crt and client.USER.key.
absl::Status CreateClientCertificate(const CertsDir& dir, const std::string& user, const CertificateOptions& options);

}  // namespace anabranch
