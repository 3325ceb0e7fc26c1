// R13: no corner. Statements and faults at random on two or three clusters that replicate one virtual cluster to and fro;
// after each step SHOW must name a way back to `ready`, and at the end, with the peers alive or all of them lost, that way
// is taken on every cluster and must lead there, with everything that was complete.
//
// What must be there is told by the branches (R10): each write is known by the branch it was made on, and a virtual cluster
// holds exactly the writes of its ancestry's branches, each up to where the next one left it.
//
// Each seed is one walk; a failure names it and says what was done. WALK_SEED=n runs that one alone, WALK_SEEDS=n the first
// n.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/mvcc/reader.h"
#include "storage/mvcc/transaction.h"
#include "tenant/catalog/catalog.h"
#include "tenant/replication/failover.h"
#include "tenant/testing/test_cluster.h"

namespace anabranch {
namespace {

constexpr uint64_t kSeeds = 200;
constexpr int kThreads = 4;
constexpr int kStepsMax = 24;
constexpr int kWaysMax = 8;  // a way that is overtaken by what the job does is read again
constexpr int kCatchUpPolls = 60;

// What a statement may answer. Anything else is a fault.
const std::set<std::string> kRefusals = {"55000", "55006", "57P03", "08001", "08006", "22023", "3D000", "42704", "42710"};

struct Write {
  std::string key;
  std::string branch;
  Timestamp at;
};

// Three clusters that one thread uses for its walks, one after the other.
struct Clusters {
  explicit Clusters(uint64_t seed)
      : a(Virtualization::kVirtualizedEmpty, seed),
        b(Virtualization::kVirtualizedEmpty, seed + 1),
        c(Virtualization::kVirtualizedEmpty, seed + 2) {}
  TestCluster a, b, c;
};

class Walk {
 public:
  using Counts = std::map<std::string, uint64_t>;

  Walk(uint64_t seed, Clusters& clusters, Counts* counts)
      : random_(seed), name_(fmt::format("w{}", seed)), counts_(counts) {
    for (TestCluster* const cluster : {&clusters.a, &clusters.b, &clusters.c}) nodes_.push_back({cluster, name_});
    if (Below(2) == 0) nodes_.pop_back();
  }

  void Run() {
    Begin();
    const int steps = 6 + static_cast<int>(Below(kStepsMax - 6));
    for (int i = 0; i < steps && !Failed(); ++i) {
      Step();
      CheckEverywhere();
    }
    if (!Failed()) TakeTheWays();
    if (Failed()) {
      for (const std::string& step : story_) fmt::print("  {}\n", step);
    }
    CleanUp();
  }

  static std::vector<std::string> Names() {
    std::vector<std::string> names;
    for (const Choice& choice : kChoices) names.emplace_back(choice.name);
    for (const char* way : {"way: COMPLETE", "way: CANCEL", "way: DROP", "undone", "read by a reader", "read again",
                            "a clone instead", "end: peers lost", "end: peers alive"})
      names.emplace_back(way);
    return names;
  }

 private:
  // A transaction of a reader that stays open: what it saw.
  struct OpenRead {
    std::unique_ptr<Transaction> transaction;
    std::map<std::string, bool> seen;  // by key
  };
  struct Node {
    TestCluster* cluster;
    std::string name;  // of its virtual cluster
    bool running = true;
    std::optional<OpenRead> read = std::nullopt;
  };
  struct Choice {
    const char* name;
    int weight;
    void (Walk::*step)(Node&);
  };
  static const Choice kChoices[28];

  uint64_t Below(uint64_t bound) { return random_() % bound; }
  static bool Failed() { return testing::Test::HasFailure(); }
  Node& AnyNode() { return nodes_[Below(nodes_.size())]; }
  Node& OtherThan(const Node& node) {
    return nodes_[(static_cast<size_t>(&node - nodes_.data()) + 1 + Below(nodes_.size() - 1)) % nodes_.size()];
  }
  char LetterOf(const Node& node) const { return static_cast<char>('A' + (&node - nodes_.data())); }
  void Count(const std::string& what) { ++(*counts_)[what]; }

