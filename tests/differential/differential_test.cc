// The same random statements to a PostgreSQL 15 and to ours: rows, types, command tags and SQLSTATEs must be the same. What
// differs is printed as the smallest statement that shows it.
//
//   DIFFERENTIAL_SEED=n    another run (printed by each)
//   DIFFERENTIAL_ROUNDS=n  statements
#include <libpq-fe.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "base/random.h"
#include "fmt/format.h"
#include "gtest/gtest.h"
#include "tests/differential/grammar.h"
#include "tests/e2e/cluster.h"

namespace anabranch {
namespace {

constexpr int kRounds = 3000;
constexpr int kDifferencesMax = 25;  // then the run ends
constexpr int kRowsPerTable = 12;
constexpr Oid kFloat4 = 700;
constexpr Oid kFloat8 = 701;

constexpr std::string_view kColumns[] = {"bool",      "int2",        "int4",     "int8",   "float4", "float8",
                                         "numeric",   "text",        "varchar",  "bpchar", "bytea",  "date",
                                         "timestamp", "timestamptz", "interval", "uuid",   "jsonb"};

struct Answer {
  std::string sqlstate;  // empty: it succeeded
  std::string message;
  std::string position;
  std::string columns;  // names and types
  std::string tag;
  std::vector<std::string> rows;

  std::string ToText() const {
    if (!sqlstate.empty()) return fmt::format("{} {} (at {})", sqlstate, message, position);
    std::string text = fmt::format("{} [{}]", tag, columns);
    for (const std::string& row : rows) text += "\n      " + row;
    return text;
  }
};

// Why a difference is meant; empty: it is not.
std::string_view WhyMeant(const Request& request, const Answer& ours, const Answer& theirs) {
  const auto is_value_error = [](const Answer& answer) { return answer.sqlstate.starts_with("22"); };
  if (ours.sqlstate == "0A000" && theirs.sqlstate != "0A000") return "not supported";
  if (ours.sqlstate == "42883" && ours.message != theirs.message) {
    if (ours.message.starts_with("function ")) return "a function that is not there";
    if (ours.message.find(" - ") != std::string::npos) return "jsonb - text is not there, which unknown - text is, too";
  }
  if (is_value_error(ours) && is_value_error(theirs)) return "which of several values is looked at first is not defined";
  if (is_value_error(theirs) && ours.sqlstate.empty()) return "PostgreSQL computes constants when it plans, needed or not";
  if (is_value_error(ours) && theirs.sqlstate.empty()) {
    const auto has = [&](std::string_view word) { return request.text.find(word) != std::string::npos; };
    if (has("NULL")) return "PostgreSQL leaves out what a constant null makes null";
    if (has(" WHERE ") || has(" ON ") || has(" LIMIT ")) return "which condition is looked at first is not defined";
  }
  return "";
}

class Server {
 public:
  explicit Server(const std::string& uri) : connection_(PQconnectdb(uri.c_str())) {
    EXPECT_EQ(PQstatus(connection_), CONNECTION_OK) << PQerrorMessage(connection_);
  }
  ~Server() { PQfinish(connection_); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  bool alive() const { return PQstatus(connection_) == CONNECTION_OK; }

  Answer Run(const Request& request, bool binary) {
    std::vector<const char*> values;
    for (const std::string& parameter : request.parameters) values.push_back(parameter.c_str());
    PGresult* result = values.empty() && !binary
                           ? PQexec(connection_, request.text.c_str())
                           : PQexecParams(connection_, request.text.c_str(), static_cast<int>(values.size()), nullptr,
                                          values.data(), nullptr, nullptr, binary ? 1 : 0);
    Answer answer = Read(result);
    PQclear(result);
    return answer;
  }

 private:
  static std::string Value(PGresult* result, int row, int column) {
    const std::string_view value(PQgetvalue(result, row, column), static_cast<size_t>(PQgetlength(result, row, column)));
    const bool is_float = PQftype(result, column) == kFloat4 || PQftype(result, column) == kFloat8;
    // DISTINCT and GROUP BY may show either of two equal values, and the zeros are equal.
    if (PQfformat(result, column) == 0) return is_float && value == "-0" ? "0" : std::string(value);
    std::string hex;
    for (const char byte : value) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    if (is_float && hex == (value.size() == sizeof(float) ? "80000000" : "8000000000000000")) hex.front() = '0';
    return hex;
  }

  static Answer Read(PGresult* result) {
    Answer answer;
    const auto field = [&](int code) {
      const char* text = PQresultErrorField(result, code);
      return std::string(text == nullptr ? "" : text);
    };
    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK) {
      answer.sqlstate = field(PG_DIAG_SQLSTATE);
      answer.message = answer.sqlstate.empty() ? PQresultErrorMessage(result) : field(PG_DIAG_MESSAGE_PRIMARY);
      answer.position = field(PG_DIAG_STATEMENT_POSITION);
      if (answer.sqlstate.empty()) answer.sqlstate = "(lost)";
      return answer;
    }
    answer.tag = PQcmdStatus(result);
    for (int i = 0; i < PQnfields(result); ++i) {
      answer.columns += fmt::format("{}{}:{}", i == 0 ? "" : ", ", PQfname(result, i), PQftype(result, i));
    }
    for (int r = 0; r < PQntuples(result); ++r) {
      std::string row;
      for (int i = 0; i < PQnfields(result); ++i) {
        if (i > 0) row += " | ";
        if (PQgetisnull(result, r, i) != 0) {
          row += "~";
          continue;
        }
        row += Value(result, r, i);
      }
      answer.rows.push_back(std::move(row));
    }
    return answer;
  }

