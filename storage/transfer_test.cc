#include "storage/transfer.h"

#include <atomic>
#include <climits>
#include <fstream>
#include <functional>
#include <thread>

#include "storage/mvcc/change_index.h"
#include "storage/mvcc/fingerprint.h"
#include "storage/revert.h"
#include "storage/testing/test_store.h"
#include "storage/transfer_check.h"

namespace anabranch {
namespace {

namespace fs = std::filesystem;

class TransferTest : public StoreFixture {
 protected:
  TransferTest() {
    auto store = Store::Open({.dir = dir_ + "/other", .random = &random_, .block_cache_bytes = 8 << 20});
    CHECK(store.ok(), store.status().ToString().c_str());
    other_ = *std::move(store);
  }
  ~TransferTest() override { other_.reset(); }

  TransferManifest Export(const KeyspaceRef& keyspace) {
    auto manifest = ExportKeyspace(store_.get(), keyspace, export_dir());
    CHECK(manifest.ok(), manifest.status().ToString().c_str());
    return *manifest;
  }
  std::string export_dir() const { return dir_ + "/export"; }

  static Fingerprint FingerprintOf(Store* store, const KeyspaceRef& keyspace, Timestamp at) {
    CHECK(store->WaitVisible(at, {}).ok(), "a clock that was moved is there");
    auto print = ComputeFingerprint(store, keyspace, kTimestampZero, at, {});
    CHECK(print.ok(), print.status().ToString().c_str());
    return *print;
  }
  void ExpectEqual(Store* a_store, const KeyspaceRef& a, Store* b_store, const KeyspaceRef& b, Timestamp at) {
    const Fingerprint left = FingerprintOf(a_store, a, at);
    const Fingerprint right = FingerprintOf(b_store, b, at);
    EXPECT_EQ(left.digest, right.digest);
    EXPECT_EQ(left.versions, right.versions);
  }
  // Several files' worth of keys, some written twice, some deleted.
  KeyspaceRef NewFilledKeyspace() {
    const KeyspaceRef keyspace = NewKeyspace();
    for (int i = 0; i < 40; ++i) {
      WriteSet writes;
      for (int k = 0; k < 50; ++k)
        writes[fmt::format("key{:05}", (i * 37 + k) % 1500)] = {WriteKind::kPut, fmt::format("v{}", i)};
      writes[fmt::format("key{:05}", i)] = {WriteKind::kTombstone, ""};
      CommitWrites(keyspace, std::move(writes));
    }
    return keyspace;
  }

