#include <pg_query.h>

#include <memory>

#include "pg_query/pg_query.pb.h"
#include "sql/control/scanner.h"

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

// False for spellings with escapes (E'', U&''), which statements of ours have no use for.
bool ReadToken(const pg_query::ScanToken& scanned, SystemToken* token) {
  const std::string_view text = token->text;
  switch (scanned.token()) {
    case pg_query::SCONST:
      token->kind = SystemToken::Kind::kString;
      if (text.front() != '\'' && text.front() != '$') return false;
      token->value = text.front() == '$' ? UnquoteDollars(text) : Unquote(text, '\'');
      return true;
    case pg_query::IDENT:
      token->kind = text.front() == '"' ? SystemToken::Kind::kQuotedName : SystemToken::Kind::kWord;
      token->value = text.front() == '"' ? Unquote(text, '"') : FoldCase(text);
      return true;
    case pg_query::ICONST:
    case pg_query::FCONST:
      token->kind = SystemToken::Kind::kNumber;
      token->value = std::string(text);
      return true;
    case pg_query::UIDENT:
    case pg_query::USCONST:
      return false;
    default:
      token->kind = scanned.keyword_kind() == pg_query::NO_KEYWORD         ? SystemToken::Kind::kSymbol
                    : scanned.keyword_kind() == pg_query::RESERVED_KEYWORD ? SystemToken::Kind::kReservedWord
                                                                           : SystemToken::Kind::kWord;
      token->value = FoldCase(text);
      return true;
  }
}

}  // namespace

std::optional<std::vector<SystemToken>> TokenizeSystemStatement(const std::string& text) {
  const auto free_result = [](PgQueryScanResult* result) { pg_query_free_scan_result(*result); };
  PgQueryScanResult scan = pg_query_scan(text.c_str());
  const std::unique_ptr<PgQueryScanResult, decltype(free_result)> owner(&scan, free_result);
  pg_query::ScanResult result;
  if (scan.error != nullptr || !result.ParseFromArray(scan.pbuf.data, static_cast<int>(scan.pbuf.len))) return std::nullopt;
  std::vector<SystemToken> tokens;
  for (const pg_query::ScanToken& scanned : result.tokens()) {
    if (scanned.token() == pg_query::SQL_COMMENT || scanned.token() == pg_query::C_COMMENT) continue;
    SystemToken token;
    token.text = std::string_view(text).substr(scanned.start(), scanned.end() - scanned.start());
    if (!ReadToken(scanned, &token)) return std::nullopt;
    tokens.push_back(std::move(token));
  }
  tokens.emplace_back();
  return tokens;
}

}  // namespace anabranch
