#include "sql/security/tls.h"

#include <openssl/err.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "base/log.h"
#include "base/status.h"

namespace anabranch {
namespace {

constexpr std::string_view kProtocol = "postgresql";  // as IANA registered it
// Forward secrecy and authenticated encryption only; TLS 1.3 has no others.
constexpr const char* kCiphersOfTls12 = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr int64_t kSecondsPerDay = 24 * 60 * 60;
// What one call takes from the socket at most. OpenSSL reads on for as long as records come that hold no data: a client
// that sends nothing else must not keep a thread from its deadlines.
constexpr size_t kTakenBytesMax = 64 << 10;

// A client that names protocols must name ours.
int ChooseProtocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size, const unsigned char* offered,
                   unsigned offered_size, void*) {
  static const std::string ours = static_cast<char>(kProtocol.size()) + std::string(kProtocol);
  unsigned char* selected = nullptr;
  if (SSL_select_next_proto(&selected, chosen_size, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned>(ours.size()), offered, offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = selected;
  return SSL_TLSEXT_ERR_OK;
}

absl::StatusOr<SslContextPtr> MakeContext(const CertsDir& dir, EVP_PKEY* key) {
  SslContextPtr context(SSL_CTX_new(TLS_server_method()));
  if (context == nullptr) return OpenSslError("cannot set up TLS");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context.get(), kCiphersOfTls12);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                         SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 0);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context.get(), 1);
  if (SSL_CTX_use_certificate_chain_file(context.get(), dir.node_certificate().c_str()) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), key) != 1 || SSL_CTX_check_private_key(context.get()) != 1) {
    return OpenSslError("node.crt and node.key do not belong together");
  }
  return context;
}

// ca.crt may hold several, so that one can take the place of another.
absl::Status AskForClientCertificates(SSL_CTX* context, const std::filesystem::path& authorities) {
  if (SSL_CTX_load_verify_file(context, authorities.c_str()) != 1) return OpenSslError("ca.crt cannot be used");
  SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(authorities.c_str()));
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, nullptr);
  return absl::OkStatus();
}

// RFC 5929: the certificate's hash by the hash function of its signature, SHA-256 instead of weaker ones.
std::string ServerEndPoint(const X509* certificate) {
  int digest_nid = NID_undef;
  if (X509_get_signature_info(const_cast<X509*>(certificate), &digest_nid, nullptr, nullptr, nullptr) != 1) return "";
  if (digest_nid == NID_md5 || digest_nid == NID_sha1) digest_nid = NID_sha256;
  const EVP_MD* digest = EVP_get_digestbynid(digest_nid);
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned size = 0;
  if (digest == nullptr || X509_digest(certificate, digest, hash.data(), &size) != 1) return "";
  return {reinterpret_cast<const char*>(hash.data()), size};
}

