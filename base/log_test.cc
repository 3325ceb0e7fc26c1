#include "base/log.h"

#include "gtest/gtest.h"

namespace anabranch {
namespace {

// Whatever a peer sends, it adds no line and moves no terminal's cursor.
TEST(LogTest, AnEventIsOneLineOfPrintableText) {
  testing::internal::CaptureStderr();
  Log(LogLevel::kWarning, "peer.spoke", "text=\"{}\"", "a\n2026 error forged.event\r\x1b[2J\x7f\t\xc3\xbc\xc2\x9b\xc2\xa0");
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_NE(
      line.find("peer.spoke text=\"a\\x0a2026 error forged.event\\x0d\\x1b[2J\\x7f\\x09\xc3\xbc\\xc2\\x9b\xc2\xa0\"\n"),
      std::string::npos)
      << line;
  EXPECT_EQ(line.find('\n'), line.size() - 1);
}

}  // namespace
}  // namespace anabranch
