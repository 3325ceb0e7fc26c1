// The grammar of our statements, in the notation of notation.h, and what is said of a text that it does not take.
#include <algorithm>
#include <array>

#include "base/status.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "sql/control/notation.h"
#include "sql/control/read_shape.h"
#include "sql/control/scanner.h"
#include "sql/control/statement.h"
#include "sql/control/statement_info.h"
#include "sql/control/synopsis.h"
#include "sql/value/error_field.h"

namespace anabranch {
namespace {

using Kind = SystemToken::Kind;

constexpr std::string_view kTime = "a time";

// ReadShape (read_shape.h) looks for these by name.
const std::vector<SyntaxRule>& Rules() {
  static const std::vector<SyntaxRule> rules = {
      {"virtual_cluster", "{ name | '[' integer ']' }", "a virtual cluster"},
      {"source", "virtual_cluster", ""},
      {"template", "virtual_cluster", ""},
      {"new_name", "name", ""},
      {"connection", "name", "an external connection"},
      {"user", "any_name", "a user"},
      {"uri", "string", "a connection string between quotes"},
      {"interval", "[INTERVAL] string", "an interval between quotes"},
      {"if_exists", "IF EXISTS", ""},
      {"if_not_exists", "IF NOT EXISTS", ""},
      {"all", "ALL", ""},
      {"grant", "GRANT", ""},

      {"sign", "{ - | + }", ""},
      {"type",
       "{ INTERVAL | TIMESTAMP [{ WITH | WITHOUT } TIME ZONE] | TIMESTAMPTZ [{ WITH | WITHOUT } TIME ZONE] | identifier }",
       "a type"},
      {"type_before", "{ INTERVAL | TIMESTAMP | TIMESTAMPTZ }", ""},
      {"time", "{ string | [sign] number | type_before string } [:: type] ...", kTime},
      {"as_of_time", "time", ""},
      {"start_time", "time", ""},

      {"retention", "RETENTION [=] interval", ""},
      {"expiration_window", "EXPIRATION WINDOW [=] interval", ""},
      {"read_virtual_cluster", "READ VIRTUAL CLUSTER", ""},
      {"replication_option", "{ retention | expiration_window | read_virtual_cluster }", ""},
      {"replication_options", "WITH { OPTIONS '(' replication_option [, ...] ')' | replication_option [, ...] }", ""},
      {"from_replication", "FROM REPLICATION OF source ON uri [replication_options]", ""},
      {"from_clone", "FROM CLONE OF source [AS OF SYSTEM TIME time]", ""},

      {"latest", "LATEST", ""},
      {"fence", "FENCE", ""},
      {"fingerprint", "FINGERPRINT", ""},
      {"pause_budget", "WITH PAUSE BUDGET [=] interval", ""},
      {"replication_change", "{ retention | [SOURCE] expiration_window | SOURCE [=] uri | read_virtual_cluster }", ""},
      {"capability_name", "name", "a capability"},
      {"value", "{ string | [-] number | any_word }", "a value"},
      {"capability", "capability_name [= value]", ""},
      {"immediate", "IMMEDIATE", ""},
      {"replication_status", "REPLICATION STATUS", ""},
      {"capabilities", "CAPABILITIES", ""},
      {"prior_replication", "PRIOR REPLICATION DETAILS", ""},
      {"details", "WITH { replication_status | capabilities | prior_replication } [, ...]", ""},

      {"setting", "identifier [. any_name] ...", "a cluster setting"},
      {"default", "DEFAULT", ""},
      {"setting_value", "{ = | TO } { default | value }", ""},
      {"for_virtual_cluster", "FOR VIRTUAL CLUSTER virtual_cluster", ""},
      {"privilege", "identifier", "a system privilege"},
      {"privileges", "{ all [PRIVILEGES] | privilege [, ...] }", ""},
      {"job", "integer", "the ID of a job"},
      {"when_complete", "WHEN COMPLETE", ""},
      {"cancel", "CANCEL", ""},
      {"pause", "PAUSE", ""},
  };
  return rules;
}

struct Production {
  std::string_view syntax;  // behind the words that the statement begins with
  absl::StatusOr<SystemStatement> (*read)(const SyntaxMatch&);
  bool explainable = false;  // EXPLAIN may stand before it
};
// What begins with the same words, which make it ours and not PostgreSQL's.
struct StatementSyntax {
  std::string_view words;
  std::string_view page;  // under docs/statements/
  std::vector<Production> productions;
};

template <typename Shape>
absl::StatusOr<SystemStatement> Read(const SyntaxMatch& match) {
  Shape shape;
  RETURN_IF_ERROR(ReadShape(match, &shape));
  return SystemStatement(std::move(shape));
}

template <typename Action>
absl::StatusOr<SystemStatement> Alter(const SyntaxMatch& match) {
  AlterVirtualCluster alter;
  ASSIGN_OR_RETURN(alter.target, ReadVirtualCluster(match, "virtual_cluster"));
  RETURN_IF_ERROR(ReadShape(match, &alter.action.emplace<Action>()));
  return SystemStatement(std::move(alter));
}

constexpr bool kExplainable = true;

const std::vector<StatementSyntax>& Statements() {
  static const std::vector<StatementSyntax> statements = {
      {"CREATE VIRTUAL CLUSTER",
       "create-virtual-cluster",
       {{"[if_not_exists] new_name { from_clone | [LIKE template] [from_replication] }", Read<CreateVirtualCluster>}}},
      {"ALTER VIRTUAL CLUSTER",
       "alter-virtual-cluster",
       {
           {"virtual_cluster PAUSE REPLICATION", Alter<PauseReplication>},
           {"virtual_cluster RESUME REPLICATION", Alter<ResumeReplication>},
           {"virtual_cluster CANCEL REPLICATION", Alter<CancelReplication>},
           {"virtual_cluster COMPLETE REPLICATION TO { latest | SYSTEM TIME time } [WITH { fence | fingerprint }]",
            Alter<CompleteReplication>, kExplainable},
           {"virtual_cluster UNDO COMPLETE REPLICATION", Alter<UndoCompleteReplication>},
           {"virtual_cluster START REPLICATION OF source ON uri [replication_options]", Alter<StartReplication>,
            kExplainable},
           {"virtual_cluster SET REPLICATION replication_change [, ...]", Alter<SetReplication>},
           {"virtual_cluster SWITCHOVER [pause_budget]", Alter<Switchover>, kExplainable},
           {"virtual_cluster VERIFY", Alter<VerifyVirtualCluster>},
           {"virtual_cluster RESET DATA TO SYSTEM TIME time", Alter<ResetData>, kExplainable},
           {"virtual_cluster START SERVICE SHARED", Alter<StartService>},
           {"virtual_cluster STOP SERVICE", Alter<StopService>},
           {"virtual_cluster RENAME TO new_name", Alter<RenameVirtualCluster>},
           {"virtual_cluster { grant | REVOKE } { all CAPABILITIES | CAPABILITY capability [, ...] }",
            Alter<ChangeCapabilities>},
           {"virtual_cluster { SET CLUSTER SETTING setting setting_value | RESET CLUSTER SETTING setting }",
            Alter<SetVirtualClusterSetting>},
       }},
      {"DROP VIRTUAL CLUSTER",
       "drop-virtual-cluster",
       {{"[if_exists] virtual_cluster [immediate]", Read<DropVirtualCluster>, kExplainable}}},
      {"SHOW VIRTUAL CLUSTERS", "show-virtual-cluster", {{"[details]", Read<ShowVirtualClusters>}}},
      {"SHOW VIRTUAL CLUSTER", "show-virtual-cluster", {{"virtual_cluster [details]", Read<ShowVirtualClusters>}}},
      {"SHOW EXPERIMENTAL_FINGERPRINTS",
       "show-experimental-fingerprints",
       {{"FROM VIRTUAL CLUSTER virtual_cluster [WITH START TIMESTAMP [=] start_time] [AS OF SYSTEM TIME as_of_time]",
         Read<ShowFingerprints>}}},
      {"SHOW LOST WRITES", "show-lost-writes", {{"FROM VIRTUAL CLUSTER virtual_cluster", Read<ShowLostWrites>}}},
      {"SHOW FAILOVERS", "show-failovers", {{"", Read<ShowFailovers>}}},
      {"SHOW REPLICATION STREAMS", "show-replication-streams", {{"", Read<ShowReplicationStreams>}}},
      {"EXPLAIN LAG", "explain-lag", {{"for_virtual_cluster", Read<ExplainLag>}}},

      {"CREATE EXTERNAL CONNECTION",
       "external-connection",
       {{"[if_not_exists] new_name AS uri", Read<CreateExternalConnection>}}},
      {"ALTER EXTERNAL CONNECTION",
       "external-connection",
       {{"[if_exists] connection AS uri", Read<AlterExternalConnection>}}},
      {"DROP EXTERNAL CONNECTION", "external-connection", {{"[if_exists] connection", Read<DropExternalConnection>}}},
      {"SHOW EXTERNAL CONNECTIONS", "external-connection", {{"", Read<ShowExternalConnections>}}},
      {"SHOW EXTERNAL CONNECTION", "external-connection", {{"connection", Read<ShowExternalConnections>}}},

      {"grant SYSTEM", "grant-system", {{"privileges TO user [, ...]", Read<ChangeSystemGrants>}}},
      {"REVOKE SYSTEM", "grant-system", {{"privileges FROM user [, ...]", Read<ChangeSystemGrants>}}},
      {"SHOW SYSTEM GRANTS", "grant-system", {{"[FOR user [, ...]]", Read<ShowSystemGrants>}}},

      {"SET CLUSTER SETTING", "cluster-settings", {{"setting setting_value", Read<SetClusterSetting>}}},
      {"RESET CLUSTER SETTING", "cluster-settings", {{"setting", Read<SetClusterSetting>}}},
      {"SHOW CLUSTER SETTING", "cluster-settings", {{"setting [for_virtual_cluster]", Read<ShowClusterSetting>}}},
      {"SHOW [{ all | PUBLIC }] CLUSTER SETTINGS",
       "cluster-settings",
       {{"[for_virtual_cluster]", Read<ShowClusterSettings>}}},

      {"SHOW JOBS", "jobs", {{"[when_complete job [, ...]]", Read<ShowJobs>}}},
      {"SHOW JOB", "jobs", {{"[when_complete] job [, ...]", Read<ShowJobs>}}},
      {"{ cancel | pause | RESUME } { JOBS | JOB }", "jobs", {{"job [, ...]", Read<ControlJobs>}}},
  };
  return statements;
}

// What CockroachDB has and we do not, by how it begins.
struct Refused {
  std::string_view syntax;
  std::string_view name;
  std::string_view hint = "";
};
const std::vector<Refused>& AllRefused() {
  static const std::vector<Refused> refused = {
      {"CREATE VIRTUAL CLUSTER [if_not_exists] '['", "choosing the ID of a new virtual cluster"},
      {"ALTER VIRTUAL CLUSTER virtual_cluster START SERVICE EXTERNAL", "START SERVICE EXTERNAL",
       "Use START SERVICE SHARED."},
      {"SHOW EXPERIMENTAL_FINGERPRINTS FROM TABLE", "SHOW EXPERIMENTAL_FINGERPRINTS FROM TABLE"},
      {"GRANT SYSTEM privileges TO user [, ...] WITH GRANT OPTION", "GRANT SYSTEM ... WITH GRANT OPTION"},
      {"CANCEL { QUERY | QUERIES }", "CANCEL QUERY", "Cancel it from its own client, with Ctrl-C in psql."},
      {"CANCEL { SESSION | SESSIONS }", "CANCEL SESSION"},
      {"SHOW [{ CLUSTER | LOCAL }] { QUERIES | STATEMENTS }", "SHOW QUERIES", "Read pg_stat_activity."},
      {"SHOW [{ CLUSTER | LOCAL }] SESSIONS", "SHOW SESSIONS", "Read pg_stat_activity."},
      {"SHOW ZONE { CONFIGURATION | CONFIGURATIONS }", "SHOW ZONE CONFIGURATIONS"},
  };
  return refused;
}

// The tables, ready to match.
struct Grammar {
  struct Compiled {
    SyntaxNodeRef words;
    SyntaxNodeRef syntax;
    const StatementSyntax* statement;
    const Production* production;
    bool explain;
  };
  std::vector<Compiled> productions;
  std::vector<std::pair<SyntaxNodeRef, const Refused*>> refused;