absl::StatusOr<std::shared_ptr<const TlsIdentity>> Read(const CertsDir& dir) {
  RETURN_IF_ERROR(ReadCertificate(dir.ca_certificate()).status());
  ASSIGN_OR_RETURN(const CertificatePtr certificate, ReadCertificate(dir.node_certificate()));
  ASSIGN_OR_RETURN(const KeyPtr key, ReadKey(dir.node_key()));
  auto identity = std::make_shared<TlsIdentity>();
  ASSIGN_OR_RETURN(identity->sql, MakeContext(dir, key.get()));
  RETURN_IF_ERROR(AskForClientCertificates(identity->sql.get(), dir.ca_certificate()));
  SSL_CTX_set_alpn_select_cb(identity->sql.get(), ChooseProtocol, nullptr);
  ASSIGN_OR_RETURN(identity->http, MakeContext(dir, key.get()));
  identity->server_end_point = ServerEndPoint(certificate.get());
  return std::shared_ptr<const TlsIdentity>(std::move(identity));
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsCredentials>> TlsCredentials::Load(CertsDir dir, Clock* clock) {
  std::unique_ptr<TlsCredentials> credentials(new TlsCredentials(std::move(dir), clock));
  RETURN_IF_ERROR(credentials->Reload());
  return credentials;
}

absl::Status TlsCredentials::Reload() {
  ASSIGN_OR_RETURN(std::shared_ptr<const TlsIdentity> read, Read(dir_));
  std::lock_guard lock(mutex_);
  current_ = std::move(read);
  return absl::OkStatus();
}

std::shared_ptr<const TlsIdentity> TlsCredentials::current() const {
  std::lock_guard lock(mutex_);
  return current_;
}

void TlsCredentials::LogExpiry() const {
  const auto now = static_cast<int64_t>(clock_->WallNs() / 1'000'000'000);
  for (const std::filesystem::path& path : dir_.certificates()) {
    const absl::StatusOr<CertificatePtr> certificate = ReadCertificate(path);
    if (!certificate.ok()) {
      Log(LogLevel::kWarning, "tls.certificate_unreadable", "error=\"{}\"", MessageOf(certificate.status()));
      continue;
    }
    const int64_t end = ValidUntil(certificate->get());
    if (end - now > kExpiryWarningDays * kSecondsPerDay) continue;
    Log(LogLevel::kWarning, end > now ? "tls.certificate_expires" : "tls.certificate_expired", "file={} date={}",
        path.string(), FormatDate(end));
  }
}

// The socket of a channel as OpenSSL's BIO: no signals, no waits but those of an EndEvent.
struct TlsSocket {
  static int Read(BIO* bio, char* bytes, int size) {
    TlsChannel* const channel = Channel(bio);
    const auto room = static_cast<size_t>(size);
    ssize_t taken = -1;
    if (channel->taken_ >= kTakenBytesMax) {
      errno = EAGAIN;
    } else if (channel->end_ != nullptr) {
      taken = channel->end_->Receive(channel->socket_, bytes, room);
    } else {
      taken = recv(channel->socket_, bytes, room, MSG_DONTWAIT);
    }
    if (taken > 0) channel->taken_ += static_cast<size_t>(taken);
    return Done(bio, channel, taken, BIO_FLAGS_READ);
  }
  static int Write(BIO* bio, const char* bytes, int size) {
    TlsChannel* const channel = Channel(bio);
    const ssize_t sent = send(channel->socket_, bytes, static_cast<size_t>(size), MSG_DONTWAIT | MSG_NOSIGNAL);
    return Done(bio, channel, sent, BIO_FLAGS_WRITE);
  }
  static long Control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static BIO_METHOD* Method() {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "anabranch socket");
      BIO_meth_set_read(made, Read);
      BIO_meth_set_write(made, Write);
      BIO_meth_set_ctrl(made, Control);
      return made;
    }();
    return method;
  }

 private:
  static TlsChannel* Channel(BIO* bio) {
    BIO_clear_retry_flags(bio);
    return static_cast<TlsChannel*>(BIO_get_data(bio));
  }
  static int Done(BIO* bio, TlsChannel* channel, ssize_t moved, int direction) {
    channel->error_ = moved < 0 ? errno : 0;
    const bool later = channel->error_ == EAGAIN || channel->error_ == EINTR || channel->error_ == ECANCELED;
    if (later) BIO_set_flags(bio, direction | BIO_FLAGS_SHOULD_RETRY);
    return static_cast<int>(moved);
  }
};

TlsChannel::TlsChannel(std::shared_ptr<const TlsIdentity> identity, int socket)
    : identity_(std::move(identity)), socket_(socket), ssl_(SSL_new(identity_->sql.get())) {
  BIO* const bio = BIO_new(TlsSocket::Method());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_accept_state(ssl_);
}

TlsChannel::~TlsChannel() { SSL_free(ssl_); }

absl::StatusOr<TlsChannel::Wants> TlsChannel::Handshake() {
  ERR_clear_error();
  taken_ = 0;
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) return Wants::kNothing;
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return Wants::kRead;
    case SSL_ERROR_WANT_WRITE:
      return Wants::kWrite;
    default: {
      const long verified = SSL_get_verify_result(ssl_);
      const std::string why = verified == X509_V_OK ? MessageOf(OpenSslError("TLS handshake failed"))
                                                    : fmt::format("the client's certificate is refused: {}",
                                                                  X509_verify_cert_error_string(verified));
      return SqlError(sqlstate::kProtocolViolation, why);
    }
  }
}

bool TlsChannel::agreed_on_protocol() const {
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &protocol, &size);
  return size > 0;
}

absl::StatusOr<std::optional<std::string>> TlsChannel::ClientName() const {
  const X509* certificate = SSL_get0_peer_certificate(ssl_);
  if (certificate == nullptr) return std::nullopt;
  ASSIGN_OR_RETURN(std::string name, CommonName(certificate));
  return std::optional<std::string>(std::move(name));
}

ssize_t TlsChannel::Moved(int result) {
  if (result > 0) return result;
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      errno = error_ == ECANCELED ? ECANCELED : EAGAIN;
      return -1;
    case SSL_ERROR_SYSCALL:
      errno = error_;
      return error_ == 0 ? 0 : -1;  // 0: the client closed the connection without a goodbye
    default:
      errno = EPROTO;
      return -1;
  }
}

ssize_t TlsChannel::Receive(char* bytes, size_t size, EndEvent* end) {
  ERR_clear_error();
  error_ = 0;
  taken_ = 0;
  end_ = end;
  const int result = SSL_read(ssl_, bytes, static_cast<int>(size));
  end_ = nullptr;
  return Moved(result);
}

ssize_t TlsChannel::Send(std::string_view bytes) {
  ERR_clear_error();
  error_ = 0;
  return Moved(SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())));
}

void TlsChannel::SayGoodbye() {
  ERR_clear_error();
  SSL_shutdown(ssl_);
}

}  // namespace anabranch
