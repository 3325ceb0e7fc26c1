// Characters of UTF-8 text. REQUIRES of all: well formed, as every text is that came in.
#pragma once

#include <cstdint>
#include <locale>
#include <string>
#include <string_view>

namespace anabranch {

// Bytes of the character at text[at].
size_t CharacterBytes(std::string_view text, size_t at);
int64_t CharacterCount(std::string_view text);
char32_t CharacterAt(std::string_view text, size_t at);
void AppendCharacter(char32_t character, std::string* out);

// What letters are, and their cases: those of Unicode, one character for one (ß has no upper case), as PostgreSQL has it
// under a UTF-8 locale. They come from the C library's C.UTF-8, which every Debian has and which knows no language.
const std::locale& UnicodeLocale();
std::string LowerText(std::string_view text);
std::string UpperText(std::string_view text);
std::string CapitalizeWords(std::string_view text);

}  // namespace anabranch
