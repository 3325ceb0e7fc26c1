#include "sql/control/notation.h"

#include <gtest/gtest.h>

#include "fmt/format.h"
#include "fmt/ranges.h"

namespace anabranch {
namespace {

// Whether `text` is "say" and what `syntax` takes: "yes", with what the rule `thing` matched, or where it stops and what is
// expected there.
std::string Match(const std::string& syntax, const std::string& text) {
  const SyntaxRules rules({{"thing", "{ name | '[' integer ']' }", "a thing"}, {"same", "thing", ""}});
  const std::string statement = "say " + text;
  const auto tokens = TokenizeSystemStatement(statement);
  if (!tokens) return "no tokens";
  SyntaxMatch match(*tokens);
  if (!match.Take(*rules.Compile("SAY " + syntax)) || !match.TakeEnd()) {
    const Expectation& expectation = match.expectation();
    return fmt::format("{}: {}", tokens->at(expectation.at).text, fmt::join(expectation.what, "|"));
  }
  std::string things = "yes";
  for (const Captured& thing : match.All("thing")) {
    things += fmt::format(" {}-{}", tokens->at(thing.begin).text, tokens->at(thing.end - 1).text);
  }
  return things;
}

TEST(NotationTest, WordsAndOptions) {
  EXPECT_EQ(Match("A [B] C", "a C;"), "yes");
  EXPECT_EQ(Match("A [B] C", "a b c"), "yes");
  EXPECT_EQ(Match("A [B] C", "a b b"), "b: C");
  EXPECT_EQ(Match("A [B] C", "a d"), "d: B|C");
  EXPECT_EQ(Match("A [B]", "a 'b'"), "'b': B|the end of the statement") << "a string is no keyword";
}

TEST(NotationTest, ChoicesListsAndRepetitions) {
  EXPECT_EQ(Match("{ A B | A C }", "a c"), "yes");
  EXPECT_EQ(Match("{ A B | A C }", "a d"), "d: B|C");
  EXPECT_EQ(Match("thing [, ...]", "x, [7], 'y'"), "yes x-x [-] 'y'-'y'");
  EXPECT_EQ(Match("thing [, ...]", "x,"), ": a thing");
  EXPECT_EQ(Match("thing [. any_name] ...", "x.select.y"), "yes x-x");
  EXPECT_EQ(Match("thing [A] [:: thing] ...", "x :: y :: z"), "yes x-x y-y z-z");
}

TEST(NotationTest, ALabelStandsForWhatItsRuleBeginsWith) {
  EXPECT_EQ(Match("{ same | LATEST }", "1"), "1: LATEST|a thing");
  EXPECT_EQ(Match("same", "[x"), "x: a whole number") << "inside, the rule speaks for itself";
}

TEST(NotationTest, WhatIsTakenBackLeavesNothing) {
  EXPECT_EQ(Match("[thing A] thing B", "x b"), "yes x-x");
  EXPECT_EQ(Match("[A thing] A B", "a b"), ": A") << "what matched is not taken back";
}

TEST(NotationTest, TenantIsVirtualClusterAndNobodyIsTold) {
  EXPECT_EQ(Match("VIRTUAL CLUSTER thing", "tenant x"), "yes x-x");
  EXPECT_EQ(Match("VIRTUAL CLUSTERS", "TENANTS"), "yes");
  EXPECT_EQ(Match("VIRTUAL CLUSTERS", "TENANT"), "TENANT: VIRTUAL");
}

}  // namespace
}  // namespace anabranch
