#include "sql/testing/test_server.h"

#include <poll.h>
#include <sys/socket.h>

#include <filesystem>

namespace anabranch {

std::string Client::Finish() {
  std::string outcome = "nothing";
  bool failed = false;
  while (PGresult* result = PQgetResult(connection_)) {
    const bool error = PQresultStatus(result) == PGRES_FATAL_ERROR;
    std::string next = Outcome(result);
    if (!failed) outcome = std::move(next);
    failed |= error;
  }
  return outcome;
}

void Client::Cancel() {
  PGcancel* cancel = PQgetCancel(connection_);
  char error[256] = "";
  EXPECT_EQ(PQcancel(cancel, error, sizeof(error)), 1) << error;
  PQfreeCancel(cancel);
}

std::string Client::Outcome(PGresult* result) {
  std::string outcome;
  switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
      outcome = std::string("OK ") + PQcmdStatus(result);
      break;
    case PGRES_TUPLES_OK:
      outcome = PQntuples(result) == 0 ? "no rows" : PQgetvalue(result, 0, 0);
      break;
    case PGRES_EMPTY_QUERY:
      outcome = "empty";
      break;
    case PGRES_COPY_IN:
      outcome = "copy in";
      break;
    case PGRES_PIPELINE_ABORTED:
      outcome = "aborted";
      break;
    default: {
      const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
      outcome = state != nullptr ? state : std::string("lost: ") + PQresultErrorMessage(result);
    }
  }
  PQclear(result);
  return outcome;
}

ServerTest::ServerTest(Security security) {
  dir_ = std::filesystem::temp_directory_path() / ("anabranch_server_test." + Random().NextHex(16));
  StoreOptions options;
  options.dir = dir_;
  options.random = &random_;
  store_ = Store::Open(std::move(options)).value();
  feed_ = LiveFeed::Create(store_.get());
  clusters_ = VirtualClusters::Open({store_.get(), feed_.get(), Virtualization::kVirtualized}).value();
  system_ = SystemStatements::Create(clusters_.get());
  server_ = SqlServer::Listen("127.0.0.1", 0, SystemClock()).value();
  clusters_->SetSessionStopper(
      [this](TenantId tenant, const absl::Status& why) { server_->TerminateSessions(tenant, why); });
  if (security == Security::kTls) {
    const CertificateOptions certificates = {.clock = SystemClock()};
    EXPECT_TRUE(CreateAuthority(certs_dir(), certificates).ok());
    EXPECT_TRUE(CreateNodeCertificate(certs_dir(), {"localhost", "127.0.0.1"}, certificates).ok());
    EXPECT_TRUE(CreateClientCertificate(certs_dir(), "root", certificates).ok());
    credentials_ = TlsCredentials::Load(certs_dir(), SystemClock()).value();
  }
  server_->Serve(clusters_.get(), system_.get(), credentials_.get());
}

std::string ServerTest::Conninfo(const std::string& more) const {
  return fmt::format("host=127.0.0.1 port={} user=root connect_timeout=20 {}", server_->port(), more);
}

std::unique_ptr<Client> ServerTest::Connect(const std::string& more) const {
  auto client = std::make_unique<Client>(Conninfo(more));
  EXPECT_TRUE(client->connected()) << client->error();
  return client;
}

std::string ServerTest::ConnectError(const std::string& more) const {
  const Client client(Conninfo(more));
  return client.connected() ? "connected" : client.error();
}

std::string ServerTest::Exchange(Client& client, const std::string& bytes, char until) {
  const int fd = PQsocket(client.get());
  for (size_t sent = 0; sent < bytes.size();) {
    pollfd writable = {fd, POLLOUT, 0};
    const bool ready = poll(&writable, 1, kWaitMs) == 1;
    const ssize_t written = ready ? send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL) : -1;
    if (written < 0) return "<error>";
    sent += static_cast<size_t>(written);
  }
  std::string types;
  std::string in;
  while (true) {
    while (in.size() >= 5) {
      size_t length = 0;
      for (int i = 1; i <= 4; ++i) length = length << 8 | static_cast<uint8_t>(in[i]);
      if (in.size() < length + 1) break;
      types.push_back(in[0]);
      in.erase(0, length + 1);
    }
    if (!types.empty() && types.back() == until && in.empty()) return types;
    pollfd readable = {fd, POLLIN, 0};
    char buffer[4096];
    const ssize_t taken = poll(&readable, 1, kWaitMs) == 1 ? recv(fd, buffer, sizeof(buffer), 0) : -1;
    if (taken <= 0) return types + (taken == 0 ? "<end>" : "<error>");
    in.append(buffer, static_cast<size_t>(taken));
  }
}

}  // namespace anabranch
