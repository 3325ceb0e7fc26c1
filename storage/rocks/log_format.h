// Internal to storage/: how RocksDB lays a write-ahead log out. Blocks of 32 KiB, in them fragments: masked crc32c of what
// follows the length (4 B LE), length (2 B LE), type, payload. A record is one fragment or several; no fragment crosses a
// block, and a block ends with zeros if no header fits.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace anabranch {

inline constexpr size_t kLogBlockBytes = 32 << 10;
inline constexpr size_t kFragmentHeaderBytes = 7;
enum class FragmentType : uint8_t { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

// Where the last whole record ends, of a log that is appended to in pieces of any size.
class LogEnd {
 public:
  void Append(std::string_view bytes) {
    while (!bytes.empty()) {
      const size_t taken = std::min(bytes.size(), TakeSome(bytes));
      at_ += taken;
      bytes.remove_prefix(taken);
      if (in_header_ == kFragmentHeaderBytes && payload_left_ == 0) EndFragment();
    }
  }
  uint64_t value() const { return whole_upto_; }

 private:
  // How many bytes belong to what the log is at: the rest of a block, a header or a payload.
  size_t TakeSome(std::string_view bytes) {
    if (in_header_ == kFragmentHeaderBytes) {
      const size_t taken = std::min(bytes.size(), payload_left_);
      payload_left_ -= taken;
      return taken;
    }
    const size_t block_left = kLogBlockBytes - at_ % kLogBlockBytes;
    if (in_header_ == 0 && block_left < kFragmentHeaderBytes) return block_left;
    const auto byte = static_cast<uint8_t>(bytes[0]);
    if (in_header_ == 4) payload_left_ = byte;
    if (in_header_ == 5) payload_left_ += size_t{byte} << 8;
    if (in_header_ == 6) type_ = static_cast<FragmentType>(byte);
    ++in_header_;
    return 1;
  }
  void EndFragment() {
    in_header_ = 0;
    if (type_ == FragmentType::kFull || type_ == FragmentType::kLast) whole_upto_ = at_;
  }

  uint64_t at_ = 0;
  uint64_t whole_upto_ = 0;
  size_t in_header_ = 0;  // bytes of the present fragment's header
  size_t payload_left_ = 0;
  FragmentType type_ = FragmentType::kFull;
};

}  // namespace anabranch