  void Say(const Node& node, std::string_view what, const absl::Status& status) {
    story_.push_back(fmt::format("{}: {} -> {}", LetterOf(node), what,
                                 status.ok() ? "ok" : fmt::format("{} {}", SqlStateOf(status), MessageOf(status))));
    if (status.ok() || absl::IsCancelled(status)) return;
    EXPECT_TRUE(kRefusals.contains(SqlStateOf(status))) << story_.back();
  }

  absl::StatusOr<catalog::TenantRecord> Record(const Node& node) const {
    ASSIGN_OR_RETURN(const std::optional<TenantId> id, FindTenant(node.cluster->store(), node.name));
    if (!id) return NoSuchTenant(node.name);
    return LoadTenant(node.cluster->store(), *id);
  }
  std::string StateOf(const Node& node) const { return node.cluster->StateOf(node.name); }
  static std::stop_token AlreadyStopped() {
    std::stop_source stopped;
    stopped.request_stop();
    return stopped.get_token();
  }

  // A has data, the others have them from it, and mostly B is a primary, too: what a walk is about begins there.
  void Begin() {
    Node& first = nodes_[0];
    ASSERT_TRUE((*first.cluster)->Create(first.name, {}).ok());
    ASSERT_TRUE((*first.cluster)->StartService(first.name).ok());
    Put(first);
    for (size_t i = 1; i < nodes_.size(); ++i) {
      CreateFrom(nodes_[i], first);
      if (Below(4) != 0) CatchUp(nodes_[i]);
    }
    if (Below(3) == 0) return;
    CompleteLatest(nodes_[1]);  // and their histories part
    Serve(nodes_[1]);
    Put(nodes_[1]);
    Put(first);
  }

  void Step() {
    int total = 0;
    for (const Choice& choice : kChoices) total += choice.weight;
    int left = static_cast<int>(Below(static_cast<uint64_t>(total)));
    const Choice* choice = std::begin(kChoices);
    while (left >= choice->weight) left -= (choice++)->weight;
    Node& node = AnyNode();
    if (!node.running && choice->step != &Walk::Revive) return;
    Count(choice->name);
    (this->*choice->step)(node);
  }

