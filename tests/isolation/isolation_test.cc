// Isolation as text: each *.spec here holds sessions, their steps, interleavings and, below each interleaving, what every
// step answered at each isolation level. ISOLATION_REWRITE=1 writes what happened in place of what was expected.
//
//   # comment
//   setup SQL                   before each run, in a fresh keyspace
//   step a.read SQL             a step of session a. A session begins a block at the run's level with its first step.
//   run a.read b.write ...      an interleaving, at the three levels; "run SERIALIZABLE: a.read ..." at one
//     READ COMMITTED            indented lines: the expected output
//       a.read => 100           rows as in test_session.h, joined by "; "; or the command tag; or the error
//       b.write waits           for a lock, seen in the lock table
//
// A run goes on when every step begun has either answered or waits for a lock, so nothing depends on time.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <sstream>

#include "gmock/gmock.h"
#include "node/demo/wait.h"
#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

constexpr uint64_t kStepTimeoutMs = 60'000;
constexpr std::string_view kOutputIndent = "  ";

struct Interleaving {
  std::vector<std::string> levels;
  std::vector<std::string> steps;
};

struct Spec {
  std::vector<std::string> setup;
  std::map<std::string, std::string> steps;
};

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) {
    if (!part.empty() || separator == '\n') parts.push_back(part);
  }
  return parts;
}

// "keyword rest" -> rest, if the line begins with the keyword.
std::optional<std::string> After(const std::string& line, std::string_view keyword) {
  if (!line.starts_with(keyword)) return std::nullopt;
  return line.substr(keyword.size());
}

Interleaving ParseRun(const std::string& text) {
  Interleaving run{.levels = {"READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"}, .steps = {}};
  const size_t colon = text.find(": ");
  if (colon != std::string::npos) run.levels = {text.substr(0, colon)};
  run.steps = Split(colon == std::string::npos ? text : text.substr(colon + 2), ' ');
  return run;
}

class Isolation : public SessionFixture, public testing::WithParamInterface<std::string> {
 protected:
  ~Isolation() override {
    stop_.request_stop();
    for (Running& step : running_) step.answer.wait();
    sessions_.clear();
  }

  // What the interleaving does at this level, line by line.
  std::string Run(const Spec& spec, const Interleaving& run, const std::string& level) {
    keyspace_ = NewKeyspace();
    locks_ = LockTable::Create();
    for (const std::string& statement : spec.setup) {
      const std::string answer = NewSession()->Run(statement);
      EXPECT_THAT(answer, testing::Not(testing::HasSubstr(": "))) << statement;
    }
    output_ = fmt::format("{}{}\n", kOutputIndent, level);
    for (const std::string& name : run.steps) Begin(spec, level, name);
    for (const Running& step : running_) ADD_FAILURE() << step.name << " waits at the end of the run";
    stop_.request_stop();
    Settle();
    Report();
    stop_ = std::stop_source();
    sessions_.clear();
    return output_;
  }

 private:
  struct Running {
    std::string name;
    std::future<std::string> answer;
    bool reported_waiting = false;

    bool done() const { return answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
  };

  void Begin(const Spec& spec, const std::string& level, const std::string& name) {
    const auto found = spec.steps.find(name);
    ASSERT_NE(found, spec.steps.end()) << "there is no step " << name;
    const std::string session_name = name.substr(0, name.find('.'));
    for (const Running& step : running_) {
      ASSERT_FALSE(step.name.starts_with(session_name + ".")) << name << " begins while " << step.name << " waits";
    }
    std::unique_ptr<TestSession>& session = sessions_[session_name];
    if (session == nullptr) {
      session = NewSession();
      ASSERT_EQ(session->Run("BEGIN ISOLATION LEVEL " + level), "BEGIN");
    }
    running_.push_back({.name = name, .answer = std::async(std::launch::async, [this, &session, &sql = found->second] {
                                        return session->Run(sql, stop_.get_token());
                                      })});
    Settle();
    Report();
  }

  // Until every step that runs waits for a lock. Steps first, then waiters: as many waiters as steps that had not answered
  // before means that all of them wait at once, and nothing is left that could wake one.
  void Settle() {
    const bool settled = WaitUntil(kStepTimeoutMs, [&] {
      const auto open = std::count_if(running_.begin(), running_.end(), [](const Running& step) { return !step.done(); });
      return locks_->waiting_count() == static_cast<size_t>(open);
    });
    EXPECT_TRUE(settled) << "a step neither answers nor waits for a lock";
  }

  // The newest step first: what it let go follows, in the order in which it had come.
  void Report() {
    std::rotate(running_.begin(), running_.end() - (running_.empty() ? 0 : 1), running_.end());
    for (Running& step : running_) {
      if (step.done()) {
        std::string answer = step.answer.get();
        for (size_t at = 0; (at = answer.find('\n', at)) != std::string::npos;) answer.replace(at, 1, "; ");
        output_ += fmt::format("{0}{0}{1} => {2}\n", kOutputIndent, step.name, answer);
      } else if (!std::exchange(step.reported_waiting, true)) {
        output_ += fmt::format("{0}{0}{1} waits\n", kOutputIndent, step.name);
      }
    }
    std::erase_if(running_, [](const Running& step) { return !step.answer.valid(); });
    if (!running_.empty()) std::rotate(running_.begin(), running_.begin() + 1, running_.end());
  }

  std::stop_source stop_;
  std::map<std::string, std::unique_ptr<TestSession>> sessions_;
  std::vector<Running> running_;  // begun, not reported as done; oldest first
  std::string output_;
};

TEST_P(Isolation, Spec) {
  const std::filesystem::path path = std::filesystem::path(ISOLATION_SPECS) / (GetParam() + ".spec");
  const std::string expected = ReadFile(path);
  Spec spec;
  std::string actual;
  for (const std::string& line : Split(expected, '\n')) {
    if (line.starts_with(kOutputIndent)) continue;
    actual += line + "\n";
    if (const auto setup = After(line, "setup ")) {
      spec.setup.push_back(*setup);
    } else if (const auto step = After(line, "step ")) {
      const size_t space = step->find(' ');
      spec.steps[step->substr(0, space)] = step->substr(space + 1);
    } else if (const auto run = After(line, "run ")) {
      const Interleaving interleaving = ParseRun(*run);
      for (const std::string& level : interleaving.levels) actual += Run(spec, interleaving, level);
      if (HasFatalFailure()) return;
    } else {
      ASSERT_TRUE(line.empty() || line.starts_with("#")) << line;
    }
  }
  if (std::getenv("ISOLATION_REWRITE") != nullptr) {
    std::ofstream(path) << actual;
  } else {
    EXPECT_EQ(actual, expected) << "ISOLATION_REWRITE=1 writes what happened into " << path;
  }
}

std::vector<std::string> SpecNames() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(ISOLATION_SPECS)) {
    if (entry.path().extension() == ".spec") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Specs, Isolation, testing::ValuesIn(SpecNames()), [](const auto& spec) { return spec.param; });

}  // namespace
}  // namespace anabranch
