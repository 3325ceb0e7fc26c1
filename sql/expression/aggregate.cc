#include "sql/expression/aggregate.h"

#include <array>
#include <cmath>

#include "base/status.h"
#include "sql/value/conversion.h"
#include "sql/value/datetime.h"
#include "sql/value/memory.h"

namespace anabranch {
namespace {

constexpr auto kAggregates = std::to_array<AggregateFunction>({{"count", AggregateKind::kCount},
                                                               {"sum", AggregateKind::kSum},
                                                               {"min", AggregateKind::kMin},
                                                               {"max", AggregateKind::kMax},
                                                               {"avg", AggregateKind::kAverage},
                                                               {"bool_and", AggregateKind::kBoolAnd},
                                                               {"every", AggregateKind::kBoolAnd},
                                                               {"bool_or", AggregateKind::kBoolOr},
                                                               {"string_agg", AggregateKind::kStringAgg},
                                                               {"array_agg", AggregateKind::kArrayAgg}});

// PostgreSQL has no min and max of these.
bool HasExtremes(SqlType type) {
  switch (type) {
    case SqlType::kBool:
    case SqlType::kBytea:
    case SqlType::kUuid:
    case SqlType::kJson:
    case SqlType::kJsonb:
    case SqlType::kXid:
    case SqlType::kNodeTree:
    case SqlType::kAclItem:
      return false;
    default:
      return !IsObjectName(type) && TypeCategory(type) != 'P';
  }
}
SqlType ExtremeType(SqlType type) {
  const bool text =
      type == SqlType::kUnknown || type == SqlType::kVarchar || type == SqlType::kName || type == SqlType::kChar;
  return text ? SqlType::kText : type;
}

}  // namespace

const AggregateFunction* FindAggregate(std::string_view name) {
  for (const AggregateFunction& aggregate : kAggregates) {
    if (aggregate.name == name) return &aggregate;
  }
  return nullptr;
}

std::optional<SqlType> AggregateResult(AggregateKind kind, SqlType argument) {
  switch (kind) {
    case AggregateKind::kCount:
      return SqlType::kInt8;
    case AggregateKind::kSum:
      if (argument == SqlType::kInt2 || argument == SqlType::kInt4) return SqlType::kInt8;
      if (argument == SqlType::kFloat4) return SqlType::kFloat4;
      [[fallthrough]];
    case AggregateKind::kAverage:
      if (IsInteger(argument) || argument == SqlType::kNumeric) return SqlType::kNumeric;
      if (argument == SqlType::kFloat4 || argument == SqlType::kFloat8) return SqlType::kFloat8;
      if (argument == SqlType::kInterval) return SqlType::kInterval;
      return std::nullopt;
    case AggregateKind::kMin:
    case AggregateKind::kMax:
      return HasExtremes(argument) ? std::optional(ExtremeType(argument)) : std::nullopt;
    case AggregateKind::kBoolAnd:
    case AggregateKind::kBoolOr:
      return argument == SqlType::kBool ? std::optional(SqlType::kBool) : std::nullopt;
    case AggregateKind::kStringAgg:
      return argument == SqlType::kText ? std::optional(SqlType::kText) : std::nullopt;
    case AggregateKind::kArrayAgg: {
      const SqlType array = ArrayTypeOf(argument);
      return array == SqlType::kUnknown ? std::nullopt : std::optional(array);
    }
  }
  return std::nullopt;
}

absl::Status Accumulator::Add(const Datum& value, const Datum& separator) {
  if (IsNull(value) && !KeepsNulls(kind_)) return absl::OkStatus();
  ++count_;
  switch (kind_) {
    case AggregateKind::kCount:
      break;
    case AggregateKind::kSum:
    case AggregateKind::kAverage:
      if (const int64_t* integer = std::get_if<int64_t>(&value)) {
        integers_ += *integer;
      } else if (const double* number = std::get_if<double>(&value)) {
        return AddFloat(*number);
      } else if (const float* narrow = std::get_if<float>(&value)) {
        return AddFloat(*narrow);
      } else if (const Interval* interval = std::get_if<Interval>(&value)) {
        ASSIGN_OR_RETURN(intervals_, Plus(intervals_, *interval));
      } else {
        ASSIGN_OR_RETURN(numerics_, anabranch::Add(numerics_, std::get<Numeric>(value)));
      }
      break;
    case AggregateKind::kMin:
      if (count_ == 1 || Compare(value, extreme_) < 0) extreme_ = value;
      break;
    case AggregateKind::kMax:
      if (count_ == 1 || Compare(value, extreme_) > 0) extreme_ = value;
      break;
    case AggregateKind::kBoolAnd:
      extreme_ = std::get<bool>(value) && (count_ == 1 || std::get<bool>(extreme_));
      break;
    case AggregateKind::kBoolOr:
      extreme_ = std::get<bool>(value) || (count_ > 1 && std::get<bool>(extreme_));
      break;
    case AggregateKind::kStringAgg:
      if (count_ > 1 && !IsNull(separator)) text_ += std::get<std::string>(separator);
      text_ += std::get<std::string>(value);
      break;
    case AggregateKind::kArrayAgg:
      items_.push_back(value);
      items_bytes_ += sizeof(Datum) + ValueBytes(value);
      break;
  }
  return absl::OkStatus();
}

size_t Accumulator::held_bytes() const { return text_.size() + ValueBytes(extreme_) + items_bytes_; }

absl::Status Accumulator::AddFloat(double value) {
  const bool infinite = std::isinf(value) || std::isinf(floats_);
  // The first one as it is: 0 + -0 would lose the sign.
  floats_ = count_ == 1 && kind_ == AggregateKind::kSum ? value : floats_ + value;
  if (!std::isinf(floats_) || infinite) return absl::OkStatus();
  return SqlError(sqlstate::kNumericValueOutOfRange, "value out of range: overflow");
}

absl::StatusOr<Datum> Accumulator::Result(SqlType type) const {
  if (kind_ == AggregateKind::kCount) return Datum(count_);
  if (count_ == 0) return Datum(Null{});
  if (kind_ == AggregateKind::kStringAgg) return Datum(text_);
  if (kind_ == AggregateKind::kArrayAgg) return Datum(MakeArray(items_));
  const bool sums = kind_ == AggregateKind::kSum || kind_ == AggregateKind::kAverage;
  if (!sums) return extreme_;
  if (type == SqlType::kFloat4) return CastDatum(Datum(floats_), SqlType::kFloat8, type, UtcZone());
  if (type == SqlType::kFloat8) {
    return Datum(kind_ == AggregateKind::kSum ? floats_ : floats_ / static_cast<double>(count_));
  }
  if (type == SqlType::kInterval) {
    if (kind_ == AggregateKind::kSum) return Datum(intervals_);
    ASSIGN_OR_RETURN(const Interval average, Times(intervals_, 1.0 / static_cast<double>(count_)));
    return Datum(average);
  }
  if (type == SqlType::kInt8) {
    const auto narrow = static_cast<int64_t>(integers_);
    if (narrow != integers_) return SqlError(sqlstate::kNumericValueOutOfRange, "bigint out of range");
    return Datum(narrow);
  }
  Numeric sum = numerics_;
  if (integers_ != 0) sum.unscaled += boost::multiprecision::cpp_int(integers_);
  if (kind_ == AggregateKind::kSum) return Datum(std::move(sum));
  ASSIGN_OR_RETURN(Numeric average, Divide(sum, Numeric::FromInt(count_)));
  return Datum(std::move(average));
}

}  // namespace anabranch
