#include "sql/value/duration_setting.h"

#include <gtest/gtest.h>

#include "base/status.h"

namespace anabranch {
namespace {

// As SHOW would have it; an error's message and hint.
std::string Shown(const std::string& text) {
  const absl::StatusOr<int> ms = ParseMilliseconds("lock_timeout", text);
  if (ms.ok()) return FormatMilliseconds(*ms);
  EXPECT_EQ(SqlStateOf(ms.status()), "22023");
  return MessageOf(ms.status()) + (HintOf(ms.status()).empty() ? "" : " / " + HintOf(ms.status()));
}

// Compared with PostgreSQL 15.
TEST(DurationSettingTest, UnitsAndNotations) {
  const std::pair<const char*, const char*> kValues[] = {
      {"0", "0"},        {"250", "250ms"},
      {"5s", "5s"},      {" 100 ms ", "100ms"},
      {"1min", "1min"},  {"90s", "90s"},
      {"120 s", "2min"}, {"1.5min", "90s"},
      {"0.5h", "30min"}, {"48h", "2d"},
      {"1500us", "2ms"}, {"0x10", "16ms"},
      {"1e3", "1s"},     {"-0", "0"},
      {"0.4", "0"},      {"1.0001s", "1s"},
      {"010", "8ms"},    {"2147483647", "2147483647ms"},
  };
  for (const auto& [text, shown] : kValues) EXPECT_EQ(Shown(text), shown) << text;
}

TEST(DurationSettingTest, Mistakes) {
  const std::string units = " / Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".";
  EXPECT_EQ(Shown("soon"), "invalid value for parameter \"lock_timeout\": \"soon\"");
  EXPECT_EQ(Shown(""), "invalid value for parameter \"lock_timeout\": \"\"");
  EXPECT_EQ(Shown("5 S"), "invalid value for parameter \"lock_timeout\": \"5 S\"" + units);
  EXPECT_EQ(Shown("5s 3"), "invalid value for parameter \"lock_timeout\": \"5s 3\"" + units);
  EXPECT_EQ(Shown("25d"), "invalid value for parameter \"lock_timeout\": \"25d\" / Value exceeds integer range.");
  EXPECT_EQ(Shown("-1"), "-1 ms is outside the valid range for parameter \"lock_timeout\" (0 .. 2147483647)");
}

}  // namespace
}  // namespace anabranch
