#include "storage/rocks/info_log.h"

#include <array>
#include <cstdio>

#include "base/log.h"

namespace anabranch {
namespace {

constexpr size_t kMessageBytesMax = 2048;  // a longer message is cut

class RocksLog final : public rocksdb::Logger {
 public:
  RocksLog() : Logger(rocksdb::WARN_LEVEL) {}

  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override { Write(LogLevel::kInfo, format, arguments); }
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < GetInfoLogLevel() || level == rocksdb::HEADER_LEVEL) return;
    Write(level == rocksdb::WARN_LEVEL ? LogLevel::kWarning : LogLevel::kError, format, arguments);
  }
  void LogHeader(const char*, va_list) override {}  // the header lists the options, at each start: not logged

 private:
  static void Write(LogLevel level, const char* format, va_list arguments) {
    std::array<char, kMessageBytesMax> message;
    vsnprintf(message.data(), message.size(), format, arguments);
    Log(level, "rocksdb.message", "text={}", message.data());
  }
};

}  // namespace

std::shared_ptr<rocksdb::Logger> MakeRocksLog() { return std::make_shared<RocksLog>(); }

}  // namespace anabranch
