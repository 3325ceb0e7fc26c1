#include "sql/security/scram_exchange.h"

#include "base/status.h"
#include "gtest/gtest.h"

namespace anabranch {
namespace {

// The exchange of RFC 7677, §3.
constexpr std::string_view kClientFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
constexpr std::string_view kServerNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
constexpr std::string_view kClientFinal =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

ScramVerifier Pencil() { return *ParseScramVerifier(MakeScramVerifier("pencil", *FromBase64("W22ZaJ0SNY7soEsUEjb6gQ=="))); }

ScramExchange Exchange(std::string channel = "") {
  return ScramExchange(Pencil(), std::move(channel), std::string(kServerNonce));
}

TEST(ScramExchangeTest, ThatOfTheStandard) {
  ScramExchange exchange = Exchange();
  EXPECT_EQ(exchange.Begin(kScramMechanism, kClientFirst).value(),
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
  EXPECT_EQ(exchange.Finish(kClientFinal).value(), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

TEST(ScramExchangeTest, AWrongProofIsNoError) {
  ScramExchange exchange = Exchange();
  ASSERT_TRUE(exchange.Begin(kScramMechanism, kClientFirst).ok());
  std::string wrong(kClientFinal);
  wrong.replace(wrong.find("p=d"), 3, "p=e");
  EXPECT_EQ(exchange.Finish(wrong).value(), std::nullopt);
}

TEST(ScramExchangeTest, WhatIsNoExchangeIsRefused) {
  const auto begin = [](std::string_view mechanism, std::string_view message, const std::string& channel) {
    return SqlStateOf(Exchange(channel).Begin(mechanism, message).status());
  };
  for (const std::string_view message :
       {"", "n", "n,,", "n,,n=user", "n,,n=user,r=", "n,,n=user,r=a\x01", "n,,r=abc", "x,,n=user,r=abc",
        "n,a=joe,n=user,r=abc", "p=tls-server-end-point,,n=user,r=abc", "n,,m=1,n=user,r=abc"}) {
    EXPECT_EQ(begin(kScramMechanism, message, ""), sqlstate::kProtocolViolation) << message;
  }
  EXPECT_EQ(begin("SCRAM-SHA-1", kClientFirst, ""), sqlstate::kProtocolViolation);
  EXPECT_EQ(begin(kScramPlusMechanism, "p=tls-server-end-point,,n=,r=abc", ""), sqlstate::kProtocolViolation);
  EXPECT_EQ(begin(kScramPlusMechanism, "p=tls-unique,,n=,r=abc", "hash"), sqlstate::kProtocolViolation);
  EXPECT_EQ(begin(kScramMechanism, "y,,n=,r=abc", "hash"), sqlstate::kProtocolViolation);  // it was offered
  EXPECT_TRUE(Exchange("hash").Begin(kScramMechanism, "n,,n=,r=abc").ok());
  EXPECT_TRUE(Exchange().Begin(kScramMechanism, "y,,n=,r=abc").ok());
  for (const std::string_view message :
       {"", "c=biws", "c=biws,r=other,p=dHzb", "c=eSws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzb",
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzb",
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=!"}) {
    ScramExchange exchange = Exchange();
    ASSERT_TRUE(exchange.Begin(kScramMechanism, kClientFirst).ok());
    EXPECT_EQ(SqlStateOf(exchange.Finish(message).status()), sqlstate::kProtocolViolation) << message;
  }
}

TEST(ScramExchangeTest, TheBindingIsToThisChannel) {
  const auto finish = [](const std::string& hash) {
    ScramExchange exchange = Exchange("hash of the certificate");
    EXPECT_TRUE(exchange.Begin(kScramPlusMechanism, "p=tls-server-end-point,,n=,r=abc").ok());
    const std::string binding = Base64("p=tls-server-end-point,," + hash);
    return exchange.Finish(
        fmt::format("c={},r=abc{},p={}", binding, kServerNonce, Base64(std::string(kScramKeyBytes, 'x'))));
  };
  EXPECT_EQ(finish("hash of the certificate").value(), std::nullopt);  // only the proof is wrong
  EXPECT_EQ(SqlStateOf(finish("hash of another").status()), sqlstate::kProtocolViolation);
}

TEST(ScramExchangeTest, WhoIsNotThereLooksAsWhoIs) {
  const ScramVerifier mock = MockScramVerifier(TenantId(2), "joe", "secret");
  EXPECT_EQ(mock.salt.size(), kScramSaltBytes);
  EXPECT_EQ(mock.salt, MockScramVerifier(TenantId(2), "joe", "secret").salt);
  EXPECT_NE(mock.salt, MockScramVerifier(TenantId(2), "ann", "secret").salt);
  EXPECT_NE(mock.salt, MockScramVerifier(TenantId(3), "joe", "secret").salt);
  EXPECT_NE(mock.stored_key, MockScramVerifier(TenantId(2), "joe", "secret").stored_key);
}

}  // namespace
}  // namespace anabranch
