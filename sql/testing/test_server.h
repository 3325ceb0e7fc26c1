// For tests of the SQL port from outside: a server over a real store, and libpq clients of it.
#pragma once

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/status.h"
#include "sql/control/executor.h"
#include "sql/security/certificate_authority.h"
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
  std::string Finish();
  void Cancel();

  static std::string Outcome(PGresult* result);

 private:
  PGconn* connection_;
};

class ServerTest : public testing::Test {
 protected:
  enum class Security { kNone, kTls };  // kTls: with certificates of the node and of root
  explicit ServerTest(Security security = Security::kNone);
  ~ServerTest() override {
    server_.reset();
    system_.reset();
    clusters_.reset();
    feed_.reset();
    store_.reset();
    std::filesystem::remove_all(dir_);
  }

  CertsDir certs_dir() const { return CertsDir(dir_ / "certs"); }
  std::string Conninfo(const std::string& more = "") const;
  std::unique_ptr<Client> Connect(const std::string& more = "") const;
  std::string ConnectError(const std::string& more) const;
  // A connection on which messages are written by hand; what libpq thinks of it does not matter.
  static std::string Exchange(Client& client, const std::string& bytes, char until);

  Random random_{20261123};
  std::filesystem::path dir_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<LiveFeed> feed_;
  std::unique_ptr<VirtualClusters> clusters_;
  std::unique_ptr<SystemStatements> system_;
  std::unique_ptr<TlsCredentials> credentials_;
  std::unique_ptr<SqlServer> server_;
};

}  // namespace anabranch
