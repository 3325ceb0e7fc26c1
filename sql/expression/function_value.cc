// UUIDs, JSON, counting nulls.
#include "sql/expression/function_family.h"
#include "sql/stored/session_context.h"
#include "sql/value/json_text.h"

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
