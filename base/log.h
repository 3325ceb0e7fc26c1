// Structured logging: one line per event, "<time> <level> <event> key=value ...", on stderr.
//   Log(LogLevel::kInfo, "stream.connected", "vc={} stream={}", name, id);
// Event names are "<area>.<past participle or noun>". Secrets are never logged: URIs go through RedactUri first.
#pragma once

#include <string>
#include <string_view>

#include "fmt/format.h"

namespace anabranch {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

void WriteLog(LogLevel level, std::string_view event, const std::string& fields);

template <typename... Args>
void Log(LogLevel level, std::string_view event, fmt::format_string<Args...> format = "", Args&&... args) {
  WriteLog(level, event, fmt::format(format, std::forward<Args>(args)...));
}

// Lines below `level` are dropped from now on. Default kInfo.
void SetLogLevel(LogLevel level);

}  // namespace anabranch
