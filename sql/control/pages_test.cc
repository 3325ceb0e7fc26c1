// The pages in docs/statements/ show the grammar as it is. PAGES_REWRITE=1 writes the synopses in the place of those there.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "sql/control/synopsis.h"

namespace anabranch {
namespace {

std::string PathOf(const std::string& page) { return STATEMENT_PAGES "/" + page + ".md"; }

std::string Contents(const std::string& path) {
  std::stringstream contents;
  contents << std::ifstream(path).rdbuf();
  return contents.str();
}

// Between the fences of the section Synopsis: where it begins, and its bytes. npos: there is none.
std::pair<size_t, size_t> FindSynopsis(const std::string& page) {
  constexpr std::string_view kFence = "\n```\n";
  const size_t section = page.find("\n## Synopsis\n");
  const size_t open = section == std::string::npos ? section : page.find(kFence, section);
  if (open == std::string::npos) return {open, 0};
  const size_t begin = open + kFence.size();
  const size_t end = page.find("```", begin);
  return {end == std::string::npos ? end : begin, end - begin};
}

TEST(PagesTest, EachStatementHasItsPageAndThePageItsSyntax) {
  ASSERT_GT(Synopses().size(), 10u);
  for (const Synopsis& synopsis : Synopses()) {
    std::string page = Contents(PathOf(synopsis.page));
    const auto [begin, bytes] = FindSynopsis(page);
    ASSERT_NE(begin, std::string::npos) << PathOf(synopsis.page) << " is not there or has no synopsis";
    if (std::getenv("PAGES_REWRITE") != nullptr) {
      std::ofstream(PathOf(synopsis.page)) << page.replace(begin, bytes, synopsis.text);
    } else {
      EXPECT_EQ(page.substr(begin, bytes), synopsis.text) << "PAGES_REWRITE=1 writes it into " << PathOf(synopsis.page);
    }
  }
}

TEST(PagesTest, TheIndexNamesEachPage) {
  const std::string index = Contents(PathOf("README"));
  for (const Synopsis& synopsis : Synopses()) {
    EXPECT_NE(index.find("](" + synopsis.page + ".md)"), std::string::npos) << synopsis.page;
  }
}

}  // namespace
}  // namespace anabranch