  // --- Statements ---
  void Put(Node& node) {
    const auto record = Record(node);
    const std::string key = fmt::format("k{}", ++keys_);
    const auto at = node.cluster->Put(node.name, key, "v");
    Say(node, "put " + key, at.status());
    if (at.ok()) writes_.push_back({key, record->ancestry().rbegin()->branch_id(), *at});
  }
  void Create(Node& node) { CreateFrom(node, AnyNode()); }
  void CreateFrom(Node& node, Node& from) {
    Say(node, fmt::format("CREATE FROM {}", LetterOf(from)),
        (*node.cluster)->CreateFromReplication(node.name, {}, from.name, from.cluster->uri(), AnyOptions(), {}));
  }
  // With a reader or without.
  ReplicationOptions AnyOptions() {
    return {.retention_ns = {}, .expiration_window_ns = {}, .read_virtual_cluster = Below(3) == 0};
  }
  absl::Status Follow(Node& node, Node& source, const ReplicationOptions& options = {}) {
    return (*node.cluster)->StartReplication(node.name, source.name, source.cluster->uri(), options, {});
  }
  void Start(Node& node) {
    Node& source = Below(12) == 0 ? node : OtherThan(node);
    if (StateOf(node) == "ready") Say(node, "STOP SERVICE", (*node.cluster)->StopService(node.name));
    const absl::Status status = Follow(node, source, AnyOptions());
    Say(node, fmt::format("START REPLICATION OF {}", LetterOf(source)), status);
    if (&source == &node) {
      EXPECT_FALSE(status.ok()) << "it follows itself";
    }
  }
  void Cross(Node& node) {
    Node& other = OtherThan(node);
    if (!other.running) return;
    for (const Node* each : {&node, &other}) (void)(*each->cluster)->StopService(each->name);
    absl::Status first;
    absl::Status second;
    {
      const std::jthread thread([&] { second = Follow(other, node); });
      first = Follow(node, other);
    }
    Say(node, fmt::format("START REPLICATION OF {} (crossing)", LetterOf(other)), first);
    Say(other, fmt::format("START REPLICATION OF {} (crossing)", LetterOf(node)), second);
    EXPECT_FALSE(first.ok() && second.ok()) << "both follow";
  }
  void Pause(Node& node) { Say(node, "PAUSE", (*node.cluster)->PauseReplication(node.name)); }
  void Resume(Node& node) { Say(node, "RESUME", (*node.cluster)->ResumeReplication(node.name)); }
  void Cancel(Node& node) { Say(node, "CANCEL", (*node.cluster)->CancelReplication(node.name)); }
  // Of nothing else than what was promoted just now, mostly.
  void Undo(Node& node) {
    if (StateOf(node) != "ready") CompleteLatest(node);
    const absl::Status status = (*node.cluster)->UndoCompleteReplication(node.name, "walker");
    Say(node, "UNDO COMPLETE", status);
    if (status.ok()) Count("undone");
  }
  void Complete(Node& node, const FailoverTarget& target, const std::string& text) {
    // What has to wait, waits in the background.
    Say(node, "COMPLETE TO " + text, (*node.cluster)->CompleteReplication(node.name, target, AlreadyStopped()).status());
  }
  void CompleteLatest(Node& node) { Complete(node, ToLatest{}, "LATEST"); }
  void CompleteAt(Node& node) {
    static constexpr const char* kTimes[] = {"-5ms", "-100ms", "+1ms", "+20ms", "+1h"};
    const std::string time = kTimes[Below(std::size(kTimes))];
    Complete(node, ToSystemTime{time}, time);
  }
  void CompleteAtDivergence(Node& node) {
    const auto record = Record(node);
    if (!record.ok() || record->replication().diverged_at() == 0) return;
    const std::string time = FormatHlc({record->replication().diverged_at()});
    Complete(node, ToSystemTime{time}, time);
  }
  void Serve(Node& node) { Say(node, "START SERVICE", (*node.cluster)->StartService(node.name)); }
  void StopServing(Node& node) { Say(node, "STOP SERVICE", (*node.cluster)->StopService(node.name)); }
  void Drop(Node& node) {
    // One that could still be made ready stays: what is looked for is lost by nobody's wish.
    if (!AnotherIsReady(node)) return;
    const std::string state = StateOf(node);
    (void)(*node.cluster)->StopService(node.name);
    Say(node, "DROP " + state, (*node.cluster)->Drop(node.name, false));
  }
  bool AnotherIsReady(const Node& node) const {
    return std::any_of(nodes_.begin(), nodes_.end(),
                       [&](const Node& other) { return &other != &node && other.running && StateOf(other) == "ready"; });
  }

  void Reset(Node& node) {
    static constexpr const char* kTimes[] = {"-1ms", "-5ms", "-50ms", "-500ms", "+1h"};
    const std::string time = kTimes[Below(std::size(kTimes))];
    if (Below(4) != 0) (void)(*node.cluster)->StopService(node.name);
    Say(node, "RESET DATA TO " + time, (*node.cluster)->ResetData(node.name, time, "walker", {}).status());
  }
  // It holds what its branches say, and nothing else has noticed.
  void Clone(Node& node) {
    const std::string name = node.name + "-clone";
    const std::optional<std::string> as_of = Below(3) == 0 ? std::optional<std::string>("-20ms") : std::nullopt;
    const absl::Status cloned = (*node.cluster)->CreateFromClone(name, {}, node.name, as_of, {});
    Say(node, "CLONE" + (as_of ? " AS OF " + *as_of : ""), cloned);
    if (!cloned.ok()) return;
    const auto record = LoadTenant(node.cluster->store(), **FindTenant(node.cluster->store(), name));
    EXPECT_EQ(Difference(node, *record, node.cluster->store()->visible()), "") << LetterOf(node) << " cloned";
    EXPECT_TRUE((*node.cluster)->Drop(name, false).ok());
  }

