// What connection pools send between two clients.
#include "sql/session/reset.h"

#include <gtest/gtest.h>

#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

class SessionResetTest : public SessionFixture {
 protected:
  std::string Run(std::string_view text) { return session_->Run(text); }

  std::unique_ptr<TestSession> session_ = NewSession();
};

TEST_F(SessionResetTest, DiscardAllForgetsWhatTheSessionSet) {
  ASSERT_TRUE(session_->session().SetSettingAtStart("application_name", "pool").ok());
  Run("CREATE SEQUENCE q");
  Run("SET application_name = 'client'; SET statement_timeout = 5; SELECT nextval('q')");
  EXPECT_EQ(Run("DISCARD ALL"), "DISCARD ALL");
  EXPECT_EQ(Run("SHOW application_name"), "pool");
  EXPECT_EQ(Run("SHOW statement_timeout"), "0");
  EXPECT_EQ(Run("SELECT currval('q')"), "55000: currval of sequence \"q\" is not yet defined in this session");
  EXPECT_EQ(Run("SELECT lastval()"), "55000: lastval is not yet defined in this session");
}

TEST_F(SessionResetTest, DiscardAllIsForOutsideOfBlocks) {
  EXPECT_EQ(Run("SELECT 1; DISCARD ALL"), "25001: DISCARD ALL cannot run inside a transaction block");
  Run("BEGIN");
  EXPECT_EQ(Run("DISCARD ALL"), "25001: DISCARD ALL cannot run inside a transaction block");
  EXPECT_EQ(session_->status(), 'E');
}

TEST_F(SessionResetTest, WhatThereIsNothingOfIsResetByDoingNothing) {
  EXPECT_EQ(Run("UNLISTEN *"), "UNLISTEN");
  EXPECT_EQ(Run("CLOSE ALL"), "CLOSE CURSOR ALL");
  EXPECT_EQ(Run("DISCARD PLANS"), "DISCARD PLANS");
  EXPECT_EQ(Run("DISCARD TEMPORARY"), "DISCARD TEMP");
  EXPECT_EQ(Run("SELECT pg_advisory_unlock_all()"), "");
  EXPECT_EQ(Run("BEGIN; DISCARD SEQUENCES"), "DISCARD SEQUENCES");
}

TEST_F(SessionResetTest, ThePartsTogetherAsDriversSendThem) {
  EXPECT_EQ(Run("SET SESSION AUTHORIZATION DEFAULT; RESET ALL; CLOSE ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); "
                "DISCARD SEQUENCES; DISCARD TEMP"),
            "DISCARD TEMP");
}

TEST_F(SessionResetTest, ResetComesBackToWhatTheClientConnectedWith) {
  ASSERT_TRUE(session_->session().SetSettingAtStart("statement_timeout", "1min").ok());
  Run("SET statement_timeout = 0");
  EXPECT_EQ(Run("SHOW statement_timeout"), "0");
  Run("RESET statement_timeout");
  EXPECT_EQ(Run("SHOW statement_timeout"), "1min");
  Run("SET statement_timeout = 0; RESET ALL");
  EXPECT_EQ(Run("SHOW statement_timeout"), "1min");
}

}  // namespace
}  // namespace anabranch
