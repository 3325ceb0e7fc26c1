#include "base/random.h"

#include <unistd.h>

#include <utility>

#include "base/check.h"
#include "fmt/format.h"

namespace anabranch {

Random::Random() = default;
Random::Random(uint64_t seed) : engine_(seed) {}

uint64_t Random::Next() {
  std::lock_guard lock(mutex_);
  if (engine_) return (*engine_)();
  if (drawn_left_ == 0) {
    CHECK(getentropy(drawn_.data(), sizeof(drawn_)) == 0, "the system gives no random bytes");
    drawn_left_ = drawn_.size();
  }
  return std::exchange(drawn_[--drawn_left_], 0);
}

uint64_t Random::NextNonZero() {
  uint64_t value = Next();
  while (value == 0) value = Next();
  return value;
}

std::string Random::NextHex(int digits) {
  CHECK(digits % 16 == 0, "hex identities are made of whole 64-bit words");
  std::string hex;
  for (int i = 0; i < digits; i += 16) hex += fmt::format("{:016x}", Next());
  return hex;
}

}  // namespace anabranch