  static const Grammar& Get() {
    static const Grammar grammar;
    return grammar;
  }

 private:
  Grammar() {
    const SyntaxRules rules(Rules());
    for (const StatementSyntax& statement : Statements()) {
      const SyntaxNodeRef words = rules.Compile(statement.words);
      const SyntaxNodeRef explain = rules.Compile(fmt::format("EXPLAIN {}", statement.words));
      for (const Production& production : statement.productions) {
        const SyntaxNodeRef syntax = rules.Compile(production.syntax);
        productions.push_back({words, syntax, &statement, &production, false});
        if (production.explainable) productions.push_back({explain, syntax, &statement, &production, true});
      }
    }
    for (const Refused& one : AllRefused()) refused.emplace_back(rules.Compile(one.syntax), &one);
  }
};

absl::Status NotSupported(std::string_view what, std::string_view hint = "") {
  return SqlError(sqlstate::kFeatureNotSupported, fmt::format("{} is not supported in this version", what),
                  std::string(hint));
}

// A production with the rules that say nothing more than their syntax written out; the others, and what they are made of, are
// put behind `named`, in the order of the grammar.
std::string Written(std::string_view syntax, std::vector<bool>* named) {
  const auto is_lower = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  std::string text;
  while (!syntax.empty()) {
    const auto bytes = static_cast<size_t>(std::find_if_not(syntax.begin(), syntax.end(), is_lower) - syntax.begin());
    if (bytes == 0) {
      text.push_back(syntax.front());
      syntax.remove_prefix(1);
      continue;
    }
    const std::string_view word = syntax.substr(0, bytes);
    syntax.remove_prefix(bytes);
    const auto rule = std::find_if(Rules().begin(), Rules().end(), [&](const SyntaxRule& r) { return r.name == word; });
    const bool is_word = rule != Rules().end() && rule->syntax.find_first_of("{['") == std::string_view::npos;
    if (rule == Rules().end() || (is_word && !rule->label.empty())) {
      text += word;  // a class of tokens, or a name for one
    } else if (is_word) {
      text += Written(rule->syntax, named);
    } else {
      text += word;
      Written(rule->syntax, named);
      named->at(static_cast<size_t>(rule - Rules().begin())) = true;
    }
  }
  return text;
}

// The words that statements of ours begin with. Everything else is not worth a scan.
bool MayBeOurs(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t\r\n\f\v");
  if (start == std::string_view::npos) return false;
  text.remove_prefix(start);
  if (text.front() == '-' || text.front() == '/') return true;  // a comment: the scanner knows
  static constexpr std::array<std::string_view, 12> kFirstWords = {
      "create", "alter", "drop", "show", "set", "reset", "grant", "revoke", "explain", "cancel", "pause", "resume"};
  return std::any_of(kFirstWords.begin(), kFirstWords.end(), [&](std::string_view word) {
    if (text.size() < word.size()) return false;
    return std::equal(word.begin(), word.end(), text.begin(), [](char a, char b) { return a == (b | 0x20); });
  });
}

class Parser {
 public:
  explicit Parser(const std::vector<SystemToken>& tokens) : tokens_(tokens) {}