  // Drops the original and takes its place.
  void CloneInstead(Node& node) {
    if (!AnotherIsReady(node)) return;
    const std::string name = node.name + "-clone";
    (void)(*node.cluster)->StopService(node.name);
    const absl::Status cloned = (*node.cluster)->CreateFromClone(name, {}, node.name, std::nullopt, {});
    Say(node, "CLONE, to take its place", cloned);
    if (!cloned.ok()) return;
    Count("a clone instead");
    Say(node, "DROP of the original", (*node.cluster)->Drop(node.name, false));
    Say(node, "RENAME of the clone", (*node.cluster)->Rename(name, node.name));
  }
  void Rename(Node& node) {
    const std::string name = node.name == name_ ? name_ + "-renamed" : name_;
    const absl::Status renamed = (*node.cluster)->Rename(node.name, name);
    Say(node, "RENAME TO " + name, renamed);
    if (renamed.ok()) node.name = name;
  }

  // --- Readers ---
  void AddReader(Node& node) { Say(node, "READ VIRTUAL CLUSTER", (*node.cluster)->AddReadVirtualCluster(node.name)); }
  std::optional<catalog::TenantRecord> ReaderOf(const Node& node) const {
    const auto record = Record(node);
    if (!record.ok() || record->reader() == 0) return std::nullopt;
    const auto reader = LoadTenant(node.cluster->store(), TenantId(record->reader()));
    return reader.ok() ? std::optional(*reader) : std::nullopt;
  }
  void DropReader(Node& node) {
    const auto reader = ReaderOf(node);
    if (!reader) return;
    const TenantId id(reader->id());
    Say(node, "STOP SERVICE of the reader", (*node.cluster)->StopService(id));
    if (Below(2) == 0) {
      Say(node, "START SERVICE of the reader", (*node.cluster)->StartService(id));
    } else {
      Say(node, "DROP of the reader", (*node.cluster)->Drop(id, false));
    }
  }
  std::unique_ptr<Transaction> BeginRead(const Node& node, IsolationLevel isolation) {
    const auto reader = ReaderOf(node);
    const auto served = reader ? (*node.cluster)->Connect(reader->name()) : NoSuchTenant(node.name);
    if (!served.ok()) return nullptr;
    std::unique_ptr<Transaction> transaction = Transaction::Begin(served->context, isolation);
    return transaction->BeginStatement().ok() ? std::move(transaction) : nullptr;
  }
  void OpenReader(Node& node) {
    OpenRead read{BeginRead(node, IsolationLevel::kRepeatableRead), {}};
    if (read.transaction == nullptr) return;
    for (const Write& write : writes_) {
      const auto row = read.transaction->Get(write.key);
      if (!row.ok()) return;
      read.seen[write.key] = row->has_value();
    }
    story_.push_back(fmt::format("{}: reads at {}", LetterOf(node), FormatHlc(read.transaction->snapshot())));
    node.read = std::move(read);
  }
  // It sees what it saw, or is ended.
  void CheckOpenRead(Node& node) {
    if (!node.read) return;
    for (const auto& [key, seen] : node.read->seen) {
      const auto row = node.read->transaction->Get(key);
      if (!row.ok()) {
        EXPECT_EQ(SqlStateOf(row.status()), "57P01") << LetterOf(node) << ": " << row.status();
        node.read.reset();
        return;
      }
      EXPECT_EQ(row->has_value(), seen) << LetterOf(node) << " reads " << key << " again";
    }
    Count("read again");
  }
  // One moment of the history that the virtual cluster has.
  void CheckReader(const Node& node) {
    const auto before = Record(node);
    const std::unique_ptr<Transaction> transaction = BeginRead(node, IsolationLevel::kReadCommitted);
    if (transaction == nullptr) return;
    std::string difference;
    for (const Write& write : writes_) {
      const auto row = transaction->Get(write.key);
      if (!row.ok()) {
        EXPECT_EQ(SqlStateOf(row.status()), "57P01") << LetterOf(node) << ": " << row.status();
        return;
      }
      const bool holds = Holds(FromWire(before->ancestry()), write, transaction->snapshot());
      if (row->has_value() != holds) difference = fmt::format("{} is {}there", write.key, holds ? "not " : "");
    }
    Count("read by a reader");
    if (difference.empty()) return;
    const auto now = Record(node);  // the job may have changed it meanwhile
    const bool same = now.ok() && anabranch::StateOf(*now) == anabranch::StateOf(*before) &&
                      now->replication().stream_id() == before->replication().stream_id() &&
                      FromWire(now->ancestry()) == FromWire(before->ancestry());
    EXPECT_FALSE(same) << LetterOf(node) << "'s reader at " << FormatHlc(transaction->snapshot()) << ": " << difference;
  }

