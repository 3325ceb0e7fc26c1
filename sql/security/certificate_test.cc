#include "sql/security/certificate.h"

#include <sys/stat.h>

#include <fstream>

#include "base/random.h"
#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sql/security/certificate_authority.h"
#include "sql/security/tls.h"

namespace anabranch {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class CertificateTest : public testing::Test {
 protected:
  ~CertificateTest() override { std::filesystem::remove_all(dir_.path()); }

  CertificateOptions Options() { return {.clock = SystemClock()}; }
  void CreateAll() {
    ASSERT_TRUE(CreateAuthority(dir_, Options()).ok());
    ASSERT_TRUE(CreateNodeCertificate(dir_, {"localhost", "127.0.0.1", "::1"}, Options()).ok());
    ASSERT_TRUE(CreateClientCertificate(dir_, "root", Options()).ok());
  }
  static mode_t ModeOf(const std::filesystem::path& path) {
    struct stat info = {};
    return stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
  }

  const CertsDir dir_{std::filesystem::temp_directory_path() / ("anabranch_certificate_test." + Random().NextHex(16))};
};

TEST_F(CertificateTest, WhatIsMadeIsWhatANodeNeeds) {
  CreateAll();
  const CertificatePtr node = ReadCertificate(dir_.node_certificate()).value();
  EXPECT_EQ(CommonName(node.get()).value(), "node");
  EXPECT_THAT(HostNames(node.get()), ElementsAre("localhost", "127.0.0.1", "::1"));
  EXPECT_EQ(CommonName(ReadCertificate(dir_.client_certificate("root")).value().get()).value(), "root");
  EXPECT_EQ(ModeOf(dir_.node_key()), 0600);
  EXPECT_EQ(ModeOf(dir_.ca_key()), 0600);
  std::string first_line;
  std::getline(std::ifstream(dir_.client_key("root")), first_line);
  EXPECT_EQ(first_line, "-----BEGIN PRIVATE KEY-----");  // PKCS8
  EXPECT_EQ(dir_.certificates().size(), 3u);
  EXPECT_TRUE(TlsCredentials::Load(dir_, SystemClock()).ok());
}

TEST_F(CertificateTest, WhatIsThereIsKeptUnlessItMayBeOverwritten) {
  CreateAll();
  EXPECT_EQ(SqlStateOf(CreateAuthority(dir_, Options())), sqlstate::kDuplicateObject);
  EXPECT_EQ(SqlStateOf(CreateNodeCertificate(dir_, {"localhost"}, Options())), sqlstate::kDuplicateObject);
  EXPECT_EQ(SqlStateOf(CreateClientCertificate(dir_, "root", Options())), sqlstate::kDuplicateObject);
  CertificateOptions options = Options();
  options.overwrite = Overwrite::kYes;
  EXPECT_TRUE(CreateNodeCertificate(dir_, {"localhost"}, options).ok());
  EXPECT_THAT(HostNames(ReadCertificate(dir_.node_certificate()).value().get()), ElementsAre("localhost"));
}

TEST_F(CertificateTest, NamesThatCannotBeAreRefused) {
  EXPECT_EQ(SqlStateOf(CreateClientCertificate(dir_, "root", Options())),
            sqlstate::kInvalidParameterValue);  // no authority
  ASSERT_TRUE(CreateAuthority(dir_, Options()).ok());
  EXPECT_EQ(SqlStateOf(CreateClientCertificate(dir_, "../root", Options())), sqlstate::kInvalidParameterValue);
  EXPECT_EQ(SqlStateOf(CreateClientCertificate(dir_, "", Options())), sqlstate::kInvalidParameterValue);
  EXPECT_EQ(SqlStateOf(CreateClientCertificate(dir_, std::string(65, 'x'), Options())), sqlstate::kInvalidParameterValue);
  EXPECT_EQ(SqlStateOf(CreateNodeCertificate(dir_, {"a,DNS:b"}, Options())), sqlstate::kInvalidParameterValue);
  EXPECT_EQ(SqlStateOf(CreateNodeCertificate(dir_, {""}, Options())), sqlstate::kInvalidParameterValue);
}

TEST_F(CertificateTest, AKeyThatOthersMayReadIsRefused) {
  CreateAll();
  const auto load = [&] { return TlsCredentials::Load(dir_, SystemClock()).status(); };
  for (const mode_t mode : {0644, 0640, 0604, 0700}) {
    ASSERT_EQ(chmod(dir_.node_key().c_str(), mode), 0);
    EXPECT_EQ(SqlStateOf(load()), sqlstate::kInsufficientPrivilege) << mode;
    EXPECT_THAT(MessageOf(load()), HasSubstr(fmt::format("mode {:04o}", mode)));
  }
  ASSERT_EQ(chmod(dir_.node_key().c_str(), 0400), 0);
  EXPECT_TRUE(load().ok());
}

TEST_F(CertificateTest, WhatWasReadBeforeStaysInUseIfNewFilesAreBad) {
  CreateAll();
  const auto credentials = TlsCredentials::Load(dir_, SystemClock()).value();
  const auto before = credentials->current();
  std::ofstream(dir_.node_certificate()) << "no certificate";
  EXPECT_THAT(MessageOf(credentials->Reload()), HasSubstr("node.crt holds no certificate"));
  EXPECT_EQ(credentials->current(), before);
  CertificateOptions options = Options();
  options.overwrite = Overwrite::kYes;
  ASSERT_TRUE(CreateNodeCertificate(dir_, {"localhost"}, options).ok());
  EXPECT_TRUE(credentials->Reload().ok());
  EXPECT_NE(credentials->current()->server_end_point, before->server_end_point);
  ASSERT_TRUE(CreateAuthority(dir_, options).ok());
  std::filesystem::copy_file(dir_.ca_key(), dir_.node_key(), std::filesystem::copy_options::overwrite_existing);
  EXPECT_THAT(MessageOf(credentials->Reload()), HasSubstr("do not belong together"));
}

TEST_F(CertificateTest, AnEndThatIsNearIsLogged) {
  CreateAll();
  const auto logged = [&](int days_from_now) {
    ManualClock clock(SystemClock()->WallNs() + days_from_now * 86'400'000'000'000ull);
    testing::internal::CaptureStderr();
    TlsCredentials::Load(dir_, &clock).value()->LogExpiry();
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(logged(kCertificateLifetimeDays - kExpiryWarningDays - 1), "");
  EXPECT_THAT(logged(kCertificateLifetimeDays - kExpiryWarningDays), HasSubstr("tls.certificate_expires file="));
  EXPECT_THAT(logged(kCertificateLifetimeDays + 1), HasSubstr("tls.certificate_expired file="));
}

}  // namespace
}  // namespace anabranch