  // Null: not ours.
  absl::StatusOr<SystemStatementRef> Parse() {
    RETURN_IF_ERROR(RefuseWhatIsNot());
    for (const Grammar::Compiled& compiled : Grammar::Get().productions) {
      SyntaxMatch match(tokens_);
      if (!match.Take(*compiled.words)) continue;
      if (ours_ == nullptr) ours_ = &compiled, words_ = match.at();
      if (match.Take(*compiled.syntax) && match.TakeEnd()) return Read(compiled, match);
      Remember(match.expectation());
    }
    if (ours_ == nullptr) return SystemStatementRef();
    return Unexpected();
  }

 private:
  absl::Status RefuseWhatIsNot() const {
    for (const auto& [syntax, refused] : Grammar::Get().refused) {
      SyntaxMatch match(tokens_);
      if (match.Take(*syntax))
        return WithLocation(NotSupported(refused->name, refused->hint), tokens_[match.at() - 1].location);
    }
    for (size_t i = 1; i + 1 < tokens_.size() && tokens_[0].value == "alter"; ++i) {
      if (tokens_[i].value == "configure" && tokens_[i + 1].value == "zone") {
        return WithLocation(NotSupported("CONFIGURE ZONE"), tokens_[i].location);
      }
    }
    return absl::OkStatus();
  }