  // --- Faults ---
  void Restart(Node& node) {
    node.read.reset();
    story_.push_back(fmt::format("{}: restarted", LetterOf(node)));
    node.cluster->Restart();
  }
  void Cut(Node& node) {
    story_.push_back(fmt::format("{}: cut off", LetterOf(node)));
    node.cluster->Disconnect();
  }
  void Mend(Node& node) {
    story_.push_back(fmt::format("{}: reachable", LetterOf(node)));
    node.cluster->Reconnect();
  }
  // Lost in the middle of a handshake, or right after it.
  void CutSoon(Node& node) {
    const int opens = 1 + static_cast<int>(Below(2));
    story_.push_back(fmt::format("{}: cut off after {} more OPENs", LetterOf(node), opens));
    node.cluster->Reconnect({.answered = nullptr, .opens_left = opens});
  }
  void Kill(Node& node) {
    story_.push_back(fmt::format("{}: stopped", LetterOf(node)));
    node.read.reset();
    node.cluster->Stop();
    node.running = false;
  }
  void Revive(Node& node) {
    if (node.running) return;
    story_.push_back(fmt::format("{}: started", LetterOf(node)));
    node.cluster->Start();
    node.running = true;
  }
  // Until it has what is there now, or cannot get it. No failure.
  void CatchUp(Node& node) {
    const Timestamp now = node.cluster->store()->visible();
    std::mutex mutex;
    std::condition_variable never;
    std::unique_lock lock(mutex);
    for (int i = 0; i < kCatchUpPolls; ++i) {
      const ReplicationStatus status = node.cluster->Status(node.name);
      const std::string state = StateOf(node);
      if (state == "ready" || state == "replication error" || state == "replication paused") break;
      if (status.replicated_time >= now) break;
      never.wait_for(lock, std::chrono::milliseconds(5));
    }
    story_.push_back(fmt::format("{}: waited, {}", LetterOf(node), StateOf(node)));
  }

