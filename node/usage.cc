#include "node/usage.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fmt/format.h"

namespace anabranch {
namespace {

constexpr size_t kLettersPerMistake = 3;  // a word is near another that has at most one mistake for so many of its letters

// The least number of letters to insert, remove, replace, or swap with the next one, to make `from` into `to`.
size_t EditDistance(std::string_view from, std::string_view to) {
  std::vector<size_t> two_before;
  std::vector<size_t> before(to.size() + 1);
  std::vector<size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= from.size(); ++i) {
    two_before = std::exchange(before, row);
    row[0] = i;
    for (size_t j = 1; j <= to.size(); ++j) {
      row[j] = std::min({before[j] + 1, row[j - 1] + 1, before[j - 1] + (from[i - 1] != to[j - 1])});
      const bool swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
      if (swapped) row[j] = std::min(row[j], two_before[j - 2] + 1);
    }
  }
  return row.back();
}

std::string_view WithoutDashes(std::string_view word) {
  const size_t begin = word.find_first_not_of('-');
  return begin == std::string_view::npos ? std::string_view() : word.substr(begin);
}

bool IsFlag(std::string_view word) { return word.starts_with('-'); }

// What `word` was perhaps meant for: the beginning of a known word, or the one with the fewest mistakes.
std::optional<std::string> Nearest(std::string_view word, const std::vector<std::string>& known) {
  const std::string_view meant = WithoutDashes(word);
  std::optional<std::string> nearest;
  size_t fewest = meant.size() / kLettersPerMistake + 1;
  for (const std::string& candidate : known) {
    const std::string_view letters = WithoutDashes(candidate);
    const size_t mistakes = !meant.empty() && letters.starts_with(meant) ? 0 : EditDistance(meant, letters);
    if (mistakes < fewest) {
      fewest = mistakes;
      nearest = candidate;
    }
  }
  return nearest;
}

std::vector<std::string> CommandsOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

std::vector<std::string> FlagsOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

// The first word that `command` ("anabranch", or one of its commands) could make nothing of.
std::string UnknownWord(const CLI::App& command, bool is_program) {
  const std::vector<std::string> left = command.remaining();
  const std::string given = *std::find_if(left.begin(), left.end(), [](const std::string& word) { return word != "--"; });
  const std::string word = IsFlag(given) ? given.substr(0, given.find('=')) : given;
  const std::vector<std::string> commands = CommandsOf(command);
  std::vector<std::string> known = FlagsOf(command);
  known.insert(known.end(), commands.begin(), commands.end());
  const std::optional<std::string> nearest = Nearest(word, known);
  const std::string what = IsFlag(word) ? fmt::format("{} has no flag \"{}\"", command.get_name(), word)
                           : is_program ? fmt::format("unknown command \"{}\"", word)
                                        : fmt::format("{} takes no argument \"{}\"", command.get_name(), word);
  if (nearest) return fmt::format("{}: did you mean \"{}\"?", what, *nearest);
  if (is_program) return fmt::format("{}: the commands are {}", what, fmt::join(commands, ", "));
  return fmt::format("{}: see anabranch {} --help", what, command.get_name());
}

}  // namespace

int ExplainUsage(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return app.exit(error);  // --help
  const std::vector<CLI::App*> commands = app.get_subcommands();
  std::string message = error.what();
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)) {
    const bool is_program = commands.empty() || app.remaining_size() > 0;
    message = UnknownWord(is_program ? app : *commands.front(), is_program);
  }
  fmt::print(stderr, "anabranch: {}\n", message);
  return kExitUsage;
}

}  // namespace anabranch
