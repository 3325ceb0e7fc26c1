// The functions and operators that expressions may call, those of expression/ and those over the catalogs.
#pragma once

#include <string_view>
#include <vector>

#include "sql/expression/function_family.h"

namespace anabranch {

// All of that name, best first: exact matches are looked for before conversions. Empty: there is none.
const std::vector<const ScalarFunction*>& FunctionsNamed(std::string_view name);

// The families that look things up in the catalogs.
FunctionList CatalogFunctions();    // pg_get_constraintdef, format_type
FunctionList ObjectFunctions();     // regclass, to_regclass, pg_table_is_visible
FunctionList PrivilegeFunctions();  // has_table_privilege

}  // namespace anabranch