  // --- What must hold ---
  // Whether a write is part of the history that ends with `ancestry`, up to `at`.
  static bool Holds(const Ancestry& ancestry, const Write& write, Timestamp at) {
    for (size_t i = 0; i < ancestry.size(); ++i) {
      if (ancestry[i].branch.value() != write.branch) continue;
      return write.at <= at && (i + 1 == ancestry.size() || write.at <= ancestry[i + 1].forked_at);
    }
    return false;
  }
  // The first write that is there and should not be, or the other way round; empty: none.
  std::string Difference(const Node& node, const catalog::TenantRecord& record, Timestamp at) const {
    const auto keyspace = node.cluster->store()->FindKeyspace(IncarnationId(record.incarnation()));
    if (!keyspace.ok()) return keyspace.status().ToString();
    const auto reader = MvccReader::Open(node.cluster->store(), *keyspace, at);
    if (!reader.ok()) return reader.status().ToString();
    const Ancestry ancestry = FromWire(record.ancestry());
    for (const Write& write : writes_) {
      const auto value = (*reader)->Get(write.key);
      if (!value.ok()) return value.status().ToString();
      if (value->has_value() == Holds(ancestry, write, at)) continue;
      return fmt::format("{} of {} is {}there", write.key, FormatHlc(write.at), value->has_value() ? "" : "not ");
    }
    return "";
  }
  void CheckReady(const Node& node) {
    const auto record = Record(node);
    ASSERT_TRUE(record.ok()) << record.status();
    ASSERT_EQ(ToString(anabranch::StateOf(*record)), "ready");
    EXPECT_EQ(Difference(node, *record, node.cluster->store()->visible()), "") << LetterOf(node);
  }
  void CheckStandby(const Node& node, const catalog::TenantRecord& record, Timestamp replicated) {
    const std::string difference = Difference(node, record, replicated);
    if (difference.empty()) return;
    const auto now = Record(node);  // the job may have changed it meanwhile
    const bool same = now.ok() && anabranch::StateOf(*now) == anabranch::StateOf(record) &&
                      FromWire(now->ancestry()) == FromWire(record.ancestry());
    EXPECT_FALSE(same) << LetterOf(node) << " at its replicated_time " << FormatHlc(replicated) << ": " << difference;
  }

  void CheckEverywhere() {
    std::map<std::string, std::string> follows;  // by cluster id
    for (Node& node : nodes_) {
      if (!node.running) continue;
      CheckOpenRead(node);
      const auto record = Record(node);
      if (!record.ok()) continue;  // never made, or dropped
      CheckReader(node);
      const DataState state = anabranch::StateOf(*record);
      const ReplicationStatus shown = node.cluster->Status(node.name);
      if (state == DataState::kReady) {
        CheckReady(node);
        continue;
      }
      follows[node.cluster->store()->cluster_id().value()] = record->replication().source_cluster_id();
      if (StateOf(node) == "ready") continue;  // by its pending failover, meanwhile
      if (shown.replicated_time) CheckStandby(node, *record, *shown.replicated_time);
      const bool copying = record->replication().diverged_at() == 0 && !shown.replicated_time;
      EXPECT_NE(shown.ready_by, "") << LetterOf(node) << " in state " << ToString(state);
      if (!copying) {
        EXPECT_EQ(shown.ready_by.find("DROP"), std::string::npos) << LetterOf(node) << " in state " << ToString(state);
      }
    }
    for (const auto& [cluster, source] : follows) {
      size_t steps = 0;
      for (auto at = follows.find(cluster); at != follows.end(); at = follows.find(at->second)) {
        ASSERT_LE(++steps, follows.size()) << "they follow each other";
      }
    }
  }

  // --- The end ---
  void TakeTheWays() {
    for (Node& node : nodes_) Revive(node);
    const bool lost = Below(2) == 0;
    Count(lost ? "end: peers lost" : "end: peers alive");
    for (Node& node : nodes_) lost ? Cut(node) : Mend(node);
    for (Node& node : nodes_) {
      if (!Failed() && Record(node).ok()) TakeTheWay(node);
    }
  }
  void TakeTheWay(Node& node) {
    const ReplicationStatus before = node.cluster->Status(node.name);
    const std::optional<Timestamp> replicated = before.replicated_time;
    for (int i = 0; i < kWaysMax; ++i) {
      if (StateOf(node) == "ready") break;
      const std::string way = node.cluster->Status(node.name).ready_by;
      if (way.starts_with("DROP")) {
        Count("way: DROP");
        EXPECT_FALSE(replicated.has_value()) << "it had something complete";
        return Say(node, way, (*node.cluster)->Drop(node.name, false));
      }
      const bool cancel = way.ends_with("CANCEL REPLICATION");
      Count(cancel ? "way: CANCEL" : "way: COMPLETE");
      const absl::Status status = cancel ? (*node.cluster)->CancelReplication(node.name)
                                         : (*node.cluster)->CompleteReplication(node.name, ToLatest{}, {}).status();
      Say(node, way, status);
    }
    CheckReady(node);
    if (replicated) {
      const Timestamp pending = before.failover_time.value_or(*replicated);  // may come first
      EXPECT_GE(node.cluster->Status(node.name).failover_time, std::min(pending, *replicated));
    }
    EXPECT_TRUE((*node.cluster)->StartService(node.name).ok());
    Put(node);
    CheckReady(node);
  }
  void CleanUp() {
    for (Node& node : nodes_) {
      node.read.reset();
      Revive(node);
      (void)(*node.cluster)->StopService(node.name);
      (void)(*node.cluster)->Drop(node.name, true);
      node.cluster->Reconnect();
    }
  }

