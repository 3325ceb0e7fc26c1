#include "sql/parse/parse.h"

#include <algorithm>
#include <array>

#include "base/status.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"
#include "pg_query.h"
#include "sql/control/statement.h"
#include "sql/parse/show_query.h"
#include "sql/parse/statement.h"
#include "sql/parse/tree.h"
#include "sql/value/error_field.h"
#include "sql/value/utf8.h"

namespace anabranch {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

// Two levels of messages per level of nesting that the limits above let through, with room for what a clause adds.
constexpr int kTreeDepthMax = 20'000;

struct Token {
  int start = 0;
  int end = 0;
  pg_query::Token kind = pg_query::NUL;
};

// Ends C strings and results of the C library.
template <typename Result, void (*Free)(Result)>
struct Freed {
  explicit Freed(Result r) : result(r) {}
  ~Freed() { Free(result); }
  Freed(const Freed&) = delete;
  Freed& operator=(const Freed&) = delete;
  Result result;
};
using ScanResult = Freed<PgQueryScanResult, pg_query_free_scan_result>;
using TreeResult = Freed<PgQueryProtobufParseResult, pg_query_free_protobuf_parse_result>;

absl::Status SyntaxError(std::string message) { return SqlError(sqlstate::kSyntaxError, std::move(message)); }

// Reads the scanner's result without building a message per token: a statement of 16 MiB has millions.
std::vector<Token> DecodeTokens(const PgQueryProtobuf& encoded) {
  std::vector<Token> tokens;
  CodedInputStream in(reinterpret_cast<const uint8_t*>(encoded.data), static_cast<int>(encoded.len));
  while (const uint32_t tag = in.ReadTag()) {
    if (WireFormatLite::GetTagFieldNumber(tag) != pg_query::ScanResult::kTokensFieldNumber) {
      if (!WireFormatLite::SkipField(&in, tag)) break;
      continue;
    }
    uint32_t length = 0;
    if (!in.ReadVarint32(&length)) break;
    const auto limit = in.PushLimit(static_cast<int>(length));
    Token token;
    while (const uint32_t field = in.ReadTag()) {
      uint64_t value = 0;
      if (!in.ReadVarint64(&value)) break;
      switch (WireFormatLite::GetTagFieldNumber(field)) {
        case pg_query::ScanToken::kStartFieldNumber:
          token.start = static_cast<int>(value);
          break;
        case pg_query::ScanToken::kEndFieldNumber:
          token.end = static_cast<int>(value);
          break;
        case pg_query::ScanToken::kTokenFieldNumber:
          token.kind = static_cast<pg_query::Token>(value);
          break;
      }
    }
    in.PopLimit(limit);
    if (token.kind != pg_query::SQL_COMMENT && token.kind != pg_query::C_COMMENT) tokens.push_back(token);
  }
  return tokens;
}

// An error of the C library; it counts characters.
absl::Status SyntaxErrorIn(const std::string& text, const PgQueryError& error) {
  int location = 0;
  for (int characters = 1; characters < error.cursorpos && location < static_cast<int>(text.size()); ++characters) {
    location += static_cast<int>(CharacterBytes(text, static_cast<size_t>(location)));
  }
  return WithLocation(SyntaxError(error.message), error.cursorpos > 0 ? location : -1);
}

absl::StatusOr<std::vector<Token>> Scan(const std::string& text) {
  const ScanResult scanned(pg_query_scan(text.c_str()));
  if (scanned.result.error != nullptr) return SyntaxErrorIn(text, *scanned.result.error);
  return DecodeTokens(scanned.result.pbuf);
}

absl::Status TooDeep(std::string_view what) {
  return SqlError(sqlstate::kProgramLimitExceeded, fmt::format("statement is too complex: {}", what));
}

// Refuses what would overflow a stack further down.
class NestingCheck {
 public:
  absl::Status Add(pg_query::Token kind) {
    switch (kind) {
      case pg_query::ASCII_40:  // (
      case pg_query::ASCII_91:  // [
      case pg_query::CASE:
        levels_.push_back(0);
        if (levels_.size() > kParenthesisDepthMax) {
          return TooDeep(fmt::format("parentheses nest deeper than {}", kParenthesisDepthMax));
        }
        return absl::OkStatus();
      case pg_query::ASCII_41:  // )
      case pg_query::ASCII_93:  // ]
      case pg_query::END_P:
        if (levels_.size() > 1) {
          total_ -= levels_.back();
          levels_.pop_back();
        }
        return absl::OkStatus();
      case pg_query::ASCII_44:  // ,
      case pg_query::AND:
      case pg_query::OR:
      case pg_query::WHEN:
      case pg_query::THEN:
      case pg_query::ELSE:
        total_ -= levels_.back();
        levels_.back() = 0;
        return absl::OkStatus();
      case pg_query::UNION:
      case pg_query::INTERSECT:
      case pg_query::EXCEPT:
      case pg_query::JOIN:
        if (++set_operations_ > kSetOperationsMax) {
          return TooDeep(fmt::format("more than {} joins and set operations", kSetOperationsMax));
        }
        [[fallthrough]];
      default:
        ++levels_.back();
        if (++total_ <= kNestingTokensMax) return absl::OkStatus();
        return TooDeep(fmt::format("an expression of more than {} tokens", kNestingTokensMax));
    }
  }

