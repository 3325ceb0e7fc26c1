// Expressions as SQL, for EXPLAIN.
#pragma once

#include <string>

#include "sql/expression/expression.h"

namespace anabranch {

std::string ExpressionText(const Expression& expression);

}  // namespace anabranch