  std::mt19937_64 random_;
  const std::string name_;
  std::vector<Node> nodes_;
  Counts* const counts_;
  std::vector<std::string> story_;
  std::vector<Write> writes_;
  uint64_t keys_ = 0;
};

const Walk::Choice Walk::kChoices[28] = {
    {"put", 8, &Walk::Put},
    {"create", 2, &Walk::Create},
    {"start replication", 10, &Walk::Start},
    {"crossing", 3, &Walk::Cross},
    {"pause", 2, &Walk::Pause},
    {"resume", 3, &Walk::Resume},
    {"cancel", 2, &Walk::Cancel},
    {"undo complete", 4, &Walk::Undo},
    {"complete latest", 4, &Walk::CompleteLatest},
    {"complete at", 3, &Walk::CompleteAt},
    {"complete at divergence", 2, &Walk::CompleteAtDivergence},
    {"start service", 5, &Walk::Serve},
    {"stop service", 2, &Walk::StopServing},
    {"drop", 1, &Walk::Drop},
    {"reset", 3, &Walk::Reset},
    {"clone", 2, &Walk::Clone},
    {"clone instead", 1, &Walk::CloneInstead},
    {"rename", 2, &Walk::Rename},
    {"read virtual cluster", 4, &Walk::AddReader},
    {"drop reader", 1, &Walk::DropReader},
    {"open read", 4, &Walk::OpenReader},
    {"restart", 2, &Walk::Restart},
    {"cut", 3, &Walk::Cut},
    {"mend", 3, &Walk::Mend},
    {"cut soon", 4, &Walk::CutSoon},
    {"kill", 1, &Walk::Kill},
    {"revive", 2, &Walk::Revive},
    {"catch up", 6, &Walk::CatchUp},
};

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

TEST(WalkTest, EveryStateHasAWayToReady) {
  const uint64_t chosen = FromEnvironment("WALK_SEED", 0);
  const uint64_t first = chosen != 0 ? chosen : 1;
  const uint64_t seeds = chosen != 0 ? 1 : FromEnvironment("WALK_SEEDS", kSeeds);
  std::atomic<uint64_t> next{first};
  std::mutex mutex;
  Walk::Counts counts;
  const auto run_some = [&](uint64_t thread) {
    Clusters clusters(1000 * thread + 1);
    Walk::Counts own;
    for (uint64_t seed = next++; seed < first + seeds && !testing::Test::HasFailure(); seed = next++) {
      SCOPED_TRACE(fmt::format("WALK_SEED={}", seed));
      Walk(seed, clusters, &own).Run();
    }
    std::lock_guard lock(mutex);
    for (const auto& [name, count] : own) counts[name] += count;
  };
  {
    std::vector<std::jthread> threads;
    for (uint64_t i = 0; i < std::min<uint64_t>(kThreads, seeds); ++i) threads.emplace_back(run_some, i);
  }
  for (const auto& [name, count] : counts) fmt::print("[ COVERAGE ] {}: {}\n", name, count);
  if (seeds >= kSeeds && !testing::Test::HasFailure()) {
    for (const std::string& name : Walk::Names()) EXPECT_GT(counts[name], 0u) << name;
  }
}

}  // namespace
}  // namespace anabranch
