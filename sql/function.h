// The functions and operators that expressions may call.
#pragma once

#include <string_view>
#include <vector>

#include "sql/expression.h"

namespace anabranch {

// All of that name, best first: exact matches are looked for before conversions. Empty: there is none.
const std::vector<const ScalarFunction*>& FunctionsNamed(std::string_view name);

// nextval as the default of an identity column: without a look at privileges, so no query may call it.
inline constexpr std::string_view kIdentityFunction = "identity_nextval";

// An HLC timestamp as SQL shows it: numeric with ten digits after the point.
Numeric HlcNumeric(Timestamp ts);

}  // namespace anabranch
