// Text from values: concat, format, quoting, encodings, digests.
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>

#include "absl/strings/escaping.h"
#include "base/quote.h"
#include "sql/expression/function_family.h"
#include "storage/api/types.h"

namespace anabranch {
namespace {

using Result = FunctionResult;
using Context = EvaluationContext;
using T = SqlType;

Result Concat(const Datum* a, const Context& context) {
  std::string text;
  for (const Datum& item : ItemsOf(a[0])) {
    if (!IsNull(item)) AppendText(item, context.zone(), &text);
  }
  return Datum(std::move(text));
}

Result ConcatWithSeparator(const Datum* a, const Context& context) {
  if (IsNull(a[0])) return Datum(Null{});
  std::string text;
  bool first = true;
  for (const Datum& item : ItemsOf(a[1])) {
    if (IsNull(item)) continue;
    if (!first) text += TextOf(a[0]);
    first = false;
    AppendText(item, context.zone(), &text);
    if (text.size() > kValueBytesMax) return ResultTooLong("concat_ws");
  }
  return Datum(std::move(text));
}

// One %[position$][-][width]type of a format; the width is fixed.
struct Directive {
  int position = 0;  // 0: the next
  bool left = false;
  int width = 0;
  char type = 0;
};

absl::StatusOr<Directive> TakeDirective(std::string_view* in) {
  Directive directive;
  const auto number = [&](int* value) {
    const auto [end, error] = std::from_chars(in->data(), in->data() + in->size(), *value);
    in->remove_prefix(static_cast<size_t>(end - in->data()));
    return error != std::errc::result_out_of_range;
  };
  const bool digit = !in->empty() && in->front() >= '0' && in->front() <= '9';
  if (digit && !number(&directive.width)) return SqlError(sqlstate::kNumericValueOutOfRange, "number is out of range");
  if (digit && in->starts_with('$')) {
    if (directive.width == 0) {
      return SqlError(sqlstate::kInvalidParameterValue, "format specifies argument 0, but arguments are numbered from 1");
    }
    directive.position = std::exchange(directive.width, 0);
    in->remove_prefix(1);
  }
  while (in->starts_with('-')) {
    directive.left = true;
    in->remove_prefix(1);
  }
  if (in->starts_with('*')) return SqlError(sqlstate::kFeatureNotSupported, "a width from an argument is not supported");
  if (directive.width == 0 && !in->empty() && in->front() >= '0' && in->front() <= '9' && !number(&directive.width)) {
    return SqlError(sqlstate::kNumericValueOutOfRange, "number is out of range");
  }
  if (in->empty()) {
    return SqlError(sqlstate::kInvalidParameterValue, "unterminated format() type specifier",
                    "For a single \"%\" use \"%%\".");
  }
  directive.type = in->front();
  in->remove_prefix(CharacterBytes(*in, 0));
  if (directive.type != 's' && directive.type != 'I' && directive.type != 'L') {
    return SqlError(sqlstate::kInvalidParameterValue,
                    fmt::format("unrecognized format() type specifier \"{}\"", directive.type),
                    "For a single \"%\" use \"%%\".");
  }
  return directive;
}

absl::StatusOr<std::string> Formatted(const Directive& directive, const Datum& value, const TimeZone& zone) {
  if (IsNull(value)) {
    if (directive.type == 'I') {
      return SqlError(sqlstate::kNullValueNotAllowed, "null values cannot be formatted as an SQL identifier");
    }
    return std::string(directive.type == 'L' ? "NULL" : "");
  }
  std::string text = ToText(value, zone);
  if (directive.type == 'I') return QuotedIdentifier(text);
  if (directive.type == 'L') return QuotedLiteral(text);
  return text;
}

Result Format(const Datum* a, const Context& context) {
  if (IsNull(a[0])) return Datum(Null{});
  const std::vector<Datum>& items = ItemsOf(a[1]);
  std::string text;
  size_t next = 0;
  for (std::string_view in = TextOf(a[0]); !in.empty();) {
    const size_t percent = std::min(in.find('%'), in.size());
    text += in.substr(0, percent);
    in.remove_prefix(percent);
    if (in.empty()) break;
    in.remove_prefix(1);
    if (in.starts_with('%')) {
      text += '%';
      in.remove_prefix(1);
      continue;
    }
    ASSIGN_OR_RETURN(const Directive directive, TakeDirective(&in));
    if (directive.position > 0) next = static_cast<size_t>(directive.position) - 1;
    if (next >= items.size()) return SqlError(sqlstate::kInvalidParameterValue, "too few arguments for format()");
    ASSIGN_OR_RETURN(const std::string value, Formatted(directive, items[next++], context.zone()));
    const int64_t missing = std::max<int64_t>(directive.width - CharacterCount(value), 0);
    if (text.size() + static_cast<size_t>(missing) > kValueBytesMax) return ResultTooLong("format");
    const std::string padding(static_cast<size_t>(missing), ' ');
    text += directive.left ? value + padding : padding + value;
  }
  return Datum(std::move(text));
}
Result FormatPlain(const Datum* a, const Context& context) {
  const Datum arguments[] = {a[0], Datum(MakeArray({}))};
  return Format(arguments, context);
}

Result QuoteIdentifierText(const Datum* a, const Context&) { return Datum(QuotedIdentifier(TextOf(a[0]))); }
Result QuoteLiteral(const Datum* a, const Context& context) { return Datum(QuotedLiteral(ToText(a[0], context.zone()))); }
Result QuoteNullable(const Datum* a, const Context& context) {
  return Datum(IsNull(a[0]) ? std::string("NULL") : QuotedLiteral(ToText(a[0], context.zone())));
}

std::string Hex(std::string_view bytes) { return absl::BytesToHexString(absl::string_view(bytes.data(), bytes.size())); }

std::string Digest(const EVP_MD* kind, std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, kind, nullptr);
  return std::string(reinterpret_cast<const char*>(digest), size);
}
Result Md5(const Datum* a, const Context&) { return Datum(Hex(Digest(EVP_md5(), TextOf(a[0])))); }
Result Md5Bytes(const Datum* a, const Context&) { return Datum(Hex(Digest(EVP_md5(), std::get<Bytes>(a[0]).bytes))); }
template <const EVP_MD* (*kKind)()>
Result Sha(const Datum* a, const Context&) {
  return Datum(Bytes{Digest(kKind(), std::get<Bytes>(a[0]).bytes)});
}

// As the MIME standard wants it: lines of 76 characters.
std::string Base64Lines(const std::string& bytes) {
  constexpr size_t kLine = 76;
  const std::string text = absl::Base64Escape(bytes);
  std::string lines;
  for (size_t at = 0; at < text.size(); at += kLine) {
    if (at > 0) lines += '\n';
    lines.append(text, at, kLine);
  }
  return lines;
}
std::string Escaped(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) {
    if (c == '\\') {
      text += "\\\\";
    } else if (c == 0 || (c & 0x80) != 0) {
      text += fmt::format("\\{:03o}", static_cast<uint8_t>(c));
    } else {
      text += c;
    }
  }
  return text;
}
absl::Status UnknownEncoding(const std::string& name) {
  return SqlError(sqlstate::kInvalidParameterValue, fmt::format("unrecognized encoding: \"{}\"", name));
}
Result Encode(const Datum* a, const Context&) {
  const std::string& bytes = std::get<Bytes>(a[0]).bytes;
  const std::string form = LowerText(TextOf(a[1]));
  if (form == "hex") return Datum(Hex(bytes));
  if (form == "base64") return Datum(Base64Lines(bytes));
  if (form == "escape") return Datum(Escaped(bytes));
  return UnknownEncoding(TextOf(a[1]));
}
Result Decode(const Datum* a, const Context&) {
  const std::string& text = TextOf(a[0]);
  const std::string form = LowerText(TextOf(a[1]));
  if (form == "hex") return FromText(T::kBytea, "\\x" + text);
  if (form == "escape") return FromText(T::kBytea, text.starts_with("\\x") ? "\\\\" + text.substr(1) : text);
  if (form != "base64") return UnknownEncoding(TextOf(a[1]));
  Bytes bytes;
  if (!absl::Base64Unescape(text, &bytes.bytes)) {
    return SqlError(sqlstate::kInvalidParameterValue, "invalid base64 end sequence",
                    "Input data is missing padding, is truncated, or is otherwise corrupted.");
  }
  return Datum(std::move(bytes));
}

