#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "storage/protection.h"
#include "storage/revert.h"
#include "storage/testing/gc_fixture.h"

namespace anabranch {
namespace {

// Random histories against an oracle that never forgets.
class GcModel {
 public:
  using History = std::map<uint64_t, std::optional<std::string>>;  // nullopt: a tombstone

  void Apply(const Version& version) {
    std::optional<std::string>& slot = keys_[version.key][version.timestamp.ns];
    if (version.write.kind == WriteKind::kPut) slot = version.write.value;
  }
  void Undo(uint64_t above) {
    for (auto& [key, history] : keys_) history.erase(history.upper_bound(above), history.end());
  }
  std::string ScanAt(uint64_t at) const {
    std::string text;
    for (const auto& [key, history] : keys_) {
      const auto next = history.upper_bound(at);
      if (next == history.begin() || !std::prev(next)->second) continue;
      text += fmt::format("{}={}@{} ", key, *std::prev(next)->second, std::prev(next)->first);
    }
    return text.substr(0, text.size() - (text.empty() ? 0 : 1));
  }
  uint64_t VersionsIn(uint64_t after, uint64_t upto) const {
    uint64_t count = 0;
    for (const auto& [key, history] : keys_) {
      count += std::distance(history.upper_bound(after), history.upper_bound(upto));
    }
    return count;
  }
  // What a collection up to `floor` leaves.
  std::set<std::string> Kept(uint64_t floor) const {
    std::set<std::string> kept;
    for (const auto& [key, history] : keys_) {
      auto from = history.upper_bound(floor);
      if (from != history.begin() && std::prev(from)->second) --from;
      for (; from != history.end(); ++from) kept.insert(fmt::format("{}@{}{}", key, from->first, from->second ? "" : "-"));
    }
    return kept;
  }

 private:
  std::map<std::string, History> keys_;
};

class GcModelTest : public GcTest {
 protected:
  uint64_t Below(uint64_t bound) { return seeded_->Next() % bound; }