 private:
  std::vector<int> levels_ = {0};  // tokens since the last sibling, for each open parenthesis
  int total_ = 0;
  int set_operations_ = 0;
};

// One statement on its way: its text, and the tokens in it, with positions relative to it.
class StatementParser {
 public:
  StatementParser(std::string text, int first_character, std::vector<Token> tokens)
      : text_(std::move(text)), tokens_(std::move(tokens)) {
    statement_->text = text_;
    statement_->origin.first_character = first_character;
  }

  absl::StatusOr<StatementRef> Parse() {
    const absl::Status parsed = ParseAny();
    if (!parsed.ok()) return WithPosition(parsed, *statement_);
    return StatementRef(std::move(statement_));
  }

 private:
  absl::Status ParseAny() {
    if (Is(0, "show") && Is(1, "commit") && Is(2, "timestamp") && tokens_.size() == 3) {
      statement_->kind = Statement::Kind::kShowCommitTimestamp;
      return absl::OkStatus();
    }
    if (MayBeSystem()) {
      ASSIGN_OR_RETURN(statement_->system, ParseSystemStatement(text_));
      if (statement_->system) {
        statement_->kind = Statement::Kind::kSystem;
        return absl::OkStatus();
      }
    }
    RETURN_IF_ERROR(ReplaceShow());
    NestingCheck nesting;
    for (const Token& token : tokens_) RETURN_IF_ERROR(nesting.Add(token.kind));
    RETURN_IF_ERROR(CutBracket(statement_.get()));
    RETURN_IF_ERROR(CutAsOf(statement_.get()));
    const bool upserts = Is(0, "upsert");
    if (upserts) Replace(0, 0, "INSERT");
    return ParseTree(statement_.get(), upserts);
  }

  std::string_view TextOf(size_t index) const {
    return std::string_view(text_).substr(tokens_[index].start, tokens_[index].end - tokens_[index].start);
  }

  bool Is(size_t index, std::string_view word) const {
    if (index >= tokens_.size()) return false;
    const std::string_view text = TextOf(index);
    return text.size() == word.size() && std::equal(text.begin(), text.end(), word.begin(), [](char a, char b) {
             return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b;
           });
  }

  // The everyday statements are never ours; asking costs a second scan.
  bool MayBeSystem() const {
    static constexpr std::array<std::string_view, 9> kNever = {"select", "insert", "update",   "delete", "begin",
                                                               "commit", "end",    "rollback", "copy"};
    return std::none_of(kNever.begin(), kNever.end(), [&](std::string_view word) { return Is(0, word); });
  }

  // SHOW TABLES and the like stand for queries.
  absl::Status ReplaceShow() {
    if (!Is(0, "show")) return absl::OkStatus();
    std::vector<std::string_view> words;
    for (size_t i = 0; i < tokens_.size(); ++i) words.push_back(TextOf(i));
    std::optional<std::string> query = ShowQuery(words);
    if (!query) return absl::OkStatus();
    statement_->origin.edits.push_back({0, static_cast<int>(text_.size()), static_cast<int>(query->size())});
    text_ = *std::move(query);
    ASSIGN_OR_RETURN(tokens_, Scan(text_));
    return absl::OkStatus();
  }

