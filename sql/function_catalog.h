// Functions that ask the system catalogs: what psql and drivers call next to their queries on pg_catalog.
#pragma once

#include <vector>

#include "sql/expression.h"

namespace anabranch {

std::vector<ScalarFunction> CatalogFunctions();

}  // namespace anabranch
