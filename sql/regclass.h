// Names of relations as values: 'accounts'::regclass.
#pragma once

#include "sql/bind.h"

namespace anabranch {

// As Binder::Convert to regclass: a name is looked up, an oid gets its name, both when the statement runs.
absl::StatusOr<ExpressionRef> ConvertToRegclass(Binder& binder, ExpressionRef expression, Conversion conversion);

}  // namespace anabranch