  absl::Status CutBracket(Statement* statement) {
    for (size_t i = 0; i + 1 < tokens_.size(); ++i) {
      if (tokens_[i].kind != pg_query::FROM || tokens_[i + 1].kind != pg_query::ASCII_91) continue;
      size_t end = i + 2;
      for (int depth = 1; end < tokens_.size(); ++end) {
        if (tokens_[end].kind == pg_query::ASCII_91) ++depth;
        if (tokens_[end].kind == pg_query::ASCII_93 && --depth == 0) break;
      }
      if (end == tokens_.size()) return SyntaxError("syntax error: \"[\" without \"]\"");
      if (statement->bracket) return UnsupportedError("more than one [SHOW ...] in a statement");
      const int begin = tokens_[i + 1].end;
      absl::StatusOr<SystemStatementRef> shown = ParseSystemStatement(text_.substr(begin, tokens_[end].start - begin));
      if (!shown.ok()) return MovedBy(begin, std::move(shown).status());
      statement->bracket = *std::move(shown);
      if (!statement->bracket || !ReturnsRows(*statement->bracket)) {
        return UnsupportedError(fmt::format("\"{}\" between brackets", text_.substr(begin, tokens_[end].start - begin)));
      }
      Replace(i + 1, end, fmt::format("\"{}\"", kBracketRelation));
    }
    return absl::OkStatus();
  }

  // For an error in a part of the text that begins there.
  static absl::Status MovedBy(int begin, absl::Status status) {
    const std::optional<int> location = LocationOf(status);
    return location ? WithLocation(WithoutLocation(std::move(status)), begin + *location) : status;
  }

  // AS OF SYSTEM TIME <string or number, perhaps signed>.
  absl::Status CutAsOf(Statement* statement) {
    for (size_t i = 0; i + 3 < tokens_.size(); ++i) {
      if (tokens_[i].kind != pg_query::AS || tokens_[i + 1].kind != pg_query::OF ||
          tokens_[i + 2].kind != pg_query::SYSTEM_P || tokens_[i + 3].kind != pg_query::TIME) {
        continue;
      }
      if (statement->as_of) return SyntaxError("AS OF SYSTEM TIME is given twice");
      size_t at = i + 4;
      std::string expression;
      if (at < tokens_.size() && (TextOf(at) == "-" || TextOf(at) == "+")) expression = std::string(TextOf(at++));
      const pg_query::Token kind = at < tokens_.size() ? tokens_[at].kind : pg_query::NUL;
      if (kind == pg_query::SCONST && expression.empty() && TextOf(at).front() == '\'') {
        expression = Unquote(TextOf(at));
      } else if (kind == pg_query::ICONST || kind == pg_query::FCONST) {
        expression += TextOf(at);
      } else {
        return UnsupportedError("an AS OF SYSTEM TIME expression other than a string or a number");
      }
      statement->as_of = std::move(expression);
      Replace(i, at, "");
    }
    return statement->bracket && statement->as_of ? MoveAsOfIntoBracket(statement) : absl::OkStatus();
  }

  // SELECT ... FROM [SHOW ...] AS OF SYSTEM TIME: what is shown as of then, where that can be had.
  static absl::Status MoveAsOfIntoBracket(Statement* statement) {
    const auto* given = std::get_if<ShowFingerprints>(statement->bracket.get());
    if (given == nullptr) return UnsupportedError("AS OF SYSTEM TIME with this SHOW statement");
    if (given->as_of) return SyntaxError("AS OF SYSTEM TIME is given twice");
    ShowFingerprints fingerprints = *given;
    fingerprints.as_of = std::exchange(statement->as_of, std::nullopt);
    statement->bracket = std::make_shared<const SystemStatement>(std::move(fingerprints));
    return absl::OkStatus();
  }

  static std::string Unquote(std::string_view quoted) {
    std::string text;
    for (size_t i = 1; i + 1 < quoted.size(); ++i) {
      text.push_back(quoted[i]);
      if (quoted[i] == '\'') ++i;  // '' is one
    }
    return text;
  }

  // Puts `by` in the place of the tokens [first, last] and keeps the positions of the others right.
  void Replace(size_t first, size_t last, const std::string& by) {
    const int start = tokens_[first].start;
    const int length = tokens_[last].end - start;
    text_.replace(start, length, by);
    statement_->origin.edits.push_back({start, length, static_cast<int>(by.size())});
    const int moved = static_cast<int>(by.size()) - length;
    for (size_t i = last + 1; i < tokens_.size(); ++i) {
      tokens_[i].start += moved;
      tokens_[i].end += moved;
    }
    tokens_[first] = {start, start + static_cast<int>(by.size()), pg_query::IDENT};
    tokens_.erase(tokens_.begin() + first + (by.empty() ? 0 : 1), tokens_.begin() + last + 1);
  }

