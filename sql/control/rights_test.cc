// Who may run which statement of ours, from outside, over libpq: every statement as everybody.
#include <map>
#include <set>

#include "base/coding.h"
#include "sql/control/statement.h"
#include "sql/control/statement_info.h"
#include "sql/testing/test_server.h"

namespace anabranch {
namespace {

// What lets a user run a statement.
enum class Needs { kManage, kManageAndDest, kAdmin };

struct Case {
  const char* statement;
  Needs needs;
  bool reads_only = false;
};

constexpr bool kReads = true;

// Each shape at least once, and each action of ALTER. They name what is not there, or what there is already, so that none of
// them changes anything, whoever runs it.
const Case kCases[] = {
    {"CREATE VIRTUAL CLUSTER main", Needs::kManage},
    {"CREATE VIRTUAL CLUSTER main FROM CLONE OF main", Needs::kManage},
    {"CREATE VIRTUAL CLUSTER main FROM REPLICATION OF main ON 'postgresql://root@127.0.0.1:1'", Needs::kManageAndDest},
    {"ALTER VIRTUAL CLUSTER nowhere PAUSE REPLICATION", Needs::kManage},
    {"ALTER VIRTUAL CLUSTER nowhere RESUME REPLICATION", Needs::kManage},
    {"ALTER VIRTUAL CLUSTER nowhere CANCEL REPLICATION", Needs::kManage},
    {"ALTER VIRTUAL CLUSTER nowhere COMPLETE REPLICATION TO LATEST", Needs::kManage},
    {"ALTER VIRTUAL CLUSTER nowhere UNDO COMPLETE REPLICATION", Needs::kManage},
    {"ALTER VIRTUAL CLUSTER nowhere START REPLICATION OF main ON 'postgresql://root@127.0.0.1:1'", Needs::kManageAndDest},
    {"ALTER VIRTUAL CLUSTER nowhere SET REPLICATION RETENTION = '1h'", Needs::kManage},
    {"ALTER VIRTUAL CLUSTER nowhere SET REPLICATION SOURCE = 'postgresql://root@127.0.0.1:1'", Needs::kManageAndDest},
    {"ALTER VIRTUAL CLUSTER nowhere SWITCHOVER", Needs::kManage},
    {"ALTER VIRTUAL CLUSTER nowhere VERIFY", Needs::kManage},
    {"ALTER VIRTUAL CLUSTER nowhere RESET DATA TO SYSTEM TIME '-1s'", Needs::kManage},
    {"ALTER VIRTUAL CLUSTER nowhere START SERVICE SHARED", Needs::kManage},
    {"ALTER VIRTUAL CLUSTER nowhere STOP SERVICE", Needs::kManage},
    {"ALTER VIRTUAL CLUSTER nowhere RENAME TO elsewhere", Needs::kManage},
    {"ALTER VIRTUAL CLUSTER nowhere GRANT ALL CAPABILITIES", Needs::kManage},
    {"ALTER VIRTUAL CLUSTER nowhere REVOKE CAPABILITY can_view_node_info", Needs::kManage},
    {"ALTER VIRTUAL CLUSTER nowhere SET CLUSTER SETTING gc.ttlseconds = 60", Needs::kManage},
    {"DROP VIRTUAL CLUSTER nowhere", Needs::kManage},
    {"DROP VIRTUAL CLUSTER IF EXISTS nowhere", Needs::kManage},
    {"SHOW VIRTUAL CLUSTERS", Needs::kManage, kReads},
    {"SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS", Needs::kManage, kReads},
    {"SELECT name FROM [SHOW VIRTUAL CLUSTERS] WHERE id = 1", Needs::kManage, kReads},
    {"SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER nowhere", Needs::kManage, kReads},
    {"SHOW LOST WRITES FROM VIRTUAL CLUSTER nowhere", Needs::kAdmin, kReads},
    {"COPY (SELECT * FROM [SHOW LOST WRITES FROM VIRTUAL CLUSTER nowhere]) TO STDOUT", Needs::kAdmin, kReads},
    {"SHOW FAILOVERS", Needs::kManage, kReads},
    {"SHOW REPLICATION STREAMS", Needs::kManage, kReads},
    {"EXPLAIN DROP VIRTUAL CLUSTER nowhere", Needs::kManage, kReads},
    {"EXPLAIN ALTER VIRTUAL CLUSTER nowhere START REPLICATION OF main ON 'postgresql://root@127.0.0.1:1'", Needs::kManage,
     kReads},
    {"EXPLAIN LAG FOR VIRTUAL CLUSTER nowhere", Needs::kManage, kReads},
    {"CREATE EXTERNAL CONNECTION c AS 'not an address'", Needs::kAdmin},
    {"ALTER EXTERNAL CONNECTION nowhere AS 'postgresql://root@127.0.0.1:1'", Needs::kAdmin},
    {"DROP EXTERNAL CONNECTION nowhere", Needs::kAdmin},
    {"SHOW EXTERNAL CONNECTIONS", Needs::kAdmin, kReads},
    {"GRANT SYSTEM MANAGEVIRTUALCLUSTER TO zoe", Needs::kAdmin},
    {"GRANT SYSTEM ALL TO zoe", Needs::kAdmin},
    {"REVOKE SYSTEM REPLICATIONSOURCE FROM zoe", Needs::kAdmin},
    {"SHOW SYSTEM GRANTS FOR zoe", Needs::kAdmin, kReads},
    {"SET CLUSTER SETTING no.such.setting = 1", Needs::kAdmin},
    {"RESET CLUSTER SETTING no.such.setting", Needs::kAdmin},
    {"SHOW CLUSTER SETTING no.such.setting", Needs::kAdmin, kReads},
    {"SHOW CLUSTER SETTING gc.ttlseconds FOR VIRTUAL CLUSTER nowhere", Needs::kManage, kReads},
    {"SHOW CLUSTER SETTINGS", Needs::kAdmin, kReads},
    {"SHOW JOBS", Needs::kManage, kReads},
    {"SHOW JOB 17", Needs::kManage, kReads},
    {"CANCEL JOB 17", Needs::kManage},
    {"PAUSE JOB 17", Needs::kManage},
    {"RESUME JOB 17", Needs::kManage},
};

// Users by what was granted to them.
struct Who {
  const char* user;
  const char* grants;  // separated by commas
};
const Who kEverybody[] = {
    {"nobody", ""},
    {"manager", "MANAGEVIRTUALCLUSTER"},
    {"dest", "REPLICATIONDEST"},
    {"source", "REPLICATIONSOURCE"},
    {"operator", "MANAGEVIRTUALCLUSTER, REPLICATIONDEST"},
    {"all_of_them", "ALL"},
};

class RightsTest : public ServerTest {
 protected:
  void SetUp() override {
    root_ = Connect("options=-ccluster=system");
    for (const Who& who : kEverybody) {
      ASSERT_EQ(root_->Run(fmt::format("CREATE USER {} PASSWORD 'secret'", who.user)), "OK CREATE ROLE");
      if (*who.grants == '\0') continue;
      ASSERT_EQ(root_->Run(fmt::format("GRANT SYSTEM {} TO {}", who.grants, who.user)), "OK GRANT");
    }
  }
  std::unique_ptr<Client> As(const std::string& user) {
    return Connect(fmt::format("options=-ccluster=system user={}", user));
  }
  // "SQLSTATE: message" of an error, else as Client::Run.
  static std::string Say(Client& client, const std::string& statement) {
    PGresult* result = PQexec(client.get(), statement.c_str());
    if (PQresultStatus(result) == PGRES_COPY_OUT) {  // what it ends with counts
      PQclear(result);
      char* line = nullptr;
      while (PQgetCopyData(client.get(), &line, 0) > 0) PQfreemem(line);
      result = PQgetResult(client.get());
    }
    std::string outcome;
    if (const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE)) {
      outcome = fmt::format("{}: {}", state, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
      PQclear(result);
    } else {
      outcome = Client::Outcome(result);
    }
    return outcome;
  }
  static std::string Lacks(const std::string& user, const std::string& privilege) {
    return fmt::format("42501: user {} does not have {} system privilege", user, privilege);
  }
  // What a user without the right is told; empty: it has it.
  static std::string Refusal(const Case& one, const Who& who) {
    const std::string user = who.user;
    const bool manage = user == "manager" || user == "operator" || user == "all_of_them";
    const bool dest = user == "dest" || user == "operator" || user == "all_of_them";
    if (one.needs == Needs::kAdmin) return "42501: user " + user + " does not have the admin role, which ";
    if (!manage) return Lacks(user, "MANAGEVIRTUALCLUSTER");
    if (one.needs == Needs::kManageAndDest && !dest) return Lacks(user, "REPLICATIONDEST");
    return "";
  }
  std::string Catalog() {
    return Client::Outcome(PQexec(root_->get(),
                                  "SELECT string_agg(format('%s %s %s %s', id, name, data_state, "
                                  "service_mode), ',') FROM [SHOW VIRTUAL CLUSTERS]")) +
           Client::Outcome(PQexec(root_->get(),
                                  "SELECT string_agg(format('%s %s', grantee, privilege_type), ',') FROM "
                                  "[SHOW SYSTEM GRANTS]"));
  }

