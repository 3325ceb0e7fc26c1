// Readers over two real clusters: when they serve, what each way out of replication makes of them, and that what they show
// is one moment which never goes back and is kept for as long as they show it.
#include "tenant/replication/reader.h"

#include <thread>

#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/gc.h"
#include "storage/mvcc/transaction.h"
#include "storage/protection.h"
#include "tenant/catalog/limits.h"
#include "tenant/testing/replication_fixture.h"

namespace anabranch {
namespace {

class ReaderTest : public ReplicationFixture {
 protected:
  static constexpr ReplicationOptions kWithReader{
      .retention_ns = {}, .expiration_window_ns = {}, .read_virtual_cluster = true};
  static constexpr const char* kReader = "main-readonly";

  static absl::Status ReplicateWithReader(TestCluster& from, TestCluster& to) {
    return to->CreateFromReplication("main", {}, "main", from.uri(), kWithReader, {});
  }
  static absl::Status FailBackWithReader(TestCluster& cluster, TestCluster& source) {
    EXPECT_TRUE(cluster->StopService("main").ok());
    return cluster->StartReplication("main", "main", source.uri(), kWithReader, {});
  }
  // "ready, shared"; the SQLSTATE if there is none.
  static std::string Reader(TestCluster& cluster, const std::string& name = kReader) {
    const auto info = cluster->Show(name);
    if (!info.ok()) return SqlStateOf(info.status());
    return fmt::format("{}, {}", ToString(info->data_state), ToString(info->service_mode));
  }
  static bool Serves(TestCluster& cluster) {
    return Eventually([&] { return Reader(cluster) == "ready, shared"; });
  }
  static std::unique_ptr<Transaction> Begin(TestCluster& cluster,
                                            IsolationLevel isolation = IsolationLevel::kReadCommitted) {
    const auto served = cluster->Connect(kReader);
    EXPECT_TRUE(served.ok()) << served.status();
    return served.ok() ? Transaction::Begin(served->context, isolation) : nullptr;
  }
  static std::string Read(Transaction& transaction, const std::string& key) {
    const auto row = transaction.Get(key);
    if (!row.ok()) return SqlStateOf(row.status());
    return *row ? (*row)->value : "-";
  }
  // In a statement of its own.
  static std::string ReadNow(TestCluster& cluster, const std::string& key) {
    const auto served = cluster->Connect(kReader);
    if (!served.ok()) return SqlStateOf(served.status());
    const auto transaction = Transaction::Begin(served->context, IsolationLevel::kReadCommitted);
    if (const absl::Status begun = transaction->BeginStatement(); !begun.ok()) return SqlStateOf(begun);
    return Read(*transaction, key);
  }
  static std::optional<Timestamp> Pin(TestCluster& cluster) {
    const auto served = cluster->Connect(kReader);
    if (!served.ok()) return std::nullopt;
    return ProtectedBy(cluster.store(), served->context.keyspace->incarnation(), kReaderHolder).value();
  }
  static void ExpectRefused(const absl::Status& status, std::string_view sqlstate, const std::string& text) {
    EXPECT_EQ(SqlStateOf(status), sqlstate) << status;
    EXPECT_NE((MessageOf(status) + HintOf(status)).find(text), std::string::npos) << status;
  }
};

TEST_F(ReaderTest, ServesAsSoonAsTheFirstMomentIsReplicated) {
  Fill(a_, "k", 20);
  a_.Disconnect();
  a_.Reconnect({.answered = nullptr, .opens_left = 1});  // the handshake, and then nothing: the copy does not come
  ASSERT_TRUE(ReplicateWithReader(a_, b_).ok());
  EXPECT_EQ(Reader(b_), "add, none");
  ExpectRefused(b_->Connect(kReader).status(), "57P03", "replicated_time");
  ExpectRefused(b_->StartService(kReader), "55000", "add");
  b_.Restart();
  EXPECT_EQ(Reader(b_), "add, none");
  a_.Reconnect();
  ASSERT_TRUE(Serves(b_));
  ASSERT_TRUE(CaughtUp(a_, b_));
  EXPECT_EQ(ReadNow(b_, "k007"), "v");
  EXPECT_EQ(Reader(b_, "main"), "replicating, none");
  EXPECT_EQ(b_.Status(kReader).source_tenant_name, "main");
}

TEST_F(ReaderTest, AddedToARunningStreamItServesAtOnce) {
  Fill(a_, "k", 3);
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(b_->AddReadVirtualCluster("main").ok());
  EXPECT_EQ(Reader(b_), "ready, shared");
  EXPECT_EQ(ReadNow(b_, "k001"), "v");
  ASSERT_TRUE(b_->AddReadVirtualCluster("main").ok());  // it has one
  EXPECT_EQ(b_->ShowAll()->size(), 3u);
  ExpectRefused(a_->AddReadVirtualCluster("main"), "55000", "ready");
}

TEST_F(ReaderTest, ShowsOneMomentPerStatementAndNeverAnEarlierOne) {
  ASSERT_TRUE(ReplicateWithReader(a_, b_).ok());
  ASSERT_TRUE(Serves(b_));
  const auto reading = Begin(b_);
  const auto repeatable = Begin(b_, IsolationLevel::kRepeatableRead);
  ASSERT_TRUE(repeatable->BeginStatement().ok());
  const Timestamp kept = repeatable->snapshot();
  std::jthread writer([&](std::stop_token stop) {
    for (int i = 0; !stop.stop_requested(); ++i) {
      WriteSet both{{"x", {WriteKind::kPut, std::to_string(i)}}, {"y", {WriteKind::kPut, std::to_string(i)}}};
      const auto served = a_->Connect("main");
      ASSERT_TRUE(a_.store()
                      ->Commit({.keyspace = served->context.keyspace,
                                .epoch = served->context.epoch,
                                .writes = std::make_shared<const WriteList>(both),
                                .validate_spans = {},
                                .validate_after = {}})
                      .ok());
    }
  });
  Timestamp last;
  int moves = 0;
  ASSERT_TRUE(Eventually([&] {
    EXPECT_TRUE(reading->BeginStatement().ok());
    EXPECT_GE(reading->snapshot(), last);
    if (reading->snapshot() > last) ++moves;
    last = reading->snapshot();
    EXPECT_EQ(Read(*reading, "x"), Read(*reading, "y"));
    EXPECT_TRUE(repeatable->BeginStatement().ok());
    EXPECT_EQ(Read(*repeatable, "x"), "-");
    return moves >= 5;
  }));
  EXPECT_EQ(repeatable->snapshot(), kept);
}

TEST_F(ReaderTest, NothingIsWrittenAndWhatHasNotComeIsNotRead) {
  ASSERT_TRUE(ReplicateWithReader(a_, b_).ok());
  ASSERT_TRUE(Serves(b_));
  const auto transaction = Begin(b_);
  EXPECT_TRUE(transaction->read_only());
  EXPECT_EQ(SqlStateOf(transaction->Put("k", "v")), "25006");
  EXPECT_EQ(SqlStateOf(transaction->LockRow("k", {}).status()), "25006");
  const auto served = b_->Connect(kReader);
  const Timestamp now = ReadableUpto(served->context);
  EXPECT_TRUE(Transaction::BeginAsOf(served->context, now).ok());
  EXPECT_EQ(SqlStateOf(Transaction::BeginAsOf(served->context, {now.ns + 3'600'000'000'000}).status()), "22023");
}

TEST_F(ReaderTest, FailoverToLatestLeavesItAtThatMoment) {
  Fill(a_, "k", 1);
  ASSERT_TRUE(ReplicateWithReader(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(Serves(b_));
  std::unique_ptr<Transaction> before = Begin(b_);
  const Timestamp at = Promote(b_);
  ASSERT_TRUE(b_.Put("main", "k000", "changed").ok());
  // Sessions from before go on, and new ones come; all see that moment.
  ASSERT_TRUE(before->BeginStatement().ok());
  EXPECT_EQ(before->snapshot(), at);
  EXPECT_EQ(Read(*before, "k000"), "v");
  EXPECT_EQ(ReadNow(b_, "k000"), "v");
  EXPECT_EQ(b_.Get("main", "k000"), "changed");
  EXPECT_EQ(b_.Status(kReader).replicated_time, at);
  EXPECT_EQ(SqlStateOf(Transaction::BeginAsOf(b_->Connect(kReader)->context, b_.store()->visible()).status()), "22023");
  before.reset();
  b_.Restart();
  EXPECT_EQ(Reader(b_), "ready, shared");
  EXPECT_EQ(ReadNow(b_, "k000"), "v");
  EXPECT_EQ(b_.Get("main", "k000"), "changed");
}

TEST_F(ReaderTest, AFailoverThatIsUndoneLetsItGoOn) {
  Fill(a_, "k", 1);
  ASSERT_TRUE(ReplicateWithReader(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(Serves(b_));
  const auto open = Begin(b_);
  const auto at = b_->CompleteReplication("main", ToLatest{}, {});
  ASSERT_TRUE(at.ok());
  EXPECT_EQ(Pin(b_), *at);
  ASSERT_TRUE(b_->UndoCompleteReplication("main", "").ok());
  ASSERT_TRUE(open->BeginStatement().ok());
  EXPECT_EQ(open->snapshot(), *at);
  ASSERT_TRUE(a_.Put("main", "k000", "changed").ok());
  ASSERT_TRUE(b_->ResumeReplication("main").ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(open->BeginStatement().ok());
  EXPECT_EQ(Read(*open, "k000"), "changed");
  ASSERT_TRUE(Eventually([&] { return !Pin(b_).has_value(); }));
}

TEST_F(ReaderTest, WhatItShowsForGoodIsNotCollected) {
  Fill(a_, "k", 1);
  ASSERT_TRUE(ReplicateWithReader(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(Serves(b_));
  EXPECT_EQ(Pin(b_), std::nullopt);
  const Timestamp at = Promote(b_);
  EXPECT_EQ(Pin(b_), at);
  ASSERT_TRUE(b_.Put("main", "k000", "changed").ok());
  const auto served = b_->Connect("main");
  const auto& keyspace = served->context.keyspace;
  // Without the protection that a failover has for a day.
  ASSERT_TRUE(b_.store()
                  ->UpdateMeta([&](MetaUpdate& update) {
                    Unprotect(update, keyspace->incarnation(), kFailoverHolder);
                    return absl::OkStatus();
                  })
                  .ok());
  ASSERT_TRUE(Eventually([&] { return keyspace->state()->hidden.empty(); }));
  const auto collect = [&] {
    return CollectGarbage(b_.store(), keyspace, keyspace->state()->epoch, 0, Pacing::kFull, {}, nullptr);
  };
  ASSERT_TRUE(collect().ok());
  EXPECT_EQ(ReadNow(b_, "k000"), "v");
  EXPECT_EQ(keyspace->state()->floor, at);
  ASSERT_TRUE(b_->StopService(kReader).ok());
  ASSERT_TRUE(b_->Drop(kReader, false).ok());
  ASSERT_TRUE(collect().ok());
  EXPECT_GT(keyspace->state()->floor, at);
}

TEST_F(ReaderTest, FailoverToAnEarlierMomentEndsIt) {
  Fill(a_, "k", 1);
  ASSERT_TRUE(ReplicateWithReader(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(Serves(b_));
  const Timestamp chosen = a_.store()->visible();
  ASSERT_TRUE(a_.Put("main", "k000", "changed").ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  const auto open = Begin(b_, IsolationLevel::kRepeatableRead);
  ASSERT_TRUE(open->BeginStatement().ok());
  const std::unique_ptr<MvccScan> scan = open->Scan({});
  ASSERT_TRUE(b_->CompleteReplication("main", ToSystemTime{FormatHlc(chosen)}, {}).ok());
  EXPECT_EQ(Reader(b_), "42704");
  ExpectRefused(b_->Connect(kReader).status(), "3D000", kReader);
  // What was being read is still whole; nothing is read anew.
  ASSERT_TRUE(scan->Next().value_or(false));
  EXPECT_EQ(scan->value(), "changed");
  EXPECT_EQ(Read(*open, "k000"), "57P01");
  EXPECT_EQ(SqlStateOf(open->Scan({})->Next().status()), "57P01");
  EXPECT_EQ(SqlStateOf(open->BeginStatement()), "57P01");
}

// Though nothing that it saw is taken back.
TEST_F(ReaderTest, FailoverToTheTimeThatItShowsEndsIt) {
  Fill(a_, "k", 1);
  ASSERT_TRUE(ReplicateWithReader(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(Serves(b_));
  ASSERT_TRUE(b_->PauseReplication("main").ok());
  const auto open = Begin(b_, IsolationLevel::kRepeatableRead);
  ASSERT_TRUE(open->BeginStatement().ok());
  EXPECT_EQ(Read(*open, "k000"), "v");
  const Timestamp shown = *b_.Status("main").replicated_time;
  ASSERT_TRUE(b_->CompleteReplication("main", ToSystemTime{FormatHlc(shown)}, {}).ok());
  EXPECT_EQ(Reader(b_), "42704");
  EXPECT_EQ(Read(*open, "k000"), "57P01");
}

// Whatever gc.ttlseconds says.
TEST_F(ReaderTest, WhatAnOpenTransactionSeesIsNotCollected) {
  Fill(a_, "k", 1);
  ASSERT_TRUE(ReplicateWithReader(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(Serves(b_));
  auto open = Begin(b_, IsolationLevel::kRepeatableRead);
  ASSERT_TRUE(open->BeginStatement().ok());
  const Timestamp seen = open->snapshot();
  ASSERT_TRUE(a_.Put("main", "k000", "changed").ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(b_->PauseReplication("main").ok());
  const KeyspaceRef keyspace = b_->Connect(kReader)->context.keyspace;
  ASSERT_TRUE(b_.store()
                  ->UpdateMeta([&](MetaUpdate& update) {
                    Unprotect(update, keyspace->incarnation(), kRetentionHolder);  // what keeps history for failovers
                    return absl::OkStatus();
                  })
                  .ok());
  const auto collect = [&] {
    return CollectGarbage(b_.store(), keyspace, keyspace->state()->epoch, 0, Pacing::kFull, {}, nullptr);
  };
  ASSERT_TRUE(collect().ok());
  EXPECT_EQ(keyspace->state()->floor, seen);
  EXPECT_EQ(Read(*open, "k000"), "v");
  open.reset();
  ASSERT_TRUE(collect().ok());
  EXPECT_GT(keyspace->state()->floor, seen);
}

TEST_F(ReaderTest, APendingFailoverEndsItToo) {
  ASSERT_TRUE(ReplicateWithReader(a_, b_).ok());
  ASSERT_TRUE(Serves(b_));
  ASSERT_TRUE(b_->CompleteReplication("main", ToSystemTime{"+1s"}, {}).ok());
  EXPECT_EQ(Reader(b_), "ready, shared");  // until then it goes on
  ASSERT_TRUE(Eventually([&] { return b_.StateOf("main") == "ready"; }));
  ASSERT_TRUE(Eventually([&] { return Reader(b_) == "42704"; }));
}

TEST_F(ReaderTest, FailbackEndsWhatTheFailoverLeft) {
  Fill(a_, "k", 1);
  ASSERT_TRUE(ReplicateWithReader(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(Serves(b_));
  Promote(b_);
  const auto open = Begin(b_);
  ASSERT_TRUE(a_.Put("main", "k000", "of A").ok());
  ASSERT_TRUE(FailBack(b_, a_).ok());
  EXPECT_EQ(Reader(b_), "42704");
  EXPECT_EQ(SqlStateOf(open->BeginStatement()), "57P01");
  ASSERT_TRUE(CaughtUp(a_, b_));
  EXPECT_EQ(Read(*open, "k000"), "57P01");
}

TEST_F(ReaderTest, FailbackWithAReaderServesAfterTheUndo) {
  Fill(a_, "k", 1);
  ASSERT_TRUE(ReplicateWithReader(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(Serves(b_));
  const TenantId id = b_->Show(kReader)->id;
  Promote(b_);
  std::unique_ptr<Transaction> open = Begin(b_);
  ASSERT_TRUE(b_.Put("main", "k000", "of B").ok());
  ASSERT_TRUE(a_.Put("main", "k000", "of A").ok());
  a_.Disconnect();
  a_.Reconnect({.answered = nullptr, .opens_left = 1});  // the handshake alone
  ASSERT_TRUE(FailBackWithReader(b_, a_).ok());
  EXPECT_EQ(Reader(b_), "add, none");
  EXPECT_EQ(SqlStateOf(open->BeginStatement()), "57P01");
  open.reset();
  b_.Restart();
  EXPECT_EQ(Reader(b_), "add, none");
  a_.Reconnect();
  ASSERT_TRUE(Serves(b_));
  ASSERT_TRUE(CaughtUp(a_, b_));
  EXPECT_EQ(ReadNow(b_, "k000"), "of A");
  EXPECT_EQ(b_->Show(kReader)->id, id);
  EXPECT_EQ(Pin(b_), std::nullopt);
}

TEST_F(ReaderTest, CancelledFailbackLeavesNone) {
  Fill(a_, "k", 1);
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  Promote(b_);
  a_.Disconnect();
  a_.Reconnect({.answered = nullptr, .opens_left = 1});
  ASSERT_TRUE(FailBackWithReader(b_, a_).ok());
  EXPECT_EQ(Reader(b_), "add, none");
  ASSERT_TRUE(b_->CancelReplication("main").ok());
  EXPECT_EQ(Reader(b_), "42704");
  EXPECT_EQ(b_.StateOf("main"), "ready");
}

TEST_F(ReaderTest, PausedStandbysAreReadWhereTheyStand) {
  Fill(a_, "k", 1);
  ASSERT_TRUE(ReplicateWithReader(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(Serves(b_));
  ASSERT_TRUE(b_->PauseReplication("main").ok());
  ASSERT_TRUE(a_.Put("main", "k000", "changed").ok());
  EXPECT_EQ(ReadNow(b_, "k000"), "v");
  b_.Restart();
  EXPECT_EQ(ReadNow(b_, "k000"), "v");
  ASSERT_TRUE(b_->ResumeReplication("main").ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  EXPECT_EQ(ReadNow(b_, "k000"), "changed");
}

TEST_F(ReaderTest, ItsServiceStopsAndStarts) {
  ASSERT_TRUE(ReplicateWithReader(a_, b_).ok());
  ASSERT_TRUE(Serves(b_));
  ExpectRefused(b_->Drop(kReader, false), "55000", "STOP SERVICE");
  ASSERT_TRUE(b_->StopService(kReader).ok());
  EXPECT_EQ(Reader(b_), "ready, none");
  ExpectRefused(b_->Connect(kReader).status(), "57P03", "START SERVICE SHARED");
  b_.Restart();
  ASSERT_TRUE(CaughtUp(a_, b_));
  EXPECT_EQ(Reader(b_), "ready, none");  // who stopped it meant it
  ASSERT_TRUE(b_->StartService(kReader).ok());
  EXPECT_EQ(ReadNow(b_, "k"), "-");
}

TEST_F(ReaderTest, DropOfEither) {
  ASSERT_TRUE(ReplicateWithReader(a_, b_).ok());
  ASSERT_TRUE(Serves(b_));
  ASSERT_TRUE(b_->StopService(kReader).ok());
  ASSERT_TRUE(b_->Drop(kReader, false).ok());
  EXPECT_EQ(Reader(b_), "42704");
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(b_->AddReadVirtualCluster("main").ok());
  std::unique_ptr<Transaction> open = Begin(b_);
  ASSERT_TRUE(b_->Drop("main", false).ok());
  EXPECT_EQ(Reader(b_), "42704");
  EXPECT_EQ(Reader(b_, "main"), "42704");
  open.reset();
  b_.Restart();
  EXPECT_EQ(b_->ShowAll()->size(), 1u);
}

TEST_F(ReaderTest, OtherStatementsAreForItsStandby) {
  ASSERT_TRUE(ReplicateWithReader(a_, b_).ok());
  ASSERT_TRUE(Serves(b_));
  for (const absl::Status& status :
       {b_->PauseReplication(kReader), b_->ResumeReplication(kReader), b_->CancelReplication(kReader),
        b_->AddReadVirtualCluster(kReader), b_->CompleteReplication(kReader, ToLatest{}, {}).status(),
        b_->StartReplication(kReader, "main", a_.uri(), {}, {}), b_->SetSetting(kReader, "gc.ttlseconds", "100")}) {
    ExpectRefused(status, "55000", "it only reads virtual cluster \"main\"");
  }
  ExpectRefused(a_->CreateFromReplication("copy", {}, kReader, b_.uri(), {}, {}), "55000", "only reads");
  EXPECT_EQ(a_.StateOf("copy"), "42704");
}

TEST_F(ReaderTest, ANameThatIsTakenIsRefusedBeforeAnythingChanges) {
  ASSERT_TRUE(b_->Create(kReader, {}).ok());
  ExpectRefused(ReplicateWithReader(a_, b_), "42710", kReader);
  EXPECT_EQ(b_.StateOf("main"), "42704");
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ExpectRefused(b_->AddReadVirtualCluster("main"), "42710", kReader);
  ASSERT_TRUE(CaughtUp(a_, b_));
  Promote(b_);
  ExpectRefused(FailBackWithReader(b_, a_), "42710", kReader);
  EXPECT_EQ(b_.StateOf("main"), "ready");
  const std::string longest(kNameBytesMax, 'n');
  ExpectRefused(b_->CreateFromReplication(longest, {}, "main", a_.uri(), kWithReader, {}), "22023", "invalid tenant name");
  EXPECT_EQ(b_.StateOf(longest), "42704");
}

}  // namespace
}  // namespace anabranch
