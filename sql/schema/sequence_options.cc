#include "sql/schema/sequence_options.h"

#include <cstdint>
#include <optional>

#include "base/status.h"
#include "sql/parse/tree.h"
#include "sql/query/bind.h"

namespace anabranch {
namespace {

absl::Status Invalid(std::string message) { return SqlError(sqlstate::kInvalidParameterValue, std::move(message)); }

int64_t SequenceMin(SqlType type) { return -SequenceMax(type) - 1; }

struct Given {
  std::optional<int64_t> start, increment, min, max;
  bool default_min = false;  // NO MINVALUE
  bool default_max = false;
};

absl::Status Read(const pg_query::DefElem& option, Given* given, Sequence* sequence) {
  const std::string& name = option.defname();
  if (name == "cycle") {
    sequence->cycle = option.arg().has_boolean() ? option.arg().boolean().boolval() : option.arg().integer().ival() != 0;
    return absl::OkStatus();
  }
  if (name == "owned_by" || name == "restart") return absl::OkStatus();
  if (name == "as") {
    ASSIGN_OR_RETURN(const ColumnType type, ResolveType(option.arg().type_name()));
    if (!IsInteger(type.type)) return Invalid("sequence type must be smallint, integer, or bigint");
    sequence->type = type.type;
    given->default_max = sequence->increment > 0;
    return absl::OkStatus();
  }
  if (name == "minvalue" && !option.has_arg()) {
    given->default_min = true;
    return absl::OkStatus();
  }
  if (name == "maxvalue" && !option.has_arg()) {
    given->default_max = true;
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const int64_t value, SequenceOptionValue(option));
  if (name == "start") {
    given->start = value;
  } else if (name == "increment") {
    given->increment = value;
  } else if (name == "minvalue") {
    given->min = value;
  } else if (name == "maxvalue") {
    given->max = value;
  } else if (name == "cache") {
    if (value < 1) return Invalid(fmt::format("CACHE ({}) must be greater than zero", value));
    sequence->cache = value;
  } else {
    return UnsupportedError(fmt::format("sequence option {}", name));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<int64_t> SequenceOptionValue(const pg_query::DefElem& option) {
  if (option.arg().has_integer()) return option.arg().integer().ival();
  ASSIGN_OR_RETURN(const Datum value, FromText(SqlType::kInt8, option.arg().float_().fval()));
  return std::get<int64_t>(value);
}

int64_t SequenceMax(SqlType type) {
  if (type == SqlType::kInt8) return INT64_MAX;
  return type == SqlType::kInt4 ? INT32_MAX : INT16_MAX;
}

absl::Status ApplySequenceOptions(const google::protobuf::RepeatedPtrField<pg_query::Node>& options, Sequence* sequence) {
  Given given;
  const bool is_new = sequence->oid == 0;
  for (const pg_query::Node& option : options) RETURN_IF_ERROR(Read(option.def_elem(), &given, sequence));
  if (given.increment) {
    if (*given.increment == 0) return Invalid("INCREMENT must not be zero");
    sequence->increment = *given.increment;
  }
  const bool ascends = sequence->increment > 0;
  if (given.min) {
    sequence->min = *given.min;
  } else if (is_new || given.default_min) {
    sequence->min = ascends ? 1 : SequenceMin(sequence->type);
  }
  if (given.max) {
    sequence->max = *given.max;
  } else if (is_new || given.default_max) {
    sequence->max = ascends ? SequenceMax(sequence->type) : -1;
  }
  if (sequence->min >= sequence->max) {
    return Invalid(fmt::format("MINVALUE ({}) must be less than MAXVALUE ({})", sequence->min, sequence->max));
  }
  if (given.start) {
    sequence->start = *given.start;
  } else if (is_new) {
    sequence->start = ascends ? sequence->min : sequence->max;
  }
  if (sequence->start < sequence->min) {
    return Invalid(fmt::format("START value ({}) cannot be less than MINVALUE ({})", sequence->start, sequence->min));
  }
  if (sequence->start > sequence->max) {
    return Invalid(fmt::format("START value ({}) cannot be greater than MAXVALUE ({})", sequence->start, sequence->max));
  }
  return absl::OkStatus();
}

}  // namespace anabranch