  std::unique_ptr<Client> root_;
};

TEST_F(RightsTest, EveryStatementAsEverybody) {
  const std::string before = Catalog();
  int refused = 0;
  int reached = 0;
  for (const Case& one : kCases) {
    const std::string as_root = Say(*root_, one.statement);
    EXPECT_EQ(as_root.find("42501"), std::string::npos) << one.statement << ": " << as_root;
    EXPECT_EQ(as_root.find("42601"), std::string::npos) << one.statement << ": " << as_root;
    for (const Who& who : kEverybody) {
      const std::string outcome = Say(*As(who.user), one.statement);
      const std::string refusal = Refusal(one, who);
      if (refusal.empty()) {
        EXPECT_EQ(outcome, as_root) << who.user << ": " << one.statement;
        ++reached;
      } else {
        EXPECT_TRUE(outcome.starts_with(refusal)) << who.user << ": " << one.statement << ": " << outcome;
        ++refused;
      }
    }
  }
  EXPECT_EQ(Catalog(), before);
  std::cout << fmt::format("{} reached, {} refused\n", reached, refused);
}

TEST_F(RightsTest, EveryShapeIsAmongThem) {
  std::set<size_t> shapes;
  std::set<size_t> actions;
  for (const Case& one : kCases) {
    const absl::StatusOr<SystemStatementRef> statement = ParseSystemStatement(one.statement);
    if (!statement.ok() || *statement == nullptr) continue;  // the bracket form, COPY
    shapes.insert((*statement)->index());
    if (const auto* alter = std::get_if<AlterVirtualCluster>(statement->get())) actions.insert(alter->action.index());
    EXPECT_EQ(InfoOf(**statement).reads_only, one.reads_only) << one.statement;
  }
  EXPECT_EQ(shapes.size(), std::variant_size_v<SystemStatement::variant>);
  EXPECT_EQ(actions.size(), std::variant_size_v<decltype(AlterVirtualCluster::action)>);
}

TEST_F(RightsTest, InForceAtTheNextStatementOfARunningSession) {
  const auto nobody = As("nobody");
  EXPECT_EQ(nobody->Run("SHOW VIRTUAL CLUSTERS"), "42501");
  EXPECT_EQ(root_->Run("GRANT SYSTEM MANAGEVIRTUALCLUSTER, REPLICATIONDEST TO nobody"), "OK GRANT");
  EXPECT_EQ(nobody->Run("SHOW VIRTUAL CLUSTERS"), "1");
  PQclear(PQprepare(nobody->get(), "shown", "SELECT name FROM [SHOW VIRTUAL CLUSTERS] WHERE id = 2", 0, nullptr));
  const auto shown = [&] {
    return Client::Outcome(PQexecPrepared(nobody->get(), "shown", 0, nullptr, nullptr, nullptr, 0));
  };
  EXPECT_EQ(shown(), "main");
  EXPECT_EQ(root_->Run("REVOKE SYSTEM MANAGEVIRTUALCLUSTER FROM nobody"), "OK REVOKE");
  EXPECT_EQ(shown(), "42501");
  EXPECT_EQ(nobody->Run("SHOW VIRTUAL CLUSTERS"), "42501");
  // Through a role, and by admin.
  EXPECT_EQ(root_->Run("CREATE ROLE operators"), "OK CREATE ROLE");
  EXPECT_EQ(root_->Run("GRANT SYSTEM MANAGEVIRTUALCLUSTER TO operators"), "OK GRANT");
  EXPECT_EQ(root_->Run("GRANT operators TO nobody"), "OK GRANT ROLE");
  EXPECT_EQ(shown(), "main");
  EXPECT_EQ(nobody->Run("GRANT SYSTEM MANAGEVIRTUALCLUSTER TO dest"), "42501");
  EXPECT_EQ(root_->Run("GRANT admin TO nobody"), "OK GRANT ROLE");
  EXPECT_EQ(nobody->Run("GRANT SYSTEM MANAGEVIRTUALCLUSTER TO dest"), "OK GRANT");
  EXPECT_EQ(nobody->Run("REVOKE admin FROM nobody"), "OK REVOKE ROLE");
  EXPECT_EQ(nobody->Run("SHOW SYSTEM GRANTS"), "42501");
}

TEST_F(RightsTest, GrantsAreShownByUserAndPrivilege) {
  const auto shown = [&](const std::string& of) {
    return root_->Run(
        fmt::format("SELECT string_agg(format('%s %s %s', grantee, privilege_type, is_grantable), ', ') "
                    "FROM [SHOW SYSTEM GRANTS FOR {}]",
                    of));
  };
  EXPECT_EQ(shown("operator"), "operator MANAGEVIRTUALCLUSTER f, operator REPLICATIONDEST f");
  EXPECT_EQ(shown("source, manager"), "manager MANAGEVIRTUALCLUSTER f, source REPLICATIONSOURCE f");
  EXPECT_EQ(root_->Run("SELECT count(*) FROM [SHOW SYSTEM GRANTS FOR nobody]"), "0");
  EXPECT_EQ(shown("zoe"), "42704");
  // As the page writes it.
  EXPECT_EQ(root_->Run("GRANT SYSTEM MANAGEVIRTUALCLUSTER TO user;"), "42704");
  EXPECT_EQ(root_->Run("CREATE USER \"user\" WITH PASSWORD 'secret'"), "OK CREATE ROLE");
  EXPECT_EQ(root_->Run("GRANT SYSTEM MANAGEVIRTUALCLUSTER TO user;"), "OK GRANT");
  EXPECT_EQ(shown("user"), "user MANAGEVIRTUALCLUSTER f");
  EXPECT_EQ(root_->Run("REVOKE SYSTEM ALL FROM user, operator"), "OK REVOKE");
  EXPECT_EQ(root_->Run("SELECT count(*) FROM [SHOW SYSTEM GRANTS FOR user, operator]"), "0");
  EXPECT_EQ(Say(*root_, "GRANT SYSTEM NODELETE TO user"), "42601: not a valid privilege: \"NODELETE\"");
  // A user takes its grants along.
  EXPECT_EQ(root_->Run("GRANT SYSTEM REPLICATIONDEST TO user"), "OK GRANT");
  EXPECT_EQ(root_->Run("DROP USER \"user\""), "OK DROP ROLE");
  EXPECT_EQ(root_->Run("CREATE USER \"user\""), "OK CREATE ROLE");
  EXPECT_EQ(root_->Run("SELECT count(*) FROM [SHOW SYSTEM GRANTS FOR user]"), "0");
}

TEST_F(RightsTest, FilesOfTheNodeAreForAdministrators) {
  const auto user = As("operator");
  for (const char* statement : {"CREATE VIRTUAL CLUSTER standby FROM REPLICATION OF main ON '{}'",
                                "ALTER VIRTUAL CLUSTER main START REPLICATION OF main ON '{}'",
                                "EXPLAIN ALTER VIRTUAL CLUSTER main START REPLICATION OF main ON '{}'",
                                "ALTER VIRTUAL CLUSTER main SET REPLICATION SOURCE = '{}'"}) {
    const auto with = [&](const std::string& parameters) {
      return fmt::format(fmt::runtime(statement), "postgresql://root@127.0.0.1:1/?" + parameters);
    };
    for (const char* file : {"sslcert", "sslkey", "sslrootcert"}) {
      const std::string named = with(fmt::format("{}=/certs/node", file));
      const std::string refusal = Say(*user, named);
      EXPECT_TRUE(refusal.starts_with("42501: user operator does not have the admin role")) << named << ": " << refusal;
      EXPECT_NE(refusal.find(file), std::string::npos) << refusal;
      EXPECT_FALSE(Say(*root_, named).starts_with("42501")) << named;
    }
    EXPECT_FALSE(Say(*user, with("sslinline=true&sslcert=a&sslkey=b")).starts_with("42501")) << statement;
  }
}

// A session that only reads changes no virtual cluster; a block takes no statement that cannot be rolled back.
TEST_F(RightsTest, ReadOnlySessionsAndBlocks) {
  const auto reader = Connect("options='-ccluster=system -c default_transaction_read_only=on'");
  const std::string before = Catalog();
  for (const Case& one : kCases) {
    const absl::StatusOr<SystemStatementRef> statement = ParseSystemStatement(one.statement);
    if (!statement.ok() || *statement == nullptr) continue;
    const StatementInfo info = InfoOf(**statement);
    const std::string refusal = fmt::format("25006: cannot execute {} in a read-only transaction", info.command);
    const std::string as_root = Say(*root_, one.statement);
    const auto check = [&](Client& client, const std::string& refused) {
      EXPECT_EQ(Say(client, one.statement), one.reads_only ? as_root : refused) << one.statement;
    };
    check(*reader, refusal);
    for (const char* begin : {"BEGIN READ ONLY", "BEGIN; SET TRANSACTION READ ONLY"}) {
      EXPECT_EQ(root_->Run(begin).substr(0, 2), "OK") << begin;
      check(*root_, refusal);
      EXPECT_EQ(root_->Run("ROLLBACK"), "OK ROLLBACK");
    }
    EXPECT_EQ(root_->Run("BEGIN"), "OK BEGIN");
    check(*root_, fmt::format("25001: {} cannot run inside a transaction block", info.command));
    EXPECT_EQ(root_->Run("ROLLBACK"), "OK ROLLBACK");
  }
  EXPECT_EQ(Catalog(), before);
  EXPECT_EQ(reader->Run("CREATE USER joe"), "25006");
  EXPECT_EQ(reader->Run("GRANT admin TO nobody"), "25006");
  EXPECT_EQ(reader->Run("SET default_transaction_read_only = off"), "OK SET");
  EXPECT_EQ(reader->Run("ALTER VIRTUAL CLUSTER main STOP SERVICE"), "OK ALTER VIRTUAL CLUSTER");
}

}  // namespace
}  // namespace anabranch
