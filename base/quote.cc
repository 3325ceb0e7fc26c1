#include "base/quote.h"

#include <algorithm>

namespace anabranch {
namespace {

// PostgreSQL's keywords that are not names everywhere, each between two spaces.
constexpr std::string_view kKeywords =
    " all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case"
    " cast char character check coalesce collate collation column concurrently constraint create cross"
    " current_catalog current_date current_role current_schema current_time current_timestamp current_user dec"
    " decimal default deferrable desc distinct do else end except exists extract false fetch float for foreign"
    " freeze from full grant greatest group grouping having ilike in initially inner inout int integer intersect"
    " interval into is isnull join lateral leading least left like limit localtime localtimestamp national natural"
    " nchar none normalize not notnull null nullif numeric offset on only or order out outer overlaps overlay"
    " placing position precision primary real references returning right row select session_user setof similar"
    " smallint some substring symmetric table tablesample then time timestamp to trailing treat trim true union"
    " unique user using values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement"
    " xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable"
    " ";

bool IsPlain(std::string_view name) {
  const auto is_start = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  if (name.empty() || !is_start(name.front())) return false;
  const bool plain = std::all_of(name.begin(), name.end(), [&](char c) { return is_start(c) || (c >= '0' && c <= '9'); });
  return plain && kKeywords.find(" " + std::string(name) + " ") == std::string_view::npos;
}

void AppendDoubled(std::string_view text, std::string_view doubled, std::string* out) {
  for (const char c : text) {
    if (doubled.find(c) != std::string_view::npos) out->push_back(c);
    out->push_back(c);
  }
}

}  // namespace

std::string QuotedIdentifier(std::string_view name) {
  if (IsPlain(name)) return std::string(name);
  std::string quoted = "\"";
  AppendDoubled(name, "\"", &quoted);
  return quoted + "\"";
}

std::string QuotedLiteral(std::string_view text) {
  std::string quoted = text.find('\\') == std::string_view::npos ? "'" : "E'";
  AppendDoubled(text, "'\\", &quoted);
  return quoted + "'";
}

std::string UnquoteName(std::string_view text) {
  if (const size_t dot = text.find('.'); dot != std::string_view::npos && text.front() != '"') text.remove_prefix(dot + 1);
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') {
    std::string name(text);
    for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    return name;
  }
  std::string name;
  for (size_t i = 1; i + 1 < text.size(); ++i) {
    name.push_back(text[i]);
    if ((text[i] == '"' || text[i] == '\'') && text[i + 1] == text[i]) ++i;
  }
  return name;
}

}  // namespace anabranch
