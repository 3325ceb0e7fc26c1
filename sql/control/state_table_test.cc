// Every statement on a virtual cluster in every state, as everybody, against a server over libpq: what it answers is in
// state_table.txt, and whatever is refused has changed nothing. STATE_TABLE_REWRITE=1 writes the file anew, to be read before it
// is believed.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

#include "base/clock.h"
#include "sql/testing/test_server.h"
#include "tenant/catalog/catalog.h"
#include "tenant/catalog/jobs.h"

namespace anabranch {
namespace {

// `x` is the virtual cluster in the state, URI a connection string to this very cluster, JOB the id of the job of its stream
// or, if it has none, of its drop.
const char* const kStatements[] = {
    "CREATE VIRTUAL CLUSTER x",
    "CREATE VIRTUAL CLUSTER IF NOT EXISTS x",
    "CREATE VIRTUAL CLUSTER x FROM REPLICATION OF main ON 'URI'",
    "CREATE VIRTUAL CLUSTER y FROM REPLICATION OF x ON 'URI'",
    "CREATE VIRTUAL CLUSTER y FROM CLONE OF x",
    "ALTER VIRTUAL CLUSTER x PAUSE REPLICATION",
    "ALTER VIRTUAL CLUSTER x RESUME REPLICATION",
    "ALTER VIRTUAL CLUSTER x CANCEL REPLICATION",
    "ALTER VIRTUAL CLUSTER x COMPLETE REPLICATION TO LATEST",
    "ALTER VIRTUAL CLUSTER x COMPLETE REPLICATION TO SYSTEM TIME '-10h'",
    "ALTER VIRTUAL CLUSTER x COMPLETE REPLICATION TO SYSTEM TIME '+10h'",
    "ALTER VIRTUAL CLUSTER x UNDO COMPLETE REPLICATION",
    "ALTER VIRTUAL CLUSTER x START REPLICATION OF x ON 'URI'",
    "ALTER VIRTUAL CLUSTER x SET REPLICATION RETENTION = '1h'",
    "ALTER VIRTUAL CLUSTER x SET REPLICATION READ VIRTUAL CLUSTER",
    "ALTER VIRTUAL CLUSTER x RESET DATA TO SYSTEM TIME '-1ms'",
    "ALTER VIRTUAL CLUSTER x RESET DATA TO SYSTEM TIME '+10h'",
    "ALTER VIRTUAL CLUSTER x RENAME TO z",
    "ALTER VIRTUAL CLUSTER x GRANT CAPABILITY can_check_consistency",
    "ALTER VIRTUAL CLUSTER x GRANT ALL CAPABILITIES",
    "ALTER VIRTUAL CLUSTER x REVOKE CAPABILITY can_check_consistency",
    "ALTER VIRTUAL CLUSTER x START SERVICE SHARED",
    "ALTER VIRTUAL CLUSTER x STOP SERVICE",
    "ALTER VIRTUAL CLUSTER x SET CLUSTER SETTING gc.ttlseconds = 600",
    "DROP VIRTUAL CLUSTER x",
    "DROP VIRTUAL CLUSTER IF EXISTS x",
    "EXPLAIN ALTER VIRTUAL CLUSTER x COMPLETE REPLICATION TO LATEST",
    "EXPLAIN DROP VIRTUAL CLUSTER x",
    "SHOW VIRTUAL CLUSTER x",
    "SHOW VIRTUAL CLUSTER x WITH REPLICATION STATUS",
    "SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER x",
    "SHOW LOST WRITES FROM VIRTUAL CLUSTER x",
    "SHOW CLUSTER SETTING gc.ttlseconds FOR VIRTUAL CLUSTER x",
    "SHOW JOBS",
    "SHOW JOB JOB",
    "PAUSE JOB JOB",
    "CANCEL JOB JOB",
};

// The states that `x` can be in, with the service modes that go with them: as a virtual cluster with data of its own, and as a
// reader. The other combinations cannot be. `initializing replication` and `stopping` pass by themselves and are written into
// the record of one that stands still; all others are come to by statements.
enum class Kind { kOwnData, kReader };
struct State {
  DataState data;
  ServiceMode service;
  Kind kind = Kind::kOwnData;
};
constexpr State kStates[] = {
    {DataState::kInitializing, ServiceMode::kNone},
    {DataState::kReplicating, ServiceMode::kNone},
    {DataState::kPaused, ServiceMode::kNone},
    {DataState::kPendingFailover, ServiceMode::kNone},
    {DataState::kError, ServiceMode::kNone},
    {DataState::kReady, ServiceMode::kNone},
    {DataState::kReady, ServiceMode::kShared},
    {DataState::kReady, ServiceMode::kStopping},
    {DataState::kDropping, ServiceMode::kNone},
    {DataState::kAdd, ServiceMode::kNone, Kind::kReader},
    {DataState::kReady, ServiceMode::kShared, Kind::kReader},
    {DataState::kReady, ServiceMode::kNone, Kind::kReader},
};
constexpr int kCombinations = 8 * 3 * 2;

class StateTableTest : public ServerTest {
 protected:
  void SetUp() override {
    root_ = Connect("options=-ccluster=system");
    const std::pair<const char*, const char*> users[] = {
        {"nobody", ""}, {"source", "REPLICATIONSOURCE"}, {"dest", "REPLICATIONDEST"}, {"manager", "MANAGEVIRTUALCLUSTER"}};
    for (const auto& [user, grants] : users) {
      ASSERT_EQ(root_->Run(fmt::format("CREATE USER {}", user)), "OK CREATE ROLE");
      users_.emplace(user, Connect(fmt::format("options=-ccluster=system user={}", user)));
      if (*grants == '\0') continue;
      ASSERT_EQ(root_->Run(fmt::format("GRANT SYSTEM {} TO {}", grants, user)), "OK GRANT");
    }
  }

