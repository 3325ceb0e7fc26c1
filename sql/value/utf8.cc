#include "sql/value/utf8.h"

#include <algorithm>

namespace anabranch {
namespace {

using Letters = std::ctype<wchar_t>;

const Letters& UnicodeLetters() { return std::use_facet<Letters>(UnicodeLocale()); }

template <typename Mapping>
std::string Mapped(std::string_view text, const Mapping& mapping) {
  std::string mapped;
  mapped.reserve(text.size());
  for (size_t at = 0; at < text.size(); at += CharacterBytes(text, at))
    AppendCharacter(mapping(CharacterAt(text, at)), &mapped);
  return mapped;
}

// Most text is.
bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) < 0x80; });
}

char32_t Lower(char32_t c) { return static_cast<char32_t>(UnicodeLetters().tolower(static_cast<wchar_t>(c))); }
char32_t Upper(char32_t c) { return static_cast<char32_t>(UnicodeLetters().toupper(static_cast<wchar_t>(c))); }

}  // namespace

size_t CharacterBytes(std::string_view text, size_t at) {
  size_t length = 1;
  while (at + length < text.size() && (static_cast<uint8_t>(text[at + length]) & 0xC0) == 0x80) ++length;
  return length;
}

int64_t CharacterCount(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; });
}

char32_t CharacterAt(std::string_view text, size_t at) {
  const uint8_t first = static_cast<uint8_t>(text[at]);
  const size_t bytes = CharacterBytes(text, at);
  char32_t character = first < 0x80 ? first : first & (0x7F >> bytes);
  for (size_t i = 1; i < bytes; ++i) character = character << 6 | (static_cast<uint8_t>(text[at + i]) & 0x3F);
  return character;
}

void AppendCharacter(char32_t character, std::string* out) {
  const auto put = [&](char32_t byte) { out->push_back(static_cast<char>(byte)); };
  const auto follow = [&](int shift) { put(0x80 | (character >> shift & 0x3F)); };
  if (character < 0x80) {
    put(character);
  } else if (character < 0x800) {
    put(0xC0 | character >> 6), follow(0);
  } else if (character < 0x10000) {
    put(0xE0 | character >> 12), follow(6), follow(0);
  } else {
    put(0xF0 | character >> 18), follow(12), follow(6), follow(0);
  }
}

const std::locale& UnicodeLocale() {
  static const std::locale kLocale("C.UTF-8");
  return kLocale;
}

std::string LowerText(std::string_view text) {
  if (!IsAscii(text)) return Mapped(text, Lower);
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return lower;
}

std::string UpperText(std::string_view text) {
  if (!IsAscii(text)) return Mapped(text, Upper);
  std::string upper(text);
  for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return upper;
}

std::string CapitalizeWords(std::string_view text) {
  bool inside = false;
  return Mapped(text, [&inside](char32_t c) {
    const char32_t mapped = inside ? Lower(c) : Upper(c);
    inside = UnicodeLetters().is(Letters::alnum, static_cast<wchar_t>(c));
    return mapped;
  });
}

}  // namespace anabranch
