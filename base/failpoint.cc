#include "base/failpoint.h"

#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>

#include "base/check.h"
#include "base/log.h"

namespace anabranch {
namespace {

using Actions = std::map<std::string, std::string, std::less<>>;

Actions ParseEnvironment() {
  Actions actions;
  const char* value = std::getenv("ANABRANCH_FAILPOINTS");
  std::string_view rest = value == nullptr ? "" : value;
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    const size_t equals = item.find('=');
    CHECK(equals != std::string_view::npos, "ANABRANCH_FAILPOINTS wants name=action");
    actions.emplace(item.substr(0, equals), item.substr(equals + 1));
  }
  return actions;
}

}  // namespace

void Failpoint(std::string_view name) {
  static const Actions actions = ParseEnvironment();
  if (actions.empty()) [[likely]]
    return;
  const auto found = actions.find(name);
  if (found == actions.end()) return;
  const std::string_view action = found->second;
  Log(LogLevel::kWarning, "failpoint.hit", "name={} action={}", name, action);
  if (action == "pause") {
    while (true) pause();
  } else if (action == "exit") {
    kill(getpid(), SIGKILL);
  } else {
    CHECK(action.substr(0, 6) == "delay:", "failpoint action is pause, exit or delay:<ms>");
    int delay_ms = 0;
    std::from_chars(action.data() + 6, action.data() + action.size(), delay_ms);
    std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
  }
}

}  // namespace anabranch
