// CRC-32C (Castagnoli), for frames and files in flight. Debian 12 packages no library for it.
#pragma once

#include <cstdint>
#include <string_view>

namespace anabranch {

// The CRC of `bytes` appended to data whose CRC is `seed`; Crc32c("123456789") == 0xe3069283.
uint32_t Crc32c(std::string_view bytes, uint32_t seed = 0);

}  // namespace anabranch
