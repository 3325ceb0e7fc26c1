// For tests of the SQL port from outside: a server over a real store, and libpq clients of it.
#pragma once

#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/socket.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/status.h"
#include "sql/wire/server.h"
#include "stream/live_feed.h"

namespace anabranch {

inline constexpr int kWaitMs = 20'000;  // far above what anything here takes; only a broken server reaches it

// A frontend message.
inline std::string Packet(char type, const std::string& body) {
  std::string packet(1, type);
  for (int shift = 24; shift >= 0; shift -= 8) packet.push_back(static_cast<char>((body.size() + 4) >> shift));
  return packet + body;
}

class Client {
 public:
  explicit Client(const std::string& conninfo) : connection_(PQconnectdb(conninfo.c_str())) {}
  ~Client() { PQfinish(connection_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  PGconn* get() const { return connection_; }
  bool connected() const { return PQstatus(connection_) == CONNECTION_OK; }
  std::string error() const { return PQerrorMessage(connection_); }

  // "OK <tag>", "<value of the first row's first column>", or "<SQLSTATE>"; of the last result.
  std::string Run(const std::string& sql) { return Outcome(PQexec(connection_, sql.c_str())); }
  void Send(const std::string& sql) { ASSERT_EQ(PQsendQuery(connection_, sql.c_str()), 1) << error(); }
  // The outcome of what was sent: of the first result if that is an error, else of the last.
  std::string Finish() {
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
  void Cancel() {
    PGcancel* cancel = PQgetCancel(connection_);
    char error[256] = "";
    EXPECT_EQ(PQcancel(cancel, error, sizeof(error)), 1) << error;
    PQfreeCancel(cancel);
  }

  static std::string Outcome(PGresult* result) {
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

 private:
  PGconn* connection_;
};

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    dir_ = std::filesystem::temp_directory_path() / ("anabranch_server_test." + Random().NextHex(16));
    StoreOptions options;
    options.dir = dir_;
    options.random = &random_;
    store_ = Store::Open(std::move(options)).value();
    feed_ = LiveFeed::Create(store_.get());
    clusters_ = VirtualClusters::Open({store_.get(), feed_.get(), Virtualization::kVirtualized}).value();
    system_ = SystemStatements::Create(clusters_.get());
    server_ = SqlServer::Listen("127.0.0.1", 0, SystemClock(), &random_).value();
    clusters_->SetSessionStopper([this](TenantId tenant) { server_->TerminateSessions(tenant); });
    server_->Serve(clusters_.get(), system_.get());
  }
  ~ServerTest() override {
    server_.reset();
    system_.reset();
    clusters_.reset();
    feed_.reset();
    store_.reset();
    std::filesystem::remove_all(dir_);
  }

  std::string Conninfo(const std::string& more = "") const {
    return fmt::format("host=127.0.0.1 port={} user=root connect_timeout=20 {}", server_->port(), more);
  }
  std::unique_ptr<Client> Connect(const std::string& more = "") const {
    auto client = std::make_unique<Client>(Conninfo(more));
    EXPECT_TRUE(client->connected()) << client->error();
    return client;
  }
  std::string ConnectError(const std::string& more) const {
    const Client client(Conninfo(more));
    return client.connected() ? "connected" : client.error();
  }
  // A connection on which messages are written by hand; what libpq thinks of it does not matter.
  static std::string Exchange(Client& client, const std::string& bytes, char until) {
    const int fd = PQsocket(client.get());
    EXPECT_EQ(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
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

  Random random_{20261123};
  std::filesystem::path dir_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<LiveFeed> feed_;
  std::unique_ptr<VirtualClusters> clusters_;
  std::unique_ptr<SystemStatements> system_;
  std::unique_ptr<SqlServer> server_;
};

}  // namespace anabranch
