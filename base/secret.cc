#include "base/secret.h"

#include <string.h>
#include <sys/random.h>

#include <algorithm>

#include "base/check.h"

namespace anabranch {

std::string SecretBytes(size_t size) {
  std::string bytes(size, '\0');
  constexpr size_t kBytesAtOnce = 256;  // so many come whole and without a signal's interruption
  for (size_t at = 0; at < size; at += kBytesAtOnce) {
    CHECK(getentropy(bytes.data() + at, std::min(kBytesAtOnce, size - at)) == 0, "the system gives no random bytes");
  }
  return bytes;
}

void Wipe(std::string* secret) {
  explicit_bzero(secret->data(), secret->size());
  secret->clear();
}

}  // namespace anabranch
