// CHECK: for what may corrupt data if it does not hold. Prints the condition and aborts, in every build.
// What breaks one request is an absl::Status; what is harmless is a log line.
#pragma once

#include <cstdio>
#include <cstdlib>

#define CHECK(condition, why)                                                                       \
  do {                                                                                              \
    if (!(condition)) [[unlikely]] {                                                                \
      std::fprintf(stderr, "%s:%d: CHECK failed: %s: %s\n", __FILE__, __LINE__, #condition, (why)); \
      std::abort();                                                                                 \
    }                                                                                               \
  } while (false)
