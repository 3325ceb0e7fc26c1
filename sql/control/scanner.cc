#include <pg_query.h>

#include <algorithm>
#include <memory>

#include "pg_query/pg_query.pb.h"
#include "sql/control/scanner.h"
#include "sql/value/datum.h"
#include "sql/value/utf8.h"

namespace anabranch {
namespace {

std::string FoldCase(std::string_view text) {
  std::string folded(text);
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return folded;
}

// Between two quotes, doubled ones meaning one. A string may go on in another pair of quotes after a line break.
std::string Unquote(std::string_view text, char quote) {
  std::string contents;
  bool inside = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != quote) {
      if (inside) contents.push_back(text[i]);
    } else if (inside && i + 1 < text.size() && text[i + 1] == quote) {
      contents.push_back(quote);
      ++i;
    } else {
      inside = !inside;
    }
  }
  return contents;
}

// $tag$...$tag$
std::string UnquoteDollars(std::string_view text) {
  const size_t tag_bytes = text.find('$', 1) + 1;
  return std::string(text.substr(tag_bytes, text.size() - 2 * tag_bytes));
}

// The digits at text[*at] in that base, at most `digits_max`; `at` is behind them then.
uint32_t TakeDigits(std::string_view text, size_t* at, uint32_t base, size_t digits_max) {
  uint32_t value = 0;
  for (const size_t end = std::min(text.size(), *at + digits_max); *at < end; ++*at) {
    const char c = static_cast<char>(text[*at] | 0x20);
    const uint32_t digit = text[*at] >= '0' && text[*at] <= '9' ? static_cast<uint32_t>(text[*at] - '0')
                           : c >= 'a' && c <= 'f'               ? static_cast<uint32_t>(c - 'a' + 10)
                                                                : base;
    if (digit >= base) break;
    value = value * base + digit;
  }
  return value;
}

// What the escape behind the backslash at text[*at - 1] stands for; `at` is behind it then. False: no character.
bool TakeEscape(std::string_view text, size_t* at, std::string* contents) {
  const char c = text[*at];
  if (c >= '0' && c <= '7') {
    contents->push_back(static_cast<char>(TakeDigits(text, at, 8, 3)));
    return true;
  }
  ++*at;
  if (c == 'x' || c == 'u' || c == 'U') {
    const size_t digits_max = c == 'x' ? 2 : c == 'u' ? 4 : 8;
    const size_t begin = *at;
    const uint32_t value = TakeDigits(text, at, 16, digits_max);
    if (c == 'x') {
      contents->push_back(*at == begin ? c : static_cast<char>(value));
      return true;
    }
    if (*at - begin != digits_max || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return false;
    AppendCharacter(value, contents);
    return true;
  }
  static constexpr std::string_view kLetters = "bfnrt";
  const size_t letter = kLetters.find(c);
  contents->push_back(letter == std::string_view::npos ? c : "\b\f\n\r\t"[letter]);
  return true;
}

// E'...'. nullopt: not the text of a value.
std::optional<std::string> UnquoteEscapes(std::string_view text) {
  std::string contents;
  bool inside = false;
  for (size_t i = 1; i < text.size();) {
    const char c = text[i++];
    const bool doubled = inside && c == '\'' && i < text.size() && text[i] == '\'';
    if (c == '\\' && inside && i < text.size()) {
      if (!TakeEscape(text, &i, &contents)) return std::nullopt;
    } else if (c != '\'' || doubled) {
      if (inside) contents.push_back(c);
      if (doubled) ++i;
    } else {
      inside = !inside;
    }
  }
  if (!FromText(SqlType::kText, contents).ok()) return std::nullopt;  // not well-formed UTF-8, or with a NUL
  return contents;
}

void ReadString(SystemToken* token) {
  const std::string_view text = token->text;
  token->kind = SystemToken::Kind::kString;
  if (text.front() == 'e' || text.front() == 'E') {
    std::optional<std::string> contents = UnquoteEscapes(text);
    if (!contents) token->kind = SystemToken::Kind::kBeyondUs;
    token->value = std::move(contents).value_or("");
  } else {
    token->value = text.front() == '$' ? UnquoteDollars(text) : Unquote(text, '\'');
  }
}

void ReadToken(const pg_query::ScanToken& scanned, SystemToken* token) {
  using Kind = SystemToken::Kind;
  const std::string_view text = token->text;
  switch (scanned.token()) {
    case pg_query::SCONST:
      return ReadString(token);
    case pg_query::IDENT:
      token->kind = text.front() == '"' ? Kind::kQuotedName : Kind::kWord;
      token->value = text.front() == '"' ? Unquote(text, '"') : FoldCase(text);
      break;
    case pg_query::ICONST:
    case pg_query::FCONST:
      token->kind = Kind::kNumber;
      token->value = std::string(text);
      break;
    case pg_query::UIDENT:
    case pg_query::USCONST:
      token->kind = Kind::kBeyondUs;
      break;
    case pg_query::PARAM:
      token->kind = Kind::kParameter;
      break;
    default:
      token->kind = scanned.keyword_kind() == pg_query::NO_KEYWORD         ? Kind::kSymbol
                    : scanned.keyword_kind() == pg_query::RESERVED_KEYWORD ? Kind::kReservedWord
                                                                           : Kind::kWord;
      token->value = FoldCase(text);
  }
}

}  // namespace

std::optional<std::vector<SystemToken>> TokenizeSystemStatement(const std::string& text) {
  const auto free_result = [](PgQueryScanResult* result) { pg_query_free_scan_result(*result); };
  PgQueryScanResult scan = pg_query_scan(text.c_str());
  const std::unique_ptr<PgQueryScanResult, decltype(free_result)> owner(&scan, free_result);
  pg_query::ScanResult result;
  if (scan.error != nullptr || !result.ParseFromArray(scan.pbuf.data, static_cast<int>(scan.pbuf.len))) {
    return std::nullopt;
  }
  std::vector<SystemToken> tokens;
  for (const pg_query::ScanToken& scanned : result.tokens()) {
    if (scanned.token() == pg_query::SQL_COMMENT || scanned.token() == pg_query::C_COMMENT) continue;
    SystemToken token;
    token.location = scanned.start();
    token.text = std::string_view(text).substr(scanned.start(), scanned.end() - scanned.start());
    ReadToken(scanned, &token);
    tokens.push_back(std::move(token));
  }
  tokens.emplace_back().location = static_cast<int>(text.size());
  return tokens;
}

}  // namespace anabranch