  std::unique_ptr<Store> other_;
};

TEST_F(TransferTest, CopyHoldsHistoryAndIndex) {
  const KeyspaceRef keyspace = NewFilledKeyspace();
  const TransferManifest manifest = Export(keyspace);
  EXPECT_LE(manifest.copied_from, manifest.copied_upto);
  const auto copy = ImportKeyspace(other_.get(), manifest, export_dir());
  ASSERT_TRUE(copy.ok()) << copy.status();
  ASSERT_TRUE(other_->ForwardClock(manifest.copied_upto).ok());
  ExpectEqual(store_.get(), keyspace, other_.get(), *copy, manifest.copied_from);
  EXPECT_EQ((*copy)->state()->newest, keyspace->state()->newest);
  EXPECT_FALSE((*copy)->state()->published);
  EXPECT_EQ((*copy)->state()->epoch, Epoch(1));

  CommitPut(keyspace, "after", "v");
  const absl::Status published = other_->UpdateMeta([&](MetaUpdate& update) {
    update.Stage(*copy).Publish();
    return absl::OkStatus();
  });
  EXPECT_TRUE(published.ok());
  const auto committed =
      other_->Commit({.keyspace = *copy,
                      .epoch = Epoch(1),
                      .writes = std::make_shared<const WriteList>(WriteSet{{"own", {WriteKind::kPut, "v"}}}),
                      .validate_spans = {},
                      .validate_after = {}});
  EXPECT_TRUE(committed.ok()) << committed.status();
}

TEST_F(TransferTest, CopyIsCompleteUpToItsStartUnderLoad) {
  const KeyspaceRef keyspace = NewKeyspace();
  std::atomic<int> commits{0};
  std::vector<std::jthread> writers;
  for (int t = 0; t < 4; ++t) {
    writers.emplace_back([&, t](std::stop_token stop) {
      for (int i = 0; !stop.stop_requested(); ++i) {
        CommitPut(keyspace, fmt::format("{}/{}", t, i % 100), std::to_string(i));
        ++commits;
        commits.notify_all();
      }
    });
  }
  for (int round = 0; round < 4; ++round) {
    const int target = commits + 40;
    for (int seen = commits; seen < target; seen = commits) commits.wait(seen);
    const TransferManifest manifest = Export(keyspace);
    const auto copy = ImportKeyspace(other_.get(), manifest, export_dir());
    ASSERT_TRUE(copy.ok()) << copy.status();
    ASSERT_TRUE(other_->ForwardClock(manifest.copied_upto).ok());
    EXPECT_LE((*copy)->state()->newest, manifest.copied_upto);
    ExpectEqual(store_.get(), keyspace, other_.get(), *copy, manifest.copied_from);
    fs::remove_all(export_dir());
  }
}

TEST_F(TransferTest, EmptyKeyspaceIsCopied) {
  const TransferManifest manifest = Export(NewKeyspace());
  EXPECT_TRUE(manifest.files.empty());
  const auto copy = ImportKeyspace(other_.get(), manifest, export_dir());
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_TRUE((*copy)->state()->newest.IsZero());
}

TEST_F(TransferTest, AStopEndsTheChecks) {
  const KeyspaceRef keyspace = NewFilledKeyspace();
  const TransferManifest manifest = Export(keyspace);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(absl::IsCancelled(ImportKeyspace(other_.get(), manifest, export_dir(), stop.get_token()).status()));
  EXPECT_TRUE(absl::IsCancelled(CheckIndexMatchesData(*keyspace, kTimestampZero, manifest.copied_from, stop.get_token())));
  EXPECT_TRUE(CheckIndexMatchesData(*keyspace, kTimestampZero, manifest.copied_from).ok());
  EXPECT_TRUE(ImportKeyspace(other_.get(), manifest, export_dir()).ok());  // the files are still there
}

TEST_F(TransferTest, DamageAnywhereInAFileIsFound) {
  const TransferManifest manifest = Export(NewFilledKeyspace());
  ASSERT_GE(manifest.files.size(), 2u);
  fs::copy(export_dir(), dir_ + "/good", fs::copy_options::recursive);
  for (const TransferFile& file : manifest.files) {
    for (const double part : {0.0, 0.3, 0.6, 0.9}) {
      fs::remove_all(export_dir());
      fs::copy(dir_ + "/good", export_dir(), fs::copy_options::recursive);
      std::fstream stream(TransferPath(export_dir(), file), std::ios::in | std::ios::out | std::ios::binary);
      const auto offset = static_cast<std::streamoff>(part * file.size);
      stream.seekg(offset);
      const char byte = static_cast<char>(stream.get());
      stream.seekp(offset);
      stream.put(static_cast<char>(byte ^ 0x10));
      stream.close();
      const auto copy = ImportKeyspace(other_.get(), manifest, export_dir());
      EXPECT_EQ(copy.status().code(), absl::StatusCode::kDataLoss)
          << file.name << " at " << offset << ": " << copy.status();
    }
  }
  EXPECT_TRUE(other_->Keyspaces().empty());
}

TEST_F(TransferTest, FilesThatAreNotAsPromisedAreRefused) {
  TransferManifest manifest = Export(NewFilledKeyspace());
  const auto import_code = [&](const TransferManifest& changed) {
    return ImportKeyspace(other_.get(), changed, export_dir()).status().code();
  };
  TransferManifest changed = manifest;
  changed.files[0].size += 1;
  EXPECT_EQ(import_code(changed), absl::StatusCode::kDataLoss);
  changed = manifest;
  changed.comparator_name = "another";
  EXPECT_EQ(import_code(changed), absl::StatusCode::kDataLoss);
  changed = manifest;
  std::erase_if(changed.files, [](const TransferFile& file) { return file.family == TransferFile::Family::kChanges; });
  EXPECT_EQ(import_code(changed), absl::StatusCode::kDataLoss);
  fs::remove(TransferPath(export_dir(), manifest.files[0]));
  EXPECT_EQ(import_code(manifest), absl::StatusCode::kDataLoss);
}

// R14.
TEST_F(TransferTest, AListOfFilesThatNoExportHasIsRefused) {
  const TransferManifest manifest = Export(NewFilledKeyspace());
  const auto refusal = [&](const std::function<void(TransferManifest&)>& change) {
    TransferManifest changed = manifest;
    change(changed);
    const absl::Status judged = CheckManifest(other_.get(), changed);
    EXPECT_EQ(MessageOf(ImportKeyspace(other_.get(), changed, export_dir()).status()), MessageOf(judged));
    return SqlStateOf(judged);
  };
  const auto file = [](const std::function<void(TransferFile&)>& change) {
    return [=](TransferManifest& changed) { change(changed.files[0]); };
  };
  EXPECT_EQ(refusal(file([](TransferFile& f) { f.name = "../data/" + f.name; })), "08P01");
  EXPECT_EQ(refusal(file([](TransferFile& f) { f.name = std::string(1'000, 'x'); })), "08P01");
  EXPECT_EQ(refusal(file([](TransferFile& f) { f.size = 0; })), "08P01");
  EXPECT_EQ(refusal(file([](TransferFile& f) { f.size = UINT64_MAX; })), "08P01");
  EXPECT_EQ(refusal(file([](TransferFile& f) { f.level = -1; })), "08P01");
  EXPECT_EQ(refusal(file([](TransferFile& f) { f.level = 7; })), "08P01");
  EXPECT_EQ(refusal(file([](TransferFile& f) { f.level = INT_MAX; })), "08P01");
  EXPECT_EQ(refusal(file([](TransferFile& f) { f.largest_seqno = UINT64_MAX; })), "08P01");
  EXPECT_EQ(refusal(file([](TransferFile& f) { f.smallest_seqno = f.largest_seqno + 1; })), "08P01");
  EXPECT_EQ(refusal([](TransferManifest& m) { m.files.push_back(m.files[0]); }), "08P01");
  EXPECT_EQ(refusal([](TransferManifest& m) { m.floor = m.copied_from.Next(); }), "08P01");
  EXPECT_EQ(refusal([](TransferManifest& m) { m.copied_upto = m.copied_from.Prev(); }), "08P01");
  const uint64_t far_ns = SystemClock()->WallNs() + 2 * kPeerClockAheadNsMax;
  for (const uint64_t ns : {far_ns, UINT64_MAX}) {
    EXPECT_EQ(refusal([&](TransferManifest& m) { m.copied_upto = {ns}; }), "22023");
    EXPECT_EQ(refusal([&](TransferManifest& m) { m.floor = m.copied_from = m.copied_upto = {ns}; }), "22023");
  }
  EXPECT_TRUE(other_->Keyspaces().empty());
  EXPECT_TRUE(CheckManifest(other_.get(), manifest).ok());
  EXPECT_TRUE(ImportKeyspace(other_.get(), manifest, export_dir()).ok());
}

// R9: a version that no index entry names could never be undone, streamed or collected.
TEST_F(TransferTest, VersionWithoutItsEntryIsFoundAndSoIsAnEntryWithoutItsVersion) {
  for (const bool lose_entry : {true, false}) {
    const KeyspaceRef keyspace = NewFilledKeyspace();
    const Timestamp ts = CommitPut(keyspace, "k", "v");
    Store::EraseRequest erase{keyspace, Epoch(1), {}, {}};
    if (lose_entry) {
      erase.change_keys = {EncodeChange(ts, {"k"})[0].first};
    } else {
      erase.data_keys = {EncodeVersionKey("k", ts)};
    }
    ASSERT_TRUE(store_->Erase(erase).ok());
    const TransferManifest manifest = Export(keyspace);
    EXPECT_EQ(ImportKeyspace(other_.get(), manifest, export_dir()).status().code(), absl::StatusCode::kDataLoss);
    EXPECT_TRUE(other_->Keyspaces().empty());
    fs::remove_all(export_dir());
  }
}

// One timestamp's keys may lie in entries that overlap, after a stream re-divided them.
TEST_F(TransferTest, EntriesThatOverlapAreAUnion) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "x"), PutAt("b", 10, "x")});
  Ingest(keyspace, {PutAt("b", 10, "x"), PutAt("c", 10, "x")}, 10);
  const TransferManifest manifest = Export(keyspace);
  EXPECT_EQ(manifest.copied_from, Timestamp{10});
  EXPECT_TRUE(ImportKeyspace(other_.get(), manifest, export_dir()).ok());
}

TEST_F(TransferTest, KeyspaceWithUnsweptWritesIsNotExported) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "x"), PutAt("a", 20, "y")}, 10);
  const Epoch epoch = Promote(keyspace, 10);
  EXPECT_EQ(SqlStateOf(ExportKeyspace(store_.get(), keyspace, export_dir()).status()), "55006");
  ASSERT_TRUE(SweepHidden(store_.get(), keyspace, epoch, {}, nullptr).ok());
  EXPECT_TRUE(ExportKeyspace(store_.get(), keyspace, export_dir()).ok());
}

