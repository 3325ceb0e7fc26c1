// Bytes that nobody can guess: nonces, salts, keys of cancel requests. They come from the system's generator and, unlike
// those of Random, cannot be reproduced.
#pragma once

#include <string>

namespace anabranch {

std::string SecretBytes(size_t size);
// Overwrites what is there, so that no copy stays in memory that is given back.
void Wipe(std::string* secret);

}  // namespace anabranch