  std::string Uri() const {
    return fmt::format("postgresql://root@127.0.0.1:{}?sslmode=disable&gssencmode=disable", server_->port());
  }
  // "ok", or "SQLSTATE message / hint" with what differs from run to run left out.
  std::string Say(Client& client, const std::string& statement) const {
    std::string text = std::regex_replace(statement, std::regex("URI"), Uri());
    text = std::regex_replace(text, std::regex("JOB JOB"), "JOB " + JobId());
    PGresult* result = PQexec(client.get(), text.c_str());
    std::string outcome = "ok";
    if (const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE)) {
      const char* hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
      outcome = fmt::format("{} {}{}{}", state, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY),
                            hint != nullptr ? " / " : "", hint != nullptr ? hint : "");
    }
    PQclear(result);
    outcome = std::regex_replace(outcome, std::regex("[0-9]{19}\\.[0-9]{10}"), "<time>");
    outcome = std::regex_replace(outcome, std::regex("\\b" + JobId() + "\\b"), "<job>");
    return std::regex_replace(outcome, std::regex("\\b[0-9a-f]{16}\\b"), "<id>");
  }
  void Do(const std::string& statement) { ASSERT_EQ(Say(*root_, statement), "ok") << statement; }

  // Nobody else may look at it: what is in the record is not so.
  void Force(const char* name, DataState data, ServiceMode service) {
    const TenantId id = FindTenant(store_.get(), name)->value();
    ASSERT_TRUE(UpdateTenant(store_.get(), id, [&](MetaUpdate&, catalog::TenantRecord& record) {
                  SetState(record, data);
                  SetMode(record, service);
                  return absl::OkStatus();
                }).ok());
  }
  std::string JobId() const {
    const auto id = FindTenant(store_.get(), "x");
    if (!id->has_value()) return "7";
    const catalog::TenantRecord record = *LoadTenant(store_.get(), id->value());
    const uint64_t stream = record.replication().stream_id();
    return fmt::format("{}",
                       stream != 0 ? JobIdOf(JobKind::kIngestion, StreamId(stream)) : JobIdOf(JobKind::kDrop, id->value()));
  }
  void WaitUntil(const std::string& name, const std::string& column, const std::string& value) const {
    const char* with = column == "status" ? " WITH REPLICATION STATUS" : "";
    const std::string query = fmt::format("SELECT {} FROM [SHOW VIRTUAL CLUSTER {}{}]", column, name, with);
    const uint64_t give_up_ns = SystemClock()->MonotonicNs() + kWaitMs * 1'000'000ull;
    while (root_->Run(query) != value && SystemClock()->MonotonicNs() < give_up_ns) {
    }
    ASSERT_EQ(root_->Run(query), value);
  }
  bool IsThere(const std::string& name) const { return FindTenant(store_.get(), name)->has_value(); }
  // Takes away all that the statements and Make have made, whatever became of it.
  void Clear() {
    for (const char* name : {"y", "z", "x", "s"}) {
      for (int i = 0; i < 2; ++i) {  // one that is stuck in its drop, and a second one of its name
        if (IsThere(name)) {
          const TenantId id = FindTenant(store_.get(), name)->value();
          const catalog::TenantRecord record = *LoadTenant(store_.get(), id);
          if (ModeOf(record) == ServiceMode::kStopping) Force(name, StateOf(record), ServiceMode::kNone);
          Do(fmt::format("ALTER VIRTUAL CLUSTER {} STOP SERVICE", name));
        }
        Do(fmt::format("DROP VIRTUAL CLUSTER IF EXISTS {}", name));
      }
    }
  }
  void MakeReader(const State& state) {
    while (true) {
      Do("CREATE VIRTUAL CLUSTER s FROM REPLICATION OF main ON 'URI' WITH READ VIRTUAL CLUSTER");
      if (state.data != DataState::kAdd) break;
      Do("ALTER VIRTUAL CLUSTER s PAUSE REPLICATION");
      if (root_->Run("SELECT data_state FROM [SHOW VIRTUAL CLUSTER \"s-readonly\"]") == "add") return;
      Do("DROP VIRTUAL CLUSTER s");  // it was faster
    }
    WaitUntil("\"s-readonly\"", "service_mode", "shared");
    if (state.service == ServiceMode::kNone) Do("ALTER VIRTUAL CLUSTER \"s-readonly\" STOP SERVICE");
  }
  // A record that does not decode keeps the drop from its end; the name is free.
  void MakeDropping() {
    Do("CREATE VIRTUAL CLUSTER x");
    const auto put = [&](const std::function<void(MetaUpdate&)>& change) {
      ASSERT_TRUE(store_
                      ->UpdateMeta([&](MetaUpdate& update) {
                        change(update);
                        return absl::OkStatus();
                      })
                      .ok());
    };
    put([](MetaUpdate& update) { update.Put(StreamKey(StreamId(7)), "\xff"); });
    ASSERT_TRUE(Say(*root_, "DROP VIRTUAL CLUSTER x").starts_with("XX001"));
    put([](MetaUpdate& update) { update.Delete(StreamKey(StreamId(7))); });
  }
  void Make(const State& state) {
    Clear();
    if (state.kind == Kind::kReader) return MakeReader(state);
    if (state.data == DataState::kDropping) return MakeDropping();
    if (state.data == DataState::kReady) {
      Do("CREATE VIRTUAL CLUSTER x");
      if (state.service == ServiceMode::kShared) Do("ALTER VIRTUAL CLUSTER x START SERVICE SHARED");
      if (state.service == ServiceMode::kStopping) Force("x", state.data, state.service);
      return;
    }
    if (state.data == DataState::kError) Do("CREATE VIRTUAL CLUSTER y");  // a source that is lost
    Do(fmt::format("CREATE VIRTUAL CLUSTER x FROM REPLICATION OF {} ON 'URI'",
                   state.data == DataState::kError ? "y" : "main"));
    WaitUntil("x", "status", "replicating");
    if (state.data == DataState::kReplicating) return;
    if (state.data == DataState::kError) {
      Do("DROP VIRTUAL CLUSTER y");
      return WaitUntil("x", "status", "replication error");
    }
    if (state.data == DataState::kPendingFailover) {
      return Do("ALTER VIRTUAL CLUSTER x COMPLETE REPLICATION TO SYSTEM TIME '+10h'");
    }
    Do("ALTER VIRTUAL CLUSTER x PAUSE REPLICATION");
    if (state.data == DataState::kInitializing) Force("x", state.data, state.service);
  }
  // What a refusal must leave as it is.
  std::string Catalog() const {
    return root_->Run(
        "SELECT string_agg(format('%s %s %s %s %s %s', id, name, status, source_tenant_name, failover_time, last_error), "
        "';' ORDER BY id) FROM [SHOW VIRTUAL CLUSTERS WITH REPLICATION STATUS] WHERE status <> 'dropping'");
  }
  std::string Services() const {
    return root_->Run(
        "SELECT string_agg(format('%s %s', name, service_mode), ';' ORDER BY id) FROM [SHOW VIRTUAL CLUSTERS] "
        "WHERE data_state <> 'dropping'");
  }

