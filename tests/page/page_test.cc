// Reads statements.sql, which says how it is written, and does what it says.
#include <fnmatch.h>

#include <fstream>
#include <map>

#include "fmt/format.h"
#include "tests/e2e/cluster.h"

namespace anabranch {
namespace {

struct Step {
  int line = 0;  // of the statement
  std::string cluster;
  std::string virtual_cluster;
  std::string user;
  std::string statement;
  std::vector<std::string> rows;  // empty: whatever it answers
  bool until = false;
  std::string refusal;
  std::string keep;
};

std::vector<Step> ReadSteps() {
  std::ifstream file(PAGE_STATEMENTS);
  EXPECT_TRUE(file.good()) << PAGE_STATEMENTS;
  std::vector<Step> steps;
  Step next;
  bool complete = true;
  std::string text;
  for (int line = 1; std::getline(file, text); ++line) {
    const std::string rest = text.size() > 5 ? text.substr(5) : "";
    if (text.starts_with("-- @")) {
      next.cluster = text.substr(4, 1);
      const size_t space = text.find(' ', 6);
      next.virtual_cluster = text.substr(6, space - 6);
      next.user = space == std::string::npos ? "root" : text.substr(space + 1);
    } else if (text.starts_with("-- > ") || text.starts_with("-- ~ ")) {
      steps.back().rows.push_back(rest);
      steps.back().until = text[3] == '~';
    } else if (text.starts_with("-- ! ")) {
      steps.back().refusal = rest;
    } else if (text.starts_with("-- = ")) {
      steps.back().keep = rest;
    } else if (!text.empty() && !text.starts_with("--")) {
      if (complete) {
        steps.push_back(next);
        steps.back().line = line;
      }
      steps.back().statement += text + "\n";
      complete = text.ends_with(";");
    }
  }
  return steps;
}

class Page : public TwoClusters {
 protected:
  std::string Filled(std::string text) const {
    for (const auto& [name, value] : values_) {
      const std::string placeholder = "{" + name + "}";
      for (size_t at = 0; (at = text.find(placeholder, at)) != std::string::npos; at += value.size()) {
        text.replace(at, placeholder.size(), value);
      }
    }
    return text;
  }

  void Run(const Step& step) {
    SCOPED_TRACE(fmt::format("{}:{}: {}", PAGE_STATEMENTS, step.line, step.statement));
    std::string uri = (step.cluster == "A" ? a_ : b_).Uri(step.virtual_cluster);
    uri.replace(uri.find("root@"), 4, step.user);
    const std::string statement = Filled(step.statement);
    if (!step.refusal.empty()) return ExpectRefused(uri, statement, step.refusal.substr(0, 5), step.refusal.substr(6));
    std::string expected;
    for (const std::string& row : step.rows) expected += (expected.empty() ? "" : ";") + Filled(row);
    absl::StatusOr<SqlRows> answer = absl::UnknownError("not asked");
    const auto is_as_expected = [&] {
      answer = QueryOnce(uri, statement);
      return answer.ok() && (step.rows.empty() || fnmatch(expected.c_str(), answer->ToText().c_str(), 0) == 0);
    };
    const bool is_so = step.until ? WaitUntil(kEventTimeoutMs, is_as_expected) : is_as_expected();
    ASSERT_TRUE(answer.ok()) << SqlStateOf(answer.status()) << " " << MessageOf(answer.status());
    ASSERT_TRUE(is_so) << "answered " << answer->ToText() << "\nexpected " << expected;
    if (!step.keep.empty()) values_[step.keep] = answer->rows.at(0).at(0).value_or("NULL");
  }

  std::map<std::string, std::string> values_;
};

TEST_F(Page, EachStatementHasItsDocumentedEffect) {
  values_ = {{"A", a_.Uri("system")}, {"B", b_.Uri("system")}};
  const std::vector<Step> steps = ReadSteps();
  ASSERT_GT(steps.size(), 30u);
  for (const Step& step : steps) {
    Run(step);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace anabranch
