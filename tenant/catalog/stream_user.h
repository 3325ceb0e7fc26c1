// Who speaks on a connection of a stream, at its source.
#pragma once

#include <string>

namespace anabranch {

// REQUIRES, of whoever calls in its name: it may replicate from this cluster (REPLICATIONSOURCE, or admin) at this moment.
struct StreamUser {
  std::string name;
  bool admin = false;  // may take over or finish a stream of someone else, of the same destination
};

}  // namespace anabranch
