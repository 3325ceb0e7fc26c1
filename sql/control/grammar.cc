// Recursive descent over tokens. Each Parse* takes exactly what it is named after and leaves the rest.
#include "sql/control/scanner.h"

#include <algorithm>
#include <array>

#include "base/status.h"
#include "base/system_time.h"
#include "base/timestamp.h"
#include "sql/control/statement.h"

namespace anabranch {
namespace {

using Kind = SystemToken::Kind;

constexpr int64_t kRetentionSecondsMax = 2'147'483'647;

absl::Status NotSupported(std::string_view what, std::string hint = "") {
  return SqlError(sqlstate::kFeatureNotSupported, fmt::format("{} is not supported in this version", what),
                  std::move(hint));
}

class Parser {
 public:
  explicit Parser(const std::vector<SystemToken>& tokens) : tokens_(tokens) {}

  // nullopt: not ours.
  absl::StatusOr<std::optional<SystemStatement>> Parse() {
    RETURN_IF_ERROR(RefuseUnsupported());
    absl::StatusOr<SystemStatement> statement = SystemStatement();
    if (TakeWords({"create", "virtual", "cluster"})) {
      statement = ParseCreate();
    } else if (TakeWords({"alter", "virtual", "cluster"})) {
      statement = ParseAlter();
    } else if (TakeWords({"drop", "virtual", "cluster"})) {
      statement = ParseDrop();
    } else if (TakeWords({"show", "virtual", "clusters"})) {
      statement = ParseShow(std::nullopt);
    } else if (TakeWords({"show", "virtual", "cluster"})) {
      statement = ParseShowOne();
    } else if (TakeWords({"show", "cluster", "setting"})) {
      statement = ParseShowSetting();
    } else if (TakeWords({"show", "experimental_fingerprints"})) {
      statement = ParseFingerprints();
    } else {
      return std::optional<SystemStatement>();
    }
    if (!statement.ok()) return statement.status();
    while (TakeSymbol(";")) {
    }
    if (!AtEnd()) return Unexpected();
    return std::optional<SystemStatement>(*std::move(statement));
  }

 private:
  // --- Tokens ---
  const SystemToken& Now() const { return tokens_[at_]; }
  bool AtEnd() const { return Now().kind == Kind::kEnd; }
  bool IsWordAt(size_t index, std::string_view word) const {
    return index < tokens_.size() && (tokens_[index].kind == Kind::kWord || tokens_[index].kind == Kind::kReservedWord) &&
           tokens_[index].value == word;
  }
  bool BeginsWith(std::initializer_list<std::string_view> words) const {
    size_t index = at_;
    return std::all_of(words.begin(), words.end(), [&](std::string_view word) { return IsWordAt(index++, word); });
  }
  bool TakeWords(std::initializer_list<std::string_view> words) {
    if (!BeginsWith(words)) return false;
    at_ += words.size();
    return true;
  }
  bool IsAnyWord() const { return Now().kind == Kind::kWord || Now().kind == Kind::kReservedWord; }
  bool TakeSymbol(std::string_view symbol) {
    if (Now().kind != Kind::kSymbol || Now().value != symbol) return false;
    ++at_;
    return true;
  }
  absl::Status Unexpected() const {
    return AtEnd() ? SqlError(sqlstate::kSyntaxError, "syntax error at end of input")
                   : SqlError(sqlstate::kSyntaxError, fmt::format("syntax error at or near \"{}\"", Now().text));
  }
  absl::Status Expect(std::initializer_list<std::string_view> words) {
    for (const std::string_view word : words) {
      if (!TakeWords({word})) return Unexpected();
    }
    return absl::OkStatus();
  }
  absl::Status ExpectSymbol(std::string_view symbol) { return TakeSymbol(symbol) ? absl::OkStatus() : Unexpected(); }
  absl::StatusOr<std::string> TakeString() {
    if (Now().kind != Kind::kString) return Unexpected();
    return tokens_[at_++].value;
  }

