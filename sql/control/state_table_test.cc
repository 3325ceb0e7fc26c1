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

namespace anabranch {
namespace {

// `x` is the virtual cluster in the state, URI a connection string to this very cluster.
const char* const kStatements[] = {
    "CREATE VIRTUAL CLUSTER x",
    "CREATE VIRTUAL CLUSTER IF NOT EXISTS x",
    "CREATE VIRTUAL CLUSTER x FROM REPLICATION OF main ON 'URI'",
    "CREATE VIRTUAL CLUSTER y FROM REPLICATION OF x ON 'URI'",
    "ALTER VIRTUAL CLUSTER x PAUSE REPLICATION",
    "ALTER VIRTUAL CLUSTER x RESUME REPLICATION",
    "ALTER VIRTUAL CLUSTER x CANCEL REPLICATION",
    "ALTER VIRTUAL CLUSTER x COMPLETE REPLICATION TO LATEST",
    "ALTER VIRTUAL CLUSTER x COMPLETE REPLICATION TO SYSTEM TIME '-10h'",
    "ALTER VIRTUAL CLUSTER x COMPLETE REPLICATION TO SYSTEM TIME '+10h'",
    "ALTER VIRTUAL CLUSTER x UNDO COMPLETE REPLICATION",
    "ALTER VIRTUAL CLUSTER x START REPLICATION OF x ON 'URI'",
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
};

// The states that `x` can be in, with the service modes that go with them. The other pairs cannot be. Those that pass in a
// moment are written into the record of one that stands still: a paused standby, or a virtual cluster that is ready.
struct State {
  DataState data;
  ServiceMode service;
};
constexpr State kStates[] = {
    {DataState::kAdd, ServiceMode::kNone},
    {DataState::kInitializing, ServiceMode::kNone},
    {DataState::kReplicating, ServiceMode::kNone},
    {DataState::kPaused, ServiceMode::kNone},
    {DataState::kPendingFailover, ServiceMode::kNone},
    {DataState::kFailingOver, ServiceMode::kNone},
    {DataState::kError, ServiceMode::kNone},
    {DataState::kReady, ServiceMode::kNone},
    {DataState::kReady, ServiceMode::kShared},
    {DataState::kReady, ServiceMode::kStopping},
    {DataState::kDropping, ServiceMode::kNone},
};
constexpr int kPairs = 9 * 3;

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
    const std::string text = std::regex_replace(statement, std::regex("URI"), Uri());
    PGresult* result = PQexec(client.get(), text.c_str());
    std::string outcome = "ok";
    if (const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE)) {
      const char* hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
      outcome = fmt::format("{} {}{}{}", state, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY),
                            hint != nullptr ? " / " : "", hint != nullptr ? hint : "");
    }
    PQclear(result);
    outcome = std::regex_replace(outcome, std::regex("[0-9]{19}\\.[0-9]{10}"), "<time>");
    return std::regex_replace(outcome, std::regex("\\b[0-9a-f]{16}\\b"), "<id>");
  }
  void Do(const std::string& statement) { ASSERT_EQ(Say(*root_, statement), "ok") << statement; }

  // The record alone: a DROP that goes on with a drop finds the keyspace of one that nobody began to drop, and says so.
  void Force(DataState data, ServiceMode service) {
    const TenantId id = FindTenant(store_.get(), "x")->value();
    ASSERT_TRUE(UpdateTenant(store_.get(), id, [&](MetaUpdate&, catalog::TenantRecord& record) {
                  SetState(record, data);
                  SetMode(record, service);
                  return absl::OkStatus();
                }).ok());
  }
  std::string Shown(const std::string& column) const {
    return root_->Run(fmt::format("SELECT {} FROM [SHOW VIRTUAL CLUSTER x WITH REPLICATION STATUS]", column));
  }
  void WaitUntilReplicating() const {
    const uint64_t give_up_ns = SystemClock()->MonotonicNs() + kWaitMs * 1'000'000ull;
    while (Shown("status") != "replicating" && SystemClock()->MonotonicNs() < give_up_ns) {
    }
    ASSERT_EQ(Shown("status"), "replicating");
  }
  // Takes `x` and `y` away, whatever became of them.
  void Clear() {
    Do("DROP VIRTUAL CLUSTER IF EXISTS y");
    if (!FindTenant(store_.get(), "x")->has_value()) return;
    const std::string state = Shown("status");
    if (state == "dropping") Force(DataState::kReady, ServiceMode::kNone);
    const catalog::TenantRecord record = *LoadTenant(store_.get(), FindTenant(store_.get(), "x")->value());
    if (ModeOf(record) == ServiceMode::kStopping) Force(StateOf(record), ServiceMode::kNone);
    Do("ALTER VIRTUAL CLUSTER x STOP SERVICE");
    Do("DROP VIRTUAL CLUSTER x");
  }
  void Make(const State& state) {
    Clear();
    if (state.data == DataState::kReady || state.data == DataState::kAdd || state.data == DataState::kDropping) {
      Do("CREATE VIRTUAL CLUSTER x");
      if (state.service == ServiceMode::kShared) Do("ALTER VIRTUAL CLUSTER x START SERVICE SHARED");
      if (state.service == ServiceMode::kStopping || state.data != DataState::kReady) Force(state.data, state.service);
      return;
    }
    Do("CREATE VIRTUAL CLUSTER x FROM REPLICATION OF main ON 'URI'");
    WaitUntilReplicating();
    if (state.data == DataState::kReplicating) return;
    if (state.data == DataState::kPendingFailover) {
      Do("ALTER VIRTUAL CLUSTER x COMPLETE REPLICATION TO SYSTEM TIME '+10h'");
      return;
    }
    Do("ALTER VIRTUAL CLUSTER x PAUSE REPLICATION");
    if (state.data != DataState::kPaused) Force(state.data, state.service);
  }
  // What a refusal must leave as it is.
  std::string Catalog() const {
    return root_->Run(
        "SELECT string_agg(format('%s %s %s %s %s %s', id, name, status, source_tenant_name, failover_time, last_error), "
        "';' ORDER BY id) FROM [SHOW VIRTUAL CLUSTERS WITH REPLICATION STATUS]");
  }
  std::string Services() const {
    return root_->Run(
        "SELECT string_agg(format('%s %s', name, service_mode), ';' ORDER BY id) FROM [SHOW VIRTUAL CLUSTERS]");
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
    const std::string of_system = std::regex_replace(std::string(statement), std::regex("\\bx\\b"), "system");
    line("it is system", Cell(of_system));
    for (const State& state : kStates) {
      Make(state);
      line(fmt::format("{}, {}", ToString(state.data), ToString(state.service)), Cell(statement));
    }
  }
  Clear();
  const int impossible = static_cast<int>(std::size(kStatements) * (kPairs - std::size(kStates)));
  std::cout << fmt::format("{} executed: {} reached, {} refused, the rest for want of a privilege; {} impossible\n",
                           executed_, reached_, refused_, impossible);
  EXPECT_GE(executed_, 400);
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