  static absl::StatusOr<SystemStatementRef> Read(const Grammar::Compiled& compiled, const SyntaxMatch& match) {
    ASSIGN_OR_RETURN(SystemStatement statement, compiled.production->read(match));
    auto ref = std::make_shared<const SystemStatement>(std::move(statement));
    if (!compiled.explain) return SystemStatementRef(std::move(ref));
    return std::make_shared<const SystemStatement>(ExplainSystemStatement{std::move(ref)});
  }

  void Remember(const Expectation& expectation) {
    if (expectation.at < expectation_.at) return;
    if (expectation.at > expectation_.at) expectation_.what.clear();
    expectation_.at = expectation.at;
    expectation_.what.insert(expectation.what.begin(), expectation.what.end());
  }

  // "ALTER VIRTUAL CLUSTER", as written.
  std::string Words() const {
    std::vector<std::string> words;
    for (size_t i = 0; i < words_; ++i) words.emplace_back(tokens_[i].text);
    return fmt::format("{}", fmt::join(words, " "));
  }

  absl::Status Unexpected() const {
    const SystemToken& token = tokens_[expectation_.at];
    absl::Status status = RefuseOperand(token);
    if (status.ok()) {
      status = SqlError(sqlstate::kSyntaxError,
                        token.kind == Kind::kEnd ? "syntax error at end of input"
                                                 : fmt::format("syntax error at or near \"{}\"", token.text),
                        fmt::format("See docs/statements/{}.md.", ours_->statement->page));
      status = WithDetail(std::move(status), fmt::format("Expected {}.", Alternatives()));
    }
    return WithLocation(std::move(status), token.location);
  }

