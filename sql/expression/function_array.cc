// Arrays, and the records that _pg_expandarray makes.
#include "sql/expression/function_family.h"

namespace anabranch {
namespace {

using Result = FunctionResult;
using Context = EvaluationContext;
using T = SqlType;

Result ArrayLength(const Datum* a, const Context&) {
  const size_t size = ItemsOf(a[0]).size();
  if (IntOf(a[1]) != 1 || size == 0) return Datum(Null{});
  return Datum(static_cast<int64_t>(size));
}
int64_t FirstIndex(const Datum& array) { return std::get<Array>(array).items->first_index(); }
Result ArrayLower(const Datum* a, const Context&) {
  if (IntOf(a[1]) != 1 || ItemsOf(a[0]).empty()) return Datum(Null{});
  return Datum(FirstIndex(a[0]));
}
Result ArrayUpper(const Datum* a, const Context&) {
  if (IntOf(a[1]) != 1 || ItemsOf(a[0]).empty()) return Datum(Null{});
  return Datum(FirstIndex(a[0]) + static_cast<int64_t>(ItemsOf(a[0]).size()) - 1);
}
Result Subscript(const Datum* a, const Context&) {
  const int64_t position = IntOf(a[1]) - FirstIndex(a[0]);
  const std::vector<Datum>& items = ItemsOf(a[0]);
  if (position < 0 || position >= static_cast<int64_t>(items.size())) return Datum(Null{});
  return items[position];
}
Result Cardinality(const Datum* a, const Context&) { return Datum(static_cast<int64_t>(ItemsOf(a[0]).size())); }

Result ArrayPosition(const Datum* a, const Context&) {
  if (IsNull(a[0])) return Datum(Null{});
  const std::vector<Datum>& items = ItemsOf(a[0]);
  for (size_t i = 0; i < items.size(); ++i) {
    if (IsNull(items[i]) ? IsNull(a[1]) : items[i].index() == a[1].index() && Compare(items[i], a[1]) == 0) {
      return Datum(static_cast<int64_t>(i) + FirstIndex(a[0]));
    }
  }
  return Datum(Null{});
}

// Null counts as an empty array. The first index is the left one's.
Result Concatenated(const Datum& left, const Datum& right) {
  if (IsNull(left)) return right;
  if (IsNull(right)) return left;
  std::vector<Datum> items = ItemsOf(left);
  items.insert(items.end(), ItemsOf(right).begin(), ItemsOf(right).end());
  return Datum(MakeArray(std::move(items), FirstIndex(left) == 0 ? ArrayForm::kFromZero : ArrayForm::kPlain));
}
Result ArrayCat(const Datum* a, const Context&) { return Concatenated(a[0], a[1]); }
Result ArrayAppend(const Datum* a, const Context&) { return Concatenated(a[0], Datum(MakeArray({a[1]}))); }
Result ArrayPrepend(const Datum* a, const Context&) { return Concatenated(Datum(MakeArray({a[0]})), a[1]); }

Result JoinArray(const Datum* a, const std::string* null_text, const Context& context) {
  std::string text;
  bool first = true;
  for (const Datum& item : ItemsOf(a[0])) {
    if (IsNull(item) && null_text == nullptr) continue;
    if (!first) text += TextOf(a[1]);
    first = false;
    text += IsNull(item) ? *null_text : ToText(item, context.zone());
  }
  return Datum(std::move(text));
}
Result ArrayToText(const Datum* a, const Context& context) { return JoinArray(a, nullptr, context); }
Result ArrayToTextWithNulls(const Datum* a, const Context& context) {
  if (IsNull(a[0]) || IsNull(a[1])) return Datum(Null{});
  return JoinArray(a, IsNull(a[2]) ? nullptr : &TextOf(a[2]), context);
}
Result TextToArray(const Datum* a, const Context&) {
  if (IsNull(a[0])) return Datum(Null{});
  std::vector<Datum> parts;
  const std::string& text = TextOf(a[0]);
  if (IsNull(a[1])) {
    for (size_t at = 0; at < text.size(); at += CharacterBytes(text, at)) {
      parts.emplace_back(text.substr(at, CharacterBytes(text, at)));
    }
    return Datum(MakeArray(std::move(parts)));
  }
  const std::string& separator = TextOf(a[1]);
  size_t at = 0;
  while (!separator.empty() && !text.empty()) {
    const size_t found = text.find(separator, at);
    if (found == std::string::npos) break;
    parts.emplace_back(text.substr(at, found - at));
    at = found + separator.size();
  }
  if (!text.empty()) parts.emplace_back(text.substr(at));
  return Datum(MakeArray(std::move(parts)));
}

Result RecordItem(const Datum* a, const Context&) { return ItemsOf(a[0])[0]; }
Result RecordNumber(const Datum* a, const Context&) { return ItemsOf(a[0])[1]; }

}  // namespace

FunctionList ArrayFunctions() {
  constexpr T kText = T::kText;
  constexpr T kInt4 = T::kInt4;
  constexpr auto kImmutable = Volatility::kImmutable;
  constexpr auto kStable = Volatility::kStable;
  return {
      {"array_length", {kAnyArrayType, kInt4}, kInt4, ArrayLength},
      {"array_upper", {kAnyArrayType, kInt4}, kInt4, ArrayUpper},
      {"array_lower", {kAnyArrayType, kInt4}, kInt4, ArrayLower},
      {"cardinality", {kAnyArrayType}, kInt4, Cardinality},
      {"array_subscript", {kAnyArrayType, kInt4}, kAnyType, Subscript},
      {"array_position", {kAnyArrayType, kAnyType}, kInt4, ArrayPosition, kImmutable, false},
      {"array_cat", {kAnyArrayType, kAnyArrayType}, kAnyArrayType, ArrayCat, kImmutable, false},
      {"array_append", {kAnyArrayType, kAnyType}, kAnyArrayType, ArrayAppend, kImmutable, false},
      {"array_prepend", {kAnyType, kAnyArrayType}, kAnyArrayType, ArrayPrepend, kImmutable, false},
      {"array_to_string", {kAnyArrayType, kText}, kText, ArrayToText, kStable},
      {"array_to_string", {kAnyArrayType, kText, kText}, kText, ArrayToTextWithNulls, kStable, false},
      {"string_to_array", {kText, kText}, T::kTextArray, TextToArray, kImmutable, false},
      {"record_item", {T::kRecord}, T::kInt2, RecordItem},
      {"record_number", {T::kRecord}, kInt4, RecordNumber},
  };
}

}  // namespace anabranch
