// Time expressions of SYSTEM TIME in the statements of ours.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "sql/control/notation.h"

namespace anabranch {

// The text that ResolveSystemTime (base/system_time.h) takes for what the expression means. Strings and numbers stay as they
// are written; what a cast says is checked. REQUIRES: `captured` matched the rule `time` of grammar.cc.
absl::StatusOr<std::string> ReadTimeExpression(const SyntaxMatch& match, const Captured& captured);

}  // namespace anabranch
