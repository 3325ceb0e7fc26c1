// Byte encodings shared by keys on disk and frames on the wire.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace anabranch {

void PutFixed32(std::string* out, uint32_t value);  // little endian
void PutFixed64BigEndian(std::string* out, uint64_t value);
inline constexpr size_t kVarintBytesMax = 10;
void PutVarint(std::string* out, uint64_t value);  // LEB128
// The same at `at`, which has room for it. Where it ends.
inline char* EncodeVarint(char* at, uint64_t value) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<char>(value | 0x80);
  *at++ = static_cast<char>(value);
  return at;
}
void PutLengthPrefixed(std::string* out, std::string_view bytes);

// Each Take* removes what it read from the front of *in and returns false, leaving *in as it was, if the input is too short
// or malformed. A returned view points into the input's buffer.
bool TakeFixed32(std::string_view* in, uint32_t* value);
bool TakeFixed64BigEndian(std::string_view* in, uint64_t* value);
bool TakeVarint(std::string_view* in, uint64_t* value);
bool TakeLengthPrefixed(std::string_view* in, std::string_view* bytes);

std::string ToHex(std::string_view bytes);
bool FromHex(std::string_view hex, std::string* bytes);

}  // namespace anabranch
