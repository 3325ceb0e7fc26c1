// For tests of time zones: statements and their answers in a zone.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "sql/testing/test_session.h"

namespace anabranch {

struct Answer {
  std::string_view zone;
  std::string_view query;
  std::string_view rows;
};

class TimeZoneTest : public SessionFixture {
 protected:
  std::string Run(std::string_view text) { return session_->Run(text); }
  std::string State(std::string_view text) { return Run(text).substr(0, 5); }
  void SetZone(std::string_view zone) { EXPECT_EQ(Run(fmt::format("SET TimeZone = '{}'", zone)), "SET"); }

  void ExpectAnswers(const std::vector<Answer>& answers) {
    for (const Answer& answer : answers) {
      SetZone(answer.zone);
      EXPECT_EQ(Run(answer.query), answer.rows) << answer.query;
    }
  }

  std::unique_ptr<TestSession> session_ = NewSession();
};

}  // namespace anabranch