TEST_F(TransferTest, FolderThatExistsIsNotOverwritten) {
  const KeyspaceRef keyspace = NewKeyspace();
  fs::create_directory(export_dir());
  EXPECT_EQ(SqlStateOf(ExportKeyspace(store_.get(), keyspace, export_dir()).status()), "58030");
}

TEST_F(TransferTest, CloneGoesItsOwnWay) {
  const KeyspaceRef keyspace = NewFilledKeyspace();
  const Timestamp at = store_->visible();
  const auto clone = CloneKeyspace(store_.get(), keyspace);
  ASSERT_TRUE(clone.ok()) << clone.status();
  EXPECT_TRUE((*clone)->state()->hidden.empty());
  ExpectEqual(store_.get(), keyspace, store_.get(), *clone, at);
  CommitPut(*clone, "mine", "v");
  CommitPut(keyspace, "yours", "v");
  EXPECT_EQ(*ReaderAt(keyspace, store_->visible())->NewestTimestamp("mine"), kTimestampZero);
  EXPECT_EQ(*ReaderAt(*clone, store_->visible())->NewestTimestamp("yours"), kTimestampZero);
}

TEST_F(TransferTest, CloneOfAStandbyEndsAtItsFrontier) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "x"), PutAt("a", 20, "y"), PutAt("b", 20, "y")}, 10);
  const auto clone = CloneKeyspace(store_.get(), keyspace);
  ASSERT_TRUE(clone.ok()) << clone.status();
  EXPECT_FALSE((*clone)->state()->ingesting);
  ASSERT_EQ((*clone)->state()->hidden.size(), 1u);
  EXPECT_EQ((*clone)->state()->hidden[0].after, Timestamp{10});
  EXPECT_EQ((*clone)->state()->hidden[0].upto, Timestamp{20});
  EXPECT_EQ(ScanAt(*clone, store_->visible().ns), "a=x@10");
  Ingest(keyspace, {PutAt("a", 30, "z")}, 30);
  EXPECT_EQ(ScanAt(keyspace, 30), "a=z@30 b=y@20");
}