  void IngestOne() {
    last_ += 1 + Below(3);
    std::map<std::string, Version> commit;
    for (uint64_t i = 0, keys = 1 + Below(4); i < keys; ++i) {
      const std::string key(1, static_cast<char>('a' + Below(8)));
      commit.emplace(key, Below(3) == 0 ? DeleteAt(key, last_) : PutAt(key, last_, std::to_string(Below(1000))));
    }
    std::vector<Version> parts[2];
    for (const auto& [key, version] : commit) {
      model_.Apply(version);
      const uint64_t where = Below(3);
      if (where != 1) parts[0].push_back(version);
      if (where != 0) parts[1].push_back(version);
    }
    Ingest(keyspace_, parts[0]);
    Ingest(keyspace_, parts[1], last_);
  }
  void CommitHere() {
    const std::string key(1, static_cast<char>('a' + Below(8)));
    const Write write = Below(3) == 0 ? Write{WriteKind::kTombstone, ""} : Write{WriteKind::kPut, "c"};
    const Timestamp ts = CommitWrites(keyspace_, {{key, write}});
    model_.Apply({key, ts, write});
    last_ = ts.ns;
  }
  void ProtectOrNot() {
    const std::string holder = fmt::format("stream/{}", Below(3));
    const bool protect = Below(2) == 0;
    const uint64_t floor = keyspace_->state()->floor.ns;
    const Timestamp at{floor + Below(last_ - floor + 1)};
    Update([&](MetaUpdate& update) {
      if (protect) {
        Protect(update, keyspace_->incarnation(), holder, at);
      } else {
        Unprotect(update, keyspace_->incarnation(), holder);
      }
    });
  }
  void FailOver() {
    const uint64_t floor = keyspace_->state()->floor.ns;
    const uint64_t at = std::max(floor, last_ - std::min(last_, Below(20)));
    Promote(keyspace_, at);
    model_.Undo(at);
    promoted_ = true;
  }
  void FailBack() {  // the same keyspace ingests again, above what it holds
    ASSERT_TRUE(SweepHidden(store_.get(), keyspace_, keyspace_->state()->epoch, {}, nullptr).ok());
    last_ = std::max({last_, store_->visible().ns, keyspace_->state()->floor.ns});
    Update([&](MetaUpdate& update) {
      update.Stage(keyspace_).BumpEpoch();
      update.Stage(keyspace_).SetIngesting(true, Timestamp{last_});
    });
    promoted_ = false;
  }
  void CollectAndCheck() {
    const uint64_t ttl_ns = Below(60);
    const uint64_t floor_before = keyspace_->state()->floor.ns;
    const bool hidden = !keyspace_->state()->hidden.empty();
    const auto oldest = OldestProtected(store_.get(), keyspace_->incarnation());
    const uint64_t resolved = store_->Resolved(*keyspace_).ns;
    const uint64_t floor = Collect(keyspace_, ttl_ns).floor.ns;
    if (hidden) {
      EXPECT_LE(floor, keyspace_->state()->hidden[0].after.ns);
    } else {
      uint64_t expected = resolved - std::min(resolved, ttl_ns);
      if (oldest->has_value()) expected = std::min(expected, (*oldest)->ns);
      if (keyspace_->state()->ingesting) {
        EXPECT_EQ(floor, std::max(floor_before, expected));
      }
      EXPECT_EQ(Present(keyspace_), model_.Kept(floor));
    }
    if (floor > floor_before) ++collections_;
  }
  void CheckReads() {
    const uint64_t floor = keyspace_->state()->floor.ns;
    const uint64_t newest = std::min(last_, store_->Resolved(*keyspace_).ns);
    if (newest < floor) return;
    const uint64_t at = floor + Below(newest - floor + 1);
    ASSERT_EQ(ScanAt(keyspace_, floor), model_.ScanAt(floor));
    ASSERT_EQ(ScanAt(keyspace_, at), model_.ScanAt(at));
    ASSERT_EQ(ScanAt(keyspace_, newest), model_.ScanAt(newest));
    uint64_t versions = 0;
    const absl::Status caught_up = CatchUpFrom(keyspace_, at, newest, &versions);
    ASSERT_TRUE(caught_up.ok()) << caught_up;
    ASSERT_EQ(versions, model_.VersionsIn(at, newest));
    if (floor > 0) {
      ASSERT_EQ(SqlStateOf(CatchUpFrom(keyspace_, floor - 1, newest, &versions)), sqlstate::kInvalidParameterValue);
    }
  }

  void RunSeed() {
    keyspace_ = NewStandby();
    model_ = {};
    last_ = 0;
    promoted_ = false;
    for (int i = 0; i < 80 && !HasFailure(); ++i) {
      const uint64_t dice = Below(100);
      if (dice < 50) {
        promoted_ ? CommitHere() : IngestOne();
      } else if (dice < 70) {
        CollectAndCheck();
      } else if (dice < 85) {
        ProtectOrNot();
      } else if (dice < 92) {
        CheckReads();
      } else {
        promoted_ ? FailBack() : FailOver();
      }
      if (i % 8 == 0) CheckReads();
    }
    CheckReads();
    Update([&](MetaUpdate& update) { update.Stage(keyspace_).MarkDropping(); });
    ASSERT_TRUE(store_->DropKeyspace(keyspace_).ok());
    keyspace_.reset();
  }

  std::optional<Random> seeded_;
  KeyspaceRef keyspace_;
  GcModel model_;
  uint64_t last_ = 0;  // the newest timestamp written
  bool promoted_ = false;
  uint64_t collections_ = 0;
};

TEST_F(GcModelTest, AgreesWithAnOracleAtEveryTimestampThatIsKept) {
  for (uint64_t seed = 1; seed <= 16 && !HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    seeded_.emplace(seed);
    RunSeed();
  }
  EXPECT_GT(collections_, 50u);
}

}  // namespace
}  // namespace anabranch