  PGconn* const connection_;
};

// A PostgreSQL of its own. As root it runs as the user postgres, whom the package brings.
class Postgres {
 public:
  Postgres() {
    const std::string as = geteuid() == 0 ? "su postgres -c " : "sh -c ";
    RunCommand(
        fmt::format("chmod 755 {0}; mkdir {0}/pg; {1} {0}/pg", folder_.path(), geteuid() == 0 ? "chown postgres" : "true"));
    const CommandResult started = RunCommand(fmt::format(
        "{}'{}/initdb -D {}/pg/data --locale=C.UTF-8 -E UTF8 -A trust -U root && {}/pg_ctl -D {}/pg/data -w -l {}/pg/log "
        "-o \"-k {}/pg -c listen_addresses= -c fsync=off\" start'",
        as, kPrograms, folder_.path(), kPrograms, folder_.path(), folder_.path(), folder_.path()));
    EXPECT_EQ(started.exit_status, 0) << started.output;
    stop_ = fmt::format("{}'{}/pg_ctl -D {}/pg/data -m immediate stop'", as, kPrograms, folder_.path());
  }
  ~Postgres() { RunCommand(stop_); }

  std::string Uri() const { return fmt::format("host={}/pg user=root dbname=postgres", folder_.path()); }

 private:
  static constexpr std::string_view kPrograms = "/usr/lib/postgresql/15/bin";
  TemporaryFolder folder_{"anabranch-differential"};
  std::string stop_;
};

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

// Without ORDER BY rows may come in any order; with it, equal ones may.
std::vector<std::string> Sorted(std::vector<std::string> rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

class Differential : public testing::Test {
 protected:
  Differential()
      : ours_process_({.program = ANABRANCH_PROGRAM, .directory = folder_.path(), .name = "a", .flags = {"--virtualized"}}),
        seed_(FromEnvironment("DIFFERENTIAL_SEED", Random().Next() % 1'000'000)),
        grammar_(DIFFERENTIAL_GRAMMAR, seed_) {}

  void SetUp() override {
    const absl::Status started = ours_process_.Start();
    ASSERT_TRUE(started.ok()) << started;
    ours_ = std::make_unique<Server>(ours_process_.Uri("main"));
    theirs_ = std::make_unique<Server>(postgres_.Uri());
    ASSERT_TRUE(ours_->alive() && theirs_->alive());
    std::printf("seed %lu\n", static_cast<unsigned long>(seed_));
    RunOnBoth(fmt::format("SET TimeZone = '{}'", RequestOf(grammar_.Make("zone")).text));
    MakeTables();
  }

  void MakeTables() {
    for (const char* table : {"t1", "t2"}) {
      std::string columns = "id int4 PRIMARY KEY";
      for (const std::string_view type : kColumns) {
        columns += fmt::format(", c_{} {}", type, type == "varchar" ? "varchar(10)" : type == "bpchar" ? "char(5)" : type);
      }
      RunOnBoth(fmt::format("CREATE TABLE {} ({})", table, columns));
      for (int id = 1; id <= kRowsPerTable; ++id) {
        std::string values = std::to_string(id);
        for (const std::string_view type : kColumns) {
          const std::string value = RequestOf(grammar_.Make(std::string(type) + "_value")).text;
          values += grammar_.Pick(4) == 0 ? ", NULL" : fmt::format(", '{}'", value);
        }
        RunOnBoth(fmt::format("INSERT INTO {} VALUES ({})", table, values));
      }
      if (grammar_.Pick(2) == 0) RunOnBoth(fmt::format("CREATE INDEX ON {} (c_int4, c_text)", table));
    }
  }

  void RunOnBoth(const std::string& statement) {
    for (Server* server : {ours_.get(), theirs_.get()}) {
      const Answer answer = server->Run({.text = statement, .parameters = {}}, false);
      EXPECT_EQ(answer.sqlstate, "") << statement << ": " << answer.message;
    }
  }

  // What is different, empty: nothing. `changes`: what it made of the table is compared, too, and undone.
  std::string Compare(const Phrase& phrase, bool binary, bool changes) {
    const Request request = RequestOf(phrase);
    if (changes) RunOnBoth("BEGIN");
    const Answer ours = ours_->Run(request, binary);
    const Answer theirs = theirs_->Run(request, binary);
    std::string what = Judge(request, ours, theirs);
    if (changes && what.empty() && ours.sqlstate.empty() && theirs.sqlstate.empty()) {
      const Request all{.text = "SELECT * FROM t1 ORDER BY id", .parameters = {}};
      what = Judge(request, ours_->Run(all, false), theirs_->Run(all, false));
    }
    if (changes) RunOnBoth("ROLLBACK");
    return what;
  }

  std::string Judge(const Request& request, const Answer& ours, const Answer& theirs) {
    if (!WhyMeant(request, ours, theirs).empty()) {
      if (ours.sqlstate == "0A000" || ours.sqlstate == "42883") ++unsupported_[ours.message];
      return "";
    }
    const bool same = ours.sqlstate == theirs.sqlstate && ours.columns == theirs.columns && ours.tag == theirs.tag &&
                      Sorted(ours.rows) == Sorted(theirs.rows);
    const bool same_place = ours.position == theirs.position || ours.sqlstate.starts_with("22");
    if (same && same_place) return "";
    std::string parameters;
    for (const std::string& parameter : request.parameters) parameters += fmt::format(" '{}'", parameter);
    return fmt::format("{}{}{}\n    ours:   {}\n    theirs: {}", request.text, parameters.empty() ? "" : "  --", parameters,
                       ours.ToText(), theirs.ToText());
  }

  TemporaryFolder folder_{"anabranch-differential"};
  ClusterProcess ours_process_;
  Postgres postgres_;
  const uint64_t seed_;
  Grammar grammar_;
  std::unique_ptr<Server> ours_;
  std::unique_ptr<Server> theirs_;
  std::map<std::string, int> unsupported_;  // by message
};

TEST_F(Differential, AnswersAsPostgres) {
  const uint64_t rounds = FromEnvironment("DIFFERENTIAL_ROUNDS", kRounds);
  std::set<std::string> reported;
  for (uint64_t round = 0; round < rounds && reported.size() < kDifferencesMax; ++round) {
    const bool changes = grammar_.Pick(5) == 0;
    const bool binary = grammar_.Pick(3) == 0;
    const Phrase phrase = grammar_.Make(changes ? "change" : "select");
    const auto differs = [&](const Phrase& smaller) { return !Compare(smaller, binary, changes).empty(); };
    if (!differs(phrase)) continue;
    const Phrase smallest = grammar_.Shrink(phrase, differs);
    if (reported.insert(RequestOf(smallest).text).second) ADD_FAILURE() << Compare(smallest, binary, changes);
    ASSERT_TRUE(ours_->alive()) << "the connection was lost";
  }
  std::printf("refused as unsupported:\n");
  for (const auto& [message, count] : unsupported_) std::printf("  %5d %s\n", count, message.c_str());
}

}  // namespace
}  // namespace anabranch
