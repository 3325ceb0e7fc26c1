#include "base/random.h"

#include "base/check.h"
#include "fmt/format.h"

namespace anabranch {
namespace {

uint64_t MachineSeed() {
  std::random_device device;
  return static_cast<uint64_t>(device()) << 32 | device();
}

}  // namespace

Random::Random() : Random(MachineSeed()) {}
Random::Random(uint64_t seed) : engine_(seed) {}

uint64_t Random::Next() {
  std::lock_guard lock(mutex_);
  return engine_();
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
