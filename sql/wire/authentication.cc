#include "sql/wire/authentication.h"

#include "absl/strings/escaping.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/status.h"
#include "sql/security/scram_exchange.h"
#include "sql/stored/user.h"
#include "sql/wire/message.h"
#include "tenant/catalog/authentication_rules.h"
#include "tenant/catalog/cluster_settings.h"

namespace anabranch {
namespace {

constexpr size_t kNonceBytes = 18;
constexpr size_t kMockSecretBytes = 32;
constexpr size_t kLoggedBytesMax = 256;

// What a client sent, or an error that quotes it, as the value of a field that stands in quotes.
std::string Logged(const std::string& text) { return absl::Utf8SafeCEscape(text.substr(0, kLoggedBytesMax)); }

absl::Status Refused(std::string message, std::string hint = "") {
  return SqlError(sqlstate::kInvalidAuthorizationSpecification, std::move(message), std::move(hint));
}

absl::Status WrongPassword(const std::string& user) {
  return SqlError(sqlstate::kInvalidPassword, fmt::format("password authentication failed for user \"{}\"", user));
}

}  // namespace

struct Authenticator::Login {
  PgConnection& connection;
  const TransactionContext& context;
  TenantId tenant;
  const std::string& user;
  std::string address;
  std::optional<std::string> certificate;  // the common name of the one that was shown
};

Authenticator::Authenticator(Clock* clock) : clock_(clock), throttle_(clock), mock_secret_(SecretBytes(kMockSecretBytes)) {}

absl::Status Authenticator::Authenticate(PgConnection& connection, const TransactionContext& context, TenantId tenant,
                                         const std::string& user, const std::string& virtual_cluster) {
  Login login{connection, context, tenant, user, connection.PeerHost(), std::nullopt};
  std::string how = "none";
  const absl::Status status = [&]() -> absl::Status {
    if (connection.tls() != nullptr) {
      ASSIGN_OR_RETURN(login.certificate, connection.tls()->ClientName());
    }
    RETURN_IF_ERROR(Judge(login, &how));
    return CheckLogin(context, user);
  }();
  const std::string_view tls = connection.tls() == nullptr ? "none" : connection.tls()->version();
  if (status.ok()) {
    Log(LogLevel::kInfo, "sql.logged_in", "user=\"{}\" vc=\"{}\" address={} method={} tls={}", Logged(user),
        virtual_cluster, login.address, how, tls);
  } else if (!connection.gone()) {
    Log(LogLevel::kWarning, "sql.login_refused", "user=\"{}\" vc=\"{}\" address={} method={} tls={} error=\"{}\"",
        Logged(user), virtual_cluster, login.address, how, tls, Logged(MessageOf(status)));
  }
  return status;
}

absl::Status Authenticator::Judge(const Login& login, std::string* how) {
  const bool tls = login.connection.tls() != nullptr;
  const bool certified = login.certificate == login.user;
  if (certified && login.user == kRootUser) {  // whatever the rules say
    *how = "cert";
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::string text, ReadSetting(login.context.store, ClusterSetting::kAuthenticationRules));
  ASSIGN_OR_RETURN(const std::vector<AuthenticationRule> rules, ParseAuthenticationRules(text));
  const std::optional<NetworkAddress> address = ParseNetworkAddress(login.address);
  const AuthenticationRule* rule = address ? FindAuthenticationRule(rules, tls, login.user, *address) : nullptr;
  if (rule == nullptr || rule->method == AuthenticationMethod::kReject) {
    *how = rule == nullptr ? "none" : "reject";
    return Refused(
        fmt::format("user \"{}\" may not connect from {} {} TLS", login.user, login.address, tls ? "with" : "without"),
        tls ? "" : "Connect with sslmode=verify-full.");
  }
  switch (rule->method) {
    case AuthenticationMethod::kReject:
      break;
    case AuthenticationMethod::kTrust:
      *how = "trust";
      return absl::OkStatus();
    case AuthenticationMethod::kCertificate:
      *how = "cert";
      if (!login.certificate) return Refused("connection requires a valid client certificate");
      if (!certified) {
        return Refused(fmt::format("certificate authentication failed for user \"{}\"", login.user));
      }
      return absl::OkStatus();
    case AuthenticationMethod::kCertificateOrScram:
      if (certified) {
        *how = "cert";
        return absl::OkStatus();
      }
      [[fallthrough]];
    case AuthenticationMethod::kScram:
      *how = "scram-sha-256";
      return CheckPassword(login);
  }
  return absl::InternalError("unknown authentication method");
}

absl::Status Authenticator::CheckPassword(const Login& login) {
  const LoginAttempt attempt{login.tenant, login.user, login.address};
  RETURN_IF_ERROR(throttle_.Check(attempt));
  ASSIGN_OR_RETURN(const std::optional<std::string> proof, AskForPassword(login));
  RETURN_IF_ERROR(throttle_.Settle(attempt, proof.has_value()));
  if (!proof) return WrongPassword(login.user);
  AppendAuthenticationSaslFinal(login.connection.out(), *proof);
  return absl::OkStatus();
}

// One whose password is no longer valid is asked as before, so that nobody learns that it is not.
absl::StatusOr<std::optional<std::string>> Authenticator::AskForPassword(const Login& login) {
  std::optional<ScramVerifier> known;
  ASSIGN_OR_RETURN(const UserRef user, ReadUser(login.context, login.user));
  if (user != nullptr) known = ParseScramVerifier(user->password);
  const bool valid = known && !IsExpired(*user, clock_->WallNs());
  const TlsChannel* tls = login.connection.tls();
  ScramExchange exchange(known ? *known : MockScramVerifier(login.tenant, login.user, mock_secret_),
                         tls == nullptr ? "" : tls->server_end_point(), Base64(SecretBytes(kNonceBytes)));
  std::vector<std::string_view> mechanisms = {kScramMechanism};
  if (tls != nullptr && !tls->server_end_point().empty()) mechanisms.insert(mechanisms.begin(), kScramPlusMechanism);
  const uint64_t deadline_ns = clock_->MonotonicNs() + kAuthenticationTimeoutMs * 1'000'000ull;

  AppendAuthenticationSasl(login.connection.out(), mechanisms);
  RETURN_IF_ERROR(login.connection.Flush());
  ASSIGN_OR_RETURN(const std::string first, login.connection.ReadPassword(deadline_ns));
  ASSIGN_OR_RETURN(const SaslInitialResponse response, DecodeSaslInitialResponse(first));
  ASSIGN_OR_RETURN(const std::string challenge, exchange.Begin(response.mechanism, response.data));
  AppendAuthenticationSaslContinue(login.connection.out(), challenge);
  RETURN_IF_ERROR(login.connection.Flush());
  ASSIGN_OR_RETURN(const std::string last, login.connection.ReadPassword(deadline_ns));
  ASSIGN_OR_RETURN(std::optional<std::string> proof, exchange.Finish(last));
  if (!valid) proof.reset();
  return proof;
}

}  // namespace anabranch
