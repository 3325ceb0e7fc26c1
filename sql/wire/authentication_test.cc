// Who may come in, over TLS, with libpq as the client: certificates, passwords and rules.
#include "sql/wire/authentication.h"

#include <poll.h>

#include <regex>

#include "gmock/gmock.h"
#include "sql/stored/scram.h"
#include "sql/testing/test_server.h"
#include "tenant/catalog/authentication_rules.h"

namespace anabranch {
namespace {

using testing::HasSubstr;

class AuthenticationTest : public ServerTest {
 protected:
  AuthenticationTest() : ServerTest(Security::kTls) {}

  // Parameters for libpq: the server is verified, and the client's certificate is that of `user`, or none.
  std::string Verified(const std::string& user, const std::string& certificate_of = "") const {
    std::string text = fmt::format("host=localhost user={} sslmode=verify-full sslrootcert={} ", user,
                                   certs_dir().ca_certificate().string());
    if (certificate_of.empty()) return text + "sslcert=/nonexistent";
    return text + fmt::format("sslcert={} sslkey={}", certs_dir().client_certificate(certificate_of).string(),
                              certs_dir().client_key(certificate_of).string());
  }
  std::string Password(const std::string& user, const std::string& password) const {
    return Verified(user) + " password=" + password;
  }
  std::unique_ptr<Client> Root(const std::string& more = "") const { return Connect(Verified("root", "root") + more); }
  std::unique_ptr<Client> System() const { return Root(" options=-ccluster=system"); }
  void CreateClient(const std::string& user, Clock* clock = SystemClock()) const {
    ASSERT_TRUE(CreateClientCertificate(certs_dir(), user, {.clock = clock, .overwrite = Overwrite::kYes}).ok());
  }
  void SetRules(const std::string& rules) const {
    ASSERT_EQ(System()->Run("SET CLUSTER SETTING server.host_based_authentication.configuration = '" + rules + "'"),
              "OK SET CLUSTER SETTING");
  }
  // The user as it is named in the text gives way to USER.
  std::string Refusal(const std::string& conninfo, const std::string& user) const {
    const std::string error = ConnectError(conninfo);
    return std::regex_replace(error, std::regex("\"" + user + "\""), "USER");
  }
};

TEST_F(AuthenticationTest, ACertificateIsItsUser) {
  EXPECT_EQ(Root()->Run("SELECT 1"), "1");
  EXPECT_EQ(Root()->Run("CREATE USER joe"), "OK CREATE ROLE");
  CreateClient("joe");
  EXPECT_EQ(Connect(Verified("joe", "joe"))->Run("SELECT current_user"), "joe");
  EXPECT_THAT(ConnectError(Verified("root", "joe")), HasSubstr("no password supplied"));
  CreateClient("nobody");
  EXPECT_THAT(ConnectError(Verified("nobody", "nobody")), HasSubstr("role \"nobody\" does not exist"));
}

TEST_F(AuthenticationTest, APasswordIsProvedAndNotSent) {
  const auto root = Root();
  EXPECT_EQ(root->Run("CREATE USER joe PASSWORD 'secret'"), "OK CREATE ROLE");
  EXPECT_EQ(Connect(Password("joe", "secret"))->Run("SELECT current_user"), "joe");
  EXPECT_EQ(Connect(Password("joe", "secret") + " channel_binding=require")->Run("SELECT 1"), "1");
  EXPECT_EQ(Connect(Password("joe", "secret") + " channel_binding=disable")->Run("SELECT 1"), "1");
  EXPECT_THAT(ConnectError(Verified("joe")), HasSubstr("no password supplied"));
  EXPECT_EQ(root->Run("CREATE USER kept PASSWORD '" + MakeScramVerifier("other") + "'"), "OK CREATE ROLE");
  EXPECT_EQ(Connect(Password("kept", "other"))->Run("SELECT 1"), "1");
  EXPECT_EQ(root->Run("ALTER USER joe PASSWORD 'changed'"), "OK ALTER ROLE");
  EXPECT_EQ(Connect(Password("joe", "changed"))->Run("SELECT 1"), "1");
  EXPECT_THAT(ConnectError(Password("joe", "secret")), HasSubstr("password authentication failed for user \"joe\""));
}

TEST_F(AuthenticationTest, WhoIsNotThereIsRefusedAsWhoeverHasAnotherPassword) {
  const auto root = Root();
  EXPECT_EQ(root->Run("CREATE USER joe PASSWORD 'secret'"), "OK CREATE ROLE");
  EXPECT_EQ(root->Run("CREATE USER without"), "OK CREATE ROLE");
  EXPECT_EQ(root->Run("CREATE USER late PASSWORD 'secret' VALID UNTIL '2001-01-01'"), "OK CREATE ROLE");
  EXPECT_EQ(root->Run("CREATE USER soon PASSWORD 'secret' VALID UNTIL '2999-01-01'"), "OK CREATE ROLE");
  const std::string wrong = Refusal(Password("joe", "wrong"), "joe");
  EXPECT_THAT(wrong, HasSubstr("FATAL:  password authentication failed for user USER"));
  EXPECT_EQ(Refusal(Password("nobody", "secret"), "nobody"), wrong);
  EXPECT_EQ(Refusal(Password("without", "secret"), "without"), wrong);
  EXPECT_EQ(Refusal(Password("late", "secret"), "late"), wrong);
  EXPECT_EQ(Connect(Password("soon", "secret"))->Run("SELECT 1"), "1");
  EXPECT_EQ(root->Run("ALTER USER joe NOLOGIN"), "OK ALTER ROLE");
  EXPECT_THAT(ConnectError(Password("joe", "secret")), HasSubstr("role \"joe\" is not permitted to log in"));
}

TEST_F(AuthenticationTest, GuessingIsSlowedDownWhetherTheUserIsThereOrNot) {
  EXPECT_EQ(Root()->Run("CREATE USER joe PASSWORD 'secret'"), "OK CREATE ROLE");
  for (const std::string user : {"joe", "nobody"}) {
    for (int i = 0; i <= kLoginFailuresFree; ++i) {
      EXPECT_THAT(ConnectError(Password(user, "wrong")), HasSubstr("password authentication failed")) << i;
    }
    EXPECT_THAT(ConnectError(Password(user, "secret")), HasSubstr("too many failed logins of user"));
  }
  EXPECT_EQ(Root()->Run("SELECT 1"), "1");
}

TEST_F(AuthenticationTest, ANameWritesNoFieldOfTheLog) {
  testing::internal::CaptureStderr();
  EXPECT_THAT(ConnectError(Password("'joe\" method=trust x=\"'", "wrong")), HasSubstr("password authentication failed"));
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr(R"(sql.login_refused user="joe\" method=trust x=\"" vc="main")"));
}

TEST_F(AuthenticationTest, TheServerIsVerified) {
  EXPECT_THAT(ConnectError(Verified("root", "root") + " host=other.example hostaddr=127.0.0.1"),
              HasSubstr("does not match host name"));
  const CertsDir others(dir_ / "others");
  ASSERT_TRUE(CreateAuthority(others, {.clock = SystemClock()}).ok());
  ASSERT_TRUE(CreateClientCertificate(others, "root", {.clock = SystemClock()}).ok());
  EXPECT_THAT(ConnectError(Verified("root", "root") + " sslrootcert=" + others.ca_certificate().string()),
              HasSubstr("certificate verify failed"));
  // A client's certificate of another authority, and one that has ended, end the handshake.
  const std::string stranger =
      fmt::format(" sslcert={} sslkey={}", others.client_certificate("root").string(), others.client_key("root").string());
  EXPECT_THAT(ConnectError(Verified("root", "root") + stranger), HasSubstr("unknown ca"));
  ManualClock long_ago(SystemClock()->WallNs() - (kCertificateLifetimeDays + 2) * 86'400'000'000'000ull);
  CreateClient("root", &long_ago);
  EXPECT_THAT(ConnectError(Verified("root", "root")), HasSubstr("certificate expired"));
}

TEST_F(AuthenticationTest, WithoutTlsNobodyComesIn) {
  EXPECT_THAT(ConnectError("sslmode=disable"), HasSubstr("user \"root\" may not connect from 127.0.0.1 without TLS"));
  EXPECT_THAT(ConnectError("user=nobody sslmode=disable"), HasSubstr("may not connect"));
}

TEST_F(AuthenticationTest, RulesDecideInTheirOrder) {
  const auto root = Root();
  EXPECT_EQ(root->Run("CREATE USER joe PASSWORD 'secret'"), "OK CREATE ROLE");
  CreateClient("joe");
  SetRules(R"(
# comment
hostnossl all joe 127.0.0.0/8 trust
hostssl all joe 10.0.0.0/8 reject
hostssl all joe all cert)");
  EXPECT_EQ(Connect("user=joe sslmode=disable")->Run("SELECT 1"), "1");
  EXPECT_EQ(Connect(Verified("joe", "joe"))->Run("SELECT 1"), "1");
  EXPECT_THAT(ConnectError(Password("joe", "secret")), HasSubstr("connection requires a valid client certificate"));
  EXPECT_THAT(ConnectError(Verified("joe", "root")), HasSubstr("certificate authentication failed for user \"joe\""));
  SetRules("host all joe 127.0.0.1/32 scram-sha-256");
  EXPECT_EQ(Connect("user=joe sslmode=disable password=secret")->Run("SELECT 1"), "1");
  EXPECT_EQ(Connect(Verified("joe", "joe") + " password=secret")->Run("SELECT 1"), "1");
  EXPECT_THAT(ConnectError(Verified("joe", "joe")), HasSubstr("no password supplied"));
  // root's certificate is above all rules.
  SetRules("host all all all reject");
  EXPECT_THAT(ConnectError(Password("joe", "secret")), HasSubstr("may not connect from 127.0.0.1 with TLS"));
  EXPECT_EQ(Root()->Run("SELECT 1"), "1");
  EXPECT_EQ(System()->Run("RESET CLUSTER SETTING server.host_based_authentication.configuration"),
            "OK SET CLUSTER SETTING");
  EXPECT_EQ(Connect(Password("joe", "secret"))->Run("SELECT 1"), "1");
}

TEST_F(AuthenticationTest, CertificatesAreReadAgainWithoutDroppingAnyone) {
  const auto before = Root();
  ASSERT_TRUE(CreateAuthority(certs_dir(), {.clock = SystemClock(), .overwrite = Overwrite::kYes}).ok());
  ASSERT_TRUE(
      CreateNodeCertificate(certs_dir(), {"localhost"}, {.clock = SystemClock(), .overwrite = Overwrite::kYes}).ok());
  CreateClient("root");
  EXPECT_THAT(ConnectError(Verified("root", "root")), HasSubstr("certificate verify failed"));
  ASSERT_TRUE(credentials_->Reload().ok());
  EXPECT_EQ(Root()->Run("SELECT 1"), "1");
  EXPECT_EQ(before->Run("SELECT 2"), "2");
}

TEST_F(AuthenticationTest, WhatASessionDoesGoesThroughTls) {
  const auto client = Root();
  EXPECT_STREQ(PQsslAttribute(client->get(), "protocol"), "TLSv1.3");
  EXPECT_EQ(client->Run("CREATE TABLE t (k INT PRIMARY KEY, v TEXT)"), "OK CREATE TABLE");
  EXPECT_EQ(client->Run("INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(1, 20000) g"), "OK INSERT 0 20000");
  PGresult* result = PQexec(client->get(), "SELECT v FROM t");  // more than the sockets hold
  EXPECT_EQ(PQntuples(result), 20'000);
  PQclear(result);
  EXPECT_EQ(client->Run("COPY t FROM STDIN"), "copy in");
  const std::string line = "\t" + std::string(8'000, 'y') + "\n";
  for (int i = 30'000; i < 31'000; ++i) {
    const std::string row = std::to_string(i) + line;
    ASSERT_EQ(PQputCopyData(client->get(), row.data(), static_cast<int>(row.size())), 1);
  }
  EXPECT_EQ(PQputCopyEnd(client->get(), nullptr), 1);
  EXPECT_EQ(client->Finish(), "OK COPY 1000");
  client->Send("SELECT count(*) FROM generate_series(1, 10000000000)");
  pollfd answered = {PQsocket(client->get()), POLLIN, 0};
  do {
    client->Cancel();
  } while (poll(&answered, 1, 20) == 0);
  EXPECT_EQ(client->Finish(), "57014");
  EXPECT_EQ(System()->Run("ALTER VIRTUAL CLUSTER main STOP SERVICE"), "OK ALTER VIRTUAL CLUSTER");
  client->Send("SELECT 1");
  EXPECT_EQ(client->Finish(), "57P01");
}

TEST_F(AuthenticationTest, SettingBadRulesIsRefusedNamingTheLine) {
  const auto system = System();
  const auto set = [&](const std::string& rules) {
    const std::string outcome =
        system->Run("SET CLUSTER SETTING server.host_based_authentication.configuration = '" + rules + "'");
    return outcome + " " + system->error();
  };
  EXPECT_THAT(set("host all all all trust\nhost all all all frob"),
              HasSubstr("22023 ERROR:  line 2 of the authentication rules: \"frob\" is no authentication method"));
  EXPECT_EQ(system->Run("SHOW CLUSTER SETTING server.host_based_authentication.configuration"),
            std::string(kDefaultAuthenticationRules));
}

// A client that has named its user and says nothing more holds a place only until others want it.
TEST_F(AuthenticationTest, AMuteClientInTheMiddleOfItsLoginIsOverByAShutdown) {
  EXPECT_EQ(Root()->Run("CREATE USER joe PASSWORD 'secret'"), "OK CREATE ROLE");
  SetRules("host all joe all scram-sha-256");
  PGconn* mute = PQconnectStart(Conninfo("user=joe sslmode=disable password=secret").c_str());
  while (PQstatus(mute) != CONNECTION_AWAITING_RESPONSE && PQstatus(mute) != CONNECTION_BAD) PQconnectPoll(mute);
  server_->Drain();
  PostgresPollingStatusType polled = PGRES_POLLING_READING;
  while (polled == PGRES_POLLING_READING || polled == PGRES_POLLING_WRITING) polled = PQconnectPoll(mute);
  EXPECT_EQ(polled, PGRES_POLLING_FAILED);
  PQfinish(mute);
}

}  // namespace
}  // namespace anabranch
