// For tests: a record as RocksDB would write it.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "base/crc32c.h"
#include "storage/rocks/log_format.h"

namespace anabranch {

// The fragments of a record that begins at `at` of its log, with the end of a block before them if no header fits there.
inline std::string LogRecord(std::string_view payload, size_t at) {
  std::string bytes;
  bool first = true;
  bool last = false;
  while (!last) {
    const size_t block_left = kLogBlockBytes - (at + bytes.size()) % kLogBlockBytes;
    if (block_left < kFragmentHeaderBytes) {
      bytes.append(block_left, '\0');
      continue;
    }
    const size_t length = std::min(payload.size(), block_left - kFragmentHeaderBytes);
    last = length == payload.size();
    const FragmentType type = first && last ? FragmentType::kFull
                              : first       ? FragmentType::kFirst
                              : last        ? FragmentType::kLast
                                            : FragmentType::kMiddle;
    const std::string checked = static_cast<char>(type) + std::string(payload.substr(0, length));
    const uint32_t crc = Crc32c(checked);
    const uint32_t masked = ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
    for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<char>(masked >> (8 * i)));
    bytes.push_back(static_cast<char>(length));
    bytes.push_back(static_cast<char>(length >> 8));
    bytes += checked;
    payload.remove_prefix(length);
    first = false;
  }
  return bytes;
}

}  // namespace anabranch
