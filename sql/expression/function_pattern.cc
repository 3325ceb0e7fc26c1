// LIKE and regular expressions.
#include <boost/regex.hpp>

#include "sql/expression/function_family.h"
#include "storage/api/types.h"

namespace anabranch {
namespace {

using Result = FunctionResult;
using Context = EvaluationContext;
using T = SqlType;

// Greedy with one point to come back to: the last %.
absl::StatusOr<bool> MatchesLike(std::string_view text, std::string_view pattern) {
  size_t t = 0, p = 0;
  size_t back_t = 0, back_p = std::string_view::npos;
  while (true) {
    bool matches = false;
    if (p < pattern.size() && pattern[p] == '%') {
      back_p = ++p;
      back_t = t;
      continue;
    }
    if (p == pattern.size()) {
      if (t == text.size()) return true;
    } else if (pattern[p] == '\\' && p + 1 == pattern.size()) {
      return SqlError(sqlstate::kInvalidEscapeSequence, "LIKE pattern must not end with escape character");
    } else if (t < text.size() && pattern[p] == '_') {
      t += CharacterBytes(text, t);
      ++p;
      matches = true;
    } else if (t < text.size()) {
      const size_t literal = pattern[p] == '\\' ? p + 1 : p;
      matches = pattern[literal] == text[t];
      if (matches) {
        ++t;
        p = literal + 1;
      }
    }
    if (matches) continue;
    if (back_p == std::string_view::npos || back_t >= text.size()) return false;
    back_t += CharacterBytes(text, back_t);
    t = back_t;
    p = back_p;
  }
}
template <bool kNegated, bool kIgnoreCase>
Result Like(const Datum* a, const Context&) {
  const std::string& text = TextOf(a[0]);
  const std::string& pattern = TextOf(a[1]);
  absl::StatusOr<bool> matches =
      kIgnoreCase ? MatchesLike(LowerText(text), LowerText(pattern)) : MatchesLike(text, pattern);
  if (!matches.ok()) return std::move(matches).status();
  return Datum(*matches != kNegated);
}
// The pattern of LIKE ... ESCAPE, with the backslash as its escape.
Result LikeEscape(const Datum* a, const Context&) {
  const std::string& pattern = TextOf(a[0]);
  const std::string& escape = TextOf(a[1]);
  if (CharacterCount(escape) > 1) {
    return SqlError(sqlstate::kInvalidEscapeCharacter, "invalid escape string",
                    "Escape string must be empty or one character.");
  }
  std::string result;
  for (size_t at = 0; at < pattern.size();) {
    const size_t bytes = CharacterBytes(pattern, at);
    const std::string_view character = std::string_view(pattern).substr(at, bytes);
    at += bytes;
    if (character == escape) {
      result += '\\';
      if (at < pattern.size()) {
        const size_t escaped = CharacterBytes(pattern, at);
        result.append(pattern, at, escaped);
        at += escaped;
      }
    } else {
      if (character == "\\") result += '\\';
      result += character;
    }
  }
  return Datum(std::move(result));
}

// --- Regular expressions: characters are code points, so that . and classes mean what they say. ---
std::wstring Wide(std::string_view text) {
  std::wstring wide;
  for (size_t at = 0; at < text.size();) {
    wide.push_back(static_cast<wchar_t>(CharacterAt(text, at)));
    at += CharacterBytes(text, at);
  }
  return wide;
}
std::string Narrow(std::wstring_view wide) {
  std::string text;
  for (const wchar_t c : wide) AppendCharacter(static_cast<char32_t>(c), &text);
  return text;
}

// PostgreSQL's own escapes for word boundaries, in the library's spelling.
std::wstring Translated(std::string_view pattern) {
  if (pattern.starts_with("***=")) {
    std::wstring literal;
    for (const wchar_t c : Wide(pattern.substr(4))) {
      if (std::wstring_view(L"\\^$.|?*+()[]{}").find(c) != std::wstring_view::npos) literal += L'\\';
      literal += c;
    }
    return literal;
  }
  if (pattern.starts_with("***:")) pattern.remove_prefix(4);
  std::wstring result;
  const std::wstring wide = Wide(pattern);
  for (size_t i = 0; i < wide.size(); ++i) {
    if (wide[i] != L'\\' || i + 1 == wide.size()) {
      result += wide[i];
      continue;
    }
    switch (wide[++i]) {
      case L'm':
        result += L"\\<";
        break;
      case L'M':
        result += L"\\>";
        break;
      case L'y':
        result += L"\\b";
        break;
      case L'Y':
        result += L"\\B";
        break;
      case L'Z':
        result += L"\\z";
        break;
      default:
        result += L'\\';
        result += wide[i];
    }
  }
  return result;
}

struct Compiled {
  std::string pattern;
  bool ignore_case = false;
  boost::wregex regex;
};

absl::Status InvalidRegex(std::string_view why) {
  return SqlError(sqlstate::kInvalidRegularExpression, fmt::format("invalid regular expression: {}", why));
}
absl::Status TooComplex() {
  return SqlError(sqlstate::kStatementTooComplex, "the regular expression is too complex for this text");
}

// The last one used by this thread is kept: the same pattern is asked row after row.
absl::StatusOr<const boost::wregex*> Compile(const std::string& pattern, bool ignore_case) {
  thread_local Compiled last;
  if (!last.regex.empty() && last.pattern == pattern && last.ignore_case == ignore_case) return &last.regex;
  const auto flags = boost::wregex::perl | (ignore_case ? boost::wregex::icase : boost::wregex::perl);
  const std::wstring translated = pattern.empty() ? L"(?:)" : Translated(pattern);
  try {
    last.regex.imbue(UnicodeLocale());
    last.regex.assign(translated, flags);
  } catch (const std::exception&) {
    last.regex = boost::wregex();
    return InvalidRegex("it does not parse");
  }
  last.pattern = pattern;
  last.ignore_case = ignore_case;
  return &last.regex;
}

template <bool kNegated, bool kIgnoreCase>
Result MatchesRegex(const Datum* a, const Context&) {
  ASSIGN_OR_RETURN(const boost::wregex* regex, Compile(TextOf(a[1]), kIgnoreCase));
  try {
    return Datum(boost::regex_search(Wide(TextOf(a[0])), *regex) != kNegated);
  } catch (const std::exception&) {
    return TooComplex();
  }
}

struct Flags {
  bool ignore_case = false;
  bool global = false;
};
absl::StatusOr<Flags> ParseFlags(const std::string& text) {
  Flags flags;
  for (const char c : text) {
    if (c == 'i') {
      flags.ignore_case = true;
    } else if (c == 'g') {
      flags.global = true;
    } else if (c != 'c') {
      return SqlError(sqlstate::kFeatureNotSupported, fmt::format("regular expression option \"{}\" is not supported", c));
    }
  }
  return flags;
}

// "\1", "\&" and "\\" of a replacement.
void AppendReplacement(std::wstring_view replacement, const boost::wsmatch& match, std::wstring* out) {
  for (size_t i = 0; i < replacement.size(); ++i) {
    const wchar_t next = i + 1 < replacement.size() ? replacement[i + 1] : L'\0';
    if (replacement[i] != L'\\' || next == L'\0') {
      out->push_back(replacement[i]);
      continue;
    }
    ++i;
    if (next == L'&') {
      out->append(match[0].first, match[0].second);
    } else if (next >= L'1' && next <= L'9') {
      const boost::wssub_match& group = match[next - L'0'];
      if (group.matched) out->append(group.first, group.second);
    } else {
      if (next != L'\\') out->push_back(L'\\');
      out->push_back(next);
    }
  }
}

Result ReplaceRegex(const Datum* a, const Flags& flags) {
  ASSIGN_OR_RETURN(const boost::wregex* regex, Compile(TextOf(a[1]), flags.ignore_case));
  const std::wstring text = Wide(TextOf(a[0]));
  const std::wstring replacement = Wide(TextOf(a[2]));
  std::wstring result;
  try {
    auto at = text.begin();
    for (boost::wsregex_iterator match(text.begin(), text.end(), *regex), end; match != end; ++match) {
      result.append(at, (*match)[0].first);
      AppendReplacement(replacement, *match, &result);
      at = (*match)[0].second;
      if (result.size() > kValueBytesMax) return ResultTooLong("regexp_replace");
      if (!flags.global) break;
    }
    result.append(at, text.end());
  } catch (const std::exception&) {
    return TooComplex();
  }
  return Datum(Narrow(result));
}
Result RegexReplace(const Datum* a, const Context&) { return ReplaceRegex(a, {}); }
Result RegexReplaceFlags(const Datum* a, const Context&) {
  ASSIGN_OR_RETURN(const Flags flags, ParseFlags(TextOf(a[3])));
  return ReplaceRegex(a, flags);
}

// The first group, or the whole match if there is none.
Result RegexSubstring(const Datum* a, const Context&) {
  ASSIGN_OR_RETURN(const boost::wregex* regex, Compile(TextOf(a[1]), false));
  const std::wstring text = Wide(TextOf(a[0]));
  boost::wsmatch match;
  try {
    if (!boost::regex_search(text, match, *regex)) return Datum(Null{});
  } catch (const std::exception&) {
    return TooComplex();
  }
  const boost::wssub_match& part = match.size() > 1 ? match[1] : match[0];
  if (!part.matched) return Datum(Null{});
  return Datum(Narrow(part.str()));
}

}  // namespace

FunctionList PatternFunctions() {
  constexpr T kText = T::kText;
  constexpr T kBool = T::kBool;
  FunctionList all = {
      {"like_escape", {kText, kText}, kText, LikeEscape},
      {"like", {kText, kText}, kBool, Like<false, false>},
      {"notlike", {kText, kText}, kBool, Like<true, false>},
      {"regexp_replace", {kText, kText, kText}, kText, RegexReplace},
      {"regexp_replace", {kText, kText, kText, kText}, kText, RegexReplaceFlags},
      {"substring", {kText, kText}, kText, RegexSubstring},
      {"regexp_like", {kText, kText}, kBool, MatchesRegex<false, false>},
  };
  for (const T left : {kText, T::kName}) {
    all.insert(all.end(), {
                              {"~~", {left, kText}, kBool, Like<false, false>},
                              {"!~~", {left, kText}, kBool, Like<true, false>},
                              {"~~*", {left, kText}, kBool, Like<false, true>},
                              {"!~~*", {left, kText}, kBool, Like<true, true>},
                              {"~", {left, kText}, kBool, MatchesRegex<false, false>},
                              {"!~", {left, kText}, kBool, MatchesRegex<true, false>},
                              {"~*", {left, kText}, kBool, MatchesRegex<false, true>},
                              {"!~*", {left, kText}, kBool, MatchesRegex<true, true>},
                          });
  }
  return all;
}

}  // namespace anabranch
