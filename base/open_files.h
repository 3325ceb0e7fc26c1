// How many file descriptors this process may have: what clients can make it open is bounded by a part of them.
#pragma once

#include <cstdint>

namespace anabranch {

uint64_t OpenFilesMax();

}  // namespace anabranch
