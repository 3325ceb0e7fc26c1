// The options of a sequence: START, INCREMENT, MINVALUE ...
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "google/protobuf/repeated_field.h"
#include "sql/parse/tree_types.h"
#include "sql/stored/descriptor.h"

namespace anabranch {

int64_t SequenceMax(SqlType type);
absl::StatusOr<int64_t> SequenceOptionValue(const pg_query::DefElem& option);

// Over the sequence's defaults or what it was; 22023, 42601 with PostgreSQL's texts. OWNED BY and RESTART are left to the
// caller.
absl::Status ApplySequenceOptions(const google::protobuf::RepeatedPtrField<pg_query::Node>& options, Sequence* sequence);

}  // namespace anabranch