  // --- Statements that are announced and come with later versions ---
  absl::Status RefuseUnsupported() const {
    struct Announced {
      std::initializer_list<std::string_view> words;
      std::string_view name;
    };
    static const Announced kAnnounced[] = {
        {{"create", "external", "connection"}, "CREATE EXTERNAL CONNECTION"},
        {{"alter", "external", "connection"}, "ALTER EXTERNAL CONNECTION"},
        {{"drop", "external", "connection"}, "DROP EXTERNAL CONNECTION"},
        {{"show", "external", "connection"}, "SHOW EXTERNAL CONNECTION"},
        {{"show", "external", "connections"}, "SHOW EXTERNAL CONNECTIONS"},
        {{"grant", "system"}, "GRANT SYSTEM"},
        {{"revoke", "system"}, "REVOKE SYSTEM"},
        {{"show", "system", "grants"}, "SHOW SYSTEM GRANTS"},
        {{"set", "cluster", "setting"}, "SET CLUSTER SETTING"},
        {{"show", "cluster", "settings"}, "SHOW CLUSTER SETTINGS"},
        {{"show", "jobs"}, "SHOW JOBS"},
        {{"show", "job"}, "SHOW JOB"},
        {{"show", "lost", "writes"}, "SHOW LOST WRITES"},
        {{"show", "failovers"}, "SHOW FAILOVERS"},
        {{"explain", "alter", "virtual", "cluster"}, "EXPLAIN ALTER VIRTUAL CLUSTER"},
    };
    for (const Announced& announced : kAnnounced) {
      if (BeginsWith(announced.words)) return NotSupported(announced.name);
    }
    return absl::OkStatus();
  }

  // --- Parts ---
  absl::StatusOr<std::string> ParseName() {
    const SystemToken& token = Now();
    if (token.kind != Kind::kWord && token.kind != Kind::kQuotedName && token.kind != Kind::kString) return Unexpected();
    if (token.value.empty()) return SqlError(sqlstate::kSyntaxError, "the name of a virtual cluster must not be empty");
    ++at_;
    return token.value;
  }

  // name | 'name' | [id]
  absl::StatusOr<VirtualClusterSpec> ParseSpec() {
    if (!TakeSymbol("[")) {
      ASSIGN_OR_RETURN(std::string name, ParseName());
      return VirtualClusterSpec(std::move(name));
    }
    if (Now().kind != Kind::kNumber) return Unexpected();
    uint64_t id = 0;
    for (const char digit : Now().value) {
      if (digit < '0' || digit > '9') return Unexpected();
      id = id * 10 + static_cast<uint64_t>(digit - '0');
      if (id > UINT32_MAX)
        return SqlError(sqlstate::kProgramLimitExceeded, fmt::format("virtual cluster ID {} is out of range", Now().value));
    }
    ++at_;
    RETURN_IF_ERROR(ExpectSymbol("]"));
    return VirtualClusterSpec(TenantId(id));
  }

  // OF vc ON 'uri'. The source's virtual cluster is named, never numbered: ids are those of the other cluster.
  absl::Status ParseSource(std::string* source_name, std::string* uri) {
    RETURN_IF_ERROR(Expect({"of"}));
    if (Now().kind == Kind::kSymbol && Now().value == "[") {
      return NotSupported("naming the source's virtual cluster by [id]", "Give its name.");
    }
    ASSIGN_OR_RETURN(*source_name, ParseName());
    RETURN_IF_ERROR(Expect({"on"}));
    ASSIGN_OR_RETURN(*uri, TakeString());
    if (uri->empty()) return SqlError(sqlstate::kInvalidParameterValue, "the connection string after ON is empty");
    if (uri->starts_with("postgresql://") || uri->starts_with("postgres://")) return absl::OkStatus();
    if (uri->starts_with("external://") || uri->find("://") == std::string::npos) {
      return NotSupported("an external connection after ON",
                          "Give the source as 'postgresql://root@HOST:PORT?options=-ccluster=system'.");
    }
    return SqlError(sqlstate::kInvalidParameterValue, "the URI after ON must begin with postgresql://");
  }

  absl::Status ParseRetention(ReplicationOptions* options) {
    if (options->retention_ns.has_value())
      return SqlError(sqlstate::kSyntaxError, "RETENTION option specified multiple times");
    TakeSymbol("=");
    ASSIGN_OR_RETURN(const std::string text, TakeString());
    ASSIGN_OR_RETURN(const int64_t ns, ParseIntervalNs(text));
    if (ns < 0 || ns / 1'000'000'000 > kRetentionSecondsMax) {
      return SqlError(sqlstate::kInvalidParameterValue,
                      fmt::format("retention should result in a number of seconds between 0 and {}", kRetentionSecondsMax));
    }
    options->retention_ns = static_cast<uint64_t>(ns);
    return absl::OkStatus();
  }

  absl::Status ParseOption(ReplicationOptions* options) {
    if (TakeWords({"retention"})) return ParseRetention(options);
    if (BeginsWith({"read", "virtual", "cluster"})) return NotSupported("READ VIRTUAL CLUSTER");
    if (BeginsWith({"expiration", "window"})) return NotSupported("EXPIRATION WINDOW");
    return Unexpected();
  }

