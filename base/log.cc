#include "base/log.h"

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

// How many bytes at `at` are a control character: one of C0 or DEL has one, of C1 (U+0080 to U+009F, in UTF-8) two. 0: it is
// another.
size_t ControlBytes(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0; };
  if (byte(at) < 0x20 || byte(at) == 0x7f) return 1;
  return byte(at) == 0xc2 && byte(at + 1) >= 0x80 && byte(at + 1) < 0xa0 ? 2 : 0;
}

// A field may quote what a peer sent: none begins a line of its own, or speaks to a terminal.
std::string Escaped(const std::string& fields) {
  std::string escaped;
  for (size_t at = 0; at < fields.size();) {
    size_t left = ControlBytes(fields, at);
    if (left == 0) escaped += fields[at++];
    for (; left > 0; --left) escaped += fmt::format("\\x{:02x}", static_cast<unsigned char>(fields[at++]));
  }
  return escaped;
}

}  // namespace

void WriteLog(LogLevel level, std::string_view event, const std::string& fields) {
  Logger().log(ToSpdlog(level), "{}{}{}", event, fields.empty() ? "" : " ", Escaped(fields));
}

void SetLogLevel(LogLevel level) { Logger().set_level(ToSpdlog(level)); }

}  // namespace anabranch
