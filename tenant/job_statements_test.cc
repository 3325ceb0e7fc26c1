// SHOW JOBS, what is said to jobs, and SHOW REPLICATION STREAMS.
#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/protection.h"
#include "tenant/replication/failover.h"
#include "tenant/replication/reset.h"
#include "tenant/testing/replication_fixture.h"

namespace anabranch {
namespace {

class JobsTest : public ReplicationFixture {
 protected:
  // "REPLICATION STREAM INGESTION running, ..." of a cluster, the oldest first.
  static std::string Jobs(TestCluster& cluster) {
    std::string text;
    const std::vector<JobInfo> jobs = *cluster->ShowJobs();
    for (const JobInfo& job : jobs)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", ToString(job.kind), ToString(job.status));
    return text;
  }
  static JobInfo Find(TestCluster& cluster, JobKind kind) {
    const std::vector<JobInfo> jobs = *cluster->ShowJobs();
    for (const JobInfo& job : jobs) {
      if (job.kind == kind) return job;
    }
    ADD_FAILURE() << "no job of type " << ToString(kind) << ": " << Jobs(cluster);
    return {};
  }
  static absl::Status Control(TestCluster& cluster, JobAction action, JobKind kind) {
    return cluster->ControlJobs(action, {Find(cluster, kind).id}, "root");
  }
  static void ExpectRefused(const absl::Status& status, const std::string& sqlstate, const std::string& text) {
    EXPECT_EQ(SqlStateOf(status), sqlstate) << status;
    EXPECT_NE((MessageOf(status) + HintOf(status)).find(text), std::string::npos) << status << HintOf(status);
  }
  static ReplicationStreamInfo Stream(TestCluster& cluster) {
    const auto streams = cluster->ShowReplicationStreams();
    EXPECT_TRUE(streams.ok() && streams->size() == 1) << streams.status();
    return streams.ok() && !streams->empty() ? streams->front() : ReplicationStreamInfo();
  }
  static bool IsStreaming(TestCluster& cluster) { return Stream(cluster).state == "streaming"; }
};

TEST_F(JobsTest, AReplicationFromItsStartToItsFailover) {
  EXPECT_EQ(Jobs(a_) + Jobs(b_), "");
  Fill(a_, "k", 5);
  ASSERT_TRUE(b_->CreateFromReplication("main", {}, "main", a_.uri(), {.retention_ns = {}, .user = "maria"}, {}).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  EXPECT_EQ(Jobs(a_), "REPLICATION STREAM PRODUCER running");
  EXPECT_EQ(Jobs(b_), "REPLICATION STREAM INGESTION running, REPLICATION INITIAL COPY succeeded");
  const JobInfo ingestion = Find(b_, JobKind::kIngestion);
  EXPECT_EQ(ingestion.user_name, "maria");
  EXPECT_GT(ingestion.id, 0);
  EXPECT_GT(ingestion.created_at_ns, 0u);
  EXPECT_EQ(ingestion.finished_at_ns, 0u);
  EXPECT_EQ(ingestion.description.find("secret"), std::string::npos) << ingestion.description;
  const JobInfo copy = Find(b_, JobKind::kInitialCopy);
  EXPECT_EQ(copy.fraction_completed, 1);
  EXPECT_GE(copy.finished_at_ns, copy.created_at_ns);
  b_.Restart();
  EXPECT_EQ(Find(b_, JobKind::kIngestion).id, ingestion.id);
  EXPECT_EQ(Find(b_, JobKind::kInitialCopy).finished_at_ns, copy.finished_at_ns);
  ASSERT_TRUE(CaughtUp(a_, b_));
  Promote(b_);
  EXPECT_EQ(Find(b_, JobKind::kIngestion).status, JobStatus::kSucceeded);
  EXPECT_GE(Find(b_, JobKind::kIngestion).finished_at_ns, ingestion.created_at_ns);
  EXPECT_TRUE(Eventually([&] { return Find(b_, JobKind::kSweep).status == JobStatus::kSucceeded; }));
  EXPECT_TRUE(Eventually([&] { return Stream(a_).state == "finished"; }));
}

TEST_F(JobsTest, AFailbackShowsItsUndo) {
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  Promote(b_);
  ASSERT_TRUE(a_.Put("main", "lost", "v").ok());
  ASSERT_TRUE(FailBack(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(b_, a_)) << a_.Status("main").last_error;
  EXPECT_EQ(Find(a_, JobKind::kUndo).status, JobStatus::kSucceeded);
  EXPECT_GT(Find(a_, JobKind::kUndo).finished_at_ns, 0u);
  EXPECT_NE(Find(a_, JobKind::kIngestion).description.find("START REPLICATION OF main"), std::string::npos);
}

TEST_F(JobsTest, PauseAndResumeAreThoseOfTheReplication) {
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(Control(b_, JobAction::kPause, JobKind::kIngestion).ok());
  EXPECT_EQ(b_.StateOf("main"), "replication paused");
  EXPECT_EQ(Find(b_, JobKind::kIngestion).status, JobStatus::kPaused);
  ASSERT_TRUE(Control(b_, JobAction::kResume, JobKind::kIngestion).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  // Of a standby that holds data there is nothing to put back.
  ExpectRefused(Control(b_, JobAction::kCancel, JobKind::kIngestion), "55000", "COMPLETE REPLICATION TO LATEST");
  EXPECT_NE(b_.StateOf("main"), "ready");
}

TEST_F(JobsTest, CancelTakesAFailbackBack) {
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  Promote(b_);
  b_.Reconnect({.answered = nullptr, .opens_left = 1});
  ASSERT_TRUE(FailBack(a_, b_).ok());
  const int64_t id = Find(a_, JobKind::kIngestion).id;
  ASSERT_TRUE(a_->ControlJobs(JobAction::kCancel, {id}, "root").ok());
  EXPECT_EQ(a_.StateOf("main"), "ready");
  EXPECT_EQ(SqlStateOf(a_->FindJobs({id}).status()), "42704");
}

TEST_F(JobsTest, RefusalsOfOneAreRefusalsOfAll) {
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(Eventually([&] { return b_.StateOf("main") == "replicating"; }));
  const int64_t ingestion = Find(b_, JobKind::kIngestion).id;
  const int64_t copy = Find(b_, JobKind::kInitialCopy).id;
  ExpectRefused(b_->ControlJobs(JobAction::kPause, {ingestion, 42}, "root"), "42704", "job with ID 42 does not exist");
  ExpectRefused(b_->ControlJobs(JobAction::kPause, {ingestion, copy}, "root"), "55000", "has succeeded");
  EXPECT_EQ(b_.StateOf("main"), "replicating");
  ExpectRefused(Control(a_, JobAction::kPause, JobKind::kProducer), "0A000", "PAUSE | RESUME REPLICATION");
}

TEST_F(JobsTest, WaitingEndsWithTheJob) {
  ASSERT_TRUE(Replicate(a_, b_).ok());
  const int64_t copy = Find(b_, JobKind::kInitialCopy).id;
  const auto copied = b_->WaitForJobs({copy}, {});
  ASSERT_TRUE(copied.ok()) << copied.status();
  EXPECT_EQ(copied->front().status, JobStatus::kSucceeded);
  ASSERT_TRUE(CaughtUp(a_, b_));
  const int64_t ingestion = Find(b_, JobKind::kIngestion).id;
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(absl::IsCancelled(b_->WaitForJobs({ingestion}, stop.get_token()).status()));
  std::jthread promote([&] { Promote(b_); });
  EXPECT_EQ(b_->WaitForJobs({copy, ingestion}, {})->back().status, JobStatus::kSucceeded);
  EXPECT_EQ(SqlStateOf(b_->WaitForJobs({7}, {}).status()), "42704");
}

TEST_F(JobsTest, OneThatGoesWithItsVirtualClusterIsCanceled) {
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  const int64_t id = Find(b_, JobKind::kIngestion).id;
  std::jthread drop([&] { EXPECT_TRUE(b_->Drop("main", false).ok()); });
  EXPECT_EQ(b_->WaitForJobs({id}, {})->front().status, JobStatus::kCanceled);
}

TEST_F(JobsTest, WhatWaitsToBeSweptIsPending) {
  ASSERT_TRUE(a_.Put("main", "k", "old").ok());
  const Timestamp at = *a_.Put("main", "k", "kept");
  ASSERT_TRUE(a_.Put("main", "k", "new").ok());
  ASSERT_TRUE(a_->StopService("main").ok());
  ASSERT_TRUE(PublishReset(a_.store(), TenantId(2), at, "root").ok());  // and nobody sweeps
  EXPECT_EQ(Jobs(a_), "SWEEP pending");
  a_.Restart();
  EXPECT_TRUE(Eventually([&] { return Jobs(a_) == "SWEEP succeeded"; }));
}

TEST_F(JobsTest, StreamsAsTheSourceSeesThem) {
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  const ReplicationStreamInfo stream = Stream(a_);
  EXPECT_EQ(stream.state, "streaming");
  EXPECT_EQ(stream.virtual_cluster, "main");
  EXPECT_EQ(stream.standby_cluster, b_.store()->cluster_id().value());
  EXPECT_EQ(stream.standby_name, "main");
  EXPECT_GT(stream.connected_since_ns, 0u);
  EXPECT_FALSE(stream.protected_at.IsZero());
  EXPECT_TRUE(Eventually([&] { return Stream(a_).bytes_behind == 0u; }));
  b_.Stop();
  EXPECT_TRUE(Eventually([&] { return Stream(a_).state == "disconnected"; }));
  EXPECT_EQ(Stream(a_).connected_since_ns, 0u);
  EXPECT_EQ(Stream(a_).bytes_behind, std::nullopt);
  b_.Start();
  EXPECT_TRUE(Eventually([&] { return IsStreaming(a_); }));
}

// What is left of a CREATE that was killed after its handshake.
TEST_F(JobsTest, AnOrphanIsSeenAndGivenUp) {
  wire::OpenRequest request;
  request.set_protocol_version(1);
  request.set_clock_ns(a_.store()->visible().ns);
  request.set_source_tenant("main");
  request.set_destination_cluster_id("0123456789abcdef0123456789abcdef");
  request.set_destination_tenant("orphan");
  const auto opened = a_->OpenStream(request, kRoot, {});
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(Stream(a_).state, "unclaimed");
  EXPECT_EQ(Stream(a_).standby_name, "orphan");
  const IncarnationId main(LoadTenant(a_.store(), TenantId(2))->incarnation());
  EXPECT_TRUE(OldestProtected(a_.store(), main)->has_value());
  const int64_t id = Stream(a_).job_id;
  EXPECT_EQ(Find(a_, JobKind::kProducer).id, id);
  a_.Restart();
  ASSERT_TRUE(a_->ControlJobs(JobAction::kCancel, {id}, "root").ok());
  EXPECT_TRUE(a_->ShowReplicationStreams()->empty());
  EXPECT_FALSE(OldestProtected(a_.store(), main)->has_value());
}

TEST_F(JobsTest, OneThatIsInUseIsNotGivenUp) {
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(Eventually([&] { return IsStreaming(a_); }));
  ExpectRefused(Control(a_, JobAction::kCancel, JobKind::kProducer), "55006", "promoted or dropped");
  Fill(a_, "k", 3);
  EXPECT_TRUE(CaughtUp(a_, b_));
}

}  // namespace
}  // namespace anabranch