  // UPSERT: INSERT ... ON CONFLICT with the primary key.
  static absl::Status MarkUpsert(pg_query::Node* tree) {
    if (!tree->has_insert_stmt()) return SyntaxError("syntax error at or near \"UPSERT\"");
    if (tree->insert_stmt().has_on_conflict_clause()) return SyntaxError("syntax error at or near \"ON\"");
    pg_query::OnConflictClause* conflict = tree->mutable_insert_stmt()->mutable_on_conflict_clause();
    conflict->set_action(pg_query::ONCONFLICT_UPDATE);
    conflict->mutable_infer()->set_conname(std::string(kUpsertConstraint));
    return absl::OkStatus();
  }

  absl::Status ParseTree(Statement* statement, bool upserts) {
    const TreeResult parsed(pg_query_parse_protobuf(text_.c_str()));
    if (const PgQueryError* error = parsed.result.error) {
      const bool deep = std::string_view(error->message).find("stack depth") != std::string_view::npos ||
                        std::string_view(error->message).find("memory exhausted") != std::string_view::npos;
      return deep ? TooDeep(error->message) : SyntaxErrorIn(text_, *error);
    }
    const PgQueryProtobuf& encoded = parsed.result.parse_tree;
    CodedInputStream in(reinterpret_cast<const uint8_t*>(encoded.data), static_cast<int>(encoded.len));
    in.SetRecursionLimit(kTreeDepthMax);
    auto* tree = google::protobuf::Arena::CreateMessage<pg_query::ParseResult>(&statement->arena);
    if (!tree->ParseFromCodedStream(&in)) return TooDeep("its parse tree nests too deeply");
    if (tree->stmts_size() != 1) return SyntaxError("syntax error: one statement expected");
    if (upserts) RETURN_IF_ERROR(MarkUpsert(tree->mutable_stmts(0)->mutable_stmt()));
    statement->tree = &tree->stmts(0).stmt();
    return RefuseUnsupported(*statement->tree, statement->text);
  }

  std::shared_ptr<Statement> statement_ = std::make_shared<Statement>();
  std::string text_;
  std::vector<Token> tokens_;
};

}  // namespace

absl::StatusOr<std::vector<StatementRef>> ParseStatements(std::string_view query) {
  if (query.size() > kStatementBytesMax) {
    return SqlError(sqlstate::kProgramLimitExceeded,
                    fmt::format("statement of {} bytes exceeds the limit of {} bytes", query.size(), kStatementBytesMax));
  }
  RETURN_IF_ERROR(FromText(SqlType::kText, query).status());  // well-formed UTF-8 without NUL
  const std::string text(query);
  const absl::StatusOr<std::vector<Token>> scanned = Scan(text);
  if (!scanned.ok()) {
    Statement whole;
    whole.text = text;
    return WithPosition(scanned.status(), whole);
  }
  const std::vector<Token>& tokens = *scanned;
  std::vector<StatementRef> statements;
  std::vector<Token> own;
  int depth = 0;
  size_t counted = 0;  // bytes whose characters are counted
  int characters = 0;
  for (size_t i = 0; i <= tokens.size(); ++i) {
    const bool end = i == tokens.size() || (tokens[i].kind == pg_query::ASCII_59 && depth == 0);
    if (!end) {
      if (tokens[i].kind == pg_query::ASCII_40) ++depth;
      if (tokens[i].kind == pg_query::ASCII_41 && depth > 0) --depth;
      own.push_back(tokens[i]);
      continue;
    }
    if (own.empty()) continue;
    if (statements.size() == kStatementsMax) return TooDeep(fmt::format("more than {} statements", kStatementsMax));
    const int start = own.front().start;
    characters += static_cast<int>(CharacterCount(std::string_view(text).substr(counted, start - counted)));
    counted = static_cast<size_t>(start);
    // The scanner does not find the end of U&'...' and U&"...".
    const bool endless = own.back().kind == pg_query::USCONST || own.back().kind == pg_query::UIDENT;
    const size_t behind = i < tokens.size() ? tokens[i].start : text.size();
    std::string part = text.substr(start, (endless ? behind : own.back().end) - start);
    for (Token& token : own) {
      token.start -= start;
      token.end -= start;
    }
    ASSIGN_OR_RETURN(StatementRef statement, StatementParser(std::move(part), characters, std::move(own)).Parse());
    statements.push_back(std::move(statement));
    own.clear();
  }
  return statements;
}

}  // namespace anabranch