  // [WITH opt [, ...] | WITH OPTIONS (opt, ...)]
  absl::Status ParseOptions(ReplicationOptions* options) {
    if (!TakeWords({"with"})) return absl::OkStatus();
    const bool parenthesised = TakeWords({"options"});
    if (parenthesised) RETURN_IF_ERROR(ExpectSymbol("("));
    do {
      RETURN_IF_ERROR(ParseOption(options));
    } while (TakeSymbol(","));
    return parenthesised ? ExpectSymbol(")") : absl::OkStatus();
  }

  // A time expression, as the text that ResolveSystemTime takes. Strings and numbers stay as they are written.
  absl::StatusOr<std::string> ParseTime() {
    std::string type;
    if (tokens_[std::min(at_ + 1, tokens_.size() - 1)].kind == Kind::kString) {  // INTERVAL '-10s'
      for (const std::string_view name : {"interval", "timestamp", "timestamptz"}) {
        if (TakeWords({name})) type = name;
      }
    }
    std::string text;
    if (Now().kind == Kind::kString) {
      text = tokens_[at_++].value;
    } else {
      const std::string sign = TakeSymbol("-") ? "-" : "";
      if (sign.empty()) TakeSymbol("+");
      if (Now().kind == Kind::kWord || Now().kind == Kind::kReservedWord || Now().kind == Kind::kSymbol) {
        if (AtEnd()) return Unexpected();
        return NotSupported(fmt::format("\"{}\" in a SYSTEM TIME expression", Now().text),
                            "Give a string such as '-10s' or '2026-01-31 12:00:00+00', or a number of nanoseconds.");
      }
      if (Now().kind != Kind::kNumber) return Unexpected();
      text = sign + tokens_[at_++].value;
    }
    if (!type.empty()) {
      ASSIGN_OR_RETURN(text, Cast(std::move(text), type));
    }
    while (TakeSymbol("::")) {
      ASSIGN_OR_RETURN(type, ParseTypeName());
      ASSIGN_OR_RETURN(text, Cast(std::move(text), type));
    }
    if (Now().kind == Kind::kSymbol && (Now().value == "-" || Now().value == "+")) {
      return NotSupported("arithmetic in a SYSTEM TIME expression");
    }
    return text;
  }

  absl::StatusOr<std::string> ParseTypeName() {
    if (Now().kind != Kind::kWord) return Unexpected();
    const std::string type = tokens_[at_++].value;
    if (type == "timestamp" || type == "timestamptz") {
      if (!TakeWords({"with", "time", "zone"})) TakeWords({"without", "time", "zone"});
    }
    return type;
  }

  // The text is checked to be what the cast says, and written so that it is taken for that.
  absl::StatusOr<std::string> Cast(std::string text, const std::string& type) const {
    if (type == "interval") {
      ASSIGN_OR_RETURN(const int64_t ns, ParseIntervalNs(text));
      const uint64_t magnitude = ns < 0 ? 0 - static_cast<uint64_t>(ns) : static_cast<uint64_t>(ns);
      return fmt::format("{}{}.{:09}s", ns < 0 ? "-" : "", magnitude / 1'000'000'000, magnitude % 1'000'000'000);
    }
    if (type == "timestamp" || type == "timestamptz") {
      RETURN_IF_ERROR(ParseTimestampTzNs(text).status());
      return text;
    }
    static constexpr std::array kNumbers = {"decimal", "numeric", "int", "int8", "integer", "bigint"};
    if (std::find(kNumbers.begin(), kNumbers.end(), type) != kNumbers.end()) {
      RETURN_IF_ERROR(ParseHlc(text).status());
      return text;
    }
    if (type == "string" || type == "text") return text;
    return NotSupported(fmt::format("a cast to {} in a SYSTEM TIME expression", type));
  }

  // word[.word ...]
  absl::StatusOr<std::string> ParseSettingName() {
    std::string name;
    do {
      if (Now().kind != Kind::kWord && Now().kind != Kind::kQuotedName) return Unexpected();
      if (!name.empty()) name += '.';
      name += tokens_[at_++].value;
    } while (TakeSymbol("."));
    return name;
  }

  // = | TO, then a value; unset: DEFAULT. Whether the setting can have the value is not the grammar's business.
  absl::StatusOr<std::optional<std::string>> ParseSettingValue() {
    if (!TakeSymbol("=") && !TakeWords({"to"})) return Unexpected();
    if (TakeWords({"default"})) return std::optional<std::string>();
    const std::string sign = TakeSymbol("-") ? "-" : "";
    const bool is_value = Now().kind == Kind::kNumber || (sign.empty() && (Now().kind == Kind::kString || IsAnyWord()));
    if (!is_value) return Unexpected();
    return std::optional<std::string>(sign + tokens_[at_++].value);
  }

