#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "fmt/format.h"
#include "node/commands.h"
#include "sql/security/certificate_authority.h"

namespace anabranch {
namespace {

struct CertFlags {
  std::string certs_dir = kDefaultCertsDir;
  int lifetime_days = 0;
  bool overwrite = false;
  std::vector<std::string> hosts;
  std::string user;

  CertificateOptions Options() const {
    return {
        .clock = SystemClock(), .lifetime_days = lifetime_days, .overwrite = overwrite ? Overwrite::kYes : Overwrite::kNo};
  }
};

int Report(const absl::Status& status) {
  if (status.ok()) return 0;
  const std::string hint = HintOf(status);
  fmt::print(stderr, "anabranch: {}{}{}\n", MessageOf(status), hint.empty() ? "" : ". ", hint);
  return 1;
}

absl::Status List(const CertsDir& dir) {
  const std::vector<std::filesystem::path> paths = dir.certificates();
  if (paths.empty()) {
    return SqlError(sqlstate::kInvalidParameterValue, fmt::format("there are no certificates in {}", dir.path().string()),
                    fmt::format("anabranch cert create-ca --certs-dir={}", dir.path().string()));
  }
  for (const std::filesystem::path& path : paths) {
    ASSIGN_OR_RETURN(const CertificatePtr certificate, ReadCertificate(path));
    ASSIGN_OR_RETURN(const std::string name, CommonName(certificate.get()));
    fmt::print("{}\t{}\tuntil {}\t{}\n", path.filename().string(), name, FormatDate(ValidUntil(certificate.get())),
               fmt::join(HostNames(certificate.get()), " "));
  }
  return absl::OkStatus();
}

}  // namespace

void AddCertCommand(CLI::App& app, int* exit_status) {
  CLI::App* command =
      app.add_subcommand("cert", "Make the certificates of a cluster, its nodes and its clients, and list them");
  command->require_subcommand(1);
  const auto add = [&](const std::string& name, const std::string& description, int lifetime_days, auto run) {
    CLI::App* made = command->add_subcommand(name, description);
    const auto flags = std::make_shared<CertFlags>();
    made->add_option("--certs-dir", flags->certs_dir, "Folder of the certificates")
        ->type_name("DIR")
        ->capture_default_str();
    if (lifetime_days > 0) {
      flags->lifetime_days = lifetime_days;
      made->add_option("--lifetime-days", flags->lifetime_days, "How long the certificate is valid")
          ->type_name("DAYS")
          ->check(CLI::Range(1, 100 * 365))
          ->capture_default_str();
      made->add_flag("--overwrite", flags->overwrite, "Replace the files if they are there");
    }
    made->callback([flags, run, exit_status] { *exit_status = Report(run(*flags)); });
    return std::pair(made, flags);
  };
  add("create-ca", "Make the authority that signs all other certificates: ca.crt and ca.key", kAuthorityLifetimeDays,
      [](const CertFlags& flags) { return CreateAuthority(CertsDir(flags.certs_dir), flags.Options()); });
  const auto [node, node_flags] =
      add("create-node", "Make node.crt and node.key for a node that is reached under these names and addresses",
          kCertificateLifetimeDays, [](const CertFlags& flags) {
            return CreateNodeCertificate(CertsDir(flags.certs_dir), flags.hosts, flags.Options());
          });
  node->add_option("HOST", node_flags->hosts, "Host name or address, as clients write it")->required();
  const auto [client, client_flags] = add(
      "create-client", "Make client.USER.crt and client.USER.key", kCertificateLifetimeDays, [](const CertFlags& flags) {
        return CreateClientCertificate(CertsDir(flags.certs_dir), flags.user, flags.Options());
      });
  client->add_option("USER", client_flags->user, "The user that the certificate proves one is")->required();
  add("list", "List the certificates of the folder: whose, until when, for which hosts", 0,
      [](const CertFlags& flags) { return List(CertsDir(flags.certs_dir)); });
}

}  // namespace anabranch
