#include "sql/expression/set_function.h"

#include <array>

#include "base/status.h"
#include "sql/value/datetime.h"

namespace anabranch {
namespace {

constexpr auto kNames = std::to_array<std::pair<std::string_view, SetFunction>>({
    {"generate_series", SetFunction::kSeries},
    {"unnest", SetFunction::kUnnest},
    {"generate_subscripts", SetFunction::kSubscripts},
    {"_pg_expandarray", SetFunction::kExpandArray},
});

class Series final : public SetValues {
 public:
  Series(int64_t start, int64_t stop, int64_t step) : next_(start), stop_(stop), step_(step) {}
  absl::StatusOr<bool> Next(Datum* value) override {
    if (step_ > 0 ? next_ > stop_ : next_ < stop_) return false;
    *value = static_cast<int64_t>(next_);
    next_ += step_;
    return true;
  }

 private:
  __int128 next_;  // may pass the range of int8 by one step
  const __int128 stop_;
  const __int128 step_;
};

// Of a timestamp; days and months are those of the session's time zone if it has one.
template <typename Time>
class TimeSeries final : public SetValues {
 public:
  TimeSeries(Time start, Time stop, const Interval& step, const EvaluationContext& context)
      : next_(start), stop_(stop), step_(step), up_(step > Interval()), context_(context) {}
  absl::StatusOr<bool> Next(Datum* value) override {
    if (up_ ? next_ > stop_ : next_ < stop_) return false;
    *value = next_;
    if constexpr (std::is_same_v<Time, TimestampTz>) {
      ASSIGN_OR_RETURN(next_, AddInterval(next_, step_, context_.zone()));
    } else {
      ASSIGN_OR_RETURN(next_.us, AddInterval(next_.us, step_));
    }
    return true;
  }

 private:
  Time next_;
  const Time stop_;
  const Interval step_;
  const bool up_;
  const EvaluationContext& context_;
};

class Listed final : public SetValues {
 public:
  explicit Listed(std::vector<Datum> values) : values_(std::move(values)) {}
  absl::StatusOr<bool> Next(Datum* value) override {
    if (next_ == values_.size()) return false;
    *value = std::move(values_[next_++]);
    return true;
  }

 private:
  std::vector<Datum> values_;
  size_t next_ = 0;
};

using ValuesRef = std::unique_ptr<SetValues>;

ValuesRef List(std::vector<Datum> values) { return std::make_unique<Listed>(std::move(values)); }

absl::Status NoStep() { return SqlError(sqlstate::kInvalidParameterValue, "step size cannot equal zero"); }

template <typename Time>
absl::StatusOr<ValuesRef> OpenTimeSeries(const Row& bounds, const EvaluationContext& context) {
  const Interval& step = std::get<Interval>(bounds[2]);
  if (step == Interval()) return NoStep();
  return ValuesRef(std::make_unique<TimeSeries<Time>>(std::get<Time>(bounds[0]), std::get<Time>(bounds[1]), step, context));
}

absl::StatusOr<ValuesRef> OpenSeries(const Row& bounds, const EvaluationContext& context) {
  if (std::holds_alternative<TimestampTz>(bounds[0])) return OpenTimeSeries<TimestampTz>(bounds, context);
  if (std::holds_alternative<LocalTimestamp>(bounds[0])) return OpenTimeSeries<LocalTimestamp>(bounds, context);
  const int64_t step = bounds.size() > 2 ? std::get<int64_t>(bounds[2]) : 1;
  if (step == 0) return NoStep();
  return ValuesRef(std::make_unique<Series>(std::get<int64_t>(bounds[0]), std::get<int64_t>(bounds[1]), step));
}

// array, dimension, and perhaps whether to go backwards.
ValuesRef OpenSubscripts(const Row& arguments) {
  const ArrayItems& array = *std::get<Array>(arguments[0]).items;
  if (std::get<int64_t>(arguments[1]) != 1 || array.values.empty()) return List({});
  const int64_t first = array.first_index();
  const int64_t last = first + static_cast<int64_t>(array.values.size()) - 1;
  const bool backwards = arguments.size() > 2 && std::get<bool>(arguments[2]);
  return backwards ? std::make_unique<Series>(last, first, -1) : std::make_unique<Series>(first, last, 1);
}

ValuesRef OpenExpanded(const ArrayItems& array) {
  std::vector<Datum> records;
  for (const Datum& item : array.values) {
    const int64_t number = static_cast<int64_t>(records.size()) + 1;
    records.emplace_back(MakeArray({item, number}, ArrayForm::kRecord));
  }
  return List(std::move(records));
}

}  // namespace

std::optional<SetFunction> SetFunctionNamed(std::string_view name) {
  for (const auto& [known, function] : kNames) {
    if (known == name) return function;
  }
  return std::nullopt;
}

std::string_view SetFunctionName(SetFunction function) {
  for (const auto& [name, known] : kNames) {
    if (known == function) return name;
  }
  return "";
}

absl::StatusOr<std::unique_ptr<SetValues>> OpenSet(const Expression& expression, const Row& row,
                                                   const EvaluationContext& context) {
  if (expression.kind != ExpressionKind::kSet) {
    ASSIGN_OR_RETURN(Datum value, Evaluate(expression, row, context));
    return List({std::move(value)});
  }
  Row arguments;
  for (const ExpressionRef& argument : expression.arguments) {
    ASSIGN_OR_RETURN(arguments.emplace_back(), Evaluate(*argument, row, context));
    if (IsNull(arguments.back())) return List({});
  }
  switch (expression.set) {
    case SetFunction::kSeries:
      return OpenSeries(arguments, context);
    case SetFunction::kUnnest:
      return List(std::get<Array>(arguments[0]).items->values);
    case SetFunction::kSubscripts:
      return OpenSubscripts(arguments);
    case SetFunction::kExpandArray:
      return OpenExpanded(*std::get<Array>(arguments[0]).items);
  }
  return List({});
}

}  // namespace anabranch