TEST_F(TransferTest, CloneAsOfAPastMoment) {
  const KeyspaceRef keyspace = NewKeyspace();
  CommitPut(keyspace, "a", "old");
  const Timestamp at = CommitPut(keyspace, "b", "v");
  CommitPut(keyspace, "a", "new");
  CommitPut(keyspace, "c", "v");
  const auto clone = CloneKeyspace(store_.get(), keyspace, at);
  ASSERT_TRUE(clone.ok()) << clone.status();
  EXPECT_EQ(ScanAt(*clone, store_->visible().ns), ScanAt(keyspace, at.ns));
  EXPECT_EQ(SweepHidden(store_.get(), *clone, Epoch(1), {}, nullptr)->versions, 2u);
  EXPECT_EQ(ScanAt(*clone, store_->visible().ns), ScanAt(keyspace, at.ns));
}

TEST_F(TransferTest, CloneAsOfAMomentBelowTheFloorLeavesNothing) {
  const KeyspaceRef keyspace = NewFilledKeyspace();
  const Timestamp floor = store_->visible();
  Update([&](MetaUpdate& update) { update.Stage(keyspace).RaiseFloor(floor); });
  const size_t before = store_->Keyspaces().size();
  EXPECT_EQ(SqlStateOf(CloneKeyspace(store_.get(), keyspace, floor.Prev()).status()), "22023");
  EXPECT_EQ(store_->Keyspaces().size(), before);
  EXPECT_TRUE(CloneKeyspace(store_.get(), keyspace, floor).ok());
}

TEST_F(TransferTest, CloneCarriesWhatIsHidden) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "x"), PutAt("a", 20, "undone")}, 10);
  Promote(keyspace, 10);
  const Timestamp committed = CommitPut(keyspace, "b", "v");
  const auto clone = CloneKeyspace(store_.get(), keyspace);
  ASSERT_TRUE(clone.ok()) << clone.status();
  ASSERT_EQ((*clone)->state()->hidden.size(), 1u);
  const std::string expected = fmt::format("a=x@10 b=v@{}", committed.ns);
  EXPECT_EQ(ScanAt(*clone, store_->visible().ns), expected);
  const auto swept = SweepHidden(store_.get(), *clone, Epoch(1), {}, nullptr);
  ASSERT_TRUE(swept.ok()) << swept.status();
  EXPECT_EQ(swept->versions, 1u);
  EXPECT_EQ(ScanAt(*clone, store_->visible().ns), expected);
  EXPECT_EQ(ScanAt(keyspace, store_->visible().ns), expected);
}

}  // namespace
}  // namespace anabranch