  // --- Statements ---
  absl::StatusOr<SystemStatement> ParseCreate() {
    CreateVirtualCluster create;
    create.if_not_exists = TakeWords({"if", "not", "exists"});
    if (Now().kind == Kind::kSymbol && Now().value == "[") return NotSupported("choosing the ID of a new virtual cluster");
    ASSIGN_OR_RETURN(create.name, ParseName());
    if (BeginsWith({"like"})) return NotSupported("CREATE VIRTUAL CLUSTER ... LIKE");
    if (!TakeWords({"from"})) return create;
    RETURN_IF_ERROR(Expect({"replication"}));
    RETURN_IF_ERROR(ParseSource(&create.source_name.emplace(), &create.uri));
    RETURN_IF_ERROR(ParseOptions(&create.replication));
    return create;
  }

  absl::StatusOr<SystemStatement> ParseAlter() {
    using Action = AlterVirtualCluster::Action;
    AlterVirtualCluster alter;
    ASSIGN_OR_RETURN(alter.target, ParseSpec());
    RETURN_IF_ERROR(RefuseUnsupportedAlter());
    if (TakeWords({"pause", "replication"})) {
      alter.action = Action::kPause;
    } else if (TakeWords({"resume", "replication"})) {
      alter.action = Action::kResume;
    } else if (TakeWords({"complete", "replication"})) {
      alter.action = Action::kComplete;
      RETURN_IF_ERROR(ParseFailoverTarget(&alter.failover_target));
    } else if (TakeWords({"cancel", "replication"})) {
      alter.action = Action::kCancel;
    } else if (TakeWords({"start", "replication"})) {
      alter.action = Action::kStartReplication;
      RETURN_IF_ERROR(ParseSource(&alter.source_name, &alter.uri));
      RETURN_IF_ERROR(ParseOptions(&alter.replication));
    } else if (TakeWords({"start", "service"})) {
      alter.action = Action::kStartService;
      if (BeginsWith({"external"})) return NotSupported("START SERVICE EXTERNAL", "Use START SERVICE SHARED.");
      RETURN_IF_ERROR(Expect({"shared"}));
    } else if (TakeWords({"stop", "service"})) {
      alter.action = Action::kStopService;
    } else if (TakeWords({"set", "cluster", "setting"})) {
      alter.action = Action::kSetSetting;
      ASSIGN_OR_RETURN(alter.setting, ParseSettingName());
      ASSIGN_OR_RETURN(alter.setting_value, ParseSettingValue());
    } else if (TakeWords({"reset", "cluster", "setting"})) {
      alter.action = Action::kSetSetting;
      ASSIGN_OR_RETURN(alter.setting, ParseSettingName());
    } else {
      return Unexpected();
    }
    return alter;
  }

  absl::Status RefuseUnsupportedAlter() const {
    struct Announced {
      std::initializer_list<std::string_view> words;
      std::string_view name;
    };
    static const Announced kAnnounced[] = {
        {{"set", "replication", "retention"}, "SET REPLICATION RETENTION"},
        {{"set", "replication", "source"}, "SET REPLICATION SOURCE"},
        {{"set", "replication", "expiration", "window"}, "SET REPLICATION EXPIRATION WINDOW"},
        {{"set", "replication", "read", "virtual", "cluster"}, "SET REPLICATION READ VIRTUAL CLUSTER"},
        {{"rename", "to"}, "RENAME TO"},
        {{"grant", "all", "capabilities"}, "GRANT ALL CAPABILITIES"},
        {{"grant", "capability"}, "GRANT CAPABILITY"},
        {{"revoke", "all", "capabilities"}, "REVOKE ALL CAPABILITIES"},
        {{"revoke", "capability"}, "REVOKE CAPABILITY"},
        {{"reset", "data"}, "RESET DATA"},
        {{"undo", "complete", "replication"}, "UNDO COMPLETE REPLICATION"},
    };
    for (const Announced& announced : kAnnounced) {
      if (BeginsWith(announced.words)) return NotSupported(fmt::format("ALTER VIRTUAL CLUSTER ... {}", announced.name));
    }
    return absl::OkStatus();
  }

