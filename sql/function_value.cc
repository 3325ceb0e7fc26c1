// UUIDs, JSON, arrays, comparisons of any type.
#include "sql/function_family.h"
#include "sql/json_text.h"
#include "sql/session.h"

namespace anabranch {
namespace {

using Result = FunctionResult;
using Context = EvaluationContext;
using T = SqlType;

Result RandomUuid(const Datum*, const Context& context) {
  Uuid uuid;
  for (size_t i = 0; i < uuid.bytes.size(); i += sizeof(uint64_t)) {
    const uint64_t bits = context.session->transaction.store->random()->Next();
    for (size_t j = 0; j < sizeof(uint64_t); ++j) uuid.bytes[i + j] = static_cast<uint8_t>(bits >> (8 * j));
  }
  uuid.bytes[6] = static_cast<uint8_t>((uuid.bytes[6] & 0x0F) | 0x40);  // version 4
  uuid.bytes[8] = static_cast<uint8_t>((uuid.bytes[8] & 0x3F) | 0x80);  // variant
  return Datum(uuid);
}

const std::string& JsonOf(const Datum& datum) {
  const Jsonb* json = std::get_if<Jsonb>(&datum);
  return json != nullptr ? json->text : std::get<std::string>(datum);
}
JsonStep StepOf(const Datum& datum) {
  if (const int64_t* index = std::get_if<int64_t>(&datum)) return *index;
  return TextOf(datum);
}
template <bool kBinary>
Result Member(const Datum* a, const Context&) {
  std::optional<std::string> member = JsonMember(JsonOf(a[0]), StepOf(a[1]), JsonForm::kJson);
  if (!member) return Datum(Null{});
  if (kBinary) return Datum(Jsonb{*std::move(member)});
  return Datum(*std::move(member));
}
Result MemberText(const Datum* a, const Context&) {
  std::optional<std::string> member = JsonMember(JsonOf(a[0]), StepOf(a[1]), JsonForm::kText);
  if (!member) return Datum(Null{});
  return Datum(*std::move(member));
}
Result JsonType(const Datum* a, const Context&) { return Datum(std::string(JsonTypeOf(JsonOf(a[0])))); }

Result ArrayLength(const Datum* a, const Context&) {
  const size_t size = ItemsOf(a[0]).size();
  if (IntOf(a[1]) != 1 || size == 0) return Datum(Null{});
  return Datum(static_cast<int64_t>(size));
}
Result ArrayLower(const Datum* a, const Context&) {
  if (IntOf(a[1]) != 1 || ItemsOf(a[0]).empty()) return Datum(Null{});
  return Datum(int64_t{1});
}
Result Cardinality(const Datum* a, const Context&) { return Datum(static_cast<int64_t>(ItemsOf(a[0]).size())); }
Result ArrayPosition(const Datum* a, const Context&) {
  if (IsNull(a[0])) return Datum(Null{});
  const std::vector<Datum>& items = ItemsOf(a[0]);
  for (size_t i = 0; i < items.size(); ++i) {
    if (IsNull(items[i]) ? IsNull(a[1]) : items[i].index() == a[1].index() && Compare(items[i], a[1]) == 0) {
      return Datum(static_cast<int64_t>(i) + 1);
    }
  }
  return Datum(Null{});
}
Result JoinArray(const Datum* a, const std::string* null_text) {
  std::string text;
  bool first = true;
  for (const Datum& item : ItemsOf(a[0])) {
    if (IsNull(item) && null_text == nullptr) continue;
    if (!first) text += TextOf(a[1]);
    first = false;
    text += IsNull(item) ? *null_text : ToText(item);
  }
  return Datum(std::move(text));
}
Result ArrayToText(const Datum* a, const Context&) { return JoinArray(a, nullptr); }
Result ArrayToTextWithNulls(const Datum* a, const Context&) {
  if (IsNull(a[0]) || IsNull(a[1])) return Datum(Null{});
  return JoinArray(a, IsNull(a[2]) ? nullptr : &TextOf(a[2]));
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

Result RegclassOf(const Datum* a, const Context&) { return Datum(ObjectName{IntOf(a[0]), TextOf(a[1])}); }

Result CountNulls(const Datum* a, const Context&) {
  int64_t count = 0;
  for (const Datum& item : ItemsOf(a[0])) count += IsNull(item) ? 1 : 0;
  return Datum(count);
}
Result CountNonNulls(const Datum* a, const Context&) {
  int64_t count = 0;
  for (const Datum& item : ItemsOf(a[0])) count += IsNull(item) ? 0 : 1;
  return Datum(count);
}

}  // namespace

FunctionList ValueFunctions() {
  constexpr T kText = T::kText;
  constexpr T kInt4 = T::kInt4;
  constexpr auto kImmutable = Volatility::kImmutable;
  FunctionList all = {
      {"gen_random_uuid", {}, T::kUuid, RandomUuid, Volatility::kVolatile},
      {"json_typeof", {T::kJson}, kText, JsonType},
      {"jsonb_typeof", {T::kJsonb}, kText, JsonType},
      {"array_length", {kAnyArrayType, kInt4}, kInt4, ArrayLength},
      {"array_upper", {kAnyArrayType, kInt4}, kInt4, ArrayLength},
      {"array_lower", {kAnyArrayType, kInt4}, kInt4, ArrayLower},
      {"cardinality", {kAnyArrayType}, kInt4, Cardinality},
      {"array_position", {kAnyArrayType, kAnyType}, kInt4, ArrayPosition, kImmutable, false},
      {"array_to_string", {kAnyArrayType, kText}, kText, ArrayToText, Volatility::kStable},
      {"array_to_string", {kAnyArrayType, kText, kText}, kText, ArrayToTextWithNulls, Volatility::kStable, false},
      {"string_to_array", {kText, kText}, T::kTextArray, TextToArray, kImmutable, false},
      {"regclassof", {T::kOid, kText}, T::kRegclass, RegclassOf, Volatility::kStable},
      {"num_nulls", {kAnyArrayType}, kInt4, CountNulls, kImmutable, false, true},
      {"num_nonnulls", {kAnyArrayType}, kInt4, CountNonNulls, kImmutable, false, true},
  };
  for (const T step : {kText, kInt4}) {
    all.push_back({"->", {T::kJson, step}, T::kJson, Member<false>});
    all.push_back({"->", {T::kJsonb, step}, T::kJsonb, Member<true>});
    all.push_back({"->>", {T::kJson, step}, kText, MemberText});
    all.push_back({"->>", {T::kJsonb, step}, kText, MemberText});
  }
  return all;
}

}  // namespace anabranch
