#include "base/log.h"

#include <algorithm>
#include <memory>

#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace anabranch {
namespace {

spdlog::logger& Logger() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto made = spdlog::stderr_logger_mt("anabranch");
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *logger;
}

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// A field may quote what a peer sent: none begins a line of its own, or speaks to a terminal.
std::string Escaped(const std::string& fields) {
  std::string escaped;
  for (const char c : fields) {
    if (IsControl(c)) {
      escaped += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace

void WriteLog(LogLevel level, std::string_view event, const std::string& fields) {
  const bool plain = std::none_of(fields.begin(), fields.end(), IsControl);
  Logger().log(ToSpdlog(level), "{}{}{}", event, fields.empty() ? "" : " ", plain ? fields : Escaped(fields));
}

void SetLogLevel(LogLevel level) { Logger().set_level(ToSpdlog(level)); }

}  // namespace anabranch