  // One cell of the table: as everybody who is not let in, then as root, whose answer it is.
  std::string Cell(const std::string& statement) {
    const std::string catalog = Catalog();
    const std::string services = Services();
    const auto unchanged = [&](const std::string& who) {
      EXPECT_EQ(Catalog(), catalog) << who << ": " << statement;
      EXPECT_EQ(Services(), services) << who << ": " << statement;
    };
    const bool starts_stream = statement.find(" ON 'URI'") != std::string::npos;
    const bool of_administrators = statement.starts_with("SHOW LOST WRITES");
    for (const auto& [user, client] : users_) {
      if (user == "manager" && !starts_stream && !of_administrators) continue;  // is let in
      const char* lacks = of_administrators   ? "the admin role"
                          : user == "manager" ? "REPLICATIONDEST system privilege"
                                              : "MANAGEVIRTUALCLUSTER system privilege";
      const std::string answer = Say(*client, statement);
      EXPECT_TRUE(answer.starts_with(fmt::format("42501 user {} does not have {}", user, lacks)))
          << user << ": " << statement << ": " << answer;
      unchanged(user);
      ++executed_;
    }
    const std::string outcome = Say(*root_, statement);
    ++executed_;
    if (outcome == "ok") {
      ++reached_;
    } else {
      ++refused_;
      unchanged("root");
    }
    return outcome;
  }

