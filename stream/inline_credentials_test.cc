#include "stream/inline_credentials.h"

#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "gtest/gtest.h"
#include "stream/conninfo.h"
#include "stream/source_client.h"

namespace anabranch {
namespace {

std::string Contents(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(InlineCredentialsTest, TheParameterIsTakenWhereverItStands) {
  const auto take = [](std::string uri) {
    const bool on = TakeSslInline(&uri);
    return uri + (on ? " on" : " off");
  };
  EXPECT_EQ(take("postgresql://h/?sslinline=true"), "postgresql://h/? on");
  EXPECT_EQ(take("postgresql://h/?sslinline=true&a=b"), "postgresql://h/?a=b on");
  EXPECT_EQ(take("postgresql://h/?a=b&sslinline=true"), "postgresql://h/?a=b on");
  EXPECT_EQ(take("postgresql://h/?a=b&sslinline=true&c=d"), "postgresql://h/?a=b&c=d on");
  EXPECT_EQ(take("postgresql://h/?a=b&sslinline=false&c=d"), "postgresql://h/?a=b&c=d off");
  EXPECT_EQ(take("postgresql://h/?a=sslinline=true"), "postgresql://h/?a=sslinline=true off");
  EXPECT_EQ(take("postgresql://h/sslinline=true"), "postgresql://h/sslinline=true off");
}

TEST(InlineCredentialsTest, TextsStandInFilesOfThisProcessForAsLongAsTheyAreNeeded) {
  auto parameters = ParseConninfo(
      "postgresql://u@h/?sslmode=verify-full&sslinline=true&sslkey=-----BEGIN%20PRIVATE%20KEY-----%0Aabc%2B%2F%3D%0A");
  ASSERT_TRUE(parameters.has_value());
  std::string path;
  {
    InlineCredentials credentials;
    ASSERT_TRUE(credentials.Materialize(&*parameters).ok());
    EXPECT_FALSE(parameters->contains(kSslInline));
    EXPECT_FALSE(parameters->contains("sslcert"));
    path = parameters->at("sslkey");
    EXPECT_EQ(Contents(path), "-----BEGIN PRIVATE KEY-----\nabc+/=\n");
    struct stat info = {};
    ASSERT_EQ(stat(path.c_str(), &info), 0);
    EXPECT_TRUE(S_ISREG(info.st_mode));
    EXPECT_EQ(info.st_mode & 07777, 0600u);
  }
  EXPECT_EQ(Contents(path), "");
}

TEST(InlineCredentialsTest, WithoutTheParameterTheyAreNamesOfFiles) {
  auto parameters = ParseConninfo("postgresql://u@h/?sslkey=/a/key");
  InlineCredentials credentials;
  ASSERT_TRUE(credentials.Materialize(&*parameters).ok());
  EXPECT_EQ(parameters->at("sslkey"), "/a/key");
}

TEST(InlineCredentialsTest, NothingOfThemIsShown) {
  EXPECT_EQ(RedactUri("postgresql://u@h/?sslinline=true&sslkey=s3cret&sslcert=s3cret"),
            "postgresql://u@h?sslcert=redacted&sslinline=redacted&sslkey=redacted");
}

}  // namespace
}  // namespace anabranch