  absl::Status ParseFailoverTarget(FailoverTarget* target) {
    RETURN_IF_ERROR(Expect({"to"}));
    if (TakeWords({"latest"})) {
      *target = ToLatest{};
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(Expect({"system", "time"}));
    ASSIGN_OR_RETURN(std::string expression, ParseTime());
    *target = ToSystemTime{std::move(expression)};
    return absl::OkStatus();
  }

  absl::StatusOr<SystemStatement> ParseDrop() {
    DropVirtualCluster drop;
    drop.if_exists = TakeWords({"if", "exists"});
    ASSIGN_OR_RETURN(drop.target, ParseSpec());
    TakeWords({"immediate"});  // a drop always is
    return drop;
  }

  absl::StatusOr<SystemStatement> ParseShowOne() {
    ASSIGN_OR_RETURN(VirtualClusterSpec target, ParseSpec());
    return ParseShow(std::move(target));
  }

  absl::StatusOr<SystemStatement> ParseShow(std::optional<VirtualClusterSpec> target) {
    ShowVirtualClusters show;
    show.target = std::move(target);
    if (!TakeWords({"with"})) return show;
    if (BeginsWith({"capabilities"})) return NotSupported("SHOW VIRTUAL CLUSTER ... WITH CAPABILITIES");
    if (BeginsWith({"prior", "replication", "details"})) {
      return NotSupported("SHOW VIRTUAL CLUSTER ... WITH PRIOR REPLICATION DETAILS");
    }
    RETURN_IF_ERROR(Expect({"replication", "status"}));
    show.with_replication_status = true;
    if (TakeSymbol(",")) return NotSupported("more than WITH REPLICATION STATUS");
    return show;
  }

  absl::StatusOr<SystemStatement> ParseShowSetting() {
    ShowSetting show;
    ASSIGN_OR_RETURN(show.setting, ParseSettingName());
    if (AtEnd() || (Now().kind == Kind::kSymbol && Now().value == ";")) return NotSupported("SHOW CLUSTER SETTING");
    RETURN_IF_ERROR(Expect({"for", "virtual", "cluster"}));
    ASSIGN_OR_RETURN(show.target, ParseSpec());
    return show;
  }

  absl::StatusOr<SystemStatement> ParseFingerprints() {
    ShowFingerprints show;
    RETURN_IF_ERROR(Expect({"from"}));
    if (BeginsWith({"table"})) return NotSupported("SHOW EXPERIMENTAL_FINGERPRINTS FROM TABLE");
    RETURN_IF_ERROR(Expect({"virtual", "cluster"}));
    ASSIGN_OR_RETURN(show.target, ParseSpec());
    if (TakeWords({"with"})) {
      RETURN_IF_ERROR(Expect({"start", "timestamp"}));
      TakeSymbol("=");
      ASSIGN_OR_RETURN(show.start_timestamp, ParseTime());
    }
    if (TakeWords({"as"})) {
      RETURN_IF_ERROR(Expect({"of", "system", "time"}));
      ASSIGN_OR_RETURN(show.as_of, ParseTime());
    }
    return show;
  }

  const std::vector<SystemToken>& tokens_;
  size_t at_ = 0;
};

// The words that statements of ours begin with. Everything else is not worth a scan.
bool MayBeOurs(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t\r\n\f\v");
  if (start == std::string_view::npos) return false;
  text.remove_prefix(start);
  if (text.front() == '-' || text.front() == '/') return true;  // a comment: the scanner knows
  static constexpr std::array<std::string_view, 8> kFirstWords = {"create", "alter", "drop",   "show",
                                                                  "set",    "grant", "revoke", "explain"};
  return std::any_of(kFirstWords.begin(), kFirstWords.end(), [&](std::string_view word) {
    if (text.size() < word.size()) return false;
    return std::equal(word.begin(), word.end(), text.begin(), [](char a, char b) { return a == (b | 0x20); });
  });
}

}  // namespace

absl::StatusOr<SystemStatementRef> ParseSystemStatement(std::string_view text) {
  if (!MayBeOurs(text)) return SystemStatementRef();
  const std::string owned(text);
  const std::optional<std::vector<SystemToken>> tokens = TokenizeSystemStatement(owned);
  if (!tokens.has_value()) return SystemStatementRef();
  ASSIGN_OR_RETURN(std::optional<SystemStatement> statement, Parser(*tokens).Parse());
  return statement ? std::make_shared<const SystemStatement>(*std::move(statement)) : nullptr;
}

bool ReturnsRows(const SystemStatement& statement) {
  return std::holds_alternative<ShowVirtualClusters>(statement) || std::holds_alternative<ShowSetting>(statement) ||
         std::holds_alternative<ShowFingerprints>(statement);
}

}  // namespace anabranch