  std::unique_ptr<Client> root_;
  std::map<std::string, std::unique_ptr<Client>> users_;
  int executed_ = 0;
  int reached_ = 0;
  int refused_ = 0;
};

TEST_F(StateTableTest, EveryStatementInEveryState) {
  std::ostringstream table;
  for (const char* statement : kStatements) {
    table << statement << "\n";
    const auto line = [&](const std::string& state, const std::string& outcome) {
      table << fmt::format("  {:<36} {}\n", state, outcome);
    };
    Clear();
    line("there is none", Cell(statement));
    const auto of = [&](const char* name) {
      return std::regex_replace(std::string(statement), std::regex("\\bx\\b"), name);
    };
    line("it is system", Cell(of("system")));
    for (const State& state : kStates) {
      Make(state);
      const bool reader = state.kind == Kind::kReader;
      line(fmt::format("{}{}, {}", reader ? "reader: " : "", ToString(state.data), ToString(state.service)),
           Cell(reader ? of("\"s-readonly\"") : statement));
    }
  }
  Clear();
  const int impossible = static_cast<int>(std::size(kStatements) * (kCombinations - std::size(kStates)));
  std::cout << fmt::format("{} executed: {} reached, {} refused, the rest for want of a privilege; {} impossible\n",
                           executed_, reached_, refused_, impossible);
  EXPECT_GE(executed_, 1'500);
  if (std::getenv("STATE_TABLE_REWRITE") != nullptr) {
    std::ofstream(STATE_TABLE) << table.str();
    return;
  }
  std::ifstream file(STATE_TABLE);
  const std::string expected((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_EQ(table.str(), expected) << "read what differs; STATE_TABLE_REWRITE=1 takes it over";
}

}  // namespace
}  // namespace anabranch