  // What PostgreSQL or CockroachDB takes there and we do not. OK: it is a mistake.
  absl::Status RefuseOperand(const SystemToken& token) const {
    if (token.kind == Kind::kParameter) {
      return NotSupported(fmt::format("a parameter ({}) in {}", token.text, Words()),
                          "Write the value into the statement.");
    }
    if (token.kind == Kind::kBeyondUs) {
      return NotSupported(fmt::format("a string with Unicode escapes in {}", Words()), "Write its characters themselves.");
    }
    const bool is_word = token.kind == Kind::kWord || token.kind == Kind::kReservedWord;
    if (expectation_.what.count(std::string(kTime)) != 0 && (is_word || token.value == "(")) {
      return NotSupported(fmt::format("\"{}\" in a SYSTEM TIME expression", token.text),
                          "Give a string such as '-10s' or '2026-01-31 12:00:00+00', or a number of nanoseconds.");
    }
    if (expectation_.what.count("\"::\"") != 0 && (token.value == "-" || token.value == "+")) {
      return NotSupported("arithmetic in a SYSTEM TIME expression");
    }
    return absl::OkStatus();
  }

  // "A", "A or B", "A, B or C"
  std::string Alternatives() const {
    std::vector<std::string> what(expectation_.what.begin(), expectation_.what.end());
    const std::string last = what.back();
    what.pop_back();
    return what.empty() ? last : fmt::format("{} or {}", fmt::join(what, ", "), last);
  }

  const std::vector<SystemToken>& tokens_;
  const Grammar::Compiled* ours_ = nullptr;  // the first of which the words are there
  size_t words_ = 0;                         // how many they are
  Expectation expectation_;                  // of all that begin with these words
};

}  // namespace

absl::StatusOr<SystemStatementRef> ParseSystemStatement(std::string_view text) {
  if (!MayBeOurs(text)) return SystemStatementRef();
  const std::string owned(text);
  const std::optional<std::vector<SystemToken>> tokens = TokenizeSystemStatement(owned);
  if (!tokens.has_value()) return SystemStatementRef();
  return Parser(*tokens).Parse();
}

std::vector<Synopsis> Synopses() {
  std::vector<Synopsis> synopses;
  std::vector<std::vector<bool>> named;
  for (const StatementSyntax& statement : Statements()) {
    auto synopsis =
        std::find_if(synopses.begin(), synopses.end(), [&](const Synopsis& other) { return other.page == statement.page; });
    if (synopsis == synopses.end()) {
      synopsis = synopses.insert(synopses.end(), Synopsis{std::string(statement.page), ""});
      named.emplace_back(Rules().size());
    }
    std::vector<bool>* const rules = &named[static_cast<size_t>(synopsis - synopses.begin())];
    for (const Production& production : statement.productions) {
      synopsis->text +=
          fmt::format("{}{}{}{}\n", production.explainable ? "[EXPLAIN] " : "", Written(statement.words, rules),
                      production.syntax.empty() ? "" : " ", Written(production.syntax, rules));
    }
  }
  for (size_t page = 0; page < synopses.size(); ++page) {
    for (size_t i = 0; i < Rules().size(); ++i) {
      if (!named[page][i]) continue;
      std::vector<bool> already(Rules().size());
      synopses[page].text += fmt::format("\n{} =\n    {}\n", Rules()[i].name, Written(Rules()[i].syntax, &already));
    }
  }
  return synopses;
}

bool ReturnsRows(const SystemStatement& statement) { return InfoOf(statement).reads_only; }

}  // namespace anabranch
