// Text: characters, parts, trimming, case.
#include <algorithm>

#include "sql/expression/function_family.h"
#include "storage/api/types.h"

namespace anabranch {
namespace {

using Result = FunctionResult;
using Context = EvaluationContext;
using T = SqlType;

// Where the character of that index begins; the end of the text if there are not so many.
size_t OffsetOf(std::string_view text, int64_t index) {
  size_t at = 0;
  for (; index > 0 && at < text.size(); --index) at += CharacterBytes(text, at);
  return at;
}

Result Length(const Datum* a, const Context&) { return Datum(CharacterCount(TextOf(a[0]))); }
Result PaddedLength(const Datum* a, const Context&) { return Datum(CharacterCount(std::get<Bpchar>(a[0]).trimmed())); }
Result ByteLength(const Datum* a, const Context&) { return Datum(static_cast<int64_t>(TextOf(a[0]).size())); }
Result PaddedByteLength(const Datum* a, const Context&) {
  return Datum(static_cast<int64_t>(std::get<Bpchar>(a[0]).text.size()));
}
Result BytesLength(const Datum* a, const Context&) {
  return Datum(static_cast<int64_t>(std::get<Bytes>(a[0]).bytes.size()));
}
Result BitLength(const Datum* a, const Context&) { return Datum(static_cast<int64_t>(TextOf(a[0]).size()) * 8); }
Result Lower(const Datum* a, const Context&) { return Datum(LowerText(TextOf(a[0]))); }
Result Upper(const Datum* a, const Context&) { return Datum(UpperText(TextOf(a[0]))); }
Result InitialCapitals(const Datum* a, const Context&) { return Datum(CapitalizeWords(TextOf(a[0]))); }
Result Concatenate(const Datum* a, const Context&) { return Datum(TextOf(a[0]) + TextOf(a[1])); }
Result ConcatenateBytes(const Datum* a, const Context&) {
  return Datum(Bytes{std::get<Bytes>(a[0]).bytes + std::get<Bytes>(a[1]).bytes});
}

// The 1-based range [start, start + length) cut to what there is; 22011 for a negative length.
absl::StatusOr<std::pair<int64_t, int64_t>> Range(int64_t start, const Datum* length) {
  const int64_t end = length == nullptr ? INT32_MAX : start + IntOf(*length);
  if (length != nullptr && IntOf(*length) < 0)
    return SqlError(sqlstate::kSubstringError, "negative substring length not allowed");
  return std::pair{std::max<int64_t>(start, 1), std::max<int64_t>(end, 1)};
}
Result SubText(const Datum* a, const Datum* length) {
  const std::string& text = TextOf(a[0]);
  ASSIGN_OR_RETURN(const auto range, Range(IntOf(a[1]), length));
  if (range.second <= range.first) return Datum(std::string());
  const size_t begin = OffsetOf(text, range.first - 1);
  const size_t size = OffsetOf(std::string_view(text).substr(begin), range.second - range.first);
  return Datum(text.substr(begin, size));
}
Result Substring(const Datum* a, const Context&) { return SubText(a, nullptr); }
Result SubstringFor(const Datum* a, const Context&) { return SubText(a, &a[2]); }
Result SubBytes(const Datum* a, const Datum* length) {
  const std::string& bytes = std::get<Bytes>(a[0]).bytes;
  ASSIGN_OR_RETURN(const auto range, Range(IntOf(a[1]), length));
  const size_t begin = std::min<size_t>(static_cast<size_t>(range.first - 1), bytes.size());
  if (range.second <= range.first) return Datum(Bytes());
  return Datum(Bytes{bytes.substr(begin, static_cast<size_t>(range.second - range.first))});
}
Result SubstringBytes(const Datum* a, const Context&) { return SubBytes(a, nullptr); }
Result SubstringBytesFor(const Datum* a, const Context&) { return SubBytes(a, &a[2]); }

Result Position(const Datum* a, const Context&) {
  const std::string& text = TextOf(a[0]);
  const size_t found = text.find(TextOf(a[1]));
  if (found == std::string::npos) return Datum(int64_t{0});
  return Datum(CharacterCount(std::string_view(text).substr(0, found)) + 1);
}
Result PositionInBytes(const Datum* a, const Context&) {
  const size_t found = std::get<Bytes>(a[0]).bytes.find(std::get<Bytes>(a[1]).bytes);
  return Datum(found == std::string::npos ? int64_t{0} : static_cast<int64_t>(found) + 1);
}
Result StartsWith(const Datum* a, const Context&) { return Datum(TextOf(a[0]).starts_with(TextOf(a[1]))); }

Result Overlay(const Datum* a, int64_t length) {
  const std::string& text = TextOf(a[0]);
  const int64_t start = IntOf(a[2]);
  if (start <= 0) return SqlError(sqlstate::kSubstringError, "negative substring length not allowed");
  const size_t begin = OffsetOf(text, start - 1);
  const size_t rest = OffsetOf(text, std::max<int64_t>(start - 1 + length, 0));
  return Datum(text.substr(0, begin) + TextOf(a[1]) + text.substr(rest));
}
Result OverlayAll(const Datum* a, const Context&) { return Overlay(a, CharacterCount(TextOf(a[1]))); }
Result OverlayFor(const Datum* a, const Context&) { return Overlay(a, IntOf(a[3])); }

enum Sides { kLeftSide = 1, kRightSide = 2, kBothSides = 3 };
std::string Trimmed(const std::string& text, std::string_view set, int sides) {
  const auto in_set = [&](size_t at, size_t bytes) {
    for (size_t i = 0; i < set.size(); i += CharacterBytes(set, i)) {
      if (set.substr(i, CharacterBytes(set, i)) == std::string_view(text).substr(at, bytes)) return true;
    }
    return false;
  };
  size_t begin = 0, end = text.size();
  while ((sides & kLeftSide) != 0 && begin < end && in_set(begin, CharacterBytes(text, begin))) {
    begin += CharacterBytes(text, begin);
  }
  while ((sides & kRightSide) != 0 && begin < end) {
    size_t last = end - 1;
    while (last > begin && (static_cast<uint8_t>(text[last]) & 0xC0) == 0x80) --last;
    if (!in_set(last, end - last)) break;
    end = last;
  }
  return text.substr(begin, end - begin);
}
template <int kSides>
Result TrimBlanks(const Datum* a, const Context&) {
  return Datum(Trimmed(TextOf(a[0]), " ", kSides));
}
template <int kSides>
Result Trim(const Datum* a, const Context&) {
  return Datum(Trimmed(TextOf(a[0]), TextOf(a[1]), kSides));
}

Result Replace(const Datum* a, const Context&) {
  const std::string& text = TextOf(a[0]);
  const std::string& from = TextOf(a[1]);
  if (from.empty()) return a[0];
  std::string result;
  size_t at = 0;
  for (size_t found = text.find(from); found != std::string::npos; found = text.find(from, at)) {
    result.append(text, at, found - at).append(TextOf(a[2]));
    if (result.size() > kValueBytesMax) return ResultTooLong("replace");
    at = found + from.size();
  }
  return Datum(result.append(text, at));
}
Result Translate(const Datum* a, const Context&) {
  const std::string& text = TextOf(a[0]);
  const std::string_view from = TextOf(a[1]);
  const std::string_view to = TextOf(a[2]);
  std::string result;
  for (size_t at = 0; at < text.size(); at += CharacterBytes(text, at)) {
    const std::string_view character = std::string_view(text).substr(at, CharacterBytes(text, at));
    int64_t index = 0;
    size_t found = 0;
    while (found < from.size() && from.substr(found, CharacterBytes(from, found)) != character) {
      found += CharacterBytes(from, found);
      ++index;
    }
    if (found >= from.size()) {
      result += character;
    } else if (const size_t with = OffsetOf(to, index); with < to.size()) {
      result += to.substr(with, CharacterBytes(to, with));
    }
  }
  return Datum(std::move(result));
}
// A negative count leaves out as many at the other end.
int64_t KeptCharacters(const std::string& text, int64_t count) {
  return count >= 0 ? count : std::max<int64_t>(CharacterCount(text) + count, 0);
}
Result Left(const Datum* a, const Context&) {
  const std::string& text = TextOf(a[0]);
  return Datum(text.substr(0, OffsetOf(text, KeptCharacters(text, IntOf(a[1])))));
}
Result Right(const Datum* a, const Context&) {
  const std::string& text = TextOf(a[0]);
  const int64_t skipped = std::max<int64_t>(CharacterCount(text) - KeptCharacters(text, IntOf(a[1])), 0);
  return Datum(text.substr(OffsetOf(text, skipped)));
}
Result Pad(const Datum* a, std::string_view fill, Sides side) {
  const std::string& text = TextOf(a[0]);
  const int64_t length = std::max<int64_t>(IntOf(a[1]), 0);
  const int64_t missing = length - CharacterCount(text);
  if (missing <= 0) return Datum(text.substr(0, OffsetOf(text, length)));
  if (fill.empty()) return a[0];
  if (static_cast<size_t>(missing) * fill.size() > kValueBytesMax)
    return ResultTooLong(side == kLeftSide ? "lpad" : "rpad");
  std::string padding;
  size_t at = 0;
  for (int64_t i = 0; i < missing; ++i) {
    const size_t bytes = CharacterBytes(fill, at);
    padding += fill.substr(at, bytes);
    at = at + bytes >= fill.size() ? 0 : at + bytes;
  }
  return Datum(side == kLeftSide ? padding + text : text + padding);
}
Result PadLeft(const Datum* a, const Context&) { return Pad(a, " ", kLeftSide); }
Result PadLeftWith(const Datum* a, const Context&) { return Pad(a, TextOf(a[2]), kLeftSide); }
Result PadRight(const Datum* a, const Context&) { return Pad(a, " ", kRightSide); }
Result PadRightWith(const Datum* a, const Context&) { return Pad(a, TextOf(a[2]), kRightSide); }
Result Repeat(const Datum* a, const Context&) {
  const std::string& unit = TextOf(a[0]);
  const size_t count = IntOf(a[1]) < 0 ? 0 : static_cast<size_t>(IntOf(a[1]));
  if (!unit.empty() && count > kValueBytesMax / unit.size()) return ResultTooLong("repeat");
  std::string text;
  text.reserve(unit.size() * count);
  for (size_t i = 0; i < count; ++i) text += unit;
  return Datum(std::move(text));
}
Result Reverse(const Datum* a, const Context&) {
  const std::string& text = TextOf(a[0]);
  std::string reversed;
  for (size_t at = 0; at < text.size(); at += CharacterBytes(text, at)) {
    reversed.insert(0, text, at, CharacterBytes(text, at));
  }
  return Datum(std::move(reversed));
}
Result SplitPart(const Datum* a, const Context&) {
  const std::string& text = TextOf(a[0]);
  const std::string& separator = TextOf(a[1]);
  const int64_t wanted = IntOf(a[2]);
  if (wanted == 0) return SqlError(sqlstate::kInvalidParameterValue, "field position must not be zero");
  std::vector<std::string> parts;
  size_t at = 0;
  while (!separator.empty()) {
    const size_t found = text.find(separator, at);
    if (found == std::string::npos) break;
    parts.push_back(text.substr(at, found - at));
    at = found + separator.size();
  }
  parts.push_back(text.substr(at));
  const int64_t index = wanted > 0 ? wanted - 1 : static_cast<int64_t>(parts.size()) + wanted;
  if (text.empty() || index < 0 || index >= static_cast<int64_t>(parts.size())) return Datum(std::string());
  return Datum(std::move(parts[static_cast<size_t>(index)]));
}

}  // namespace

absl::Status ResultTooLong(std::string_view function) {
  return SqlError(sqlstate::kProgramLimitExceeded,
                  fmt::format("the result of {}() exceeds the limit of {} bytes", function, kValueBytesMax));
}

FunctionList TextFunctions() {
  constexpr T kText = T::kText;
  constexpr T kInt4 = T::kInt4;
  FunctionList all;
  for (const std::string_view name : {"length", "char_length", "character_length"}) {
    all.push_back({name, {kText}, kInt4, Length});
    all.push_back({name, {T::kBpchar}, kInt4, PaddedLength});
  }
  for (const std::string_view name : {"substring", "substr"}) {
    all.push_back({name, {kText, kInt4}, kText, Substring});
    all.push_back({name, {kText, kInt4, kInt4}, kText, SubstringFor});
    all.push_back({name, {T::kBytea, kInt4}, T::kBytea, SubstringBytes});
    all.push_back({name, {T::kBytea, kInt4, kInt4}, T::kBytea, SubstringBytesFor});
  }
  all.insert(all.end(), {
                            {"length", {T::kBytea}, kInt4, BytesLength},
                            {"octet_length", {kText}, kInt4, ByteLength},
                            {"octet_length", {T::kBpchar}, kInt4, PaddedByteLength},
                            {"octet_length", {T::kBytea}, kInt4, BytesLength},
                            {"bit_length", {kText}, kInt4, BitLength},
                            {"lower", {kText}, kText, Lower},
                            {"upper", {kText}, kText, Upper},
                            {"initcap", {kText}, kText, InitialCapitals},
                            {"||", {kText, kText}, kText, Concatenate},
                            {"||", {T::kBytea, T::kBytea}, T::kBytea, ConcatenateBytes},
                            {"strpos", {kText, kText}, kInt4, Position},
                            {"position", {kText, kText}, kInt4, Position},
                            {"position", {T::kBytea, T::kBytea}, kInt4, PositionInBytes},
                            {"starts_with", {kText, kText}, T::kBool, StartsWith},
                            {"overlay", {kText, kText, kInt4}, kText, OverlayAll},
                            {"overlay", {kText, kText, kInt4, kInt4}, kText, OverlayFor},
                            {"btrim", {kText}, kText, TrimBlanks<kBothSides>},
                            {"btrim", {kText, kText}, kText, Trim<kBothSides>},
                            {"ltrim", {kText}, kText, TrimBlanks<kLeftSide>},
                            {"ltrim", {kText, kText}, kText, Trim<kLeftSide>},
                            {"rtrim", {kText}, kText, TrimBlanks<kRightSide>},
                            {"rtrim", {kText, kText}, kText, Trim<kRightSide>},
                            {"replace", {kText, kText, kText}, kText, Replace},
                            {"translate", {kText, kText, kText}, kText, Translate},
                            {"left", {kText, kInt4}, kText, Left},
                            {"right", {kText, kInt4}, kText, Right},
                            {"lpad", {kText, kInt4}, kText, PadLeft},
                            {"lpad", {kText, kInt4, kText}, kText, PadLeftWith},
                            {"rpad", {kText, kInt4}, kText, PadRight},
                            {"rpad", {kText, kInt4, kText}, kText, PadRightWith},
                            {"repeat", {kText, kInt4}, kText, Repeat},
                            {"reverse", {kText}, kText, Reverse},
                            {"split_part", {kText, kText, kInt4}, kText, SplitPart},
                        });
  return all;
}

}  // namespace anabranch
