// Names of files that come from the other cluster.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "base/status.h"

namespace anabranch {

// DataLoss unless it is a plain file name: nothing is ever read or written outside the folder of the copy.
inline absl::Status CheckFileName(std::string_view name) {
  const bool plain = !name.empty() && name != "." && name != ".." && name.size() < 200 &&
                     name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
  return plain ? absl::OkStatus() : absl::DataLossError("a file of the copy has a name that is no plain file name");
}

}  // namespace anabranch