Result Ascii(const Datum* a, const Context&) {
  const std::string& text = TextOf(a[0]);
  if (text.empty()) return Datum(int64_t{0});
  return Datum(static_cast<int64_t>(CharacterAt(text, 0)));
}
Result Chr(const Datum* a, const Context&) {
  const int64_t code = IntOf(a[0]);
  if (code < 0) return SqlError(sqlstate::kInvalidParameterValue, "character number must be positive");
  if (code == 0) return SqlError(sqlstate::kProgramLimitExceeded, "null character not permitted");
  if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
    return SqlError(sqlstate::kProgramLimitExceeded, fmt::format("requested character not valid for encoding: {}", code));
  }
  std::string text;
  AppendCharacter(static_cast<char32_t>(code), &text);
  return Datum(std::move(text));
}
Result ToHex4(const Datum* a, const Context&) { return Datum(fmt::format("{:x}", static_cast<uint32_t>(IntOf(a[0])))); }
Result ToHex8(const Datum* a, const Context&) { return Datum(fmt::format("{:x}", static_cast<uint64_t>(IntOf(a[0])))); }

}  // namespace

FunctionList TextBuildFunctions() {
  constexpr T kText = T::kText;
  constexpr auto kStable = Volatility::kStable;
  return {
      {"concat", {kAnyArrayType}, kText, Concat, kStable, false, true},
      {"concat_ws", {kText, kAnyArrayType}, kText, ConcatWithSeparator, kStable, false, true},
      {"format", {kText}, kText, FormatPlain, kStable, false},
      {"format", {kText, kAnyArrayType}, kText, Format, kStable, false, true},
      {"quote_ident", {kText}, kText, QuoteIdentifierText},
      {"quote_literal", {kText}, kText, QuoteLiteral},
      {"quote_literal", {kAnyType}, kText, QuoteLiteral, kStable},
      {"quote_nullable", {kText}, kText, QuoteNullable, Volatility::kImmutable, false},
      {"quote_nullable", {kAnyType}, kText, QuoteNullable, kStable, false},
      {"md5", {kText}, kText, Md5},
      {"md5", {T::kBytea}, kText, Md5Bytes},
      {"sha224", {T::kBytea}, T::kBytea, Sha<EVP_sha224>},
      {"sha256", {T::kBytea}, T::kBytea, Sha<EVP_sha256>},
      {"sha384", {T::kBytea}, T::kBytea, Sha<EVP_sha384>},
      {"sha512", {T::kBytea}, T::kBytea, Sha<EVP_sha512>},
      {"encode", {T::kBytea, kText}, kText, Encode},
      {"decode", {kText, kText}, T::kBytea, Decode},
      {"ascii", {kText}, T::kInt4, Ascii},
      {"chr", {T::kInt4}, kText, Chr},
      {"to_hex", {T::kInt4}, kText, ToHex4},
      {"to_hex", {T::kInt8}, kText, ToHex8},
  };
}

}  // namespace anabranch
