#include "tenant/catalog/authentication_rules.h"

#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anabranch {
namespace {

using testing::HasSubstr;

// How a user from there is asked who it is; nullopt: nobody fits.
std::optional<AuthenticationMethod> MethodFor(const std::string& rules, bool tls, const std::string& user,
                                              const std::string& address) {
  const auto parsed = ParseAuthenticationRules(rules);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  const AuthenticationRule* rule = FindAuthenticationRule(*parsed, tls, user, *ParseNetworkAddress(address));
  return rule == nullptr ? std::nullopt : std::optional(rule->method);
}

TEST(AuthenticationRulesTest, TheFirstThatFitsDecides) {
  const std::string rules =
      "# TYPE  DATABASE USER      ADDRESS        METHOD\n"
      "\n"
      "local   all      all                      trust   # no Unix sockets here\n"
      "hostssl all      root      all            cert\r\n"
      "host    all      joe, \"all\"  10.2.0.0/15  scram-sha-256\n"
      "hostnossl all    all       ::/0           reject\n"
      "host\tall\tall\t2001:db8::/32\ttrust\n"
      "host    all      ann,all   192.0.2.7      cert-password";
  EXPECT_EQ(MethodFor(rules, true, "root", "192.0.2.7"), AuthenticationMethod::kCertificate);
  EXPECT_EQ(MethodFor(rules, false, "root", "192.0.2.7"), AuthenticationMethod::kReject);
  EXPECT_EQ(MethodFor(rules, false, "joe", "10.1.255.255"), AuthenticationMethod::kReject);
  EXPECT_EQ(MethodFor(rules, false, "joe", "10.2.0.0"), AuthenticationMethod::kScram);
  EXPECT_EQ(MethodFor(rules, false, "all", "10.3.255.255"), AuthenticationMethod::kScram);  // quoted: a user's name
  EXPECT_EQ(MethodFor(rules, false, "bob", "10.2.0.0"), AuthenticationMethod::kReject);
  EXPECT_EQ(MethodFor(rules, true, "bob", "10.2.0.0"), std::nullopt);
  EXPECT_EQ(MethodFor(rules, true, "bob", "2001:db8::1"), AuthenticationMethod::kTrust);
  EXPECT_EQ(MethodFor(rules, true, "bob", "2001:db9::1"), std::nullopt);
  EXPECT_EQ(MethodFor(rules, true, "bob", "192.0.2.7"), AuthenticationMethod::kCertificateOrScram);
  EXPECT_EQ(MethodFor(rules, true, "bob", "::ffff:192.0.2.7"), AuthenticationMethod::kCertificateOrScram);
  EXPECT_EQ(MethodFor(rules, true, "bob", "192.0.2.8"), std::nullopt);
  EXPECT_EQ(MethodFor("host all all 0.0.0.0/0 trust", true, "bob", "192.0.2.8"), AuthenticationMethod::kTrust);
  EXPECT_EQ(MethodFor("host all all 0.0.0.0/0 trust", true, "bob", "::1"), std::nullopt);
  EXPECT_EQ(MethodFor(std::string(kDefaultAuthenticationRules), true, "bob", "::1"),
            AuthenticationMethod::kCertificateOrScram);
  EXPECT_EQ(MethodFor(std::string(kDefaultAuthenticationRules), false, "bob", "::1"), std::nullopt);
}

TEST(AuthenticationRulesTest, WhatIsWrongIsNamedWithItsLine) {
  const auto refusal = [](const std::string& rules) {
    const absl::Status status = ParseAuthenticationRules(rules).status();
    EXPECT_EQ(SqlStateOf(status), sqlstate::kInvalidParameterValue) << rules;
    return MessageOf(status);
  };
  EXPECT_THAT(refusal("\n\nhosts all all all trust"), HasSubstr("line 3 of the authentication rules: \"hosts\""));
  EXPECT_THAT(refusal("host all all all"), HasSubstr("expected TYPE DATABASE USER ADDRESS METHOD, found 4 fields"));
  EXPECT_THAT(refusal("local all all 10.0.0.0/8 trust"), HasSubstr("expected local DATABASE USER METHOD"));
  EXPECT_THAT(refusal("host main all all trust"), HasSubstr("the database must be all, not \"main\""));
  EXPECT_THAT(refusal("host all +staff all trust"), HasSubstr("\"+staff\""));
  EXPECT_THAT(refusal("host all all all md5"), HasSubstr("\"md5\" is no authentication method; there are trust, reject"));
  EXPECT_THAT(refusal("host all all all cert"), HasSubstr("cert is for hostssl"));
  EXPECT_THAT(refusal("host all \"joe all trust"), HasSubstr("a quotation mark is missing"));
  EXPECT_THAT(refusal("host all joe, "), HasSubstr("a word is missing"));
  for (const std::string address : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8x", "10.0.0.0/-1", "example.com", "samehost",
                                    "::1/129", "10.0.0.0,10.0.0.1"}) {
    EXPECT_THAT(refusal("host all all " + address + " trust"), HasSubstr("\"" + address + "\" is no address"));
  }
  std::string many;
  for (size_t i = 0; i < kAuthenticationRulesMax; ++i) many += "host all all all trust\n";
  EXPECT_TRUE(ParseAuthenticationRules(many).ok());
  EXPECT_THAT(refusal(many + "host all all all trust"), HasSubstr("line 1001"));
}

}  // namespace
}  // namespace anabranch
