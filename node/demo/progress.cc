#include "node/demo/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "fmt/format.h"

namespace anabranch {
namespace {

constexpr double kPlainEveryS = 1.0;

void Print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace

Progress::Progress() : terminal_(isatty(STDOUT_FILENO) == 1) {}

void Progress::EndLive() {
  if (live_) Print("\n");
  live_ = false;
}

void Progress::Stage(const std::string& title) {
  EndLive();
  last_plain_s_ = -1;
  Print(terminal_ ? fmt::format("\033[1m[{:5.1f} s] {}\033[0m\n", Seconds(), title)
                  : fmt::format("[{:5.1f} s] {}\n", Seconds(), title));
}

void Progress::Note(const std::string& text) {
  EndLive();
  Print(fmt::format("          {}\n", text));
}

void Progress::Live(const std::string& text) {
  if (terminal_) {
    live_ = true;
    Print(fmt::format("\r\033[K          {}", text));
    return;
  }
  if (last_plain_s_ >= 0 && Seconds() - last_plain_s_ < kPlainEveryS) return;
  last_plain_s_ = Seconds();
  Print(fmt::format("          {}\n", text));
}

void Progress::Check(bool held, const std::string& what) {
  EndLive();
  all_held_ = all_held_ && held;
  const char* mark = held ? "ok    " : "FAILED";
  const char* color = held ? "\033[32m" : "\033[31m";
  Print(terminal_ ? fmt::format("          {}{}\033[0m {}\n", color, mark, what)
                  : fmt::format("          {} {}\n", mark, what));
}

void Progress::Summary(const std::vector<std::pair<std::string, std::string>>& rows) {
  EndLive();
  size_t name_width = 0;
  size_t value_width = 0;
  for (const auto& [name, value] : rows) {
    name_width = std::max(name_width, name.size());
    value_width = std::max(value_width, value.size());
  }
  const std::string rule = fmt::format("+-{:-<{}}-+-{:-<{}}-+\n", "", name_width, "", value_width);
  std::string table = "\n" + rule;
  for (const auto& [name, value] : rows)
    table += fmt::format("| {:<{}} | {:>{}} |\n", name, name_width, value, value_width);
  Print(table + rule + "\n");
}

}  // namespace anabranch
